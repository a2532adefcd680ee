//! The orders' side of the saga engine: which call a step is, what its answer means, and how the order takes it.

use crate::{
    clients::Peers,
    convert,
    coupons::Coupons,
    domain::{Fact, Order},
    error::Error,
    sagas::{AUTHORIZE, known},
    store::Orders,
};
use ::store::{Versioned, now};
use contracts::{
    inventory::v1::{Reservation, reservation::State as ReservationState},
    payments::v1::{Payment, payment::State as PaymentState},
};
use saga::{Answer, Call, Caller, Direction, Due, Host, Outcome, Recorded, Registry, Saga};
use tonic::{Code, Status};

/// What payments answers while the provider does not: payments itself works.
const PAYMENT_UNKNOWN: &str = "PAYMENT_UNKNOWN";

/// Moves orders.
pub struct OrderHost {
    /// Where they are.
    pub orders: Orders,
    /// The coupons that they use.
    pub coupons: Coupons,
    /// Whom they call.
    pub peers: Peers,
}

/// What a call led to, and what the participant told.
type Answered = (Outcome, Vec<Fact>);

#[tonic::async_trait]
impl Host for OrderHost {
    type Item = Versioned<Order>;
    type Fact = Fact;
    type Error = Error;

    fn registry(&self) -> &'static Registry {
        known()
    }

    fn saga<'a>(&self, item: &'a Versioned<Order>) -> Option<(&'a str, &'a Saga)> {
        Some((&item.id, &item.state.saga))
    }

    async fn due(&self, due: Due) -> Result<Vec<Versioned<Order>>, Error> {
        self.orders.due(due).await
    }

    async fn claim(&self, item: Versioned<Order>, owner: &str) -> Result<Option<Versioned<Order>>, Error> {
        self.orders.claim(&item, owner).await
    }

    async fn call(&self, item: &Versioned<Order>, call: &Call) -> Answered {
        let (id, order, caller) = (item.id.as_str(), &item.state, call.caller());
        let done = |_| (Outcome::Done, Vec::new());
        let answer = match (call.name.as_str(), call.direction) {
            ("redeem_coupon", direction) => self.coupon(id, order, direction).await,
            ("release_coupon", _) => self.coupon(id, order, Direction::Undo).await,
            ("hold_stock", Direction::Do) => self.peers.hold(id, order, caller).await.map(|held| held_until(&held)),
            ("hold_stock" | "commit_stock", Direction::Undo) | ("release_stock", _) => {
                self.peers.release(id, caller).await.map(done)
            }
            (AUTHORIZE, Direction::Do) => self.authorize(id, order, caller).await,
            (AUTHORIZE, Direction::Undo) | ("cancel_payment", _) => self.cancel_payment(id, order, caller).await,
            ("commit_stock", Direction::Do) => self.peers.commit(id, caller).await.map(done),
            ("create_shipment", _) => {
                let shipment = self.peers.create_shipment(id, order, caller).await;
                shipment.map(|shipment| (Outcome::Done, vec![Fact::Shipment(shipment.state())]))
            }
            ("cancel_shipment", _) => {
                let shipment = self.peers.cancel_shipment(id, order, caller).await;
                shipment.map(|shipment| (Outcome::Done, vec![Fact::Shipment(shipment.state())]))
            }
            ("capture_payment", _) => self.peers.capture(order, caller).await.map(|payment| moved(&payment)),
            ("release_payment", _) => self.release(order, caller).await,
            ("restock_stopped", _) => self.peers.restock_stopped(id, order).await.map(|()| (Outcome::Done, Vec::new())),
            ("ship_stock", _) => self.peers.ship(id, caller).await.map(done),
            ("refund_payment" | "restock", _) => self.refund(call.name.as_str(), id, order, caller).await,
            (step, _) => return (Outcome::Bug(format!("no call for step {step}")), Vec::new()),
        };
        answer.unwrap_or_else(|status| (classify(&status), Vec::new()))
    }

    fn learned(&self, mut item: Versioned<Order>, facts: &[Fact]) -> Versioned<Order> {
        item.state.learn(facts);
        item
    }

    async fn record(
        &self,
        item: Versioned<Order>,
        answers: Vec<Answer<Fact>>,
    ) -> Result<Recorded<Versioned<Order>>, Error> {
        let (jitter, mut counted) = (rand::random::<f64>(), false);
        let record = |order: &Order| {
            let next = order.record(&answers, now(), jitter)?;
            counted = next.is_some();
            Ok(next)
        };
        let item = self.orders.change(item, record).await?;
        Ok(Recorded { item, counted })
    }

    async fn alarms(&self) -> Result<(u64, u64), Error> {
        self.orders.alarms().await
    }
}

