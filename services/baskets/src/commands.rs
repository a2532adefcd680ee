//! What is done to baskets that needs more than one document, or a peer: merging and checking out.

use crate::{
    clients::Peers,
    convert,
    domain::{self, Basket, Clock, State},
    error::Error,
    store::Baskets,
};
use ::store::{Versioned, now, transaction::retry};
use contracts::{
    baskets::v1::Checkout,
    orders::v1::{Order, OrderDraft},
};
use std::time::Duration;
use tonic::{Code, Status};

/// After this time no call of a checkout is under way any more: a request ends after 60 s at the latest.
pub const CALLS_END: Duration = Duration::from_secs(65);

/// How often a merge is decided anew when somebody else wrote in between.
const ATTEMPTS: u32 = 16;

/// What is done to baskets. Cheap to clone.
#[derive(Clone)]
pub struct Commands {
    pub baskets: Baskets,
    pub peers: Peers,
    /// How long a basket is there after its last change.
    pub life: Duration,
}

/// What a caller sends to order a basket.
pub struct CheckoutRequest {
    pub user_id: String,
    pub checkout: Checkout,
    pub etag: String,
    pub wait: Duration,
}

impl Commands {
    pub fn clock(&self) -> Clock {
        Clock { now: now(), life: self.life }
    }

    /// Orders the basket of the caller, or answers with the order that it is.
    pub async fn check_out(&self, found: Versioned<Basket>, request: CheckoutRequest) -> Result<Order, Error> {
        let CheckoutRequest { user_id, checkout, etag, wait } = request;
        let attempt = format!("{:032x}", rand::random::<u128>());
        let basket = match found.state.state {
            // The key is the basket: orders answers with the order that there is, whatever the draft says.
            State::CheckedOut => found,
            _ => self.begin(found, &etag, &attempt).await?,
        };
        telemetry::crash_point("baskets.checkout.begun");
        let draft = draft(&basket.state, checkout);
        let order = self.peers.order(&basket.id, &user_id, draft.clone(), Duration::ZERO).await;
        telemetry::crash_point("baskets.checkout.ordered");
        let order = match order {
            Ok(order) => order,
            Err(status) => {
                self.reopen_refused(basket, &attempt, &status).await;
                return Err(renamed(status).into());
            }
        };
        self.finish(basket.clone(), &order).await?;
        telemetry::crash_point("baskets.checkout.finished");
        if wait.is_zero() {
            return Ok(order);
        }
        // The basket is the order by now; what the caller waits for is the order alone.
        Ok(self.peers.order(&basket.id, &user_id, draft, wait).await.unwrap_or(order))
    }

    async fn begin(&self, found: Versioned<Basket>, etag: &str, attempt: &str) -> Result<Versioned<Basket>, Error> {
        let begin = |old: &Versioned<Basket>| match old.state.state {
            State::CheckedOut => Ok(None),
            State::CheckingOut if !old.state.has_frozen(etag) => Err(Error::StaleEtag),
            State::CheckingOut => Ok(Some(old.state.begin_checkout(attempt, old.rev, now())?)),
            _ if !old.is_current(etag) => Err(Error::StaleEtag),
            _ => Ok(Some(old.state.begin_checkout(attempt, old.rev, now())?)),
        };
        self.baskets.change(found, None, begin).await
    }

    /// Notes that this attempt has no order, when orders has refused it. The last such attempt opens the basket again.
    async fn reopen_refused(&self, basket: Versioned<Basket>, attempt: &str, status: &Status) {
        if is_refusal(status.code()) {
            self.reopen(basket, |old| old.refused(attempt, self.clock())).await;
        }
    }

    async fn reopen(&self, basket: Versioned<Basket>, decide: impl Fn(&Basket) -> Option<Basket>) {
        if let Err(error) = self.baskets.change(basket, None, |old| Ok(decide(&old.state))).await {
            tracing::warn!(%error, "a basket is not open again yet; it is looked at later");
        }
    }

    /// Notes that the basket is this order.
    async fn finish(&self, basket: Versioned<Basket>, order: &Order) -> Result<Versioned<Basket>, Error> {
        let finish = |old: &Versioned<Basket>| {
            Ok(old.state.checked_out(&order.order_id, convert::ordered(order), self.clock())?)
        };
        self.baskets.change(basket, None, finish).await
    }

    /// The basket after a look at what became of its checkout, if one is under way. What cannot be told stays as it is. Whoever reads
    /// the basket has not caused what is found out.
    pub async fn settle(&self, basket: Versioned<Basket>) -> Versioned<Basket> {
        telemetry::by_itself(self.settled(basket)).await
    }

