//! Between the contract and the domain.

use crate::{
    domain::{Address, Line, News, NewsKind, Order, Plan, Shipment, SplitWish, State},
    error::Error,
};
use ::saga::StepCall;
use ::store::{Versioned, fields::time};
use contracts::{
    id::Kind,
    shipping::v1::{self as wire, CreateShipmentRequest, ShipmentLine, TrackingEvent, shipment, tracking_event},
};

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
        carrier: shipment.label.as_ref().map(|label| label.carrier.clone()).unwrap_or_default(),
        tracking_number: shipment.label.as_ref().map(|label| label.tracking_number.clone()).unwrap_or_default(),
        tracking_events: shipment.news.iter().map(news_to_wire).collect(),
        split_from: shipment.split_from.clone().unwrap_or_default(),
    }
}

/// What the caller of CreateShipment wants.
pub fn plan(request: CreateShipmentRequest) -> Plan {
    let CreateShipmentRequest { order_id, user_id, lines, address, step_key, epoch, .. } = request;
    let address = address_from_wire(address.unwrap_or_default());
    let (order, call) = (Order { order_id, user_id }, StepCall { step_key, epoch });
    Plan { order, lines: lines.into_iter().map(line).collect(), address, call }
}

/// What the caller of SplitShipment wants.
pub fn split_wish(lines: Vec<ShipmentLine>, request_id: String) -> SplitWish {
    SplitWish { request_id, shipment_id: Kind::Shipment.new_id(), lines: lines.into_iter().map(line).collect() }
}

pub fn news(event: TrackingEvent) -> Result<News, Error> {
    let kind = match event.kind() {
        tracking_event::Kind::Unspecified => return Err(Error::NoKind),
        tracking_event::Kind::InTransit => NewsKind::InTransit,
        tracking_event::Kind::Delivered => NewsKind::Delivered,
        tracking_event::Kind::Lost => NewsKind::Lost,
        tracking_event::Kind::Returned => NewsKind::Returned,
    };
    let TrackingEvent { carrier, event_id, kind: _, occur_time } = event;
    Ok(News { carrier, event_id, kind, at: time::from_wire(&occur_time.unwrap_or_default()) })
}

fn line(line: ShipmentLine) -> Line {
    Line { product_id: line.product_id, quantity: line.quantity }
}

fn news_to_wire(news: &News) -> TrackingEvent {
    let kind = match news.kind {
        NewsKind::InTransit => tracking_event::Kind::InTransit,
        NewsKind::Delivered => tracking_event::Kind::Delivered,
        NewsKind::Lost => tracking_event::Kind::Lost,
        NewsKind::Returned => tracking_event::Kind::Returned,
    };
    let (carrier, event_id) = (news.carrier.clone(), news.event_id.clone());
    TrackingEvent { carrier, event_id, kind: kind.into(), occur_time: Some(time::to_wire(news.at)) }
}

pub(crate) fn line_to_wire(line: &Line) -> ShipmentLine {
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
