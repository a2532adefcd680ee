//! The rules of stock: what a command does to counters and reservations, decided in batches. Pure.

use super::Error;
use super::{Command, Line, MAX_UNITS, Movement, Outcome, Reservation, State, Stock};
use ::saga::{Caller, Callers};
use ::store::Time;
use std::collections::BTreeMap;

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
    pub stock: BTreeMap<String, Slot<Stock>>,
    pub reservations: BTreeMap<String, Slot<Reservation>>,
    /// What moved in this batch.
    pub movements: Vec<Movement>,
    /// What requests of this batch have moved before it.
    pub before: Vec<Movement>,
    /// Changes of documents in this batch.
    pub effects: usize,
}

/// Changes of the counters, or their signs per unit: (on_hand, reserved, committed).
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
            Command::Adjust { product_id, delta, key, reason } => {
                self.adjust(product_id, *delta, Entry::adjust(key, reason, *delta), now)
            }
            Command::SetBackorder { product_id, allowed, key } => self.set_backorder(product_id, *allowed, key, now),
            Command::Restock { id, line, key } => self.restock(id, line, key, now),
            Command::Hold { id, caller, lines, expires_at } => self.hold((id, caller), lines, *expires_at, now),
            Command::Extend { id, caller, expires_at } => self.extend(id, caller, *expires_at, now),
            Command::Commit(id, caller) => self.commit(id, caller, now),
            Command::Release(id, caller) => self.release(id, caller, now),
            Command::Ship(id, caller) => self.ship(id, caller, now),
            Command::Expire(id) => self.expire(id, now),
        }
    }

    fn adjust(&mut self, product: &str, delta: i32, entry: Entry, now: Time) -> Result<Outcome, Error> {
        let done = Ok(Outcome::Stock(product.to_owned()));
        if self.is_done(product, "ADJUST", &entry)? {
            return done;
        }
        let mut stock = self.stock_of(product, now);
        let (before, on_hand) = (stock.clone(), stock.on_hand.checked_add(delta).ok_or(Error::TooMany)?);
        stock.on_hand = on_hand;
        if on_hand > MAX_UNITS {
            return Err(Error::TooMany);
        }
        // Nobody can take from a shelf what is not on it, whatever may be promised.
        let is_refused = if before.backorder { delta < 0 && on_hand < 0 } else { stock.available() < 0 };
        if is_refused {
            let available = if before.backorder { before.on_hand } else { before.available() };
            return Err(Error::BelowZero { product_id: product.to_owned(), available });
        }
        self.post(product, "ADJUST", entry, now);
        done
    }

    /// While units are owed backorder cannot be taken back: `available` is below 0 only for who has it.
    fn set_backorder(&mut self, product: &str, allowed: bool, key: &str, now: Time) -> Result<Outcome, Error> {
        let kind = if allowed { "BACKORDER_ON" } else { "BACKORDER_OFF" };
        let entry = Entry { id: key.to_owned(), reference: String::new(), shift: (0, 0, 0) };
        if self.is_done(product, kind, &entry)? {
            return Ok(Outcome::Stock(product.to_owned()));
        }
        let stock = self.stock_of(product, now);
        if !allowed && stock.owed() > 0 {
            return Err(Error::Owed { product_id: product.to_owned(), units: stock.owed() });
        }
        if stock.backorder != allowed {
            let state = Some(Stock { backorder: allowed, ..stock });
            self.stock.entry(product.to_owned()).or_default().state = state;
            self.post(product, kind, entry, now);
        }
        Ok(Outcome::Stock(product.to_owned()))
    }

    /// What came back of an order cannot be more than what left with it.
    fn restock(&mut self, id: &str, line: &Line, key: &str, now: Time) -> Result<Outcome, Error> {
        let mut next = self.reservation(id).ok_or_else(|| Error::NoReservation(id.to_owned()))?;
        let entry = Entry { id: key.to_owned(), reference: id.to_owned(), shift: (line.quantity, 0, 0) };
        if self.is_done(&line.product_id, "RESTOCK", &entry)? {
            return Ok(Outcome::Reservation(next));
        }
        if next.state != State::Shipped {
            return Err(Error::NotShipped(id.to_owned()));
        }
        let left = units(&next.lines, &line.product_id) - units(&next.returned, &line.product_id);
        if line.quantity > left {
            return Err(Error::MoreThanShipped { product_id: line.product_id.clone(), left });
        }
        if self.stock_of(&line.product_id, now).on_hand > MAX_UNITS - line.quantity {
            return Err(Error::TooMany);
        }
        next.returned.push(line.clone());
        next.returned = by_product(&next.returned)?;
        next.updated_at = now;
        self.post(&line.product_id, "RESTOCK", entry, now);
        self.set(id, "RESTOCK", next.clone());
        Ok(Outcome::Reservation(next))
    }

    fn hold(
        &mut self,
        (id, caller): (&str, &Caller),
        lines: &[Line],
        expires_at: Time,
        now: Time,
    ) -> Result<Outcome, Error> {
        let lines = by_product(lines)?;
        if let Some(existing) = self.reservation(id) {
            existing.callers.admit(caller)?;
            return match existing.state {
                State::Released | State::Expired => Err(Error::Released(id.to_owned())),
                State::Held | State::Committed | State::Shipped if existing.lines == lines => {
                    Ok(Outcome::Reservation(existing))
                }
                State::Held | State::Committed | State::Shipped => Err(Error::OtherLines(id.to_owned())),
            };
        }
        let is_short = |line: &&Line| !self.stock_of(&line.product_id, now).can_give(line.quantity);
        let short: Vec<String> = lines.iter().filter(is_short).map(|line| line.product_id.clone()).collect();
        if !short.is_empty() {
            return Err(Error::OutOfStock(short));
        }
        let reservation = Reservation { lines, expires_at, ..blank(State::Held, caller, now) };
        Ok(self.shift(id, "HOLD", HOLD, reservation, now))
    }

    /// A hold that ran out and was not yet given back can be extended: its units are still held.
    fn extend(&mut self, id: &str, caller: &Caller, expires_at: Time, now: Time) -> Result<Outcome, Error> {
        let reservation = self.asked_for(id, caller)?;
        match reservation.state {
            State::Held if reservation.expires_at < expires_at => {
                let next = Reservation { expires_at, ..changed(reservation, caller, now) };
                self.set(id, "EXTEND", next.clone());
                Ok(Outcome::Reservation(next))
            }
            State::Held | State::Committed | State::Shipped => Ok(Outcome::Reservation(reservation)),
            State::Expired => Err(Error::Expired(id.to_owned())),
            State::Released => Err(Error::Released(id.to_owned())),
        }
    }

    fn commit(&mut self, id: &str, caller: &Caller, now: Time) -> Result<Outcome, Error> {
        let reservation = self.asked_for(id, caller)?;
        match reservation.state {
            State::Held => {
                let next = Reservation { state: State::Committed, ..changed(reservation, caller, now) };
                Ok(self.shift(id, "COMMIT", COMMIT, next, now))
            }
            State::Committed | State::Shipped => Ok(Outcome::Reservation(reservation)),
            State::Expired => Err(Error::Expired(id.to_owned())),
            State::Released => Err(Error::Released(id.to_owned())),
        }
    }

    fn release(&mut self, id: &str, caller: &Caller, now: Time) -> Result<Outcome, Error> {
        let Some(reservation) = self.reservation(id) else {
            return Ok(self.shift(id, "RELEASE", HOLD, blank(State::Released, caller, now), now));
        };
        reservation.callers.admit(caller)?;
        let shift = match reservation.state {
            State::Held => RELEASE_HELD,
            State::Committed => RELEASE_COMMITTED,
            State::Released | State::Expired => return Ok(Outcome::Reservation(reservation)),
            State::Shipped => return Err(Error::Shipped(id.to_owned())),
        };
        let next = Reservation { state: State::Released, ..changed(reservation, caller, now) };
        Ok(self.shift(id, "RELEASE", shift, next, now))
    }

    fn ship(&mut self, id: &str, caller: &Caller, now: Time) -> Result<Outcome, Error> {
        let reservation = self.asked_for(id, caller)?;
        match reservation.state {
            State::Committed => {
                let next = Reservation { state: State::Shipped, ..changed(reservation, caller, now) };
                Ok(self.shift(id, "SHIP", SHIP, next, now))
            }
            State::Shipped => Ok(Outcome::Reservation(reservation)),
            State::Held => Err(Error::NotCommitted(id.to_owned())),
            State::Expired => Err(Error::Expired(id.to_owned())),
            State::Released => Err(Error::Released(id.to_owned())),
        }
    }

    fn expire(&mut self, id: &str, now: Time) -> Result<Outcome, Error> {
        let reservation = self.reservation(id).ok_or_else(|| Error::NoReservation(id.to_owned()))?;
        if reservation.state != State::Held || reservation.expires_at > now {
            return Ok(Outcome::Reservation(reservation));
        }
        let next = Reservation { state: State::Expired, updated_at: now, ..reservation };
        Ok(self.shift(id, "EXPIRE", RELEASE_HELD, next, now))
    }

    fn set(&mut self, id: &str, cause: &'static str, next: Reservation) {
        self.effects += 1;
        self.reservations.entry(id.to_owned()).or_default().set(cause, next);
    }

    fn reservation(&self, id: &str) -> Option<Reservation> {
        self.reservations.get(id).and_then(|slot| slot.state.clone())
    }

    /// The reservation that a step wants to change.
    fn asked_for(&self, id: &str, caller: &Caller) -> Result<Reservation, Error> {
        let reservation = self.reservation(id).ok_or_else(|| Error::NoReservation(id.to_owned()))?;
        reservation.callers.admit(caller)?;
        Ok(reservation)
    }

    /// Whether a request has been carried out. Its movement says all that it asked, so another one under its key is refused.
    fn is_done(&self, product: &str, kind: &str, entry: &Entry) -> Result<bool, Error> {
        let mut known = self.before.iter().chain(&self.movements);
        let Some(known) = known.find(|movement| movement.id == entry.id) else { return Ok(false) };
        let is_same = (known.product_id.as_str(), known.kind.as_str(), known.reference.as_str(), known.on_hand)
            == (product, kind, entry.reference.as_str(), entry.shift.0);
        if is_same { Ok(true) } else { Err(Error::KeyReused) }
    }

    fn stock_of(&self, product: &str, now: Time) -> Stock {
        let state = self.stock.get(product).and_then(|slot| slot.state.clone());
        state.unwrap_or_else(|| Stock::empty(now))
    }

    /// Moves the counters of every line and stores the reservation.
    fn shift(&mut self, id: &str, cause: &'static str, shift: Shift, next: Reservation, now: Time) -> Outcome {
        for line in &next.lines {
            let shift = (shift.0 * line.quantity, shift.1 * line.quantity, shift.2 * line.quantity);
            let entry = Entry { id: format!("{id}/{cause}/{}", line.product_id), reference: id.to_owned(), shift };
            self.post(&line.product_id, cause, entry, now);
        }
        self.set(id, cause, next.clone());
        Outcome::Reservation(next)
    }

    /// Moves the counters of a product and writes it into the ledger. The only place where a counter changes.
    fn post(&mut self, product: &str, cause: &'static str, entry: Entry, now: Time) {
        let (on_hand, reserved, committed) = entry.shift;
        let mut stock = self.stock_of(product, now);
        stock.on_hand += on_hand;
        stock.reserved += reserved;
        stock.committed += committed;
        stock.moves += 1;
        stock.updated_at = now;
        self.movements.push(Movement {
            id: entry.id,
            product_id: product.to_owned(),
            seq: stock.moves,
            kind: cause.to_owned(),
            reference: entry.reference,
            on_hand,
            reserved,
            committed,
            at: now,
        });
        self.effects += 1;
        self.stock.entry(product.to_owned()).or_default().set(cause, stock);
    }
}

/// A new reservation, of nothing.
fn blank(state: State, caller: &Caller, now: Time) -> Reservation {
    Reservation {
        state,
        lines: Vec::new(),
        returned: Vec::new(),
        callers: Callers::default().with(caller),
        expires_at: now,
        created_at: now,
        updated_at: now,
    }
}

fn changed(reservation: Reservation, caller: &Caller, now: Time) -> Reservation {
    Reservation { callers: reservation.callers.with(caller), updated_at: now, ..reservation }
}

/// What is written into the ledger beside product, cause and time.
struct Entry {
    /// Names the cause; unique.
    id: String,
    reference: String,
    shift: Shift,
}

impl Entry {
    fn adjust(key: &str, reason: &str, delta: i32) -> Self {
        Self { id: key.to_owned(), reference: reason.to_owned(), shift: (delta, 0, 0) }
    }
}

/// Units of a product among lines that have one line a product.
fn units(lines: &[Line], product: &str) -> i32 {
    lines.iter().find(|line| line.product_id == product).map_or(0, |line| line.quantity)
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
