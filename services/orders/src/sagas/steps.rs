//! The calls of the steps: which call a step is, and what its answer means.

use crate::{
    clients::Peers,
    coupons::store::Coupons,
    domain::{Fact, Order},
    sagas::definitions::Step,
    store::Orders,
};
use ::store::{Versioned, fields::time, now};
use contracts::{
    inventory::v1::{Reservation, reservation::State as ReservationState},
    payments::v1::{Payment, payment::State as PaymentState},
    shipping::v1::Shipment,
};
use saga::{Call, Direction, Outcome, StepCall, StepExecutor};
use tonic::{Code, Status};

/// What payments answers while the provider does not: payments itself works.
const PAYMENT_UNKNOWN: &str = "PAYMENT_UNKNOWN";

pub struct Steps {
    pub coupons: Coupons,
    pub peers: Peers,
}

/// The outcome of a call, and the facts that its participant reports.
type Answered = (Outcome, Vec<Fact>);

#[tonic::async_trait]
impl StepExecutor<Orders> for Steps {
    async fn execute(&self, order: &Versioned<Order>, step: Step, call: &Call) -> Answered {
        let answer = self.call(order, step, call).await;
        answer.unwrap_or_else(|status| (classify(&status), Vec::new()))
    }
}

impl Steps {
    async fn call(&self, order: &Versioned<Order>, step: Step, call: &Call) -> Result<Answered, Status> {
        use Direction::{Do, Undo};
        use Step::*;
        let (id, order, step_call) = (order.id.as_str(), &order.state, call.step_call());
        match (step, call.direction) {
            (RedeemCoupon, Do) => Ok(self.coupons.redeem(id, order).await.map(|()| done())?),
            (RedeemCoupon, Undo) | (ReleaseCoupon, Do) => Ok(self.coupons.release(id, order).await.map(|()| done())?),
            (HoldStock, Do) => self.peers.hold(id, order, step_call).await.map(held_until),
            (HoldStock | CommitStock, Undo) | (ReleaseStock, Do) => {
                self.peers.release(id, step_call).await.map(|_| done())
            }
            (CommitStock, Do) => self.peers.commit(id, step_call).await.map(|_| done()),
            (ShipStock, Do) => self.peers.ship(id, step_call).await.map(|_| done()),
            (RestockStopped, Do) => self.peers.restock_stopped(id, order).await.map(|()| done()),
            (Restock, Do) => self.restock(id, order).await,
            (AuthorizePayment, Do) => self.authorize(id, order, step_call).await,
            (AuthorizePayment, Undo) | (CancelPayment, Do) => self.cancel_payment(id, order, step_call).await,
            (CapturePayment, Do) => self.peers.capture(order, step_call).await.map(moved),
            (ReleasePayment, Do) => self.release_payment(order, step_call).await,
            (RefundPayment, Do) => self.refund(order, step_call).await,
            (CreateShipment, Do) => self.peers.create_shipment(id, order, step_call).await.map(planned),
            (CancelShipment, Do) => self.peers.cancel_shipment(id, order, step_call).await.map(planned),
            (
                ReleaseCoupon | ReleaseStock | ShipStock | RestockStopped | Restock | CancelPayment | CapturePayment
                | ReleasePayment | RefundPayment | CreateShipment | CancelShipment,
                Undo,
            ) => Ok(bug("this step cannot be undone")),
        }
    }

    /// Gives the money back. Of an order without a payment there is none.
    async fn cancel_payment(&self, id: &str, order: &Order, call: StepCall) -> Result<Answered, Status> {
        if order.is_free() {
            return Ok(done());
        }
        self.peers.cancel_payment(id, order, call).await.map(moved)
    }

    /// Gives back what was set aside for what was stopped, if anything was.
    async fn release_payment(&self, order: &Order, call: StepCall) -> Result<Answered, Status> {
        if order.is_free() || order.stopped().next().is_none() {
            return Ok(done());
        }
        self.peers.release_payment(order, call).await.map(moved)
    }

