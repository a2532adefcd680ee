//! The rules of stock: what a command does to counters and reservations, decided in batches. Pure.

use super::posting::{COMMIT, HOLD, Posting, RELEASE_COMMITTED, RELEASE_HELD, SHIP, Shift};
use super::{Command, Error, Line, MAX_UNITS, Movement, Outcome, Reservation, State, Stock};
use ::saga::{StepCall, StepCalls};
use ::store::Time;
use std::collections::BTreeMap;

/// What a command of a batch did to a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect<T> {
    pub cause: &'static str,
    /// Who has sent the command.
    pub actor: Option<String>,
    /// The state after it.
    pub state: T,
}

/// A document in the working set of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<T> {
    /// The state now; `None` when there is no document.
    pub state: Option<T>,
    /// The changes of this batch.
    pub changes: Vec<Effect<T>>,
}

impl<T> Default for Entry<T> {
    fn default() -> Self {
        Self { state: None, changes: Vec::new() }
    }
}

impl<T: Clone> Entry<T> {
    fn set(&mut self, cause: &'static str, actor: Option<String>, state: T) {
        self.state = Some(state.clone());
        self.changes.push(Effect { cause, actor, state });
    }
}

/// The documents that the commands of a batch touch, with what the batch has done to them so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkingSet {
    pub stock: BTreeMap<String, Entry<Stock>>,
    pub reservations: BTreeMap<String, Entry<Reservation>>,
    pub movements: Vec<Movement>,
    /// Movements in the ledger under the request keys of this batch.
    pub before: Vec<Movement>,
    /// Number of changes in this batch: a command that does not raise it had no effect.
    pub effects: usize,
    /// Who has sent the command at work.
    pub actor: Option<String>,
}

impl WorkingSet {
    /// Carries out one command, wholly or not at all.
    pub fn apply(&mut self, command: &Command, now: Time) -> Result<Outcome, Error> {
        match command {
            Command::Adjust { product_id, delta, key, reason } => {
                self.adjust(product_id, *delta, Posting::adjust(key, reason, *delta), now)
            }
            Command::SetBackorder { product_id, allowed, key } => self.set_backorder(product_id, *allowed, key, now),
            Command::Restock { id, line, key } => self.restock(id, line, key, now),
            Command::Hold { id, call, lines, expires_at } => self.hold(id, call, lines, *expires_at, now),
            Command::Extend { id, call, expires_at } => self.extend(id, call, *expires_at, now),
            Command::Commit(id, call) => self.commit(id, call, now),
            Command::Release(id, call) => self.release(id, call, now),
            Command::Ship(id, call) => self.ship(id, call, now),
            Command::Expire(id) => self.expire(id, now),
        }
    }

    fn adjust(&mut self, product: &str, delta: i32, posting: Posting, now: Time) -> Result<Outcome, Error> {
        let done = Ok(Outcome::Stock(product.to_owned()));
        if self.is_done(product, "ADJUST", &posting)? {
            return done;
        }
        let mut stock = self.stock_of(product, now);
        let (before, on_hand) = (stock.clone(), stock.on_hand.checked_add(delta).ok_or(Error::TooMany)?);
        stock.on_hand = on_hand;
        if on_hand > MAX_UNITS {
            return Err(Error::TooMany);
        }
        // Backorder lets more be promised than is on hand; units that are not there still cannot be taken away.
        let is_refused = if before.backorder { delta < 0 && on_hand < 0 } else { stock.available() < 0 };
        if is_refused {
            let available = if before.backorder { before.on_hand } else { before.available() };
            return Err(Error::BelowZero { product_id: product.to_owned(), available });
        }
        self.post(product, "ADJUST", posting, now);
        done
    }

