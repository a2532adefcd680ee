//! Events out: what a change of a shipment publishes.

use crate::{
    convert::{line_to_wire, state_to_wire},
    domain::{Shipment, State},
};
use ::store::NewEvent;
use contracts::shipping::v1::{ShipmentChanged, ShipmentSplit, shipment};

/// The events of a shipment that went from `from` through the states of `path`.
pub fn moved(id: &str, from: Option<State>, path: &[State], new: &Shipment) -> Vec<NewEvent> {
    let before = std::iter::once(from).chain(path.iter().copied().map(Some));
    before.zip(path).map(|(from, to)| changed(id, from, *to, new)).collect()
}

fn changed(id: &str, from: Option<State>, to: State, new: &Shipment) -> NewEvent {
    let event = ShipmentChanged {
        shipment_id: id.to_owned(),
        order_id: new.order_id.clone(),
        user_id: new.user_id.clone(),
        from: from.map_or(shipment::State::Unspecified, state_to_wire).into(),
        to: state_to_wire(to).into(),
        lines: new.lines.iter().map(line_to_wire).collect(),
    };
    NewEvent::of(to.name(), &event)
}

/// The event of the shipment `id`, now `left`, from which `off` was split off.
pub fn split(id: &str, left: &Shipment, off_id: &str, off: &Shipment) -> NewEvent {
    let event = ShipmentSplit {
        shipment_id: id.to_owned(),
        order_id: left.order_id.clone(),
        user_id: left.user_id.clone(),
        lines: left.lines.iter().map(line_to_wire).collect(),
        split_off_id: off_id.to_owned(),
        split_off_lines: off.lines.iter().map(line_to_wire).collect(),
    };
    NewEvent::of("split", &event)
}
