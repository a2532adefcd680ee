//! The sagas of an order, as data.

use saga::{Definition, Step};
use std::time::Duration;

/// Index of `authorize_payment` in [`PLACE_ORDER`].
pub const AUTHORIZE: &str = "authorize_payment";

/// Stock, payment, then the pivot: after it the order is CONFIRMED and the rest is repeated until it works.
pub const PLACE_ORDER: Definition = Definition {
    kind: "place_order",
    version: 1,
    steps: &[
        Step { name: "hold_stock", is_compensable: true, is_pivot: false },
        Step { name: AUTHORIZE, is_compensable: true, is_pivot: true },
        Step { name: "commit_stock", is_compensable: false, is_pivot: false },
        Step { name: "create_shipment", is_compensable: false, is_pivot: false },
    ],
    deadline: Duration::from_secs(600),
};

/// A shipment that has left cannot be stopped: stopping it is the pivot.
pub const CANCEL_ORDER: Definition = Definition {
    kind: "cancel_order",
    version: 1,
    steps: &[
        Step { name: "cancel_shipment", is_compensable: false, is_pivot: true },
        Step { name: "release_stock", is_compensable: false, is_pivot: false },
        Step { name: "cancel_payment", is_compensable: false, is_pivot: false },
    ],
    deadline: Duration::from_secs(30 * 24 * 3600),
};

/// The definition that a stored saga was started with.
pub fn definition(kind: &str) -> &'static Definition {
    if kind == CANCEL_ORDER.kind { &CANCEL_ORDER } else { &PLACE_ORDER }
}
