//! What a product is and which changes it allows. Pure.

mod error;
pub mod other_prices;
pub mod price_history;

pub use error::Error;
pub use price_history::{PriceSpan, PriceStart};

use ::store::Time;
use contracts::{
    money::{MOST_OF_A_PRICE, Money},
    text,
    words::{found_by, name_key},
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of all URLs and texts of a product's media. A reply of 100 products that are as large as they may be has less than the 4 MiB
/// that a caller takes.
const MAX_MEDIA_BYTES: usize = 16_384;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    Active,
    /// Kept for old orders only.
    Archived,
    /// Being prepared, and seen by staff only.
    Draft,
}

impl Status {
    /// As it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Status::Active => "Active",
            Status::Archived => "Archived",
            Status::Draft => "Draft",
        }
    }
}

/// Who looks at the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    Public,
    /// Staff, and services.
    Staff,
}

impl Audience {
    /// The status of the products that they see.
    pub fn sees(self) -> &'static [Status] {
        match self {
            Audience::Public => &[Status::Active, Status::Archived],
            Audience::Staff => &[Status::Active, Status::Archived, Status::Draft],
        }
    }
}

/// What tells a variant from the others of its group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProductOption {
    pub name: String,
    pub value: String,
}

/// What inventory's last event says of the stock of a product. It is no part of the product's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stock {
    /// Place of that event among those of the stock.
    pub seq: i64,
    /// Whether a unit can be ordered without waiting.
    pub is_available: bool,
}

/// A picture, or another file that shows a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    pub uri: String,
    /// What it shows, for those who do not see it.
    pub alt_text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    pub name: String,
    pub description: String,
    /// Stock keeping unit.
    pub sku: String,
    /// What tells it from others, in whatever case it is written; none in a product that is older than this and had the SKU
    /// of another one then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku_key: Option<String>,
    #[serde(with = "::store::fields::money")]
    pub price: Money,
    /// In other currencies, by their codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "::store::fields::moneys")]
    pub other_prices: Vec<Money>,
    pub status: Status,
    /// What tells its tax rate; empty for the standard one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tax_category: String,
    #[serde(default)]
    pub weight_grams: i32,
    #[serde(default)]
    pub category_ids: Vec<String>,
    #[serde(default)]
    pub media: Vec<Media>,
    /// The group that it is a variant of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// Its options, in the order of the group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<ProductOption>,
    /// What no other product has: its group and the values of its options, in whatever case they are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant_key: Option<String>,
    /// None until inventory tells of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stock: Option<Stock>,
    /// The words by which it is found; of products that are older than search, the next start adds them.
    #[serde(default)]
    pub words: Vec<String>,
    /// What it is sorted by.
    #[serde(default)]
    pub name_key: String,
    /// What it is found and sorted by in each currency; of products that are older than this, the next start adds them.
    #[serde(default)]
    pub price_keys: BTreeMap<String, String>,
    /// The `updated_at` of the state that the keys are of: a release without keys leaves them as they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_keys_at: Option<Time>,
    pub created_at: Time,
    pub updated_at: Time,
    /// Its prices with the present one, the oldest first; none in a product that is older than this and has its price since.
    #[serde(default)]
    pub prices: Vec<PriceStart>,
    /// Its prices in other currencies with the present ones, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_spans: Vec<PriceSpan>,
    /// Key of the request that created it; the document's own id when there was none.
    pub request_key: String,
    /// Digest of that request; empty when there was none, and in products that are older than digests.
    #[serde(default)]
    pub request_digest: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Name, not empty.
    pub name: String,
    pub description: String,
    /// Stock keeping unit, not empty.
    pub sku: String,
    pub price: Money,
    /// In other currencies.
    pub other_prices: Vec<Money>,
    pub status: Status,
    /// What tells its tax rate; empty for the standard one.
    pub tax_category: String,
    pub weight_grams: i32,
    pub category_ids: Vec<String>,
    pub media: Vec<Media>,
    pub group_id: Option<String>,
    /// As its group arranges them.
    pub options: Vec<ProductOption>,
}

impl Product {
    pub fn is_seen_by(&self, audience: Audience) -> bool {
        audience.sees().contains(&self.status)
    }

    /// Whether a unit can be ordered without waiting, as far as inventory has told.
    pub fn is_available(&self) -> bool {
        self.stock.is_some_and(|stock| stock.is_available)
    }

    pub fn create(draft: Draft, request_key: String, now: Time) -> Result<Self, Error> {
        draft.check()?;
        draft.check_media()?;
        Ok(Self::made(draft, request_key, now))
    }

    /// The product of a draft that was checked.
    fn made(draft: Draft, request_key: String, now: Time) -> Self {
        let variant_key = draft.variant_key();
        let Draft { name, description, sku, price, mut other_prices, status, tax_category, weight_grams, .. } = draft;
        let Draft { mut category_ids, media, group_id, options, .. } = draft;
        distinct(&mut category_ids);
        other_prices.sort_by(|one, other| one.currency.cmp(&other.currency));
        Self {
            words: found_by(&name, &sku, &description),
            name_key: name_key(&name),
            name,
            description,
            sku_key: Some(text::sku_key(&sku)),
            sku,
            prices: match status {
                Status::Draft => Vec::new(),
                Status::Active | Status::Archived => price_history::after(Vec::new(), &price, now),
            },
            other_spans: match status {
                Status::Draft => Vec::new(),
                Status::Active | Status::Archived => other_prices::after(Vec::new(), &other_prices, now),
            },
            price_keys: BTreeMap::new(),
            price_keys_at: None,
            price,
            other_prices,
            status,
            tax_category,
            weight_grams,
            category_ids,
            media,
            group_id,
            options,
            variant_key,
            stock: None,
            created_at: now,
            updated_at: now,
            request_key,
            request_digest: String::new(),
        }
    }

