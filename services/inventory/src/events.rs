//! Events out: what a batch of commands did to stock and reservations.

use crate::{
    convert::{reservation_to_wire, stock},
    domain::{Reservation, Stock},
};
use ::store::NewEvent;
use contracts::inventory::v1::{ReservationChanged, StockChanged};

/// The event of all that a batch did to one product.
pub fn stock_changed(id: &str, last: &Stock, rev: i64, changes: &[(&'static str, Stock)]) -> NewEvent {
    let mut causes: Vec<&str> = changes.iter().map(|(cause, _)| *cause).collect();
    causes.dedup();
    NewEvent::of("changed", &StockChanged { stock: Some(stock(id, last, rev)), cause: causes.join(",") })
}

pub fn reservation_changed(id: &str, reservation: &Reservation) -> NewEvent {
    NewEvent::of("changed", &ReservationChanged { reservation: Some(reservation_to_wire(id, reservation)) })
}
