//! The commands that change orders: of callers, of events and of people. Each moves the order's saga at once when the change
//! made it due.

pub mod place;

use crate::{
    domain::{self, Cancellation, Order, RefundRequest, ShipmentUpdate},
    error::Error,
    store::Orders,
};
use ::store::{RequestKey, Versioned, now};
use contracts::payments::v1::payment::State as PaymentState;
use saga::{Action, Operator, Runner};

/// What is done to orders. Cheap to clone.
#[derive(Clone)]
pub struct Commands {
    pub orders: Orders,
    pub runner: Runner<Orders>,
}

impl Commands {
    /// Cancels an order. The repeat of a `request` changes nothing, and another request under its key is refused.
    pub async fn cancel(
        &self,
        order: Versioned<Order>,
        request: Option<&RequestKey>,
        cancellation: Cancellation,
    ) -> Result<Versioned<Order>, Error> {
        self.change(order, request, |order| order.cancel(self.orders.sagas, cancellation.clone(), now())).await
    }

    pub async fn refund(&self, id: &str, refund: RefundRequest) -> Result<Versioned<Order>, Error> {
        let order = self.orders.get(id).await?;
        self.change(order, None, |order| order.refund(self.orders.sagas, refund.clone(), now())).await
    }

    /// Does to the saga of an order what a person wants.
    pub async fn intervene(
        &self,
        order: Versioned<Order>,
        action: Action,
        operator: &Operator,
    ) -> Result<Versioned<Order>, Error> {
        let intervene = |order: &Order| order.intervene(self.orders.sagas, action, operator, now()).map(Some);
        self.change(order, None, intervene).await
    }

    /// Applies what shipping tells of an order's shipments. Payment and stock follow in a saga of the order.
    pub async fn apply_shipments(&self, id: &str, updates: Vec<ShipmentUpdate>) -> Result<(), Error> {
        let order = self.orders.get(id).await?;
        let apply = |order: &Order| order.apply_shipments(self.orders.sagas, updates.clone(), now());
        self.change(order, None, apply).await.map(drop)
    }

    /// Applies the provider's decision on the payment of an order.
    pub async fn apply_payment(&self, id: &str, decision: PaymentState) -> Result<(), Error> {
        let order = self.orders.get(id).await?;
        let apply = |order: &Order| Ok(order.payment_decided(self.orders.sagas, decision, now()));
        self.change(order, None, apply).await.map(drop)
    }

    /// Sees to it that nothing of an order is given back any more.
    pub async fn freeze(&self, id: &str, reason: &str) -> Result<(), Error> {
        let order = self.orders.get(id).await?;
        self.change(order, None, |order| Ok(order.freeze(reason, now()))).await.map(drop)
    }

    /// Changes an order by `decide`. A saga that is due after the change is adopted in the same write, and moved.
    async fn change(
        &self,
        order: Versioned<Order>,
        request: Option<&RequestKey>,
        mut decide: impl FnMut(&Order) -> Result<Option<Order>, domain::Error>,
    ) -> Result<Versioned<Order>, Error> {
        let adopt = |order: &Order| {
            let next = decide(order)?;
            Ok(next.map_or((None, false), |next| self.adopted(order, next)))
        };
        let (changed, is_adopted) = self.orders.change(order, request, adopt).await?;
        if is_adopted {
            // The task moves the saga on by itself; the caller gets the order as it is now.
            drop(self.runner.spawn(changed.clone()));
        }
        Ok(changed)
    }

    /// The new state, whose saga this runner has adopted if it is due, and whether it has. A saga that this build does not
    /// know is left to a replica that does: it finds the saga by looking for due ones.
    fn adopted(&self, order: &Order, mut next: Order) -> (Option<Order>, bool) {
        let now = now();
        let is_known = next.saga.definition(self.orders.sagas).is_some();
        let is_adopted = next != *order && next.saga.is_due(now) && is_known;
        if is_adopted {
            next.saga.adopt(self.runner.owner(), now);
        }
        (Some(next), is_adopted)
    }
}
