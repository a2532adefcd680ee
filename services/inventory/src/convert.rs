//! Between the contract and the domain.

use crate::domain::{Line, Movement, Reservation, State, Stock};
use ::store::{Versioned, fields::time};
use contracts::inventory::v1::{self as wire, movement, reservation};

pub fn stock_to_wire(found: &Versioned<Stock>) -> wire::Stock {
    stock(&found.id, &found.state, found.rev)
}

/// The stock of a product that was never stocked: no units, and no time at which they changed.
pub fn no_stock(product_id: &str) -> wire::Stock {
    wire::Stock { product_id: product_id.to_owned(), etag: "0".to_owned(), ..Default::default() }
}

pub(crate) fn stock(id: &str, stock: &Stock, rev: i64) -> wire::Stock {
    wire::Stock {
        product_id: id.to_owned(),
        on_hand: stock.on_hand,
        reserved: stock.reserved,
        committed: stock.committed,
        available: stock.available(),
        backorder: stock.backorder,
        owed: stock.owed(),
        update_time: Some(time::to_wire(stock.updated_at)),
        etag: rev.to_string(),
    }
}

pub fn reservation_to_wire(id: &str, reservation: &Reservation) -> wire::Reservation {
    wire::Reservation {
        reservation_id: id.to_owned(),
        state: state_to_wire(reservation.state).into(),
        lines: lines_to_wire(&reservation.lines),
        returned: lines_to_wire(&reservation.returned),
        expire_time: Some(time::to_wire(reservation.expires_at)),
        create_time: Some(time::to_wire(reservation.created_at)),
        update_time: Some(time::to_wire(reservation.updated_at)),
    }
}

fn lines_to_wire(lines: &[Line]) -> Vec<wire::ReservationLine> {
    let line = |line: &Line| wire::ReservationLine { product_id: line.product_id.clone(), quantity: line.quantity };
    lines.iter().map(line).collect()
}

pub fn movement_to_wire(movement: &Movement) -> wire::Movement {
    wire::Movement {
        product_id: movement.product_id.clone(),
        sequence: movement.seq,
        kind: movement::Kind::from_str_name(&movement.kind).unwrap_or_default().into(),
        reference: movement.reference.clone(),
        on_hand: movement.on_hand,
        reserved: movement.reserved,
        committed: movement.committed,
        time: Some(time::to_wire(movement.at)),
    }
}

pub fn lines(lines: Vec<wire::ReservationLine>) -> Vec<Line> {
    lines.into_iter().map(|line| Line { product_id: line.product_id, quantity: line.quantity }).collect()
}

fn state_to_wire(state: State) -> reservation::State {
    match state {
        State::Held => reservation::State::Held,
        State::Committed => reservation::State::Committed,
        State::Shipped => reservation::State::Shipped,
        State::Released => reservation::State::Released,
        State::Expired => reservation::State::Expired,
    }
}
