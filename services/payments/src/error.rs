//! Why a payment was refused.

use crate::domain::{Kind, Operation, State};
use contracts::money::Money;
use rpc::status;
use tonic::{Code, Status};

/// A refusal of the payments service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The amount is not an amount of money.
    #[error("amount: {0}")]
    Amount(#[source] contracts::money::Error),
    /// The provider cannot take this currency.
    #[error("the payment provider takes no {0}")]
    CurrencyNotPayable(String),
    /// The amount is zero or negative.
    #[error("amount must be above 0")]
    NotPositive,
    /// No such payment, or somebody else's.
    #[error("payment {0:?} was not found")]
    NotFound(String),
    /// The amount is in another currency than the payment.
    #[error("amount must be in {0}")]
    Currency(String),
    /// More than is authorized and not yet taken or given back.
    #[error("no more than {0} can be captured")]
    MoreThanAuthorized(Money),
    /// More than was captured and not yet given back.
    #[error("no more than {0} can be refunded")]
    MoreThanCaptured(Money),
    /// Nothing was captured.
    #[error("a payment in state {} cannot be refunded", .0.name())]
    NotCaptured(State),
    /// People must see to it first.
    #[error("this payment is frozen: {0}")]
    Frozen(String),
    /// The payment exists for another order, user or amount.
    #[error("this payment exists for another order, user or amount")]
    Mismatch,
    /// The payment was cancelled.
    #[error("this payment was cancelled")]
    Cancelled,
    /// Only an authorized payment can be captured.
    #[error("a payment in state {} cannot be captured", .0.name())]
    NotAuthorized(State),
    /// Nobody waits for the payer.
    #[error("a payment in state {} waits for no action of this kind", .0.name())]
    NoAction(State),
    /// Who asks has been replaced.
    #[error(transparent)]
    Stale(#[from] saga::Stale),
    /// The provider has not answered; the same request may be repeated.
    #[error("the provider has not answered yet")]
    Unknown,
    /// The provider's report cannot be read.
    #[error(transparent)]
    Silent(#[from] crate::provider::Silent),
    /// The provider answered that it will not move the money.
    #[error("the provider refused {operation:?}: {reason}")]
    ProviderRefused {
        /// What it was asked.
        operation: Operation,
        /// Its reason.
        reason: String,
    },
    /// An answer that the provider cannot give to this operation.
    #[error("the provider's answer does not fit {0:?}")]
    UnexpectedOutcome(Operation),
    /// A move that is not in the table of transitions.
    #[error("illegal transition from {from:?} to {to:?}")]
    IllegalTransition {
        /// The state before; none for a new payment.
        from: Option<State>,
        /// The state that was to follow.
        to: State,
    },
    /// More would be taken or given back than there is.
    #[error("the ledger refuses this {0:?}: it exceeds what is there")]
    LedgerRefused(Kind),
    /// The ledger cannot be summed.
    #[error("the ledger cannot be summed: {0}")]
    Arithmetic(#[source] contracts::money::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ::store::Error),
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Amount(cause) => status::violation("amount", cause.to_string()),
            Error::CurrencyNotPayable(_) => status::precondition("CURRENCY_NOT_PAYABLE", error.to_string()),
            Error::NotPositive => status::violation("amount", "must be above 0"),
            Error::Currency(currency) => status::violation("amount", format!("must be in {currency}")),
            Error::MoreThanAuthorized(_) => status::precondition("CAPTURE_EXCEEDS_AUTHORIZATION", error.to_string()),
            Error::MoreThanCaptured(_) => status::precondition("REFUND_EXCEEDS_CAPTURE", error.to_string()),
            Error::NotCaptured(_) => status::precondition("PAYMENT_NOT_CAPTURED", error.to_string()),
            Error::Frozen(_) => status::precondition("PAYMENT_FROZEN", error.to_string()),
            Error::NotFound(id) => status::not_found("payments", &id),
            Error::Mismatch => status::error(Code::AlreadyExists, "PAYMENT_MISMATCH", error.to_string()),
            Error::Cancelled => status::precondition("PAYMENT_CANCELLED", error.to_string()),
            Error::NotAuthorized(_) => status::precondition("PAYMENT_NOT_AUTHORIZED", error.to_string()),
            Error::NoAction(_) => status::precondition("PAYMENT_ACTION_NOT_REQUIRED", error.to_string()),
            Error::Stale(_) => status::error(Code::Aborted, "STALE_EPOCH", error.to_string()),
            Error::Unknown => status::unavailable("PAYMENT_UNKNOWN", error.to_string()),
            Error::Silent(cause) => {
                tracing::warn!(%cause, "the payment provider does not report");
                status::unavailable("PROVIDER_SILENT", "the payment provider does not answer now")
            }
            Error::ProviderRefused { .. } => status::precondition("PROVIDER_REFUSED", error.to_string()),
            Error::UnexpectedOutcome(_)
            | Error::IllegalTransition { .. }
            | Error::LedgerRefused(_)
            | Error::Arithmetic(_) => {
                tracing::error!(%error, "a payment and its provider disagree");
                status::internal()
            }
            Error::Store(cause) => cause.into(),
        }
    }
}
