//! The shipments of an order: their lines, their states, and the share of the total that each captures. Pure.
//!
//! Each shipment that leaves captures its share: the total is allocated to the products in proportion to what was paid for
//! their lines (so shipping falls on them alike), and a product's part to its units in the order in which
//! they leave, by `Money::units`. The last one captures what is left. So whatever the split and the order of dispatch, the
//! captures sum to the total, or to the total less what the units cost that were stopped. Events of one shipment may come in
//! any order, so nothing counts as the last one before the known shipments hold all units of the order.

use super::{Capture, Error, Line, Order, Shipment, State, refunds::ProductSum};
use crate::sagas::definitions::{CLOSE_ORDER, DISPATCH_ORDER, DISPATCH_SHIPMENT, Purpose, Sagas};
use ::store::Time;
use contracts::{
    money::{self, Money},
    shipping::v1::shipment::State as ShipmentState,
};
use std::collections::BTreeMap;

/// The reason of an order that is cancelled because all of its shipments were stopped.
pub(super) const STOPPED: &str = "SHIPMENTS_STOPPED";

/// A shipment as an event of shipping has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShipmentUpdate {
    pub id: String,
    pub lines: Vec<Line>,
    pub state: ShipmentState,
}

impl Shipment {
    fn has_left(&self) -> bool {
        has_left(self.state)
    }
}

pub(super) fn has_left(state: ShipmentState) -> bool {
    match state {
        ShipmentState::Dispatched | ShipmentState::Delivered | ShipmentState::Lost | ShipmentState::Returned => true,
        ShipmentState::Unspecified | ShipmentState::Created | ShipmentState::Cancelled => false,
    }
}

/// The order of the states: a shipment only moves on, so an event that comes late or twice does nothing.
const fn rank(state: ShipmentState) -> u8 {
    match state {
        ShipmentState::Unspecified => 0,
        ShipmentState::Created => 1,
        ShipmentState::Cancelled => 2,
        ShipmentState::Dispatched => 3,
        ShipmentState::Lost => 4,
        ShipmentState::Delivered => 5,
        ShipmentState::Returned => 6,
    }
}

fn units(lines: &[Line]) -> i64 {
    lines.iter().map(|line| i64::from(line.quantity)).sum()
}

impl Order {
    /// Applies events of shipping. Payment and stock follow in sagas. `None` when nothing changes.
    pub fn apply_shipments(
        &self,
        sagas: &Sagas,
        updates: Vec<ShipmentUpdate>,
        now: Time,
    ) -> Result<Option<Self>, Error> {
        let mut next = self.clone();
        updates.into_iter().for_each(|update| next.apply_shipment(update));
        next.ship_next(sagas, now)?;
        next.arrive(now)?;
        if next.saga.epoch != self.saga.epoch {
            next.saga.wake(now);
        }
        if next == *self {
            return Ok(None);
        }
        next.updated_at = now;
        Ok(Some(next))
    }

    /// Applies an update of one shipment. Splits only take units away, so fewer units are the newer lines.
    pub(super) fn apply_shipment(&mut self, update: ShipmentUpdate) {
        let ShipmentUpdate { id, mut lines, state } = update;
        let is_first = id == self.shipment_id;
        // The event of a shipment that was split off may come before any of the first one: that one is added with the
        // state that the saga knows.
        if self.shipments.is_empty() && !is_first && self.shipment_state != ShipmentState::Unspecified {
            self.apply_shipment(ShipmentUpdate {
                id: self.shipment_id.clone(),
                lines: Vec::new(),
                state: self.shipment_state,
            });
        }
        if is_first && lines.is_empty() {
            let line = |item: &super::Item| Line { product_id: item.product_id.clone(), quantity: item.quantity };
            lines = self.items.iter().map(line).collect();
        }
        match self.shipments.iter_mut().find(|known| known.id == id) {
            Some(known) => {
                if units(&lines) < units(&known.lines) && !lines.is_empty() {
                    known.lines = lines;
                }
                if rank(state) > rank(known.state) {
                    known.state = state;
                }
            }
            None => {
                let is_older = is_first && rank(self.shipment_state) > rank(state);
                let state = if is_older { self.shipment_state } else { state };
                self.shipments.push(Shipment { id, lines, state, capture: None });
            }
        }
        self.shipment_state = self.overall_state();
    }

    /// Shipping has stopped every shipment that had not left.
    pub(super) fn apply_cancelled(&mut self) {
        let id = self.shipment_id.clone();
        self.apply_shipment(ShipmentUpdate { id, lines: Vec::new(), state: ShipmentState::Cancelled });
        for shipment in &mut self.shipments {
            if shipment.state == ShipmentState::Created {
                shipment.state = ShipmentState::Cancelled;
            }
        }
        self.shipment_state = self.overall_state();
    }

    /// Whether the known shipments have exactly the units of the order. While the event of a split is on its way, a shipment
    /// is unknown or one has too many units. The lines of a shipment that has left, or was stopped, are final.
    fn is_whole(&self) -> bool {
        let shipped: i64 = self.shipments.iter().map(|shipment| units(&shipment.lines)).sum();
        let ordered: i64 = self.items.iter().map(|item| i64::from(item.quantity)).sum();
        shipped == ordered
    }

    /// The state of all shipments together: DISPATCHED while some have left and not all have come to an end.
    fn overall_state(&self) -> ShipmentState {
        let live = || self.shipments.iter().map(|shipment| shipment.state).filter(|s| *s != ShipmentState::Cancelled);
        let is_any = |state| live().any(|other| other == state);
        if live().next().is_none() {
            ShipmentState::Cancelled
        } else if live().all(|state| state == ShipmentState::Created) {
            ShipmentState::Created
        } else if !self.is_whole() || is_any(ShipmentState::Created) || is_any(ShipmentState::Dispatched) {
            ShipmentState::Dispatched
        } else if is_any(ShipmentState::Lost) {
            ShipmentState::Lost
        } else if is_any(ShipmentState::Returned) {
            ShipmentState::Returned
        } else {
            ShipmentState::Delivered
        }
    }

