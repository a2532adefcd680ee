//! The rules of stock: what a command does to counters and reservations. Pure; decided in batches on [`Books`].

use crate::error::Error;
use ::store::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most units that may be on hand.
const MAX_ON_HAND: i32 = 1_000_000_000;

/// Counters of one product, in units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stock {
    /// In the warehouse.
    pub on_hand: i32,
    /// Held for orders that are not yet confirmed.
    pub reserved: i32,
    /// Sold and not yet shipped.
    pub committed: i32,
    /// When the counters last changed.
    pub updated_at: Time,
}

impl Stock {
    /// No units.
    pub fn empty(now: Time) -> Self {
        Self { on_hand: 0, reserved: 0, committed: 0, updated_at: now }
    }

    /// Units that can be ordered.
    pub fn available(&self) -> i32 {
        self.on_hand - self.reserved - self.committed
    }
}

/// Units of one product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The product.
    pub product_id: String,
    /// Units, at least 1.
    pub quantity: i32,
}

/// Where a reservation is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Held until it expires.
    Held,
    /// Sold.
    Committed,
    /// Gone from the warehouse.
    Shipped,
    /// Given back.
    Released,
    /// Given back because the hold ran out.
    Expired,
}

/// Units set aside for one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Where it is in its life.
    pub state: State,
    /// One line a product, in the order of their ids; empty when it was released before it was held.
    pub lines: Vec<Line>,
    /// When the hold ends by itself.
    pub expires_at: Time,
    /// When it was made.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Add to or take from the warehouse; `key` names the request.
    Adjust {
        /// The product.
        product_id: String,
        /// Units.
        delta: i32,
        /// Identity of the request; a repeated one does nothing.
        key: String,
        /// Why.
        reason: String,
    },
    /// Hold all lines or none.
    Hold {
        /// The reservation.
        id: String,
        /// What to hold.
        lines: Vec<Line>,
        /// Until when.
        expires_at: Time,
    },
    /// Let a hold live longer.
    Extend {
        /// The reservation.
        id: String,
        /// Until when, unless it lives longer already.
        expires_at: Time,
    },
    /// Turn a hold into a sale.
    Commit(String),
    /// Give the units back.
    Release(String),
    /// Take the units out of the warehouse.
    Ship(String),
    /// Give the units back if the hold has run out.
    Expire(String),
}

/// What a command led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The product whose stock was asked for or changed.
    Stock(String),
    /// The reservation after the command.
    Reservation(Reservation),
}

/// One line of the ledger: how far each counter of a product moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// Cause and product; unique, so that nothing moves twice.
    #[serde(rename = "_id")]
    pub id: String,
    /// The product.
    pub product_id: String,
    /// ADJUST, HOLD, COMMIT, RELEASE, EXPIRE or SHIP.
    pub kind: String,
    /// The reservation, or the reason of an adjustment.
    pub reference: String,
    /// Change of `on_hand`.
    pub on_hand: i32,
    /// Change of `reserved`.
    pub reserved: i32,
    /// Change of `committed`.
    pub committed: i32,
    /// When.
    pub at: Time,
}

/// A document in the working set of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot<T> {
    /// The state now; `None` when there is no document.
    pub state: Option<T>,
    /// What happened to it in this batch: the cause, and the state after.
    pub changes: Vec<(&'static str, T)>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { state: None, changes: Vec::new() }
    }
}

impl<T: Clone> Slot<T> {
    fn set(&mut self, cause: &'static str, state: T) {
        self.state = Some(state.clone());
        self.changes.push((cause, state));
    }
}

/// The documents that a batch of commands touches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Books {
    /// Stock by product.
    pub stock: BTreeMap<String, Slot<Stock>>,
    /// Reservations by id.
    pub reservations: BTreeMap<String, Slot<Reservation>>,
    /// What moved in this batch.
    pub movements: Vec<Movement>,
    /// Keys of adjustments that were made before.
    pub adjusted: Vec<String>,
}

/// Signs of the counters' changes per unit: (on_hand, reserved, committed).
type Shift = (i32, i32, i32);

