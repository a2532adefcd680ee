//! Why the rules refuse what is asked of a shipment. Pure.

use super::state::IllegalTransition;

/// A refusal of the rules.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The shipment exists for another order or user.
    #[error("this shipment exists for another order or user")]
    Mismatch,
    #[error("this shipment was cancelled")]
    Cancelled,
    /// Who asks has been replaced.
    #[error(transparent)]
    Stale(#[from] saga::Stale),
    #[error("this shipment has been dispatched")]
    Dispatched,
    #[error("this shipment has not been dispatched")]
    NotDispatched,
    /// The carrier brought it back.
    #[error("this shipment was brought back")]
    Returned,
    /// More units than are in the shipment.
    #[error("no more than {left} units of {product_id} are in this shipment")]
    MoreThanInIt { product_id: String, left: i32 },
    /// A product twice in a split.
    #[error("{0} is named twice")]
    NamedTwice(String),
    /// All of it would go.
    #[error("nothing would be left in this shipment")]
    NothingLeft,
    /// The key was used for another split.
    #[error("this request_id was used for another split")]
    KeyReused,
    #[error("{0:?} is not the carrier of this shipment")]
    CarrierUnknown(String),
    /// The same event with another content.
    #[error("the carrier's event {0:?} is known with another kind")]
    OtherNews(String),
    /// The carrier tells too much.
    #[error("too many tracking events of this shipment")]
    TooMuchNews,
    /// A move that is not in the table of transitions.
    #[error(transparent)]
    Transition(#[from] IllegalTransition),
}
