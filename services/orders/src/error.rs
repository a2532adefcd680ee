//! Why an order was refused.

use crate::{
    convert,
    domain::{CouponRefusal, State},
    prices::Quote,
};
use contracts::{money::Money, validate::Violation};
use rpc::status;
use tonic::{Code, Status};

/// A refusal of the orders service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No lines.
    #[error("an order needs at least one line")]
    NoItems,
    /// Too many units of a product.
    #[error("at most 10,000 units of {0}")]
    TooMany(String),
    /// Prices in two currencies.
    #[error("the products are priced in {0} and {1}")]
    MixedCurrencies(String, String),
    /// There is nothing to pay, and this shop gives nothing away.
    #[error("there is nothing to pay, and this shop takes no such orders")]
    NothingToPay,
    /// The payment provider cannot take this total.
    #[error("{total} cannot be paid: the payment provider takes multiples of {step} from {least} to {most}")]
    AmountNotPayable {
        /// The total.
        total: String,
        /// What it must be a multiple of.
        step: String,
        /// The least.
        least: String,
        /// The most.
        most: String,
    },
    /// The payment provider takes no amount of this currency.
    #[error("the payment provider takes no {0}")]
    CurrencyNotPayable(String),
    /// The refund is finer than what the payment provider can give back.
    #[error("must be a multiple of {0}")]
    RefundTooFine(Money),
    /// There is something to pay, and nothing to pay it with.
    #[error("is required: there is {0} to pay")]
    NoPaymentToken(Money),
    /// An amount that cannot be computed.
    #[error(transparent)]
    Money(#[from] contracts::money::Error),
    /// These lines name no product.
    #[error("{} not in the catalogue", .0.len())]
    UnknownProducts(Vec<(usize, String)>),
    /// These lines name a product that is no longer sold.
    #[error("{} no longer sold", .0.len())]
    ArchivedProducts(Vec<(usize, String)>),
    /// The address lacks what its country asks for.
    #[error("{} fields of the address are at fault", .0.len())]
    Address(Vec<Violation>),
    /// The caller has seen another total than the catalogue's of now.
    #[error("the total is {} now", .0.priced.amounts.total)]
    TotalChanged(Box<Quote>),
    /// The order may not use its coupon.
    #[error(transparent)]
    Coupon(#[from] CouponRefusal),
    /// A field of a coupon that cannot be.
    #[error("{0} {1}")]
    CouponField(&'static str, &'static str),
    /// A field of a coupon that is not an amount of money.
    #[error("{0}: {1}")]
    CouponMoney(&'static str, #[source] contracts::money::Error),
    /// No such coupon.
    #[error("coupon {0} was not found")]
    CouponNotFound(String),
    /// The code is taken.
    #[error("there is a coupon {0} already")]
    CouponExists(String),
    /// The caller saw an older version.
    #[error("the etag is stale")]
    StaleEtag,
    /// Not a quote id of this shop.
    #[error("this is no quote id")]
    QuoteInvalid,
    /// The quote is of somebody else, or of something else.
    #[error("the quote is not of this order: ask for a new one")]
    QuoteMismatch,
    /// Its time is over.
    #[error("the quote has expired: ask for a new one")]
    QuoteExpired,
    /// Accounts that are closed cannot order.
    #[error("the account is closed")]
    AccountClosed,
    /// The key was used for another order.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// No such order, or somebody else's.
    #[error("order {0} was not found")]
    NotFound(String),
    /// Too late.
    #[error("an order that is {0:?} cannot be cancelled")]
    CannotCancel(State),
    /// The carrier has it.
    #[error("the goods have left: an order that is with the carrier cannot be cancelled")]
    HasLeft,
    /// It has not left, or not been paid.
    #[error("an order that is {0:?} cannot be refunded; cancel it")]
    NotRefundable(State),
    /// People must see to it first.
    #[error("this order is frozen: {0}")]
    Frozen(String),
    /// More than was paid and not given back.
    #[error("no more than {0} can be refunded")]
    MoreThanPaid(Money),
    /// More units than were bought and have not come back.
    #[error("no more than {left} of {product_id} can come back")]
    MoreThanBought {
        /// The product.
        product_id: String,
        /// Units that can still come back.
        left: u32,
    },
    /// The amount is in another currency than the order.
    #[error("amount must be in {0}")]
    RefundCurrency(String),
    /// The amount is not an amount of money.
    #[error("amount: {0}")]
    RefundAmount(#[source] contracts::money::Error),
    /// Nothing would be given back.
    #[error("amount must be above 0")]
    RefundNotPositive,
    /// Units and an amount.
    #[error("either items or an amount, not both")]
    ItemsAndAmount,
    /// There are too many.
    #[error("this order has been refunded too often")]
    TooManyRefunds,
    /// The saga does not allow what a person wants.
    #[error("{0}")]
    Intervention(saga::InterventionError),
    /// The table of states does not have this move.
    #[error("an order cannot go from {from:?} to {to:?}")]
    Transition {
        /// Before.
        from: State,
        /// After.
        to: State,
    },
    /// A peer refused or failed.
    #[error("{}", .0.message())]
    Peer(Box<Status>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ::store::Error),
}

impl Error {
    /// Whether somebody else wrote first: decided anew, the change may succeed.
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
            Error::NoItems | Error::MixedCurrencies(..) | Error::TooMany(_) => status::violation("order.items", text),
            Error::NothingToPay => status::precondition("NOTHING_TO_PAY", text),
            Error::AmountNotPayable { total, step, least, most } => {
                let metadata = [("total", total), ("step", step), ("minimum", least), ("maximum", most)];
                let metadata = metadata.map(|(name, value)| (name.to_owned(), value));
                status::with(Code::FailedPrecondition, "AMOUNT_NOT_PAYABLE", text, &metadata)
            }
            Error::CurrencyNotPayable(_) => status::precondition("CURRENCY_NOT_PAYABLE", text),
            Error::RefundTooFine(_) => status::violation("amount", text),
            Error::NoPaymentToken(_) => status::violation("order.payment_token", text),
            Error::Money(cause) => status::violation("order.items", cause.to_string()),
            Error::UnknownProducts(lines) => lines_at_fault(&lines, "is not in the catalogue"),
            Error::ArchivedProducts(lines) => lines_at_fault(&lines, "is no longer sold"),
            Error::Address(faults) => status::violations(faults),
            Error::TotalChanged(quote) => {
                let quote = convert::quote_to_wire(&quote);
                status::with_detail(Code::FailedPrecondition, "TOTAL_CHANGED", text, &quote)
            }
            Error::Coupon(refusal) => status::with(Code::FailedPrecondition, refusal.code(), text, &refusal.metadata()),
            Error::CouponField(field, why) => status::violation(&format!("coupon.{field}"), why),
            Error::CouponMoney(field, cause) => status::violation(&format!("coupon.{field}"), cause.to_string()),
            Error::CouponNotFound(code) => status::not_found("coupons", &code),
            Error::CouponExists(_) => status::error(Code::AlreadyExists, "COUPON_EXISTS", text),
            Error::StaleEtag => status::stale_etag(),
            Error::QuoteInvalid => status::error(Code::InvalidArgument, "QUOTE_INVALID", text),
            Error::QuoteMismatch => status::precondition("QUOTE_MISMATCH", text),
            Error::QuoteExpired => status::precondition("QUOTE_EXPIRED", text),
            Error::AccountClosed => status::precondition("ACCOUNT_CLOSED", text),
            Error::KeyReused => status::key_reused(),
            Error::NotFound(id) => status::not_found("orders", &id),
            Error::CannotCancel(_) => status::precondition("ORDER_NOT_CANCELLABLE", text),
            Error::HasLeft => status::precondition("ORDER_NOT_CANCELLABLE", text),
            Error::NotRefundable(_) => status::precondition("ORDER_NOT_REFUNDABLE", text),
            Error::Frozen(_) => status::precondition("ORDER_FROZEN", text),
            Error::MoreThanPaid(_) => status::precondition("REFUND_EXCEEDS_CAPTURE", text),
            Error::MoreThanBought { .. } => status::precondition("RETURN_EXCEEDS_ORDER", text),
            Error::RefundAmount(cause) => status::violation("amount", cause.to_string()),
            Error::RefundCurrency(currency) => status::violation("amount", format!("must be in {currency}")),
            Error::RefundNotPositive => status::violation("amount", "must be above 0"),
            Error::ItemsAndAmount => status::violation("amount", text),
            Error::TooManyRefunds => status::precondition("TOO_MANY_REFUNDS", text),
            Error::Intervention(cause) => status::precondition(cause.code(), text),
            Error::Transition { .. } => {
                tracing::error!(%text, "an illegal transition was refused");
                status::internal()
            }
            Error::Peer(status) => *status,
            Error::Store(cause) => service::store_status(cause),
        }
    }
}

fn lines_at_fault(lines: &[(usize, String)], what: &str) -> Status {
    let violation = |(index, id): &(usize, String)| Violation {
        field: format!("order.items[{index}].product_id"),
        description: format!("{id} {what}"),
    };
    status::violations(lines.iter().map(violation).collect())
}
