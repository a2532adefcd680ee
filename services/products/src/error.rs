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
    #[error("the etag is stale")]
    StaleEtag,
    #[error(transparent)]
    Store(#[from] ::store::Error),
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Update(faults) => status::violations(faults),
            Error::SkuTaken(_) => status::error(Code::AlreadyExists, "SKU_TAKEN", error.to_string()),
            Error::NotFound(ids) => status::not_found("products", &ids.join(",products/")),
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
        }
    }
}
