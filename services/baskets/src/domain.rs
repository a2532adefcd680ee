//! What a basket is and which changes it allows. Pure.

mod error;
#[cfg(test)]
mod tests;

pub use error::Error;

use ::store::Time;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Most products of a basket: as many as an order may have lines.
pub const MAX_ITEMS: usize = 100;

/// Most units of a product, as in an order.
pub const MAX_QUANTITY: i32 = 10_000;

/// How long a deleted basket stays, so that a repeat finds it.
const TOMBSTONE: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Open,
    CheckingOut,
    CheckedOut,
    Merged,
    /// To be forgotten soon; it is there for nobody.
    Deleted,
}

/// Units of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub product_id: String,
    pub quantity: i32,
}

/// What can be changed of a basket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    pub items: Vec<Item>,
    /// ISO 3166-1 alpha-2; empty when it is not known.
    pub country_code: String,
    /// Empty without one.
    pub coupon_code: String,
    /// The currency to pay in; empty for that of the main prices.
    pub currency_code: String,
}

/// Whose a new basket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    User(String),
    /// The guest who has the token of this digest.
    Guest(String),
}

/// Most attempts at one checkout that are told apart. With more of them none opens the basket again by its refusal.
const MAX_ATTEMPTS: usize = 32;

/// A checkout that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkout {
    /// The attempts that may have an order yet: those that orders has not refused.
    pub attempts: Vec<String>,
    /// When the last of them began.
    pub at: Time,
    /// The version whose lines are frozen.
    pub rev: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basket {
    /// None for a guest's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Digest of the guest's token; none for a user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_digest: Option<String>,
    pub state: State,
    /// One for each product.
    pub items: Vec<Item>,
    pub country_code: String,
    pub coupon_code: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub currency_code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkout: Option<Checkout>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
    pub created_at: Time,
    pub updated_at: Time,
    /// None while it is being checked out, so that nothing takes it away meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// Key of the request that made it; its own id without one.
    pub request_key: String,
    pub request_digest: String,
}

/// The moment of a change, and how long a basket is there after it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    pub now: Time,
    pub life: Duration,
}

impl Clock {
    fn end(self) -> Option<Time> {
        Some(after(self.now, self.life))
    }
}

/// The time that is `duration` after `time`.
pub fn after(time: Time, duration: Duration) -> Time {
    let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    Time::from_millis(time.timestamp_millis().saturating_add(millis))
}

/// One item for each product, in the order in which they came first.
fn combined(items: impl IntoIterator<Item = Item>, clip: bool) -> Result<Vec<Item>, Error> {
    let mut found: Vec<Item> = Vec::new();
    for Item { product_id, quantity } in items {
        match found.iter_mut().find(|item| item.product_id == product_id) {
            None => found.push(Item { product_id, quantity }),
            Some(item) => item.quantity = item.quantity.saturating_add(quantity),
        }
    }
    for item in &mut found {
        if item.quantity > MAX_QUANTITY && !clip {
            return Err(Error::TooMany(item.product_id.clone()));
        }
        item.quantity = item.quantity.min(MAX_QUANTITY);
    }
    if found.len() > MAX_ITEMS { Err(Error::Full) } else { Ok(found) }
}

impl Basket {
    /// A new basket; `request_key` is the key of the request that makes it.
    pub fn create(draft: Draft, owner: Owner, request_key: String, clock: Clock) -> Result<Self, Error> {
        let (user_id, token_digest) = match owner {
            Owner::User(id) => (Some(id), None),
            Owner::Guest(digest) => (None, Some(digest)),
        };
        Ok(Self {
            user_id,
            token_digest,
            state: State::Open,
            items: combined(draft.items, false)?,
            country_code: draft.country_code,
            coupon_code: draft.coupon_code,
            currency_code: draft.currency_code,
            checkout: None,
            order_id: None,
            merged_into: None,
            created_at: clock.now,
            updated_at: clock.now,
            expires_at: clock.end(),
            request_key,
            request_digest: String::new(),
        })
    }

    /// Whether it is there for anybody.
    pub fn is_there(&self, now: Time) -> bool {
        self.state != State::Deleted && self.expires_at.is_none_or(|end| now < end)
    }

    /// Refused unless it can be changed.
    pub fn open(&self) -> Result<(), Error> {
        match self.state {
            State::Open => Ok(()),
            State::CheckingOut => Err(Error::CheckoutUnderWay),
            State::CheckedOut => Err(Error::CheckedOut),
            State::Merged => Err(Error::Merged),
            State::Deleted => Err(Error::Deleted),
        }
    }

    pub fn update(&self, draft: Draft, clock: Clock) -> Result<Self, Error> {
        self.open()?;
        let Draft { items, country_code, coupon_code, currency_code } = draft;
        let items = combined(items, false)?;
        Ok(self.touched(Self { items, country_code, coupon_code, currency_code, ..self.clone() }, clock))
    }

    pub fn add(&self, item: Item, clock: Clock) -> Result<Self, Error> {
        self.open()?;
        let items = combined(self.items.iter().cloned().chain([item]), false)?;
        Ok(self.touched(Self { items, ..self.clone() }, clock))
    }

