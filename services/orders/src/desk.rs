//! Changes orders for those who are not their saga, and moves the saga at once when the change made it due.

use crate::{domain::Order, error::Error, host::OrderHost, sagas::known, store::Orders};
use ::rpc::RequestKey;
use ::store::{Versioned, now};
use saga::Runner;

/// Where events, callers and people change orders. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    /// The orders.
    pub orders: Orders,
    /// Moves their sagas.
    pub runner: Runner<OrderHost>,
}

impl Desk {
    /// Changes the order `id` by `decide`. A saga that is due after it is adopted in the same write, and moved.
    pub async fn change(
        &self,
        id: &str,
        decide: impl FnMut(&Order) -> Result<Option<Order>, Error>,
    ) -> Result<Versioned<Order>, Error> {
        let order = self.orders.get(id).await?;
        self.change_found(order, decide).await
    }

    /// The same for an order that has been read.
    pub async fn change_found(
        &self,
        order: Versioned<Order>,
        decide: impl FnMut(&Order) -> Result<Option<Order>, Error>,
    ) -> Result<Versioned<Order>, Error> {
        self.change_once(order, None, decide).await
    }

    /// The same for a request: its repeat changes nothing, and another request under its key is refused.
    pub async fn change_once(
        &self,
        order: Versioned<Order>,
        request: Option<&RequestKey>,
        mut decide: impl FnMut(&Order) -> Result<Option<Order>, Error>,
    ) -> Result<Versioned<Order>, Error> {
        let mut is_adopted = false;
        let adopt = |order: &Order| {
            is_adopted = false;
            let Some(mut next) = decide(order)? else { return Ok(None) };
            let now = now();
            // A saga that this build does not know is left to a replica that does: it finds it by looking for due ones.
            let is_known = known().find(&next.saga.kind, next.saga.version).is_some();
            if next != *order && next.saga.is_due(now) && is_known {
                next.saga.adopt(self.runner.owner(), now);
                is_adopted = true;
            }
            Ok(Some(next))
        };
        let changed = self.orders.change_once(order, request, adopt).await?;
        if is_adopted {
            drop(self.runner.spawn(changed.clone()));
        }
        Ok(changed)
    }
}
