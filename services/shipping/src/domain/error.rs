//! Why the rules refuse what is asked of a shipment. Pure.

use super::state::IllegalTransition;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("this shipment exists for another order or user")]
    Mismatch,
    #[error("this shipment was cancelled")]
    Cancelled,
    #[error(transparent)]
    Stale(#[from] saga::Stale),
    #[error("this shipment has been dispatched")]
    Dispatched,
    #[error("this shipment has not been dispatched")]
    NotDispatched,
    #[error("this shipment was brought back")]
    Returned,
    #[error("no more than {left} units of {product_id} are in this shipment")]
    MoreThanInIt { product_id: String, left: i32 },
    #[error("{0} is named twice")]
    NamedTwice(String),
    #[error("nothing would be left in this shipment")]
    NothingLeft,
    #[error("this request_id was used for another split")]
    KeyReused,
    #[error("{0:?} is not the carrier of this shipment")]
    CarrierUnknown(String),
    #[error("the carrier's event {0:?} is known with another kind")]
    EventMismatch(String),
    #[error("too many tracking events of this shipment")]
    TooManyEvents,
    #[error(transparent)]
    Transition(#[from] IllegalTransition),
}