    /// The basket `state`, whose expiry begins anew; it has changed when anything else has.
    fn touched(&self, state: Self, clock: Clock) -> Self {
        let updated_at = if state == *self { self.updated_at } else { clock.now };
        Self { updated_at, expires_at: clock.end(), ..state }
    }

    /// With the items of a guest's basket. Units beyond what a basket takes are left out: a guest who signs in is not
    /// stopped by a basket that they forgot.
    pub fn take(&self, guest: &Basket, clock: Clock) -> Result<Self, Error> {
        self.open()?;
        guest.open()?;
        let items = combined(self.items.iter().chain(&guest.items).cloned(), true)?;
        let or = |own: &String, other: &String| if own.is_empty() { other.clone() } else { own.clone() };
        let country_code = or(&self.country_code, &guest.country_code);
        let coupon_code = or(&self.coupon_code, &guest.coupon_code);
        // Without one, what is here already has been shown at the main prices, and is paid at them.
        let other = if self.items.is_empty() { guest } else { self };
        let currency_code = or(&self.currency_code, &other.currency_code);
        Ok(self.touched(Self { items, country_code, coupon_code, currency_code, ..self.clone() }, clock))
    }

    /// A guest's basket whose items another one has taken.
    pub fn merged(&self, into: &str, clock: Clock) -> Self {
        let merged_into = Some(into.to_owned());
        let end = clock.end();
        Self { state: State::Merged, merged_into, updated_at: clock.now, expires_at: end, ..self.clone() }
    }

    /// A guest's basket that is a user's from now on; the token is no good any more.
    pub fn claimed(&self, user_id: &str, clock: Clock) -> Result<Self, Error> {
        self.open()?;
        let user_id = Some(user_id.to_owned());
        Ok(Self { user_id, token_digest: None, updated_at: clock.now, expires_at: clock.end(), ..self.clone() })
    }

    /// Freezes the version `rev` of the basket for its order, or joins the checkout that is under way. Each attempt is noted before
    /// orders is called: nobody opens the basket while one of them may have an order.
    pub fn begin_checkout(&self, attempt: &str, rev: i64, now: Time) -> Result<Self, Error> {
        let (mut attempts, rev) = match &self.checkout {
            Some(checkout) => (checkout.attempts.clone(), checkout.rev),
            None => (Vec::new(), rev),
        };
        if self.state != State::CheckingOut {
            self.open()?;
        }
        if self.items.is_empty() {
            return Err(Error::Empty);
        }
        // The last place is that of all further attempts, and stays.
        match attempts.len() + 1 {
            count if count < MAX_ATTEMPTS => attempts.push(attempt.to_owned()),
            MAX_ATTEMPTS => attempts.push(String::new()),
            _ => {}
        }
        let checkout = Some(Checkout { attempts, at: now, rev });
        Ok(Self { state: State::CheckingOut, checkout, updated_at: now, expires_at: None, ..self.clone() })
    }

    /// Whether the caller has seen the lines that are frozen: versions since then differ in attempts alone.
    pub fn has_frozen(&self, etag: &str) -> bool {
        let seen = || etag.parse::<i64>().is_ok_and(|seen| self.checkout.as_ref().is_some_and(|it| seen >= it.rev));
        etag.is_empty() || seen()
    }

    /// Without an attempt that orders has refused; open again when it was the last one. None when it is not noted any more.
    pub fn refused(&self, attempt: &str, clock: Clock) -> Option<Self> {
        let mut checkout = self.checkout.clone()?;
        let place = checkout.attempts.iter().position(|noted| noted == attempt)?;
        checkout.attempts.remove(place);
        let is_last = checkout.attempts.is_empty();
        if is_last { self.reopened(clock) } else { Some(Self { checkout: Some(checkout), ..self.clone() }) }
    }

    /// Open again, when no attempt at its checkout has an order; none when it is not being checked out.
    pub fn reopened(&self, clock: Clock) -> Option<Self> {
        let expires_at = clock.end();
        let open = || Self { state: State::Open, checkout: None, updated_at: clock.now, expires_at, ..self.clone() };
        (self.state == State::CheckingOut).then(open)
    }

    /// The basket as the order that there is, with its lines: whatever was done to the basket meanwhile. None when it is
    /// that already.
    pub fn checked_out(&self, order_id: &str, items: Vec<Item>, clock: Clock) -> Result<Option<Self>, Error> {
        if self.state == State::CheckedOut {
            return Ok(None);
        }
        Ok(Some(Self {
            state: State::CheckedOut,
            order_id: Some(order_id.to_owned()),
            items: combined(items, false)?,
            checkout: None,
            updated_at: clock.now,
            expires_at: clock.end(),
            ..self.clone()
        }))
    }

    /// Without what was in it; none when it is deleted already.
    pub fn deleted(&self, now: Time) -> Result<Option<Self>, Error> {
        if self.state == State::Deleted {
            return Ok(None);
        }
        self.open()?;
        let Draft { items, country_code, coupon_code, currency_code } = Draft::default();
        let expires_at = Some(after(now, TOMBSTONE));
        let state = State::Deleted;
        let empty = Self { state, items, country_code, coupon_code, currency_code, ..self.clone() };
        Ok(Some(Self { updated_at: now, expires_at, ..empty }))
    }
}
