//! Events out: what a batch of commands did to stock and reservations.

use crate::{
    convert::{reservation_to_wire, stock},
    domain::{Effect, Reservation, Stock},
};
use ::store::NewEvent;
use contracts::inventory::v1::{ReservationChanged, StockChanged};

/// The event of all that one actor did to one product in a batch, without another in between; none of no change.
pub fn stock_changed(id: &str, rev: i64, changes: &[Effect<Stock>]) -> Option<NewEvent> {
    let last = changes.last()?;
    let mut causes: Vec<&str> = changes.iter().map(|change| change.cause).collect();
    causes.dedup();
    let message = StockChanged { stock: Some(stock(id, &last.state, rev)), cause: causes.join(",") };
    Some(NewEvent { actor: last.actor.clone(), ..NewEvent::of("changed", &message) })
}

pub fn reservation_changed(id: &str, change: &Effect<Reservation>) -> NewEvent {
    let message = ReservationChanged { reservation: Some(reservation_to_wire(id, &change.state)) };
    NewEvent { actor: change.actor.clone(), ..NewEvent::of("changed", &message) }
}
