//! Why a shipment was refused, and how callers are told.

use crate::domain;
use rpc::status;
use tonic::{Code, Status};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] domain::Error),
    #[error("shipment {0:?} was not found")]
    NotFound(String),
    #[error("the order has too many shipments")]
    TooManyShipments,
    #[error("event.kind must be named")]
    NoKind,
    #[error("the carrier does not answer: {0}")]
    CarrierUnavailable(String),
    #[error("nothing is shipped to {0:?}")]
    CountryNotServed(String),
    #[error("there is no shipping rate in {0:?}")]
    CurrencyNotServed(String),
    #[error("{weight_grams} g are more than can be shipped there, {most_grams} g")]
    TooHeavy { weight_grams: i64, most_grams: i64 },
    #[error(transparent)]
    Store(#[from] ::store::Error),
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::NotFound(id) => status::not_found("shipments", &id),
            Error::TooManyShipments => status::precondition("TOO_MANY_SHIPMENTS", error.to_string()),
            Error::NoKind => status::violation("event.kind", "must be named"),
            Error::CarrierUnavailable(_) => status::unavailable("CARRIER_UNAVAILABLE", "the carrier does not answer"),
            Error::CountryNotServed(_) => status::precondition("COUNTRY_NOT_SERVED", error.to_string()),
            Error::CurrencyNotServed(_) => status::precondition("CURRENCY_NOT_SERVED", error.to_string()),
            Error::TooHeavy { .. } => status::precondition("PARCEL_TOO_HEAVY", error.to_string()),
            Error::Store(cause) => service::store_status(cause),
        }
    }
}

impl From<domain::Error> for Status {
    fn from(error: domain::Error) -> Self {
        use domain::Error;
        let message = error.to_string();
        match error {
            Error::Mismatch => status::error(Code::AlreadyExists, "SHIPMENT_MISMATCH", message),
            Error::Cancelled => status::precondition("SHIPMENT_CANCELLED", message),
            Error::Stale(_) => status::error(Code::Aborted, "STALE_EPOCH", message),
            Error::Dispatched => status::precondition("SHIPMENT_DISPATCHED", message),
            Error::NotDispatched => status::precondition("SHIPMENT_NOT_DISPATCHED", message),
            Error::Returned => status::precondition("SHIPMENT_RETURNED", message),
            Error::MoreThanInIt { .. } => status::precondition("SPLIT_EXCEEDS_SHIPMENT", message),
            Error::NamedTwice(_) => status::violation("lines", message),
            Error::NothingLeft => status::precondition("SPLIT_LEAVES_NOTHING", message),
            Error::KeyReused => status::key_reused(),
            Error::CarrierUnknown(_) => status::precondition("CARRIER_UNKNOWN", message),
            Error::EventMismatch(_) => status::error(Code::AlreadyExists, "TRACKING_EVENT_MISMATCH", message),
            Error::TooManyEvents => status::precondition("TOO_MANY_TRACKING_EVENTS", message),
            Error::Transition(_) => {
                tracing::error!(error = message, "a command decided on an illegal transition");
                status::internal()
            }
        }
    }
}
