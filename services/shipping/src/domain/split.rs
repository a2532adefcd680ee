//! Parting a shipment that has not left: units of it go into a new one. Pure.

use super::{Error, Line, Shipment, Split, State};
use ::store::Time;
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitWish {
    pub request_id: String,
    /// Identifier of the new shipment.
    pub shipment_id: String,
    pub lines: Vec<Line>,
}

/// What a wish to split leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parted {
    /// The shipment with the rest, and the new one.
    Now(Box<Shipment>, Box<Shipment>),
    /// The same request was carried out before; the shipment that it made.
    Before(String),
}

impl Shipment {
    /// What the wish to split the shipment `id` does.
    pub fn split(&self, id: &str, wish: SplitWish, now: Time) -> Result<Parted, Error> {
        if let Some(known) = self.splits.iter().find(|known| known.request_id == wish.request_id) {
            let is_same = known.lines == wish.lines;
            return if is_same { Ok(Parted::Before(known.shipment_id.clone())) } else { Err(Error::KeyReused) };
        }
        match self.state {
            State::Created => {}
            State::Cancelled => return Err(Error::Cancelled),
            State::Dispatched | State::Delivered | State::Lost | State::Returned => return Err(Error::Dispatched),
        }
        let lines = rest(&self.lines, &wish.lines)?;
        let SplitWish { request_id, shipment_id, lines: gone } = wish;
        let off = Self {
            lines: gone.clone(),
            planned: gone.clone(),
            split_from: Some(id.to_owned()),
            splits: Vec::new(),
            news: Vec::new(),
            created_at: now,
            updated_at: now,
            ..self.clone()
        };
        let mut left = Self { lines, updated_at: now, ..self.clone() };
        left.splits.push(Split { request_id, shipment_id, lines: gone });
        Ok(Parted::Now(Box::new(left), Box::new(off)))
    }
}

/// What is left of `lines` without `gone`; several lines of one product give from the first on.
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
        let there_is = gone.iter().find(|line| line.product_id == product_id).map_or(0, |line| line.quantity - open);
        return Err(Error::MoreThanInIt { product_id: product_id.to_owned(), left: there_is });
    }
    if left.is_empty() { Err(Error::NothingLeft) } else { Ok(left) }
}
