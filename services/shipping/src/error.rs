//! Why a shipment was refused.

use crate::domain::State;
use rpc::status;
use tonic::{Code, Status};

/// A refusal of the shipping service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such shipment, or somebody else's.
    #[error("shipment {0:?} was not found")]
    NotFound(String),
    /// The shipment exists for another order or user.
    #[error("this shipment exists for another order or user")]
    Mismatch,
    /// The shipment was cancelled.
    #[error("this shipment was cancelled")]
    Cancelled,
    /// Who asks has been replaced.
    #[error(transparent)]
    Stale(#[from] saga::Stale),
    /// It has left.
    #[error("this shipment has been dispatched")]
    Dispatched,
    /// It has not left.
    #[error("this shipment has not been dispatched")]
    NotDispatched,
    /// The carrier brought it back.
    #[error("this shipment was brought back")]
    Returned,
    /// More units than are in the shipment.
    #[error("no more than {left} units of {product_id} are in this shipment")]
    MoreThanInIt {
        /// The product.
        product_id: String,
        /// Units of it.
        left: i32,
    },
    /// A product twice in a split.
    #[error("{0} is named twice")]
    NamedTwice(String),
    /// All of it would go.
    #[error("nothing would be left in this shipment")]
    NothingLeft,
    /// The order has too many.
    #[error("the order has too many shipments")]
    TooManyShipments,
    /// The key was used for another split.
    #[error("this request_id was used for another split")]
    KeyReused,
    /// Somebody else has it.
    #[error("{0:?} is not the carrier of this shipment")]
    CarrierUnknown(String),
    /// News of no kind.
    #[error("event.kind must be named")]
    NoKind,
    /// The same event with another content.
    #[error("the carrier's event {0:?} is known with another kind")]
    OtherNews(String),
    /// The carrier tells too much.
    #[error("too many tracking events of this shipment")]
    TooMuchNews,
    /// The carrier does not answer.
    #[error("the carrier does not answer: {0}")]
    CarrierSilent(String),
    /// No parcel goes there.
    #[error("nothing is shipped to {0:?}")]
    CountryNotServed(String),
    /// No price in this currency.
    #[error("there is no shipping rate in {0:?}")]
    CurrencyNotServed(String),
    /// More than a parcel may weigh.
    #[error("{weight_grams} g are more than can be shipped there, {most_grams} g")]
    TooHeavy {
        /// What was to be sent.
        weight_grams: i64,
        /// Most that is carried there.
        most_grams: i64,
    },
    /// A move that is not in the table of transitions.
    #[error("illegal transition from {from:?} to {to:?}")]
    IllegalTransition {
        /// The state before; none for a new shipment.
        from: Option<State>,
        /// The state that was to follow.
        to: State,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ::store::Error),
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound(id) => status::not_found("shipments", &id),
            Error::Mismatch => status::error(Code::AlreadyExists, "SHIPMENT_MISMATCH", error.to_string()),
            Error::Cancelled => status::precondition("SHIPMENT_CANCELLED", error.to_string()),
            Error::Stale(_) => status::error(Code::Aborted, "STALE_EPOCH", error.to_string()),
            Error::Dispatched => status::precondition("SHIPMENT_DISPATCHED", error.to_string()),
            Error::NotDispatched => status::precondition("SHIPMENT_NOT_DISPATCHED", error.to_string()),
            Error::Returned => status::precondition("SHIPMENT_RETURNED", error.to_string()),
            Error::MoreThanInIt { .. } => status::precondition("SPLIT_EXCEEDS_SHIPMENT", error.to_string()),
            Error::NamedTwice(_) => status::violation("lines", error.to_string()),
            Error::NothingLeft => status::precondition("SPLIT_LEAVES_NOTHING", error.to_string()),
            Error::TooManyShipments => status::precondition("TOO_MANY_SHIPMENTS", error.to_string()),
            Error::KeyReused => status::key_reused(),
            Error::CarrierUnknown(_) => status::precondition("CARRIER_UNKNOWN", error.to_string()),
            Error::NoKind => status::violation("event.kind", "must be named"),
            Error::OtherNews(_) => status::error(Code::AlreadyExists, "TRACKING_EVENT_MISMATCH", error.to_string()),
            Error::TooMuchNews => status::precondition("TOO_MANY_TRACKING_EVENTS", error.to_string()),
            Error::CarrierSilent(_) => status::unavailable("CARRIER_UNAVAILABLE", "the carrier does not answer"),
            Error::CountryNotServed(_) => status::precondition("COUNTRY_NOT_SERVED", error.to_string()),
            Error::CurrencyNotServed(_) => status::precondition("CURRENCY_NOT_SERVED", error.to_string()),
            Error::TooHeavy { .. } => status::precondition("PARCEL_TOO_HEAVY", error.to_string()),
            Error::IllegalTransition { .. } => {
                tracing::error!(%error, "a command decided on an illegal transition");
                status::internal()
            }
            Error::Store(cause) => service::store_status(cause),
        }
    }
}
