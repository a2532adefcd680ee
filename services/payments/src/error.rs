//! Why a payment was refused, and how callers are told.

#[cfg(test)]
mod tests;

use crate::{domain, provider};
use rpc::status;
use tonic::{Code, Status};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] domain::Error),
    #[error("the payment provider takes no {0}")]
    CurrencyNotPayable(String),
    /// No such payment, or somebody else's.
    #[error("payment {0:?} was not found")]
    NotFound(String),
    #[error(transparent)]
    Unavailable(#[from] provider::Unavailable),
    #[error(transparent)]
    Store(#[from] ::store::Error),
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::CurrencyNotPayable(_) => status::precondition("CURRENCY_NOT_PAYABLE", error.to_string()),
            Error::NotFound(id) => status::not_found("payments", &id),
            Error::Unavailable(cause) => {
                tracing::warn!(%cause, "the payment provider does not report");
                status::unavailable("PROVIDER_SILENT", "the payment provider does not answer now")
            }
            Error::Store(cause) => service::store_status(cause),
        }
    }
}

impl From<domain::Error> for Status {
    fn from(error: domain::Error) -> Self {
        use domain::Error;
        let message = error.to_string();
        match error {
            Error::Amount(cause) => status::violation("amount", cause.to_string()),
            Error::NotPositive => status::violation("amount", "must be above 0"),
            Error::Currency(currency) => status::violation("amount", format!("must be in {currency}")),
            Error::MoreThanAuthorized(_) => status::precondition("CAPTURE_EXCEEDS_AUTHORIZATION", message),
            Error::MoreThanCaptured(_) => status::precondition("REFUND_EXCEEDS_CAPTURE", message),
            Error::NotCaptured(_) => status::precondition("PAYMENT_NOT_CAPTURED", message),
            Error::Frozen(_) => status::precondition("PAYMENT_FROZEN", message),
            Error::Mismatch => status::error(Code::AlreadyExists, "PAYMENT_MISMATCH", message),
            Error::Cancelled => status::precondition("PAYMENT_CANCELLED", message),
            Error::NotAuthorized(_) => status::precondition("PAYMENT_NOT_AUTHORIZED", message),
            Error::NoAction(_) => status::precondition("PAYMENT_ACTION_NOT_REQUIRED", message),
            Error::Stale(_) => status::error(Code::Aborted, "STALE_EPOCH", message),
            Error::Unknown => status::unavailable("PAYMENT_UNKNOWN", message),
            Error::ProviderRefused { .. } => status::precondition("PROVIDER_REFUSED", message),
            Error::UnexpectedOutcome(_) | Error::Transition(_) | Error::Ledger(_) => {
                tracing::error!(error = message, "a payment and its provider disagree");
                status::internal()
            }
        }
    }
}
