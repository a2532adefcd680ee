//! How an order follows its saga: what the answers of participants, the carrier's news and people's interventions do.

use super::{Cancellation, Fact, Order, State, Told, Transition, shipments::has_left};
use crate::{
    error::Error,
    sagas::{
        AUTHORIZE, CANCEL_ORDER, CANCEL_ORDER_WITH_COUPON, DISPATCH_SHIPMENT, PLACE_FREE_ORDER, PLACE_ORDER,
        PLACE_ORDER_WITH_COUPON, REFUND_ORDER, known, newest,
    },
};
use ::store::Time;
use contracts::{payments::v1::payment::State as PaymentState, shipping::v1::shipment::State as ShipmentState};
use saga::{Action, Answer, Call, Definition, Direction, Operator, Outcome, Status};

/// An order is confirmed only while its hold lives at least so long.
const HOLD_MARGIN_MS: i64 = 5_000;

/// A hold that has less life left when the payment is approved is extended first.
const EXTEND_BELOW_MS: i64 = 60_000;

impl Order {
    /// Moves to `to` and notes it in the history. To the same state: nothing. An illegal move is a bug, and refused.
    pub(super) fn enter(&mut self, to: State, reason: &str, actor: &str, now: Time) -> Result<(), Error> {
        if self.state == to {
            return Ok(());
        }
        if !self.state.allows(to) {
            return Err(Error::Transition { from: self.state, to });
        }
        self.history.push(Transition {
            from: Some(self.state),
            to,
            reason: reason.to_owned(),
            actor: actor.to_owned(),
            at: now,
            trace_id: None,
        });
        self.state = to;
        reason.clone_into(&mut self.reason);
        Ok(())
    }

    /// What the wish to cancel does. `None`: it is cancelled, or being cancelled, already.
    pub fn cancel(&self, wish: Cancellation, now: Time) -> Result<Option<Self>, Error> {
        let mut next = self.clone();
        match self.state {
            State::Cancelling | State::Cancelled => return Ok(None),
            State::Shipped | State::Delivered | State::Rejected => return Err(Error::CannotCancel(self.state)),
            State::Pending | State::Confirmed if has_left(self.shipment_state) => return Err(Error::HasLeft),
            State::Pending | State::Confirmed => {}
        }
        next.enter(State::Cancelling, &wish.reason, &wish.actor, now)?;
        next.updated_at = now;
        next.cancellation = Some(wish);
        if next.saga.has_ended() {
            next.start(next.cancelling(), now);
            next.saga.wake(now);
        } else {
            // Before the pivot the saga turns back; after it, cancelling starts when it has completed.
            next.saga.abort(known(), "CANCELLED", now);
            next.follow_saga(now)?;
        }
        Ok(Some(next))
    }

    /// What the answers to a saga's calls do. `None` when the saga does not wait for the first of them.
    pub fn record(&self, answers: &[Answer<Fact>], now: Time, jitter: f64) -> Result<Option<Self>, Error> {
        let mut next = self.clone();
        next.updated_at = now;
        let mut counted = false;
        for Answer { call, outcome, facts } in answers {
            if !next.saga.expects(call) {
                break;
            }
            counted = true;
            next.learn(facts);
            let outcome = if *outcome == Outcome::Done { next.pivot(call, now) } else { outcome.clone() };
            next.saga.record(known(), call, outcome, now, jitter);
        }
        if !counted {
            return Ok(None);
        }
        next.follow_saga(now)?;
        Ok(Some(next))
    }

    /// Keeps what participants told.
    pub fn learn(&mut self, facts: &[Fact]) {
        for fact in facts {
            match *fact {
                Fact::Held(until) => self.hold_expires_at = Some(until),
                Fact::Payment(state) => self.payment_state = state,
                Fact::Shipment(ShipmentState::Cancelled) => self.take_cancelled(),
                Fact::Shipment(state) => {
                    let id = self.shipment_id.clone();
                    self.take(Told { id, lines: Vec::new(), state });
                }
            }
        }
    }

    /// An authorized order may be confirmed only while its hold lives.
    fn pivot(&self, call: &Call, now: Time) -> Outcome {
        let is_pivot = call.name == AUTHORIZE && call.direction == Direction::Do;
        if !is_pivot || self.hold_lives(HOLD_MARGIN_MS, now) {
            Outcome::Done
        } else {
            Outcome::Refused("HOLD_EXPIRED".to_owned())
        }
    }

    fn hold_lives(&self, millis: i64, now: Time) -> bool {
        let left = |until: Time| until.timestamp_millis().saturating_sub(now.timestamp_millis());
        self.hold_expires_at.is_some_and(|until| left(until) > millis)
    }

