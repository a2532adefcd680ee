//! Why the rules refuse what is asked of a payment. Pure.

use super::{Operation, State, ledger, state::IllegalTransition};
use contracts::money::Money;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("amount: {0}")]
    Amount(#[source] contracts::money::Error),
    #[error("amount must be above 0")]
    NotPositive,
    /// The amount is in another currency than the payment.
    #[error("amount must be in {0}")]
    Currency(String),
    /// More than is authorized and not yet taken or given back.
    #[error("no more than {0} can be captured")]
    MoreThanAuthorized(Money),
    /// More than was captured and not yet given back.
    #[error("no more than {0} can be refunded")]
    MoreThanCaptured(Money),
    #[error("a payment in state {} cannot be refunded", .0.name())]
    NotCaptured(State),
    #[error("this payment is frozen: {0}")]
    Frozen(String),
    /// The payment exists for another order, user or amount.
    #[error("this payment exists for another order, user or amount")]
    Mismatch,
    #[error("this payment was cancelled")]
    Cancelled,
    #[error("a payment in state {} cannot be captured", .0.name())]
    NotAuthorized(State),
    /// Nobody waits for the payer.
    #[error("a payment in state {} waits for no action of this kind", .0.name())]
    NoAction(State),
    #[error(transparent)]
    Stale(#[from] saga::Stale),
    /// The provider has not answered; the same request may be repeated.
    #[error("the provider has not answered yet")]
    Unknown,
    /// The provider answered that it will not move the money.
    #[error("the provider refused {operation:?}: {reason}")]
    ProviderRefused { operation: Operation, reason: String },
    /// An answer that the provider cannot give to this operation.
    #[error("the provider's answer does not fit {0:?}")]
    UnexpectedOutcome(Operation),
    /// A move that is not in the table of transitions.
    #[error(transparent)]
    Transition(#[from] IllegalTransition),
    #[error("the ledger {0}")]
    Ledger(#[from] ledger::Error),
}
