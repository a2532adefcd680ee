//! The sagas of an order, as data: their kinds, their steps, and what each step may do.

use saga::{A_DAY, Registry, RetryPolicy, Saga, StepSpec};
use std::time::Duration;

/// The sagas that a build knows.
pub type Sagas = Registry<Step>;

pub type Definition = saga::Definition<Step>;

/// The steps of the sagas; `host` makes the call of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    RedeemCoupon,
    ReleaseCoupon,
    HoldStock,
    CommitStock,
    ReleaseStock,
    ShipStock,
    RestockStopped,
    Restock,
    AuthorizePayment,
    CapturePayment,
    ReleasePayment,
    RefundPayment,
    CancelPayment,
    CreateShipment,
    CancelShipment,
}

impl saga::Step for Step {
    fn name(self) -> &'static str {
        match self {
            Step::RedeemCoupon => "redeem_coupon",
            Step::ReleaseCoupon => "release_coupon",
            Step::HoldStock => "hold_stock",
            Step::CommitStock => "commit_stock",
            Step::ReleaseStock => "release_stock",
            Step::ShipStock => "ship_stock",
            Step::RestockStopped => "restock_stopped",
            Step::Restock => "restock",
            Step::AuthorizePayment => "authorize_payment",
            Step::CapturePayment => "capture_payment",
            Step::ReleasePayment => "release_payment",
            Step::RefundPayment => "refund_payment",
            Step::CancelPayment => "cancel_payment",
            Step::CreateShipment => "create_shipment",
            Step::CancelShipment => "cancel_shipment",
        }
    }

    fn peer(self) -> &'static str {
        use Step::*;
        match self {
            RedeemCoupon | ReleaseCoupon => "orders", // coupons are kept here
            HoldStock | CommitStock | ReleaseStock | ShipStock | RestockStopped | Restock => "inventory",
            AuthorizePayment | CapturePayment | ReleasePayment | RefundPayment | CancelPayment => "payments",
            CreateShipment | CancelShipment => "shipping",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Place,
    Cancel,
    CancelLatePayment,
    Dispatch,
    DispatchShipment,
    Close,
    Refund,
}

impl Purpose {
    pub fn of(saga: &Saga) -> Option<Self> {
        match saga.kind.as_str() {
            "place_order" | "place_order_with_coupon" | "place_free_order" => Some(Purpose::Place),
            "cancel_order" | "cancel_order_with_coupon" => Some(Purpose::Cancel),
            "cancel_late_payment" => Some(Purpose::CancelLatePayment),
            "dispatch_order" => Some(Purpose::Dispatch),
            "dispatch_shipment" => Some(Purpose::DispatchShipment),
            "close_order" => Some(Purpose::Close),
            "refund_order" => Some(Purpose::Refund),
            _ => None,
        }
    }
}

/// Before the pivot: a participant that does not answer for five minutes is not waited for.
const MINUTES: RetryPolicy =
    RetryPolicy { attempt_timeout: Duration::from_secs(5), max_attempts: 100, total_timeout: Duration::from_secs(300) };

/// The payer may take their time; the saga's own deadline ends it. An attempt may have to extend the hold as well.
const PAYER: RetryPolicy =
    RetryPolicy { attempt_timeout: Duration::from_secs(8), total_timeout: Duration::from_secs(900), ..MINUTES };

const REDEEM_COUPON: StepSpec<Step> = StepSpec::new(Step::RedeemCoupon).compensable().rejectable().retried(MINUTES);
const HOLD_STOCK: StepSpec<Step> = StepSpec::new(Step::HoldStock).compensable().rejectable().retried(MINUTES);
const AUTHORIZE_PAYMENT: StepSpec<Step> =
    StepSpec::new(Step::AuthorizePayment).compensable().rejectable().pivot().retried(PAYER);
const COMMIT_STOCK: StepSpec<Step> = StepSpec::new(Step::CommitStock);
const CREATE_SHIPMENT: StepSpec<Step> = StepSpec::new(Step::CreateShipment);
const CANCEL_SHIPMENT: StepSpec<Step> = StepSpec::new(Step::CancelShipment).rejectable().pivot();
const RELEASE_STOCK: StepSpec<Step> = StepSpec::new(Step::ReleaseStock).recorded_with_next();
const CANCEL_PAYMENT: StepSpec<Step> = StepSpec::new(Step::CancelPayment);
const CAPTURE_PAYMENT: StepSpec<Step> = StepSpec::new(Step::CapturePayment);
const SHIP_STOCK: StepSpec<Step> = StepSpec::new(Step::ShipStock);