impl OrderHost {
    /// Counts the use of the order's coupon, or gives it back.
    async fn coupon(&self, id: &str, order: &Order, direction: Direction) -> Result<Answered, Status> {
        match direction {
            Direction::Do => self.coupons.redeem(id, order).await?,
            Direction::Undo => self.coupons.release(id, order).await?,
        }
        Ok((Outcome::Done, Vec::new()))
    }

    /// Gives the money back. Of an order without a payment there is none.
    async fn cancel_payment(&self, id: &str, order: &Order, caller: Caller) -> Result<Answered, Status> {
        if order.is_free() {
            return Ok((Outcome::Done, Vec::new()));
        }
        self.peers.cancel_payment(id, order, caller).await.map(|payment| moved(&payment))
    }

    /// Gives back what was set aside for what was stopped, if anything was.
    async fn release(&self, order: &Order, caller: Caller) -> Result<Answered, Status> {
        if order.is_free() || order.stopped().next().is_none() {
            return Ok((Outcome::Done, Vec::new()));
        }
        self.peers.release_payment(order, caller).await.map(|payment| moved(&payment))
    }

    /// The steps of a refund.
    async fn refund(&self, step: &str, id: &str, order: &Order, caller: Caller) -> Result<Answered, Status> {
        let Some(refund) = order.current_refund() else {
            return Ok((Outcome::Bug("no refund is under way".to_owned()), Vec::new()));
        };
        if step == "restock" {
            return self.peers.restock(id, refund).await.map(|()| (Outcome::Done, Vec::new()));
        }
        if !refund.amount.is_positive() {
            return Ok((Outcome::Done, Vec::new())); // the units had cost nothing: no money moves
        }
        self.peers.refund(order, refund, caller).await.map(|payment| moved(&payment))
    }

    /// Authorizes the payment. An approval after which the hold would not live long enough extends it first: together
    /// they are the pivot.
    async fn authorize(&self, id: &str, order: &Order, caller: Caller) -> Result<Answered, Status> {
        let payment = self.peers.authorize(id, order, caller.clone()).await?;
        let (outcome, mut facts) = authorized(payment.state(), payment.decline_reason);
        if outcome != Outcome::Done || !order.needs_extension(now()) {
            return Ok((outcome, facts));
        }
        let extended = match self.peers.extend_hold(id, caller).await {
            Ok(extended) => extended,
            // The units are back on the shelf: what was approved is given back.
            Err(status) if status.code() == Code::FailedPrecondition => {
                return Ok((Outcome::Refused("HOLD_EXPIRED".to_owned()), facts));
            }
            Err(status) => return Ok((not_the_peers_fault(classify(&status)), facts)),
        };
        if extended.state() == ReservationState::Held {
            facts.extend(held_until(&extended).1);
        }
        Ok((outcome, facts))
    }
}

/// Payments has answered, and inventory is in trouble.
fn not_the_peers_fault(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Transient(told) => Outcome::Undecided(told),
        other => other,
    }
}

fn moved(payment: &Payment) -> Answered {
    (Outcome::Done, vec![Fact::Payment(payment.state())])
}

fn held_until(reservation: &Reservation) -> Answered {
    match &reservation.expire_time {
        Some(until) => (Outcome::Done, vec![Fact::Held(convert::time_from_wire(until))]),
        None => (Outcome::Bug("a hold without an end".to_owned()), Vec::new()),
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
        PaymentState::Voided | PaymentState::Refunded => Outcome::Refused("PAYMENT_CANCELLED".to_owned()),
        PaymentState::Unspecified => Outcome::Bug("a payment without a state".to_owned()),
    };
    (outcome, vec![Fact::Payment(state)])
}

/// What an error says of the call: refused, impossible, or nothing at all.
fn classify(status: &Status) -> Outcome {
    let reason = rpc::status::reason(status);
    let told = format!("{reason} ({:?}): {}", status.code(), status.message());
    match status.code() {
        Code::FailedPrecondition => Outcome::Rejected(reason),
        // Somebody else was faster, or has taken over.
        Code::Aborted => Outcome::Undecided(told),
        Code::Unavailable if reason == PAYMENT_UNKNOWN => Outcome::Undecided(told),
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Cancelled
        | Code::Unknown
        | Code::Internal
        | Code::Unauthenticated
        | Code::PermissionDenied
        | Code::Unimplemented => Outcome::Transient(told),
        Code::InvalidArgument | Code::NotFound | Code::AlreadyExists | Code::OutOfRange | Code::DataLoss | Code::Ok => {
            Outcome::Bug(told)
        }
    }
}
