//! Changes orders for those who are not their saga, and moves the saga at once when the change made it due.

pub mod place;

use crate::{domain::Order, error::Error, sagas::definitions::Sagas, store::Orders};
use ::store::{RequestKey, Versioned, now};
use saga::Runner;

/// The commands that change orders: of callers, of events and of people. Cheap to clone.
#[derive(Clone)]
pub struct Commands {
    /// The orders.
    pub orders: Orders,
    /// Moves their sagas.
    pub runner: Runner<Orders>,
}

impl Commands {
    /// The sagas that this build knows.
    pub fn sagas(&self) -> &'static Sagas {
        self.orders.sagas
    }

    /// Changes the order `id` by `decide`. A saga that is due after the change is adopted in the same write, and moved.
    pub async fn change(
        &self,
        id: &str,
        decide: impl FnMut(&Order) -> Result<Option<Order>, Error>,
    ) -> Result<Versioned<Order>, Error> {
        let order = self.orders.get(id).await?;
        self.change_found(order, None, decide).await
    }

    /// Changes an order that has been read. The repeat of a `request` changes nothing, and another request under its key is
    /// refused.
    pub async fn change_found(
        &self,
        order: Versioned<Order>,
        request: Option<&RequestKey>,
        mut decide: impl FnMut(&Order) -> Result<Option<Order>, Error>,
    ) -> Result<Versioned<Order>, Error> {
        let adopt = |order: &Order| {
            let next = decide(order)?;
            Ok(next.map_or((None, false), |next| self.adopted(order, next)))
        };
        let (changed, is_adopted) = self.orders.change(order, request, adopt).await?;
        if is_adopted {
            drop(self.runner.spawn(changed.clone()));
        }
        Ok(changed)
    }

    /// The new state, whose saga this runner has adopted if it is due, and whether it has. A saga that this build does not
    /// know is left to a replica that does: it finds the saga by looking for due ones.
    fn adopted(&self, order: &Order, mut next: Order) -> (Option<Order>, bool) {
        let now = now();
        let is_known = next.saga.definition(self.sagas()).is_some();
        let is_adopted = next != *order && next.saga.is_due(now) && is_known;
        if is_adopted {
            next.saga.adopt(self.runner.owner(), now);
        }
        (Some(next), is_adopted)
    }
}