const HOLD: Shift = (0, 1, 0);
const COMMIT: Shift = (0, -1, 1);
const RELEASE_HELD: Shift = (0, -1, 0);
const RELEASE_COMMITTED: Shift = (0, 0, -1);
const SHIP: Shift = (-1, 0, -1);

impl Books {
    /// Carries out one command, wholly or not at all.
    pub fn apply(&mut self, command: &Command, now: Time) -> Result<Outcome, Error> {
        match command {
            Command::Adjust { product_id, delta, key, reason } => self.adjust(product_id, *delta, key, reason, now),
            Command::Hold { id, lines, expires_at } => self.hold(id, lines, *expires_at, now),
            Command::Extend { id, expires_at } => self.extend(id, *expires_at, now),
            Command::Commit(id) => self.commit(id, now),
            Command::Release(id) => self.release(id, now),
            Command::Ship(id) => self.ship(id, now),
            Command::Expire(id) => self.expire(id, now),
        }
    }

    fn adjust(&mut self, product: &str, delta: i32, key: &str, reason: &str, now: Time) -> Result<Outcome, Error> {
        let done = Ok(Outcome::Stock(product.to_owned()));
        if self.adjusted.iter().any(|adjusted| adjusted == key) {
            return done;
        }
        let slot = self.stock.entry(product.to_owned()).or_default();
        let mut stock = slot.state.clone().unwrap_or_else(|| Stock::empty(now));
        stock.on_hand = stock.on_hand.checked_add(delta).filter(|n| *n <= MAX_ON_HAND).ok_or(Error::TooMany)?;
        if stock.available() < 0 {
            return Err(Error::BelowZero { product_id: product.to_owned(), available: stock.available() - delta });
        }
        stock.updated_at = now;
        slot.set("ADJUST", stock);
        self.adjusted.push(key.to_owned());
        self.movements.push(Movement {
            id: key.to_owned(),
            product_id: product.to_owned(),
            kind: "ADJUST".to_owned(),
            reference: reason.to_owned(),
            on_hand: delta,
            reserved: 0,
            committed: 0,
            at: now,
        });
        done
    }

    fn hold(&mut self, id: &str, lines: &[Line], expires_at: Time, now: Time) -> Result<Outcome, Error> {
        let lines = by_product(lines)?;
        if let Some(existing) = self.reservation(id) {
            return match existing.state {
                State::Released | State::Expired => Err(Error::Released(id.to_owned())),
                State::Held | State::Committed | State::Shipped if existing.lines == lines => {
                    Ok(Outcome::Reservation(existing))
                }
                State::Held | State::Committed | State::Shipped => Err(Error::OtherLines(id.to_owned())),
            };
        }
        let is_short = |line: &&Line| {
            self.stock.get(&line.product_id).and_then(|slot| slot.state.as_ref()).map_or(0, Stock::available)
                < line.quantity
        };
        let short: Vec<String> = lines.iter().filter(is_short).map(|line| line.product_id.clone()).collect();
        if !short.is_empty() {
            return Err(Error::OutOfStock(short));
        }
        let reservation = Reservation { state: State::Held, lines, expires_at, created_at: now, updated_at: now };
        Ok(self.shift(id, "HOLD", HOLD, reservation, now))
    }

    /// A hold that ran out and was not yet given back can be extended: its units are still held.
    fn extend(&mut self, id: &str, expires_at: Time, now: Time) -> Result<Outcome, Error> {
        let reservation = self.reservation(id).ok_or_else(|| Error::NotFound(id.to_owned()))?;
        match reservation.state {
            State::Held if reservation.expires_at < expires_at => {
                let next = Reservation { expires_at, updated_at: now, ..reservation };
                self.reservations.entry(id.to_owned()).or_default().set("EXTEND", next.clone());
                Ok(Outcome::Reservation(next))
            }
            State::Held | State::Committed | State::Shipped => Ok(Outcome::Reservation(reservation)),
            State::Expired => Err(Error::Expired(id.to_owned())),
            State::Released => Err(Error::Released(id.to_owned())),
        }
    }

