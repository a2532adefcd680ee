//! The sagas of an order, as data.

use saga::{A_DAY, Bounds, Definition, Registry, Step};
use std::{sync::OnceLock, time::Duration};

/// The step after which [`PLACE_ORDER`] confirms.
pub const AUTHORIZE: &str = "authorize_payment";

/// A participant that does not answer for so long is not waited for before the pivot.
const MINUTES: Bounds = Bounds { attempt: Duration::from_secs(5), failures: 100, total: Duration::from_secs(300) };

/// The payer may take their time; the saga's own deadline ends it. An attempt may have to extend the hold as well.
const PAYER: Bounds = Bounds { attempt: Duration::from_secs(8), total: Duration::from_secs(900), ..MINUTES };

/// Failed attempts in a row after which people are told: some minutes.
const ALARM_AFTER: i32 = 15;

const HOLD: Step = Step::new("hold_stock", "inventory").compensable().refusable().within(MINUTES);

/// Stock, payment, then the pivot: after it the order is CONFIRMED and the rest is repeated until it works.
pub const PLACE_ORDER: Definition = Definition {
    kind: "place_order",
    version: 2,
    steps: &[
        HOLD.recorded_with_next(),
        Step::new(AUTHORIZE, "payments").compensable().refusable().pivot().within(PAYER),
        Step::new("commit_stock", "inventory").recorded_with_next(),
        Step::new("create_shipment", "shipping"),
    ],
    starts_past_pivot: false,
    deadline: Duration::from_secs(600),
    patience: A_DAY,
    alarm_after: ALARM_AFTER,
};

/// The same for an order with a coupon, whose use is counted first. The count is kept here: the peer is orders itself.
pub const PLACE_ORDER_WITH_COUPON: Definition = Definition {
    kind: "place_order_with_coupon",
    version: 1,
    steps: &[
        Step::new("redeem_coupon", "orders").compensable().refusable().within(MINUTES),
        PLACE_ORDER.steps[0],
        PLACE_ORDER.steps[1],
        PLACE_ORDER.steps[2],
        PLACE_ORDER.steps[3],
    ],
    ..PLACE_ORDER
};

/// The same for an order that has nothing to pay. Its pivot is that the units are sold to it, which inventory refuses once the
/// hold has run out. Without a coupon the first step does nothing.
pub const PLACE_FREE_ORDER: Definition = Definition {
    kind: "place_free_order",
    version: 1,
    steps: &[
        PLACE_ORDER_WITH_COUPON.steps[0],
        PLACE_ORDER.steps[0],
        Step::new("commit_stock", "inventory").compensable().refusable().pivot().within(MINUTES),
        PLACE_ORDER.steps[3],
    ],
    ..PLACE_ORDER
};

/// The first one, which wrote down what came of the hold before it asked for the payment.
const PLACE_ORDER_1: Definition = Definition {
    version: 1,
    steps: &[HOLD, PLACE_ORDER.steps[1], PLACE_ORDER.steps[2], PLACE_ORDER.steps[3]],
    ..PLACE_ORDER
};

/// A shipment that has left cannot be stopped: stopping it is the pivot.
pub const CANCEL_ORDER: Definition = Definition {
    kind: "cancel_order",
    version: 1,
    steps: &[
        Step::new("cancel_shipment", "shipping").refusable().pivot(),
        Step::new("release_stock", "inventory").recorded_with_next(),
        Step::new("cancel_payment", "payments"),
    ],
    starts_past_pivot: false,
    deadline: Duration::from_secs(30 * 24 * 3600),
    patience: A_DAY,
    alarm_after: ALARM_AFTER,
};

/// The same for an order with a coupon, whose use is given back.
pub const CANCEL_ORDER_WITH_COUPON: Definition = Definition {
    kind: "cancel_order_with_coupon",
    version: 1,
    steps: &[
        CANCEL_ORDER.steps[0],
        CANCEL_ORDER.steps[1],
        CANCEL_ORDER.steps[2],
        Step::new("release_coupon", "orders"),
    ],
    ..CANCEL_ORDER
};

/// The goods have left: the money is taken and the stock is off the shelf, or a person sees to it.
pub const DISPATCH_ORDER: Definition = Definition {
    kind: "dispatch_order",
    version: 1,
    steps: &[Step::new("capture_payment", "payments"), Step::new("ship_stock", "inventory")],
    starts_past_pivot: true,
    deadline: Duration::from_secs(30 * 24 * 3600),
    patience: A_DAY,
    alarm_after: ALARM_AFTER,
};

/// One of several shipments has left: its share of the money is taken.
pub const DISPATCH_SHIPMENT: Definition = Definition {
    kind: "dispatch_shipment",
    version: 1,
    steps: &[Step::new("capture_payment", "payments")],
    ..DISPATCH_ORDER
};

/// Nothing of several shipments is to come: what was set aside for stopped ones is given back, the stock is off the shelf,
/// and what was stopped is on it again.
pub const CLOSE_ORDER: Definition = Definition {
    kind: "close_order",
    version: 1,
    steps: &[
        Step::new("release_payment", "payments"),
        Step::new("ship_stock", "inventory"),
        Step::new("restock_stopped", "inventory"),
    ],
    ..DISPATCH_ORDER
};

/// What was sold is given back after it has left: the money first, which payments may refuse, then the units.
pub const REFUND_ORDER: Definition = Definition {
    kind: "refund_order",
    version: 1,
    steps: &[Step::new("refund_payment", "payments").refusable().pivot(), Step::new("restock", "inventory")],
    starts_past_pivot: false,
    deadline: Duration::from_secs(30 * 24 * 3600),
    patience: A_DAY,
    alarm_after: ALARM_AFTER,
};

/// Every definition that may still be running. One that has changed stays here, beside its next version, until no order
/// runs it any more.
pub const SAGAS: &Registry = &Registry(&[
    &PLACE_ORDER,
    &PLACE_ORDER_1,
    &PLACE_ORDER_WITH_COUPON,
    &PLACE_FREE_ORDER,
    &CANCEL_ORDER,
    &CANCEL_ORDER_WITH_COUPON,
    &DISPATCH_ORDER,
    &DISPATCH_SHIPMENT,
    &CLOSE_ORDER,
    &REFUND_ORDER,
]);

static OTHERS: OnceLock<&'static Registry> = OnceLock::new();

/// Makes this process one of a build that knows other definitions than [`SAGAS`]; once, before it runs anything. Tests of a
/// rolling change have a program that does.
pub fn know(others: &'static Registry) {
    OTHERS.set(others).expect("a process is of one build");
}

/// What this build knows.
pub fn known() -> &'static Registry {
    OTHERS.get().copied().unwrap_or(SAGAS)
}

/// The version in which a saga of the kind of `any` starts.
pub fn newest(any: &'static Definition) -> &'static Definition {
    let same = known().0.iter().copied().filter(|known| known.kind == any.kind);
    same.max_by_key(|known| known.version).unwrap_or(any)
}