/// Stock, payment, then the pivot: after it the order is CONFIRMED and the rest is repeated until it works.
pub const PLACE_ORDER: Definition = Definition {
    kind: "place_order",
    version: 2,
    steps: &[HOLD_STOCK.recorded_with_next(), AUTHORIZE_PAYMENT, COMMIT_STOCK.recorded_with_next(), CREATE_SHIPMENT],
    starts_past_pivot: false,
    deadline: Duration::from_secs(600),
    after_pivot: A_DAY,
    alarm_after: 15, // some minutes
};

/// As [`PLACE_ORDER`], for an order with a coupon, whose use is counted first.
pub const PLACE_ORDER_WITH_COUPON: Definition = Definition {
    kind: "place_order_with_coupon",
    version: 1,
    steps: &[
        REDEEM_COUPON,
        HOLD_STOCK.recorded_with_next(),
        AUTHORIZE_PAYMENT,
        COMMIT_STOCK.recorded_with_next(),
        CREATE_SHIPMENT,
    ],
    ..PLACE_ORDER
};

/// For an order that has nothing to pay. Its pivot is that the units are sold to it, which inventory refuses once the hold
/// has run out. Without a coupon the first step does nothing.
pub const PLACE_FREE_ORDER: Definition = Definition {
    kind: "place_free_order",
    version: 1,
    steps: &[
        REDEEM_COUPON,
        HOLD_STOCK.recorded_with_next(),
        COMMIT_STOCK.compensable().rejectable().pivot().retried(MINUTES),
        CREATE_SHIPMENT,
    ],
    ..PLACE_ORDER
};

/// The first [`PLACE_ORDER`], which wrote down what came of the hold before it asked for the payment.
const PLACE_ORDER_1: Definition = Definition {
    version: 1,
    steps: &[HOLD_STOCK, AUTHORIZE_PAYMENT, COMMIT_STOCK.recorded_with_next(), CREATE_SHIPMENT],
    ..PLACE_ORDER
};

/// A shipment that has left cannot be stopped: stopping it is the pivot.
pub const CANCEL_ORDER: Definition = Definition {
    kind: "cancel_order",
    version: 1,
    steps: &[CANCEL_SHIPMENT, RELEASE_STOCK, CANCEL_PAYMENT],
    deadline: Duration::from_secs(30 * 24 * 3600),
    ..PLACE_ORDER
};

/// As [`CANCEL_ORDER`], for an order with a coupon, whose use is given back.
pub const CANCEL_ORDER_WITH_COUPON: Definition = Definition {
    kind: "cancel_order_with_coupon",
    steps: &[CANCEL_SHIPMENT, RELEASE_STOCK, CANCEL_PAYMENT, StepSpec::new(Step::ReleaseCoupon)],
    ..CANCEL_ORDER
};

/// The goods have left: the money is taken and the stock is off the shelf, or a person sees to it.
pub const DISPATCH_ORDER: Definition = Definition {
    kind: "dispatch_order",
    steps: &[CAPTURE_PAYMENT, SHIP_STOCK],
    starts_past_pivot: true,
    ..CANCEL_ORDER
};

/// One of several shipments has left: its share of the money is taken.
pub const DISPATCH_SHIPMENT: Definition =
    Definition { kind: "dispatch_shipment", steps: &[CAPTURE_PAYMENT], ..DISPATCH_ORDER };

/// Nothing of several shipments is to come: what was set aside for stopped ones is given back, the stock is off the shelf,
/// and what was stopped is on it again.
pub const CLOSE_ORDER: Definition = Definition {
    kind: "close_order",
    steps: &[StepSpec::new(Step::ReleasePayment), SHIP_STOCK, StepSpec::new(Step::RestockStopped)],
    ..DISPATCH_ORDER
};

/// The provider has approved the payment of an order that has ended without it: the money is given back.
pub const CANCEL_LATE_PAYMENT: Definition =
    Definition { kind: "cancel_late_payment", steps: &[CANCEL_PAYMENT], ..DISPATCH_ORDER };

/// What was sold is given back after it has left: the money first, which payments may refuse, then the units.
pub const REFUND_ORDER: Definition = Definition {
    kind: "refund_order",
    steps: &[StepSpec::new(Step::RefundPayment).rejectable().pivot(), StepSpec::new(Step::Restock)],
    ..CANCEL_ORDER
};

/// Every definition that may still be running. One that has changed stays here, beside its next version, until no order
/// runs it any more.
pub const SAGAS: &Sagas = &Registry(&[
    &PLACE_ORDER,
    &PLACE_ORDER_1,
    &PLACE_ORDER_WITH_COUPON,
    &PLACE_FREE_ORDER,
    &CANCEL_ORDER,
    &CANCEL_ORDER_WITH_COUPON,
    &CANCEL_LATE_PAYMENT,
    &DISPATCH_ORDER,
    &DISPATCH_SHIPMENT,
    &CLOSE_ORDER,
    &REFUND_ORDER,
]);
