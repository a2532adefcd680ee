//! The orders' side of the saga engine: which call a step is, what its answer means, and how the order takes it.

use crate::{
    clients::Peers,
    convert,
    domain::{Fact, Order},
    error::Error,
    store::Orders,
};
use ::store::{Time, Versioned, now};
use contracts::{inventory::v1::Reservation, payments::v1::payment::State as PaymentState};
use saga::{Call, Direction, Host, Outcome, Saga};
use tonic::{Code, Status};

/// Moves orders.
pub struct OrderHost {
    /// Where they are.
    pub orders: Orders,
    /// Whom they call.
    pub peers: Peers,
}

#[tonic::async_trait]
impl Host for OrderHost {
    type Item = Versioned<Order>;
    type Fact = Fact;
    type Error = Error;

    fn saga<'a>(&self, item: &'a Versioned<Order>) -> Option<(&'a str, &'a Saga)> {
        Some((&item.id, &item.state.saga))
    }

    async fn due(&self, now: Time, limit: i64) -> Result<Vec<Versioned<Order>>, Error> {
        self.orders.due(now, limit).await
    }

    async fn claim(&self, item: Versioned<Order>, owner: &str) -> Result<Option<Versioned<Order>>, Error> {
        self.orders.claim(&item, owner).await
    }

    async fn call(&self, item: &Versioned<Order>, call: &Call) -> (Outcome, Option<Fact>) {
        let (id, order, key) = (item.id.as_str(), &item.state, call.key.clone());
        crash_at(call, "calling");
        let answer = match (call.name.as_str(), call.direction) {
            ("hold_stock", Direction::Do) => self.peers.hold(id, order, key).await.map(|held| held_until(&held)),
            ("hold_stock", Direction::Undo) | ("release_stock", _) => {
                self.peers.release(id, key).await.map(|_| (Outcome::Done, None))
            }
            ("authorize_payment", Direction::Do) => {
                let payment = self.peers.authorize(id, order, key).await;
                payment.map(|payment| authorized(payment.state(), payment.decline_reason))
            }
            ("authorize_payment", Direction::Undo) | ("cancel_payment", _) => {
                let payment = self.peers.cancel_payment(id, order, key).await;
                payment.map(|payment| (Outcome::Done, Some(Fact::Payment(payment.state()))))
            }
            ("commit_stock", _) => self.peers.commit(id, key).await.map(|_| (Outcome::Done, None)),
            ("create_shipment", _) => {
                let shipment = self.peers.create_shipment(id, order, key).await;
                shipment.map(|shipment| (Outcome::Done, Some(Fact::Shipment(shipment.state()))))
            }
            ("cancel_shipment", _) => {
                let shipment = self.peers.cancel_shipment(id, order, key).await;
                shipment.map(|shipment| (Outcome::Done, Some(Fact::Shipment(shipment.state()))))
            }
            (step, _) => return (Outcome::Bug(format!("no call for step {step}")), None),
        };
        crash_at(call, "called");
        answer.unwrap_or_else(|status| (classify(&status), None))
    }

    async fn record(
        &self,
        item: Versioned<Order>,
        call: &Call,
        outcome: Outcome,
        fact: Option<Fact>,
    ) -> Result<Versioned<Order>, Error> {
        let jitter = rand::random::<f64>();
        let recorded = self
            .orders
            .change(item, |order| order.record(call, outcome.clone(), fact.clone(), now(), jitter).map(Some));
        let recorded = recorded.await;
        crash_at(call, "recorded");
        recorded
    }
}

/// Where a test kills this process: `orders.hold_stock.do.calling`. Release builds have none of this.
fn crash_at(call: &Call, moment: &str) {
    if cfg!(debug_assertions) {
        let direction = match call.direction {
            Direction::Do => "do",
            Direction::Undo => "undo",
        };
        telemetry::crash_point(&format!("orders.{}.{direction}.{moment}", call.name));
    }
}

fn held_until(reservation: &Reservation) -> (Outcome, Option<Fact>) {
    match &reservation.expire_time {
        Some(until) => (Outcome::Done, Some(Fact::Held(convert::time_from_wire(until)))),
        None => (Outcome::Bug("a hold without an end".to_owned()), None),
    }
}

fn authorized(state: PaymentState, decline_reason: String) -> (Outcome, Option<Fact>) {
    let outcome = match state {
        PaymentState::Authorized | PaymentState::Captured => Outcome::Done,
        PaymentState::Declined => Outcome::Rejected(decline_reason),
        PaymentState::ActionRequired => Outcome::Waiting,
        PaymentState::Unknown | PaymentState::Authorizing | PaymentState::Created => {
            Outcome::Transient("the provider has not answered".to_owned())
        }
        PaymentState::Voided | PaymentState::Refunded => Outcome::Refused("PAYMENT_CANCELLED".to_owned()),
        PaymentState::Unspecified => Outcome::Bug("a payment without a state".to_owned()),
    };
    (outcome, Some(Fact::Payment(state)))
}

/// What an error says of the call: refused, or nothing at all.
fn classify(status: &Status) -> Outcome {
    match status.code() {
        Code::FailedPrecondition | Code::InvalidArgument | Code::NotFound | Code::AlreadyExists | Code::OutOfRange => {
            Outcome::Rejected(rpc::status::reason(status))
        }
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::ResourceExhausted
        | Code::Cancelled
        | Code::Unknown
        | Code::Internal
        | Code::Unauthenticated
        | Code::PermissionDenied
        | Code::Unimplemented => Outcome::Transient(format!("{:?}: {}", status.code(), status.message())),
        Code::DataLoss | Code::Ok => Outcome::Bug(format!("{:?}: {}", status.code(), status.message())),
    }
}
