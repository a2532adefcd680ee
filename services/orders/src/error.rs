//! Why the service refuses, and how callers are told.

use crate::{
    coupons::domain::{CouponRefusal, TermsError},
    domain,
};
use contracts::{money::Money, orders::v1::OrderQuote, validate::Violation};
use rpc::status;
use tonic::{Code, Status};

/// A line of a draft whose product cannot be ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFault {
    pub index: usize,
    pub product_id: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] domain::Error),
    #[error("there is nothing to pay, and this shop takes no such orders")]
    NothingToPay,
    #[error("{total} cannot be paid: the payment provider takes multiples of {step} from {least} to {most}")]
    AmountNotPayable { total: String, step: String, least: String, most: String },
    #[error("the payment provider takes no {0}")]
    CurrencyNotPayable(String),
    #[error("is required: there is {0} to pay")]
    NoPaymentToken(Money),
    #[error(transparent)]
    Money(#[from] contracts::money::Error),
    #[error("{} not in the catalogue", .0.len())]
    UnknownProducts(Vec<LineFault>),
    #[error("{} no longer sold", .0.len())]
    ArchivedProducts(Vec<LineFault>),
    #[error("{} without a price in {currency}", lines.len())]
    NoPrice { lines: Vec<LineFault>, currency: String },
    #[error("{} fields of the address are at fault", .0.len())]
    Address(Vec<Violation>),
    /// The total differs from the one that the caller expects; the quote has the prices of now.
    #[error("the total is {total} now")]
    TotalChanged { total: Money, quote: Box<OrderQuote> },
    #[error(transparent)]
    Coupon(#[from] CouponRefusal),
    #[error(transparent)]
    CouponTerms(#[from] TermsError),
    #[error("coupon {0} was not found")]
    CouponNotFound(String),
    #[error("there is a coupon {0} already")]
    CouponExists(String),
    #[error("the etag is stale")]
    StaleEtag,
    #[error("this is no quote id")]
    QuoteInvalid,
    #[error("the quote is not of this order: ask for a new one")]
    QuoteMismatch,
    #[error("the quote has expired: ask for a new one")]
    QuoteExpired,
    #[error("the account is closed")]
    AccountClosed,
    #[error("this idempotency key was used for another request")]
    KeyReused,
    #[error("order {0} was not found")]
    NotFound(String),
    #[error("{}", .0.message())]
    Peer(Box<Status>),
    #[error(transparent)]
    Store(#[from] ::store::Error),
}

impl Error {
    /// Whether another writer was first: decided again, the change may succeed.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(cause) if cause.is_conflict())
    }
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
            Error::NothingToPay => status::precondition("NOTHING_TO_PAY", text),
            Error::AmountNotPayable { total, step, least, most } => {
                let metadata = [("total", total), ("step", step), ("minimum", least), ("maximum", most)];
                let metadata = metadata.map(|(name, value)| (name.to_owned(), value));
                status::with(Code::FailedPrecondition, "AMOUNT_NOT_PAYABLE", text, &metadata)
            }
            Error::CurrencyNotPayable(_) => status::precondition("CURRENCY_NOT_PAYABLE", text),
            Error::NoPaymentToken(_) => status::violation("order.payment_token", text),
            Error::Money(cause) => domain::Error::Money(cause).into(),
            Error::UnknownProducts(lines) => lines_at_fault(&lines, "is not in the catalogue"),
            Error::ArchivedProducts(lines) => lines_at_fault(&lines, "is no longer sold"),
            Error::NoPrice { lines, currency } => lines_at_fault(&lines, &format!("has no price in {currency}")),
            Error::Address(faults) => status::violations(faults),
            Error::TotalChanged { quote, .. } => {
                status::with_detail(Code::FailedPrecondition, "TOTAL_CHANGED", text, &*quote)
            }
            Error::Coupon(refusal) => status::with(Code::FailedPrecondition, refusal.code(), text, &refusal.metadata()),
            Error::CouponTerms(TermsError::Field(field, why)) => status::violation(&format!("coupon.{field}"), why),
            Error::CouponTerms(TermsError::Money(field, cause)) => {
                status::violation(&format!("coupon.{field}"), cause.to_string())
            }
            Error::CouponNotFound(code) => status::not_found("coupons", &code),
            Error::CouponExists(_) => status::error(Code::AlreadyExists, "COUPON_EXISTS", text),
            Error::StaleEtag => status::stale_etag(),
            Error::QuoteInvalid => status::error(Code::InvalidArgument, "QUOTE_INVALID", text),
            Error::QuoteMismatch => status::precondition("QUOTE_MISMATCH", text),
            Error::QuoteExpired => status::precondition("QUOTE_EXPIRED", text),
            Error::AccountClosed => status::precondition("ACCOUNT_CLOSED", text),
            Error::KeyReused => status::key_reused(),
            Error::NotFound(id) => status::not_found("orders", &id),
            Error::Peer(status) => *status,
            Error::Store(cause) => service::store_status(cause),
        }
    }
}

impl From<domain::Error> for Status {
    fn from(error: domain::Error) -> Self {
        use domain::Error;
        let text = error.to_string();
        match error {
            Error::NoItems | Error::MixedCurrencies(..) | Error::TooMany(_) => status::violation("order.items", text),
            Error::Money(cause) => status::violation("order.items", cause.to_string()),
            Error::CannotCancel(_) | Error::HasLeft => status::precondition("ORDER_NOT_CANCELLABLE", text),
            Error::NotRefundable(_) => status::precondition("ORDER_NOT_REFUNDABLE", text),
            Error::Frozen(_) => status::precondition("ORDER_FROZEN", text),
            Error::MoreThanPaid(_) => status::precondition("REFUND_EXCEEDS_CAPTURE", text),
            Error::MoreThanBought { .. } => status::precondition("RETURN_EXCEEDS_ORDER", text),
            Error::RefundAmount(cause) => status::violation("amount", cause.to_string()),
            Error::RefundCurrency(currency) => status::violation("amount", format!("must be in {currency}")),
            Error::RefundNotPositive => status::violation("amount", "must be above 0"),
            Error::RefundTooFine(_) | Error::ItemsAndAmount => status::violation("amount", text),
            Error::TooManyRefunds => status::precondition("TOO_MANY_REFUNDS", text),
            Error::KeyReused => status::key_reused(),
            Error::Intervention(cause) => status::precondition(cause.code(), text),
            Error::Transition { .. } => {
                tracing::error!(%text, "an illegal transition was refused");
                status::internal()
            }
        }
    }
}

fn lines_at_fault(lines: &[LineFault], what: &str) -> Status {
    let violation = |LineFault { index, product_id }: &LineFault| Violation {
        field: format!("order.items[{index}].product_id"),
        description: format!("{product_id} {what}"),
    };
    status::violations(lines.iter().map(violation).collect())
}
