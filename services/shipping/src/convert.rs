//! Between the contract and the domain.

use crate::domain::{Address, Line, Order, Plan, Shipment, State};
use ::saga::Caller;
use ::store::{NewEvent, Versioned, fields::time};
use contracts::shipping::v1::{self as wire, CreateShipmentRequest, ShipmentChanged, ShipmentLine, shipment};

/// A stored shipment on the wire.
pub fn to_wire(found: &Versioned<Shipment>) -> wire::Shipment {
    let shipment = &found.state;
    wire::Shipment {
        shipment_id: found.id.clone(),
        order_id: shipment.order_id.clone(),
        user_id: shipment.user_id.clone(),
        state: state_to_wire(shipment.state).into(),
        lines: shipment.lines.iter().map(line_to_wire).collect(),
        address: shipment.address.as_ref().map(address_to_wire),
        create_time: Some(time::to_wire(shipment.created_at)),
        update_time: Some(time::to_wire(shipment.updated_at)),
        etag: found.etag(),
    }
}

/// What the caller of CreateShipment wants.
pub fn plan(request: CreateShipmentRequest) -> Plan {
    let CreateShipmentRequest { order_id, user_id, lines, address, step_key, epoch, .. } = request;
    let line = |line: ShipmentLine| Line { product_id: line.product_id, quantity: line.quantity };
    let address = address_from_wire(address.unwrap_or_default());
    let (order, caller) = (Order { order_id, user_id }, Caller { step_key, epoch });
    Plan { order, lines: lines.into_iter().map(line).collect(), address, caller }
}

/// The event of the step from `old` to `new`; none when the state stays.
pub fn changed(id: &str, old: Option<&Shipment>, new: &Shipment) -> Vec<NewEvent> {
    let from = old.map(|old| old.state);
    if from == Some(new.state) {
        return Vec::new();
    }
    let event = ShipmentChanged {
        shipment_id: id.to_owned(),
        order_id: new.order_id.clone(),
        user_id: new.user_id.clone(),
        from: from.map_or(shipment::State::Unspecified, state_to_wire).into(),
        to: state_to_wire(new.state).into(),
    };
    vec![NewEvent::of(new.state.name(), &event)]
}

fn line_to_wire(line: &Line) -> ShipmentLine {
    ShipmentLine { product_id: line.product_id.clone(), quantity: line.quantity }
}

fn address_to_wire(address: &Address) -> wire::Address {
    let Address { name, line1, line2, city, region, postal_code, country_code } = address.clone();
    wire::Address { name, line1, line2, city, region, postal_code, country_code }
}

fn address_from_wire(address: wire::Address) -> Address {
    let wire::Address { name, line1, line2, city, region, postal_code, country_code } = address;
    Address { name, line1, line2, city, region, postal_code, country_code }
}

fn state_to_wire(state: State) -> shipment::State {
    match state {
        State::Created => shipment::State::Created,
        State::Dispatched => shipment::State::Dispatched,
        State::Delivered => shipment::State::Delivered,
        State::Cancelled => shipment::State::Cancelled,
        State::Lost => shipment::State::Lost,
    }
}