    /// The product after an update, and the names of the fields that changed.
    pub fn update(&self, mut draft: Draft, now: Time) -> Result<(Self, Vec<String>), Error> {
        draft.check()?;
        if draft.media != self.media {
            draft.check_media()?;
        }
        distinct(&mut draft.category_ids);
        draft.other_prices.sort_by(|one, other| one.currency.cmp(&other.currency));
        let mut changed = Vec::new();
        let mut note = |is_changed: bool, field: &str| {
            if is_changed {
                changed.push(field.to_owned());
            }
        };
        note(self.name != draft.name, "name");
        note(self.description != draft.description, "description");
        note(self.sku != draft.sku, "sku");
        note(self.price != draft.price, "price");
        note(self.status != draft.status, "status");
        note(self.tax_category != draft.tax_category, "tax_category");
        note(self.weight_grams != draft.weight_grams, "weight_grams");
        note(self.category_ids != draft.category_ids, "category_ids");
        note(self.media != draft.media, "media");
        note(self.other_prices != draft.other_prices, "other_prices");
        note(self.group_id != draft.group_id, "group_id");
        note(self.options != draft.options, "options");
        let (created_at, request_digest, stock) = (self.created_at, self.request_digest.clone(), self.stock);
        let mut next = Self { created_at, request_digest, stock, ..Self::made(draft, self.request_key.clone(), now) };
        next.prices = match (self.status, next.status) {
            // The price of a draft is offered to nobody.
            (_, Status::Draft) => self.prices(),
            (Status::Draft, _) => price_history::after(self.prices(), &next.price, now),
            _ if next.price == self.price => self.prices.clone(),
            _ => price_history::after(self.prices(), &next.price, now),
        };
        next.other_spans = match next.status {
            Status::Draft => self.other_spans(),
            Status::Active | Status::Archived => other_prices::after(self.other_spans(), &next.other_prices, now),
        };
        // A product of before may be without a key because another one has it; only a SKU that changes is given one.
        if next.sku == self.sku {
            next.sku_key.clone_from(&self.sku_key);
        }
        Ok((next, changed))
    }
}

impl Product {
    /// Its prices, the oldest first. What a release without histories has written has its price since its last change.
    pub fn prices(&self) -> Vec<PriceStart> {
        match self.status {
            Status::Draft => self.prices.clone(),
            Status::Active | Status::Archived => {
                price_history::after(self.prices.clone(), &self.price, self.updated_at)
            }
        }
    }

    /// Its prices in other currencies, the oldest first. Of a draft that a release without them has published, since then.
    pub fn other_spans(&self) -> Vec<PriceSpan> {
        match self.status {
            Status::Draft => self.other_spans.clone(),
            Status::Active | Status::Archived => {
                other_prices::after(self.other_spans.clone(), &self.other_prices, self.updated_at)
            }
        }
    }
}

impl Draft {
    fn check(&self) -> Result<(), Error> {
        if self.name.trim().is_empty() {
            return Err(Error::Required("product.name"));
        }
        if self.sku.trim().is_empty() {
            return Err(Error::Required("product.sku"));
        }
        if self.price.amount < Decimal::ZERO {
            return Err(Error::PriceBelowZero);
        }
        if self.options.iter().any(|option| option.value.trim().is_empty()) {
            return Err(Error::Required("product.options.value"));
        }
        self.price.at_most(MOST_OF_A_PRICE)?;
        other_prices::check(&self.price, &self.other_prices)
    }

    /// Whether it is the variant that `product` is, in whatever order it names the options; then it has their order.
    pub fn keeps_variant(&mut self, product: &Product) -> bool {
        let sorted = |options: &[ProductOption]| {
            let mut options = options.to_vec();
            options.sort();
            options
        };
        let is_same = self.group_id == product.group_id && sorted(&self.options) == sorted(&product.options);
        if is_same {
            self.options.clone_from(&product.options);
        }
        is_same
    }

    /// No blank of a text in its canonical form is a line break.
    fn variant_key(&self) -> Option<String> {
        let values = self.options.iter().map(|option| text::sku_key(&option.value));
        Some(self.group_id.iter().cloned().chain(values).collect::<Vec<_>>().join("\n")).filter(|key| !key.is_empty())
    }

    fn check_media(&self) -> Result<(), Error> {
        let sizes = self.media.iter().map(|media| media.uri.len() + media.alt_text.len());
        if sizes.sum::<usize>() > MAX_MEDIA_BYTES { Err(Error::MediaTooLarge(MAX_MEDIA_BYTES)) } else { Ok(()) }
    }
}

/// Each of the texts once, in the order in which they came first.
fn distinct(texts: &mut Vec<String>) {
    let mut known = BTreeSet::new();
    texts.retain(|text| known.insert(text.clone()));
}
