//! Splitting a shipment that has not left: units of it go into a new one. Pure.

use super::{Error, Line, Shipment, Split, State};
use ::store::Time;
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitRequest {
    pub request_id: String,
    pub shipment_id: String,
    pub lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SplitResult {
    Split {
        /// The shipment with the lines that stay.
        rest: Box<Shipment>,
        off: Box<Shipment>,
    },
    /// The request was carried out before, and made the shipment of this id.
    Repeated(String),
}

impl Shipment {
    /// Splits the shipment, whose identifier is `id`.
    pub fn split(&self, id: &str, request: SplitRequest, now: Time) -> Result<SplitResult, Error> {
        if let Some(known) = self.splits.iter().find(|known| known.request_id == request.request_id) {
            let is_same = known.lines == request.lines;
            return if is_same { Ok(SplitResult::Repeated(known.shipment_id.clone())) } else { Err(Error::KeyReused) };
        }
        match self.state {
            State::Created => {}
            State::Cancelled => return Err(Error::Cancelled),
            State::Dispatched | State::Delivered | State::Lost | State::Returned => return Err(Error::Dispatched),
        }
        let lines = rest(&self.lines, &request.lines)?;
        let SplitRequest { request_id, shipment_id, lines: moved } = request;
        let off = Self {
            lines: moved.clone(),
            planned: moved.clone(),
            split_from: Some(id.to_owned()),
            splits: Vec::new(),
            tracking_events: Vec::new(),
            created_at: now,
            updated_at: now,
            ..self.clone()
        };
        let mut left = Self { lines, updated_at: now, ..self.clone() };
        left.splits.push(Split { request_id, shipment_id, lines: moved });
        Ok(SplitResult::Split { rest: Box::new(left), off: Box::new(off) })
    }
}

/// `lines` without `gone`. Of several lines of one product the first ones give their units first.
fn rest(lines: &[Line], gone: &[Line]) -> Result<Vec<Line>, Error> {
    let mut wanted: BTreeMap<&str, i32> = BTreeMap::new();
    for line in gone {
        if wanted.insert(&line.product_id, line.quantity).is_some() {
            return Err(Error::NamedTwice(line.product_id.clone()));
        }
    }
    let mut left = Vec::new();
    for line in lines {
        let take = wanted.get_mut(line.product_id.as_str());
        let taken = take.map_or(0, |open| {
            let taken = line.quantity.min(*open);
            *open -= taken;
            taken
        });
        if taken < line.quantity {
            left.push(Line { quantity: line.quantity - taken, ..line.clone() });
        }
    }
    if let Some((product_id, open)) = wanted.into_iter().find(|(_, open)| *open > 0) {
        let available = gone.iter().find(|line| line.product_id == product_id).map_or(0, |line| line.quantity - open);
        return Err(Error::MoreThanInIt { product_id: product_id.to_owned(), left: available });
    }
    if left.is_empty() { Err(Error::NothingLeft) } else { Ok(left) }
}