    /// Backorder cannot end while units are owed: `available` may be below 0 only with backorder.
    fn set_backorder(&mut self, product: &str, allowed: bool, key: &str, now: Time) -> Result<Outcome, Error> {
        let kind = if allowed { "BACKORDER_ON" } else { "BACKORDER_OFF" };
        let posting = Posting { id: key.to_owned(), reference: String::new(), shift: Shift::default() };
        if self.is_done(product, kind, &posting)? {
            return Ok(Outcome::Stock(product.to_owned()));
        }
        let stock = self.stock_of(product, now);
        if !allowed && stock.owed() > 0 {
            return Err(Error::Owed { product_id: product.to_owned(), units: stock.owed() });
        }
        if stock.backorder != allowed {
            let state = Some(Stock { backorder: allowed, ..stock });
            self.stock.entry(product.to_owned()).or_default().state = state;
            self.post(product, kind, posting, now);
        }
        Ok(Outcome::Stock(product.to_owned()))
    }

    /// Puts units of a shipped reservation back into the stock; never more than have left and not come back.
    fn restock(&mut self, id: &str, line: &Line, key: &str, now: Time) -> Result<Outcome, Error> {
        let mut next = self.reservation(id).ok_or_else(|| Error::NoReservation(id.to_owned()))?;
        let posting = Posting { id: key.to_owned(), reference: id.to_owned(), shift: Shift::on_hand(line.quantity) };
        if self.is_done(&line.product_id, "RESTOCK", &posting)? {
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
        self.post(&line.product_id, "RESTOCK", posting, now);
        self.set(id, "RESTOCK", next.clone());
        Ok(Outcome::Reservation(next))
    }

    fn hold(
        &mut self,
        id: &str,
        call: &StepCall,
        lines: &[Line],
        expires_at: Time,
        now: Time,
    ) -> Result<Outcome, Error> {
        let lines = by_product(lines)?;
        if let Some(existing) = self.reservation(id) {
            existing.calls.admit(call)?;
            return match existing.state {
                State::Released | State::Expired => Err(Error::Released(id.to_owned())),
                State::Held | State::Committed | State::Shipped if existing.lines == lines => {
                    Ok(Outcome::Reservation(existing))
                }
                State::Held | State::Committed | State::Shipped => Err(Error::OtherLines(id.to_owned())),
            };
        }
        let is_short = |line: &&Line| !self.stock_of(&line.product_id, now).can_give(line.quantity);
        // All lines are checked before any is taken, so a refusal leaves nothing behind and names every short product.
        let short: Vec<String> = lines.iter().filter(is_short).map(|line| line.product_id.clone()).collect();
        if !short.is_empty() {
            return Err(Error::OutOfStock(short));
        }
        let reservation = Reservation { lines, expires_at, ..blank(State::Held, call, now) };
        Ok(self.shift(id, "HOLD", HOLD, reservation, now))
    }

    /// A hold that ran out and was not yet given back can be extended: its units are still held.
    fn extend(&mut self, id: &str, call: &StepCall, expires_at: Time, now: Time) -> Result<Outcome, Error> {
        let reservation = self.admitted(id, call)?;
        match reservation.state {
            State::Held if reservation.expires_at < expires_at => {
                let next = Reservation { expires_at, ..changed(reservation, call, now) };
                self.set(id, "EXTEND", next.clone());
                Ok(Outcome::Reservation(next))
            }
            State::Held | State::Committed | State::Shipped => Ok(Outcome::Reservation(reservation)),
            State::Expired => Err(Error::Expired(id.to_owned())),
            State::Released => Err(Error::Released(id.to_owned())),
        }
    }

    fn commit(&mut self, id: &str, call: &StepCall, now: Time) -> Result<Outcome, Error> {
        let reservation = self.admitted(id, call)?;
        match reservation.state {
            State::Held => {
                let next = Reservation { state: State::Committed, ..changed(reservation, call, now) };
                Ok(self.shift(id, "COMMIT", COMMIT, next, now))
            }
            State::Committed | State::Shipped => Ok(Outcome::Reservation(reservation)),
            State::Expired => Err(Error::Expired(id.to_owned())),
            State::Released => Err(Error::Released(id.to_owned())),
        }
    }

    fn release(&mut self, id: &str, call: &StepCall, now: Time) -> Result<Outcome, Error> {
        let Some(reservation) = self.reservation(id) else {
            // The mark refuses a hold that was sent before and arrives after this release. It has no lines to shift.
            return Ok(self.shift(id, "RELEASE", HOLD, blank(State::Released, call, now), now));
        };
        reservation.calls.admit(call)?;
        let shift = match reservation.state {
            State::Held => RELEASE_HELD,
            State::Committed => RELEASE_COMMITTED,
            State::Released | State::Expired => return Ok(Outcome::Reservation(reservation)),
            State::Shipped => return Err(Error::Shipped(id.to_owned())),
        };
        let next = Reservation { state: State::Released, ..changed(reservation, call, now) };
        Ok(self.shift(id, "RELEASE", shift, next, now))
    }

    fn ship(&mut self, id: &str, call: &StepCall, now: Time) -> Result<Outcome, Error> {
        let reservation = self.admitted(id, call)?;
        match reservation.state {
            State::Committed => {
                let next = Reservation { state: State::Shipped, ..changed(reservation, call, now) };
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
        self.reservations.entry(id.to_owned()).or_default().set(cause, self.actor.clone(), next);
    }

    fn reservation(&self, id: &str) -> Option<Reservation> {
        self.reservations.get(id).and_then(|entry| entry.state.clone())
    }

    /// The reservation that a step changes; refused when the step's call is of an earlier epoch.
    fn admitted(&self, id: &str, call: &StepCall) -> Result<Reservation, Error> {
        let reservation = self.reservation(id).ok_or_else(|| Error::NoReservation(id.to_owned()))?;
        reservation.calls.admit(call)?;
        Ok(reservation)
    }

    /// Whether a request has been carried out. Its movement has the whole content of the request, so another request under
    /// its key is refused.
    fn is_done(&self, product: &str, kind: &str, posting: &Posting) -> Result<bool, Error> {
        let mut known = self.before.iter().chain(&self.movements);
        let Some(known) = known.find(|movement| movement.id == posting.id) else { return Ok(false) };
        let is_same = (known.product_id.as_str(), known.kind.as_str(), known.reference.as_str(), known.on_hand)
            == (product, kind, posting.reference.as_str(), posting.shift.on_hand);
        if is_same { Ok(true) } else { Err(Error::KeyReused) }
    }

    fn stock_of(&self, product: &str, now: Time) -> Stock {
        let state = self.stock.get(product).and_then(|entry| entry.state.clone());
        state.unwrap_or_else(|| Stock::empty(now))
    }

    /// Moves the counters of every line and stores the reservation.
    fn shift(&mut self, id: &str, cause: &'static str, shift: Shift, next: Reservation, now: Time) -> Outcome {
        for line in &next.lines {
            let (posting_id, shift) = (format!("{id}/{cause}/{}", line.product_id), shift.times(line.quantity));
            let posting = Posting { id: posting_id, reference: id.to_owned(), shift };
            self.post(&line.product_id, cause, posting, now);
        }
        self.set(id, cause, next.clone());
        Outcome::Reservation(next)
    }

    /// Moves the counters of a product and writes it into the ledger. The only place where a counter changes.
    fn post(&mut self, product: &str, cause: &'static str, posting: Posting, now: Time) {
        let Shift { on_hand, reserved, committed } = posting.shift;
        let mut stock = self.stock_of(product, now);
        stock.on_hand += on_hand;
        stock.reserved += reserved;
        stock.committed += committed;
        stock.moves += 1;
        stock.updated_at = now;
        self.movements.push(Movement {
            id: posting.id,
            product_id: product.to_owned(),
            seq: stock.moves,
            kind: cause.to_owned(),
            reference: posting.reference,
            on_hand,
            reserved,
            committed,
            at: now,
        });
        self.effects += 1;
        self.stock.entry(product.to_owned()).or_default().set(cause, self.actor.clone(), stock);
    }
}

fn blank(state: State, call: &StepCall, now: Time) -> Reservation {
    Reservation {
        state,
        lines: Vec::new(),
        returned: Vec::new(),
        calls: StepCalls::default().with(call),
        expires_at: now,
        created_at: now,
        updated_at: now,
    }
}

fn changed(reservation: Reservation, call: &StepCall, now: Time) -> Reservation {
    Reservation { calls: reservation.calls.with(call), updated_at: now, ..reservation }
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