    fn commit(&mut self, id: &str, now: Time) -> Result<Outcome, Error> {
        let reservation = self.reservation(id).ok_or_else(|| Error::NotFound(id.to_owned()))?;
        match reservation.state {
            State::Held => {
                let next = Reservation { state: State::Committed, updated_at: now, ..reservation };
                Ok(self.shift(id, "COMMIT", COMMIT, next, now))
            }
            State::Committed | State::Shipped => Ok(Outcome::Reservation(reservation)),
            State::Expired => Err(Error::Expired(id.to_owned())),
            State::Released => Err(Error::Released(id.to_owned())),
        }
    }

    fn release(&mut self, id: &str, now: Time) -> Result<Outcome, Error> {
        let Some(reservation) = self.reservation(id) else {
            let mark = Reservation {
                state: State::Released,
                lines: Vec::new(),
                expires_at: now,
                created_at: now,
                updated_at: now,
            };
            return Ok(self.shift(id, "RELEASE", HOLD, mark, now));
        };
        let shift = match reservation.state {
            State::Held => RELEASE_HELD,
            State::Committed => RELEASE_COMMITTED,
            State::Released | State::Expired => return Ok(Outcome::Reservation(reservation)),
            State::Shipped => return Err(Error::Shipped(id.to_owned())),
        };
        let next = Reservation { state: State::Released, updated_at: now, ..reservation };
        Ok(self.shift(id, "RELEASE", shift, next, now))
    }

    fn ship(&mut self, id: &str, now: Time) -> Result<Outcome, Error> {
        let reservation = self.reservation(id).ok_or_else(|| Error::NotFound(id.to_owned()))?;
        match reservation.state {
            State::Committed => {
                let next = Reservation { state: State::Shipped, updated_at: now, ..reservation };
                Ok(self.shift(id, "SHIP", SHIP, next, now))
            }
            State::Shipped => Ok(Outcome::Reservation(reservation)),
            State::Held => Err(Error::NotCommitted(id.to_owned())),
            State::Expired => Err(Error::Expired(id.to_owned())),
            State::Released => Err(Error::Released(id.to_owned())),
        }
    }

    fn expire(&mut self, id: &str, now: Time) -> Result<Outcome, Error> {
        let reservation = self.reservation(id).ok_or_else(|| Error::NotFound(id.to_owned()))?;
        if reservation.state != State::Held || reservation.expires_at > now {
            return Ok(Outcome::Reservation(reservation));
        }
        let next = Reservation { state: State::Expired, updated_at: now, ..reservation };
        Ok(self.shift(id, "EXPIRE", RELEASE_HELD, next, now))
    }

    fn reservation(&self, id: &str) -> Option<Reservation> {
        self.reservations.get(id).and_then(|slot| slot.state.clone())
    }

    /// Moves the counters of every line and stores the reservation.
    fn shift(&mut self, id: &str, cause: &'static str, shift: Shift, next: Reservation, now: Time) -> Outcome {
        for line in &next.lines {
            let slot = self.stock.entry(line.product_id.clone()).or_default();
            let mut stock = slot.state.clone().unwrap_or_else(|| Stock::empty(now));
            let (on_hand, reserved, committed) =
                (shift.0 * line.quantity, shift.1 * line.quantity, shift.2 * line.quantity);
            stock.on_hand += on_hand;
            stock.reserved += reserved;
            stock.committed += committed;
            stock.updated_at = now;
            slot.set(cause, stock);
            self.movements.push(Movement {
                id: format!("{id}/{cause}/{}", line.product_id),
                product_id: line.product_id.clone(),
                kind: cause.to_owned(),
                reference: id.to_owned(),
                on_hand,
                reserved,
                committed,
                at: now,
            });
        }
        self.reservations.entry(id.to_owned()).or_default().set(cause, next.clone());
        Outcome::Reservation(next)
    }
}

/// One line a product, in the order of their ids.
fn by_product(lines: &[Line]) -> Result<Vec<Line>, Error> {
    let mut sums: BTreeMap<&str, i32> = BTreeMap::new();
    for line in lines {
        let sum = sums.entry(&line.product_id).or_default();
        *sum = sum.checked_add(line.quantity).ok_or(Error::TooMany)?;
    }
    Ok(sums.into_iter().map(|(product, quantity)| Line { product_id: product.to_owned(), quantity }).collect())
}