    /// Gives the money of the current refund back.
    async fn refund(&self, order: &Order, call: StepCall) -> Result<Answered, Status> {
        let Some(refund) = order.current_refund() else { return Ok(bug("no refund is under way")) };
        if !refund.amount.is_positive() {
            return Ok(done()); // the units had cost nothing: no money moves
        }
        self.peers.refund(order, refund, call).await.map(moved)
    }

    /// Puts the units of the current refund back on the shelf.
    async fn restock(&self, id: &str, order: &Order) -> Result<Answered, Status> {
        let Some(refund) = order.current_refund() else { return Ok(bug("no refund is under way")) };
        self.peers.restock(id, refund).await.map(|()| done())
    }

    /// Authorizes the payment. An approval after which the hold would not live long enough extends it first: together
    /// they are the pivot.
    async fn authorize(&self, id: &str, order: &Order, call: StepCall) -> Result<Answered, Status> {
        // Payment first: extending the hold before would keep stock for payers who never pay.
        let payment = self.peers.authorize(id, order, call.clone()).await?;
        let (outcome, mut facts) = authorized(payment.state(), payment.decline_reason);
        if outcome != Outcome::Done || !order.needs_extension(now()) {
            return Ok((outcome, facts));
        }
        let extended = match self.peers.extend_hold(id, call).await {
            Ok(extended) => extended,
            // The units are back on the shelf: what was approved is given back.
            Err(status) if status.code() == Code::FailedPrecondition => {
                return Ok((Outcome::GoBack("HOLD_EXPIRED".to_owned()), facts));
            }
            Err(status) => return Ok((not_the_peers_fault(classify(&status)), facts)),
        };
        if extended.state() == ReservationState::Held {
            facts.extend(held_until(extended).1);
        }
        Ok((outcome, facts))
    }
}

/// Payments has answered, and inventory is in trouble.
fn not_the_peers_fault(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Transient(error) => Outcome::Undecided(error),
        other => other,
    }
}

fn done() -> Answered {
    (Outcome::Done, Vec::new())
}

fn bug(what: &str) -> Answered {
    (Outcome::Bug(what.to_owned()), Vec::new())
}

fn planned(shipment: Shipment) -> Answered {
    (Outcome::Done, vec![Fact::Shipment(shipment.state())])
}

fn moved(payment: Payment) -> Answered {
    (Outcome::Done, vec![Fact::Payment(payment.state())])
}

fn held_until(reservation: Reservation) -> Answered {
    match reservation.expire_time {
        Some(until) => (Outcome::Done, vec![Fact::Held(time::from_wire(&until))]),
        None => bug("a hold without an end"),
    }
}

fn authorized(state: PaymentState, decline_reason: String) -> Answered {
    let outcome = match state {
        PaymentState::Authorized | PaymentState::Captured => Outcome::Done,
        PaymentState::Declined => Outcome::Rejected(decline_reason),
        PaymentState::ActionRequired => Outcome::Waiting,
        PaymentState::Unknown | PaymentState::Authorizing | PaymentState::Created => {
            Outcome::Undecided("the provider has not answered".to_owned())
        }
        PaymentState::Voided | PaymentState::Refunded => Outcome::GoBack("PAYMENT_CANCELLED".to_owned()),
        PaymentState::Unspecified => Outcome::Bug("a payment without a state".to_owned()),
    };
    (outcome, vec![Fact::Payment(state)])
}

/// What an error says of the call: refused, impossible, or nothing at all.
fn classify(status: &Status) -> Outcome {
    let reason = rpc::status::reason(status);
    let error = format!("{reason} ({:?}): {}", status.code(), status.message());
    match status.code() {
        Code::FailedPrecondition => Outcome::Rejected(reason),
        // Somebody else was faster, or has taken over.
        Code::Aborted => Outcome::Undecided(error),
        Code::Unavailable if reason == PAYMENT_UNKNOWN => Outcome::Undecided(error),
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Cancelled
        | Code::Unknown
        | Code::Internal
        | Code::Unauthenticated
        | Code::PermissionDenied
        | Code::Unimplemented => Outcome::Transient(error),
        Code::InvalidArgument | Code::NotFound | Code::AlreadyExists | Code::OutOfRange | Code::DataLoss | Code::Ok => {
            Outcome::Bug(error)
        }
    }
}
