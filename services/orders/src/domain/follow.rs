//! How an order follows its saga: the effects of participants' answers, of payment events and of interventions.

use super::{Cancellation, Error, Fact, Order, ShipmentUpdate, State, Transition, shipments::has_left};
use crate::sagas::definitions::{
    CANCEL_LATE_PAYMENT, CANCEL_ORDER, CANCEL_ORDER_WITH_COUPON, Definition, Purpose, Sagas, Step,
};
use ::store::Time;
use contracts::{payments::v1::payment::State as PaymentState, shipping::v1::shipment::State as ShipmentState};
use saga::{Action, Answer, Direction, Operator, Outcome, Status};

/// An order is confirmed only while its hold lives at least so long.
const HOLD_MARGIN_MS: i64 = 5_000;

/// A hold that has less life left when the payment is approved is extended first.
const EXTEND_BELOW_MS: i64 = 60_000;

impl Order {
    /// Moves to `to` and adds the transition to the history. An illegal move is a bug, and refused.
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

    /// What a request to cancel does. `None`: it is cancelled, or being cancelled, already.
    pub fn cancel(&self, sagas: &Sagas, cancellation: Cancellation, now: Time) -> Result<Option<Self>, Error> {
        let mut next = self.clone();
        match self.state {
            State::Cancelling | State::Cancelled => return Ok(None),
            State::Shipped | State::Delivered | State::Rejected => return Err(Error::CannotCancel(self.state)),
            State::Pending | State::Confirmed if has_left(self.shipment_state) => return Err(Error::HasLeft),
            State::Pending | State::Confirmed => {}
        }
        next.enter(State::Cancelling, &cancellation.reason, &cancellation.actor, now)?;
        next.updated_at = now;
        next.cancellation = Some(cancellation);
        if next.saga.has_ended() {
            // Nothing is under way, so the cancellation starts at once, and a runner is woken for it.
            next.start(sagas, next.cancelling(), now);
            next.saga.wake(now);
        } else {
            // Before the pivot the saga turns back; after it, cancelling starts when it has completed.
            next.saga.abort(sagas, "CANCELLED", now);
            next.follow_saga(sagas, now)?;
        }
        Ok(Some(next))
    }

    /// What the answers to a saga's calls do. `None` when the saga does not wait for the first of them.
    pub fn record(
        &self,
        sagas: &Sagas,
        answers: &[Answer<Fact>],
        now: Time,
        jitter: f64,
    ) -> Result<Option<Self>, Error> {
        let mut next = self.clone();
        next.updated_at = now;
        let mut counted = false;
        for Answer { call, outcome, facts } in answers {
            // Answers count in their order: behind one that came too late the saga awaits none of the others.
            if !next.saga.expects(call) {
                break;
            }
            counted = true;
            next.apply(facts);
            let outcome = if *outcome == Outcome::Done { next.pivot(now) } else { outcome.clone() };
            next.saga.record(sagas, call, outcome, now, jitter);
        }
        if !counted {
            return Ok(None);
        }
        next.follow_saga(sagas, now)?;
        Ok(Some(next))
    }

    pub fn apply(&mut self, facts: &[Fact]) {
        for fact in facts {
            match *fact {
                Fact::Held(until) => self.hold_expires_at = Some(until),
                Fact::Payment(state) => self.payment_state = state,
                Fact::Shipment(ShipmentState::Cancelled) => self.apply_cancelled(),
                Fact::Shipment(state) => {
                    let id = self.shipment_id.clone();
                    self.apply_shipment(ShipmentUpdate { id, lines: Vec::new(), state });
                }
            }
        }
    }

    /// An authorized order may be confirmed only while its hold lives.
    fn pivot(&self, now: Time) -> Outcome {
        let is_pivot = self.saga.awaits(Step::AuthorizePayment, Direction::Do);
        if !is_pivot || self.hold_lives(HOLD_MARGIN_MS, now) {
            Outcome::Done
        } else {
            Outcome::GoBack("HOLD_EXPIRED".to_owned())
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

    pub fn intervene(&self, sagas: &Sagas, action: Action, operator: &Operator, now: Time) -> Result<Self, Error> {
        let mut next = self.clone();
        let unexplained = Operator { actor: operator.actor.clone(), reason: String::new() };
        // Nothing erases an order twice.
        let operator = if self.is_erased() { &unexplained } else { operator };
        next.saga.intervene(sagas, action, operator, now).map_err(Error::Intervention)?;
        next.updated_at = now;
        next.follow_saga(sagas, now)?;
        Ok(next)
    }

    /// Brings `state` in line with the saga, and starts the next one when something waits for it.
    fn follow_saga(&mut self, sagas: &Sagas, now: Time) -> Result<(), Error> {
        if self.saga.definition(sagas).is_none() {
            return Ok(()); // nothing is guessed
        }
        match Purpose::of(&self.saga) {
            Some(Purpose::Place) => self.follow_placing(sagas, now)?,
            Some(Purpose::Cancel) => self.follow_cancelling(now)?,
            Some(Purpose::Refund) => self.follow_refunding(),
            Some(Purpose::DispatchShipment) if self.saga.status == Status::Completed => self.captured(),
            Some(Purpose::Dispatch | Purpose::Close) => self.follow_dispatching(now)?,
            Some(Purpose::DispatchShipment | Purpose::CancelLatePayment) | None => {}
        }
        self.ship_next(sagas, now)?;
        self.refund_next(sagas, now);
        Ok(())
    }

    fn follow_placing(&mut self, sagas: &Sagas, now: Time) -> Result<(), Error> {
        if self.saga.is_past_pivot(sagas) || self.saga.has_ended() {
            self.payment_token = None;
        }
        if self.cancellation.is_some() {
            // The build that took the cancellation did not know this version of the saga, and could not turn it back.
            self.saga.abort(sagas, "CANCELLED", now);
        }
        match self.saga.status {
            Status::Running | Status::Parked if self.cancellation.is_none() && self.saga.is_past_pivot(sagas) => {
                self.enter(State::Confirmed, "", "orders", now)
            }
            Status::Completed if self.cancellation.is_some() => {
                self.start(sagas, self.cancelling(), now);
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
                // Shipping has refused: the goods have left, so the cancellation is off and the order goes on.
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

    pub(super) fn start(&mut self, sagas: &Sagas, any_version: &'static Definition, now: Time) {
        self.saga = self.saga.followed_by(sagas.newest(any_version), now);
    }

    /// What it does about the provider's decision on its payment: the saga that waits for the decision asks for it at once,
    /// and an approval that comes after the order has ended is undone. `None` when it does nothing.
    pub fn payment_decided(&self, sagas: &Sagas, decision: PaymentState, now: Time) -> Option<Self> {
        let mut next = self.clone();
        let has_been_asked = self.payment_state != PaymentState::Unspecified;
        if has_been_asked && self.saga.awaits(Step::AuthorizePayment, Direction::Do) {
            // An event is only a hint: the saga asks payments again, so that one path handles every answer.
            next.saga.ask_again(now);
        } else if decision == PaymentState::Authorized && self.keeps_late_payment() {
            next.start(sagas, &CANCEL_LATE_PAYMENT, now);
            next.saga.wake(now);
        } else {
            return None;
        }
        Some(next)
    }

    /// Whether it has ended without its payment, as far as it knows, and nothing has undone the payment.
    fn keeps_late_payment(&self) -> bool {
        let is_over = matches!(self.state, State::Rejected | State::Cancelled) && self.saga.has_ended();
        let is_undone = matches!(self.payment_state, PaymentState::Voided | PaymentState::Refunded);
        is_over && !is_undone
    }
}
