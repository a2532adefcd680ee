//! Why the service refuses, and how callers are told.

use crate::domain;
use contracts::validate::Violation;
use rpc::status;
use tonic::{Code, Status};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] domain::Error),
    #[error("the update names fields at fault")]
    Update(Vec<Violation>),
    #[error("{0}")]
    Country(String),
    #[error("basket {0} was not found")]
    NotFound(String),
    #[error("the etag is stale")]
    StaleEtag,
    #[error("this idempotency key was used for another request")]
    KeyReused,
    #[error("a basket cannot be merged into itself")]
    IntoItself,
    #[error("a peer answered: {0}")]
    Peer(Box<Status>),
    #[error(transparent)]
    Store(#[from] ::store::Error),
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Peer(Box::new(status))
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Update(faults) => status::violations(faults),
            Error::Country(why) => status::violation("basket.country_code", why),
            Error::NotFound(id) => status::not_found("baskets", &id),
            Error::StaleEtag => status::stale_etag(),
            Error::KeyReused => status::key_reused(),
            Error::IntoItself => status::violation("into_basket_id", text),
            Error::Peer(status) => *status,
            Error::Store(cause) => service::store_status(cause),
        }
    }
}

impl From<domain::Error> for Status {
    fn from(error: domain::Error) -> Self {
        use domain::Error;
        let reason = match &error {
            Error::TooMany(_) => "BASKET_QUANTITY",
            Error::Full => "BASKET_FULL",
            Error::Empty => "BASKET_EMPTY",
            Error::CheckoutUnderWay => "CHECKOUT_UNDER_WAY",
            Error::CheckedOut => "BASKET_CHECKED_OUT",
            Error::Merged => "BASKET_MERGED",
            Error::Deleted => return status::error(Code::NotFound, "NOT_FOUND", error.to_string()),
        };
        status::precondition(reason, error.to_string())
    }
}