    async fn settled(&self, basket: Versioned<Basket>) -> Versioned<Basket> {
        let Some(checkout) = basket.state.checkout.clone() else { return basket };
        let user_id = basket.state.user_id.clone().unwrap_or_default();
        let asked = now();
        let settled = match self.peers.order_of(&basket.id, &user_id).await {
            Ok(order) => self.finish(basket.clone(), &order).await,
            Err(status) if status.code() == Code::NotFound && asked > domain::after(checkout.at, CALLS_END) => {
                let is_it = |old: &Basket| old.checkout.as_ref() == Some(&checkout);
                self.reopen(basket.clone(), |old| is_it(old).then(|| old.reopened(self.clock())).flatten()).await;
                self.baskets.find(&basket.id).await
            }
            Err(_) => return basket,
        };
        settled.unwrap_or_else(|error| {
            tracing::warn!(%error, basket_id = %basket.id, "a checkout that was cut off is not settled yet");
            basket
        })
    }

    /// Gives a guest's basket, whose token the caller has, to the caller.
    pub async fn merge(&self, guest: &str, into: &str, user_id: &str) -> Result<Versioned<Basket>, Error> {
        if guest == into {
            return Err(Error::IntoItself);
        }
        let is_conflict = |error: &Error| matches!(error, Error::Store(error) if error.is_conflict());
        retry(ATTEMPTS, is_conflict, || self.merge_once(guest, into, user_id)).await
    }

    async fn merge_once(&self, guest: &str, into: &str, user_id: &str) -> Result<Versioned<Basket>, Error> {
        let found = self.baskets.find(guest).await?;
        // Somebody else was first: the caller in another tab, or another user.
        if let Some(answer) = self.merged_before(&found, user_id).await? {
            return Ok(answer);
        }
        found.state.open()?;
        let own = match into {
            "" => self.baskets.newest_open(user_id).await?,
            id => Some(self.baskets.find(id).await?).filter(|own| own.state.user_id.as_deref() == Some(user_id)),
        };
        match own {
            Some(own) if own.state.is_there(now()) => self.baskets.merge(&found, &own, self.clock()).await,
            None if into.is_empty() => {
                let claim = |old: &Versioned<Basket>| {
                    let is_guest = old.state.user_id.is_none();
                    Ok(is_guest.then(|| old.state.claimed(user_id, self.clock())).transpose()?)
                };
                let claimed = self.baskets.change(found, None, claim).await?;
                let is_own = claimed.state.user_id.as_deref() == Some(user_id);
                if is_own { Ok(claimed) } else { Err(Error::NotFound(guest.to_owned())) }
            }
            _ => Err(Error::NotFound(into.to_owned())),
        }
    }

    /// The basket of the caller that a guest's basket has become part of, or is; none when it is a guest's still.
    pub async fn merged_before(
        &self,
        guest: &Versioned<Basket>,
        user_id: &str,
    ) -> Result<Option<Versioned<Basket>>, Error> {
        let own = match (&guest.state.merged_into, &guest.state.user_id) {
            (Some(into), _) => match self.baskets.find(into).await {
                Err(Error::NotFound(_)) => return Err(Error::NotFound(guest.id.clone())),
                found => found?,
            },
            (None, Some(_)) => guest.clone(),
            (None, None) => return Ok(None),
        };
        let is_own = own.state.user_id.as_deref() == Some(user_id) && own.state.is_there(now());
        if is_own { Ok(Some(own)) } else { Err(Error::NotFound(guest.id.clone())) }
    }
}

/// What orders is asked for.
fn draft(basket: &Basket, checkout: Checkout) -> OrderDraft {
    let Checkout { shipping_address, payment_token, expected_total, quote_id } = checkout;
    OrderDraft {
        items: basket.items.iter().map(convert::order_item).collect(),
        shipping_address,
        payment_token,
        expected_total,
        quote_id,
        coupon_code: basket.coupon_code.clone(),
        currency_code: basket.currency_code.clone(),
    }
}

/// Whether an answer means that this call has placed no order.
fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented
            | Code::OutOfRange
    )
}

/// Orders tells of fields of an order; the caller has sent a checkout.
fn renamed(status: Status) -> Status {
    ::rpc::status::renamed(status, |field| match field.strip_prefix("order.") {
        Some(field) if field.starts_with("items") || field.starts_with("coupon_code") => format!("basket.{field}"),
        Some(field) => format!("checkout.{field}"),
        None => field.to_owned(),
    })
}