    /// Whether the hold must be extended before the order is confirmed at `now`.
    pub fn needs_extension(&self, now: Time) -> bool {
        !self.hold_lives(EXTEND_BELOW_MS, now)
    }

    /// What a person does to the saga.
    pub fn intervene(&self, action: Action, operator: &Operator, now: Time) -> Result<Self, Error> {
        let mut next = self.clone();
        next.saga.intervene(known(), action, operator, now).map_err(Error::Intervention)?;
        next.updated_at = now;
        next.follow_saga(now)?;
        Ok(next)
    }

    /// Brings `state` in line with the saga, and starts the next one when something waits for it.
    fn follow_saga(&mut self, now: Time) -> Result<(), Error> {
        let Some(definition) = known().find(&self.saga.kind, self.saga.version) else {
            return Ok(()); // nothing is guessed
        };
        if [PLACE_ORDER.kind, PLACE_ORDER_WITH_COUPON.kind, PLACE_FREE_ORDER.kind].contains(&definition.kind) {
            self.follow_placing(now)?;
        } else if [CANCEL_ORDER.kind, CANCEL_ORDER_WITH_COUPON.kind].contains(&definition.kind) {
            self.follow_cancelling(now)?;
        } else if definition.kind == REFUND_ORDER.kind {
            self.follow_refunding();
        } else if definition.kind == DISPATCH_SHIPMENT.kind {
            if self.saga.status == Status::Completed {
                self.captured();
            }
        } else {
            self.follow_dispatching(now)?;
        }
        self.ship_next(now)?;
        self.refund_next(now);
        Ok(())
    }

    fn follow_placing(&mut self, now: Time) -> Result<(), Error> {
        if self.saga.is_past_pivot(known()) || self.saga.has_ended() {
            self.payment_token = None;
        }
        if self.cancellation.is_some() {
            // Who took the wish did not know this version of the saga, and could not turn it back.
            self.saga.abort(known(), "CANCELLED", now);
        }
        match self.saga.status {
            Status::Running | Status::Parked if self.cancellation.is_none() && self.saga.is_past_pivot(known()) => {
                self.enter(State::Confirmed, "", "orders", now)
            }
            Status::Completed if self.cancellation.is_some() => {
                self.start(self.cancelling(), now);
                Ok(())
            }
            Status::Completed => self.enter(State::Confirmed, "", "orders", now),
            Status::Compensated if self.state == State::Cancelling => {
                let reason = self.reason.clone();
                self.enter(State::Cancelled, &reason, "orders", now)
            }
            Status::Compensated => {
                let reason = self.saga.reason.clone().unwrap_or_default();
                self.enter(State::Rejected, &reason, "orders", now)
            }
            Status::Running | Status::Parked | Status::Compensating => Ok(()),
        }
    }

    fn follow_cancelling(&mut self, now: Time) -> Result<(), Error> {
        match self.saga.status {
            Status::Completed => {
                let reason = self.reason.clone();
                self.enter(State::Cancelled, &reason, "orders", now)
            }
            Status::Compensated => {
                let reason = self.saga.reason.clone().unwrap_or_default();
                self.cancellation = None;
                if self.state == State::Cancelling {
                    self.enter(State::Confirmed, &reason, "orders", now)
                } else {
                    Ok(())
                }
            }
            Status::Running | Status::Compensating | Status::Parked => Ok(()),
        }
    }

    fn follow_dispatching(&mut self, now: Time) -> Result<(), Error> {
        if self.saga.status == Status::Completed && self.state == State::Confirmed {
            self.captured();
            // After a cancellation that came too late the reason of the refusal stays.
            let reason = self.reason.clone();
            self.enter(State::Shipped, &reason, "shipping", now)?;
        }
        self.arrive(now)
    }

    pub(super) fn arrive(&mut self, now: Time) -> Result<(), Error> {
        if self.state == State::Shipped && self.shipment_state == ShipmentState::Delivered {
            self.enter(State::Delivered, "", "shipping", now)?;
        }
        Ok(())
    }

    /// The saga that cancels it: what was used is given back, for nothing has left.
    pub(super) fn cancelling(&self) -> &'static Definition {
        if self.discount.is_some() { &CANCEL_ORDER_WITH_COUPON } else { &CANCEL_ORDER }
    }

    pub(super) fn start(&mut self, any_version: &'static Definition, now: Time) {
        self.saga = self.saga.followed_by(newest(any_version), now);
    }

    /// Has the saga ask about the payment at once, if it waits for its decision.
    pub fn payment_decided(&self, now: Time) -> Option<Self> {
        let call = self.saga.call("")?;
        let is_asking = call.name == AUTHORIZE && call.direction == Direction::Do;
        (is_asking && self.payment_state != PaymentState::Unspecified).then(|| {
            let mut next = self.clone();
            next.saga.ask_again(now);
            next
        })
    }
}
