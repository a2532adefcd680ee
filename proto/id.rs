//! Identifiers: a prefix that names the kind and a UUIDv7, so that they sort by the time they were made.

use uuid::Uuid;

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
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 9] = [
        Kind::User,
        Kind::Product,
        Kind::Order,
        Kind::Payment,
        Kind::Refund,
        Kind::Shipment,
        Kind::Event,
        Kind::Basket,
        Kind::Client,
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
        }
    }

    pub fn new_id(self) -> String {
        format!("{}{}", self.prefix(), Uuid::now_v7().simple())
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
