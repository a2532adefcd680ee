//! Between the contract and the domain.

use crate::{
    domain::{Line, NewShipment, Order, Shipment, SplitRequest, State, TrackingEvent, TrackingKind},
    error::Error,
};
use ::saga::StepCall;
use ::store::{Versioned, fields::time};
use contracts::{
    id::Kind,
    shipping::v1::{self as wire, CreateShipmentRequest, ShipmentLine, shipment, tracking_event},
};

pub fn to_wire(found: &Versioned<Shipment>) -> wire::Shipment {
    let shipment = &found.state;
    wire::Shipment {
        shipment_id: found.id.clone(),
        order_id: shipment.order_id.clone(),
        user_id: shipment.user_id.clone(),
        state: state_to_wire(shipment.state).into(),
        lines: shipment.lines.iter().map(line_to_wire).collect(),
        address: shipment.address.as_ref().map(Into::into),
        create_time: Some(time::to_wire(shipment.created_at)),
        update_time: Some(time::to_wire(shipment.updated_at)),
        etag: found.etag(),
        carrier: shipment.label.as_ref().map(|label| label.carrier.clone()).unwrap_or_default(),
        tracking_number: shipment.label.as_ref().map(|label| label.tracking_number.clone()).unwrap_or_default(),
        tracking_events: shipment.tracking_events.iter().map(tracking_event_to_wire).collect(),
        split_from: shipment.split_from.clone().unwrap_or_default(),
    }
}

pub fn new_shipment(request: CreateShipmentRequest) -> NewShipment {
    let CreateShipmentRequest { order_id, user_id, lines, address, step_key, epoch, .. } = request;
    let address = address.unwrap_or_default().into();
    let (order, call) = (Order { order_id, user_id }, StepCall { step_key, epoch });
    NewShipment { order, lines: lines.into_iter().map(line).collect(), address, call }
}

pub fn split_request(lines: Vec<ShipmentLine>, request_id: String) -> SplitRequest {
    SplitRequest { request_id, shipment_id: Kind::Shipment.new_id(), lines: lines.into_iter().map(line).collect() }
}

pub fn tracking_event(event: wire::TrackingEvent) -> Result<TrackingEvent, Error> {
    let kind = match event.kind() {
        tracking_event::Kind::Unspecified => return Err(Error::NoKind),
        tracking_event::Kind::InTransit => TrackingKind::InTransit,
        tracking_event::Kind::Delivered => TrackingKind::Delivered,
        tracking_event::Kind::Lost => TrackingKind::Lost,
        tracking_event::Kind::Returned => TrackingKind::Returned,
    };
    let wire::TrackingEvent { carrier, event_id, kind: _, occur_time } = event;
    Ok(TrackingEvent { carrier, event_id, kind, at: time::from_wire(&occur_time.unwrap_or_default()) })
}

fn line(line: ShipmentLine) -> Line {
    Line { product_id: line.product_id, quantity: line.quantity }
}

fn tracking_event_to_wire(event: &TrackingEvent) -> wire::TrackingEvent {
    let kind = match event.kind {
        TrackingKind::InTransit => tracking_event::Kind::InTransit,
        TrackingKind::Delivered => tracking_event::Kind::Delivered,
        TrackingKind::Lost => tracking_event::Kind::Lost,
        TrackingKind::Returned => tracking_event::Kind::Returned,
    };
    let (carrier, event_id) = (event.carrier.clone(), event.event_id.clone());
    wire::TrackingEvent { carrier, event_id, kind: kind.into(), occur_time: Some(time::to_wire(event.at)) }
}

pub(crate) fn line_to_wire(line: &Line) -> ShipmentLine {
    ShipmentLine { product_id: line.product_id.clone(), quantity: line.quantity }
}

pub(crate) fn state_to_wire(state: State) -> shipment::State {
    match state {
        State::Created => shipment::State::Created,
        State::Dispatched => shipment::State::Dispatched,
        State::Delivered => shipment::State::Delivered,
        State::Cancelled => shipment::State::Cancelled,
        State::Lost => shipment::State::Lost,
        State::Returned => shipment::State::Returned,
    }
}