    /// Starts the saga that the shipments make necessary, once no other is under way.
    pub(super) fn ship_next(&mut self, sagas: &Sagas, now: Time) -> Result<(), Error> {
        let is_dispatched = Purpose::of(&self.saga) == Some(Purpose::Dispatch);
        // An order has one saga at a time: what the shipments make necessary waits for its end.
        let is_free = self.state == State::Confirmed && self.saga.has_ended() && !is_dispatched;
        if !is_free || self.shipments.is_empty() {
            return Ok(());
        }
        let is_whole = self.is_whole();
        if is_whole && self.shipments.iter().all(|shipment| shipment.state == ShipmentState::Cancelled) {
            // Every shipment was stopped before it left: nothing is captured, and the order gives its stock and money
            // back.
            self.enter(State::Cancelling, STOPPED, "shipping", now)?;
            self.start(sagas, self.cancelling(), now);
        } else if let Some(next) = self.shipments.iter().position(|one| one.has_left() && one.capture.is_none()) {
            let is_only = is_whole && self.shipments.len() == 1;
            let saga = if is_only { &DISPATCH_ORDER } else { &DISPATCH_SHIPMENT };
            let amount = self.share(next)?;
            let is_done = !amount.is_positive(); // payments refuses a capture of nothing
            if let Some(shipment) = self.shipments.get_mut(next) {
                shipment.capture = Some(Capture { amount, is_done });
            }
            if is_done {
                return self.ship_next(sagas, now);
            }
            self.start(sagas, saga, now);
        } else if is_whole && self.shipments.iter().all(|shipment| shipment.state != ShipmentState::Created) {
            self.start(sagas, &CLOSE_ORDER, now);
        }
        Ok(())
    }

    /// The shipment whose share is being captured, and the share; none while the whole total is captured.
    pub fn capturing(&self) -> Option<(&str, &Money)> {
        if Purpose::of(&self.saga) == Some(Purpose::Dispatch) {
            return None;
        }
        let open = |one: &&Shipment| one.capture.as_ref().is_some_and(|capture| !capture.is_done);
        let shipment = self.shipments.iter().find(open)?;
        Some((&shipment.id, &shipment.capture.as_ref()?.amount))
    }

    pub(super) fn captured(&mut self) {
        self.shipments.iter_mut().filter_map(|one| one.capture.as_mut()).for_each(|capture| capture.is_done = true);
    }

    /// The shares of the shipments that have left. Of an order that is older than shares, the total.
    pub fn owed(&self) -> Result<Money, Error> {
        let captures = self.shipments.iter().filter_map(|one| one.capture.as_ref());
        let mut captures = captures.peekable();
        if captures.peek().is_none() {
            return Ok(self.total.clone());
        }
        Ok(captures.try_fold(Money::zero(&self.total.currency)?, |sum, capture| sum.add(&capture.amount))?)
    }

    pub fn stopped(&self) -> impl Iterator<Item = &Shipment> {
        self.shipments.iter().filter(|one| one.state == ShipmentState::Cancelled)
    }

    /// The share of the shipment at `index`, which leaves after those with a capture.
    fn share(&self, index: usize) -> Result<Money, Error> {
        let captures = || self.shipments.iter().filter_map(|one| one.capture.as_ref());
        let others = self.shipments.iter().enumerate().filter(|(at, _)| *at != index);
        if self.is_whole() && others.clone().all(|(_, one)| one.capture.is_some()) {
            // The last shipment captures the rest, so that roundings of the shares before it do not add up.
            return Ok(captures().try_fold(self.total.clone(), |left, capture| left.minus(&capture.amount))?);
        }
        let mut share = Money::zero(&self.total.currency)?;
        let mine = self.shipments.get(index).map(|one| one.lines.as_slice()).unwrap_or_default();
        for (product_id, ProductSum { units: all, amount: part }) in self.parts()? {
            let of = |lines: &[Line]| -> u32 {
                let lines = lines.iter().filter(|line| line.product_id == product_id);
                lines.map(|line| line.quantity.unsigned_abs()).sum()
            };
            let before = others.clone().filter(|(_, one)| one.capture.is_some()).map(|(_, one)| of(&one.lines)).sum();
            let upto = |units: u32| -> Result<Money, money::Error> { part.units(0, units, all)?.floor_to(self.step()) };
            share = share.add(&upto(before + of(mine))?.minus(&upto(before)?)?)?;
        }
        Ok(share)
    }

    /// The units of each product, and its part of the total.
    fn parts(&self) -> Result<BTreeMap<&str, ProductSum>, Error> {
        let mut products: BTreeMap<&str, ProductSum> = BTreeMap::new();
        for item in &self.items {
            let sum = ProductSum::zero(&self.total.currency)?;
            products.entry(&item.product_id).or_insert(sum).add(item.quantity, &item.paid()?)?;
        }
        // Lines that cost nothing cannot weigh by price; the total is then shipping alone, and units weigh alike.
        let is_free = products.values().all(|paid| paid.amount.amount.is_zero());
        let weight =
            |paid: &ProductSum| u64::try_from(if is_free { i128::from(paid.units) } else { paid.amount.minor() });
        let weights: Result<Vec<u64>, _> = products.values().map(weight).collect();
        let parts = self.total.allocate(&weights.map_err(|_| money::Error::Overflow)?)?;
        products.values_mut().zip(parts).for_each(|(sum, part)| sum.amount = part);
        Ok(products)
    }
}
