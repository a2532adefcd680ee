//! Why a product was refused, and how callers are told.

use crate::domain;
use contracts::validate::Violation;
use rpc::status;
use tonic::{Code, Status};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] domain::Error),
    /// Fields that cannot be changed, or do not exist.
    #[error("{} fields of an update are at fault", .0.len())]
    Update(Vec<Violation>),
    #[error("the SKU {0:?} is taken")]
    SkuTaken(String),
    #[error("not found: {}", .0.join(", "))]
    NotFound(Vec<String>),
    #[error("another product of the group has these options")]
    OptionsTaken,
    #[error("there is no category {0}")]
    NoCategory(String),
    #[error("there is no group {0}")]
    NoGroup(String),
    #[error("the etag is stale")]
    StaleEtag,
    #[error(transparent)]
    Store(#[from] ::store::Error),
}

impl Error {
    /// Whether somebody else wrote first: decided anew, the change may succeed.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Error::Store(cause) if cause.is_conflict())
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Update(faults) => status::violations(faults),
            Error::SkuTaken(_) => status::error(Code::AlreadyExists, "SKU_TAKEN", error.to_string()),
            Error::NotFound(ids) => status::not_found("products", &ids.join(",products/")),
            Error::OptionsTaken => status::error(Code::AlreadyExists, "OPTIONS_TAKEN", error.to_string()),
            Error::NoGroup(id) => status::not_found("product-groups", &id),
            Error::NoCategory(id) => status::not_found("categories", &id),
            Error::StaleEtag => status::stale_etag(),
            Error::Store(cause) => service::store_status(cause),
        }
    }
}

impl From<domain::Error> for Status {
    fn from(error: domain::Error) -> Self {
        use domain::Error;
        match error {
            Error::Money(cause) => status::violation("product.price", cause.to_string()),
            Error::Required(field) => status::violation(field, "is required"),
            Error::PriceBelowZero => status::violation("product.price", "must be 0 or more"),
            Error::OtherPrice { place, why } => status::violation(&format!("product.other_prices[{place}]"), why),
            Error::MediaTooLarge(most) => {
                status::violation("product.media", format!("may have at most {most} bytes of URLs and texts together"))
            }
            Error::UnknownCategory { field, id } => status::violation(field, format!("there is no category {id:?}")),
            Error::UnknownGroup(_) => status::violation("product.group_id", error.to_string()),
            Error::NoGroupOfOptions | Error::OptionNames(_) => status::violation("product.options", error.to_string()),
            Error::OptionTwice | Error::OptionNameWithSign | Error::OptionNameTooLong(_) => {
                status::violation("product_group.varies_by", error.to_string())
            }
            Error::GroupHasVariants => status::precondition("GROUP_HAS_VARIANTS", error.to_string()),
            Error::TooManyVariants(_) => status::precondition("TOO_MANY_VARIANTS", error.to_string()),
            Error::Query(most) => status::violation("query", format!("may have at most {most} words")),
            Error::Filter(why) => status::violation("filter", why),
            Error::OrderBy => {
                status::violation("order_by", "must be create_time, name or price, or one of them with desc")
            }
            Error::CategoryCycle => status::precondition("CATEGORY_CYCLE", error.to_string()),
            Error::CategoryTooDeep(_) => status::precondition("CATEGORY_TOO_DEEP", error.to_string()),
            Error::TooManyCategories(_) => status::precondition("TOO_MANY_CATEGORIES", error.to_string()),
            Error::CategoryNotEmpty => status::precondition("CATEGORY_NOT_EMPTY", error.to_string()),
        }
    }
}
