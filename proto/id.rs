//! Identifiers: a prefix that names the kind and a UUIDv7, so that they sort by the time they were made.

use uuid::{Builder, Uuid};

/// What an identifier names, by its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    User,
    Product,
    Order,
    Payment,
    Refund,
    Shipment,
    Event,
    Basket,
    Client,
    Email,
    Category,
    ProductGroup,
    Endpoint,
    Delivery,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 14] = [
        Kind::User,
        Kind::Product,
        Kind::Order,
        Kind::Payment,
        Kind::Refund,
        Kind::Shipment,
        Kind::Event,
        Kind::Basket,
        Kind::Client,
        Kind::Email,
        Kind::Category,
        Kind::ProductGroup,
        Kind::Endpoint,
        Kind::Delivery,
    ];

    /// The prefix, with its underscore.
    pub const fn prefix(self) -> &'static str {
        match self {
            Kind::User => "usr_",
            Kind::Product => "prd_",
            Kind::Order => "ord_",
            Kind::Payment => "pay_",
            Kind::Refund => "rfd_",
            Kind::Shipment => "shp_",
            Kind::Event => "evt_",
            Kind::Basket => "bsk_",
            Kind::Client => "cli_",
            Kind::Email => "eml_",
            Kind::Category => "cat_",
            Kind::ProductGroup => "grp_",
            Kind::Endpoint => "whe_",
            Kind::Delivery => "whd_",
        }
    }

    pub fn new_id(self) -> String {
        format!("{}{}", self.prefix(), Uuid::now_v7().simple())
    }

    /// The identifier of what follows from something else, at this time since the epoch: the same bytes make the same one.
    pub fn id_of(self, millis: u64, bytes: &[u8; 10]) -> String {
        let uuid = Builder::from_unix_timestamp_millis(millis, bytes).into_uuid();
        format!("{}{}", self.prefix(), uuid.simple())
    }

    /// Whether `id` has this kind's form. Says nothing about existence.
    pub fn matches(self, id: &str) -> bool {
        id.strip_prefix(self.prefix()).is_some_and(|rest| rest.len() == 32 && Uuid::try_parse(rest).is_ok())
    }
}

/// Whether `text` has the form of an identifier of some kind.
pub fn is_id(text: &str) -> bool {
    Kind::ALL.iter().any(|kind| kind.matches(text))
}
