//! Why the rules refuse what is asked of a product. Pure.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} is required")]
    Required(&'static str),
    #[error("product.price must be 0 or more")]
    PriceBelowZero,
    #[error("product.price: {0}")]
    Money(#[from] contracts::money::Error),
    /// Of one of the other prices.
    #[error("product.other_prices[{place}] {why}")]
    OtherPrice { place: usize, why: String },
    #[error("the media of a product have at most {0} bytes of URLs and texts")]
    MediaTooLarge(usize),
    /// Of this field.
    #[error("{field}: there is no category {id:?}")]
    UnknownCategory { field: &'static str, id: String },
    #[error("there is no group {0:?}")]
    UnknownGroup(String),
    #[error("a product without a group has no options")]
    NoGroupOfOptions,
    /// The names of the group.
    #[error("the variants of this group have a value for each of {0}, and no other option")]
    OptionNames(String),
    #[error("the name of an option has at most {0} characters")]
    OptionNameTooLong(usize),
    /// A file of CSV has `name=value`.
    #[error("the name of an option has no equals sign")]
    OptionNameWithSign,
    #[error("no two options of a group have one name")]
    OptionTwice,
    #[error("products are in this group, so its options stay")]
    GroupHasVariants,
    #[error("a group has at most {0} variants")]
    TooManyVariants(i32),
    #[error("a query has at most {0} words")]
    Query(usize),
    #[error("filter: {0}")]
    Filter(String),
    #[error("order_by is none of create_time, name and price, with or without desc")]
    OrderBy,
    #[error("a category cannot be below itself")]
    CategoryCycle,
    #[error("categories have at most {0} levels")]
    CategoryTooDeep(usize),
    #[error("there are at most {0} categories")]
    TooManyCategories(usize),
    #[error("a category or a product is in this category")]
    CategoryNotEmpty,
}
