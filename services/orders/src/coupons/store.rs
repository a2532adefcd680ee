//! Coupons in MongoDB, and which orders use them.
//!
//! A use is one transaction: the coupon's count, guarded by its revision, with the event, and a redemption whose `_id` is the
//! order. So an order uses a coupon once, and a count is as many redemptions as count. What is given back leaves its
//! redemption as a mark that refuses a late use.

use crate::{
    coupons::convert as wire,
    domain::{self, Coupon, CouponRefusal, CouponTerms, Discount, Order},
    error::Error,
};
use ::store::{
    Aggregate, Change, Database, Documents, Found, Index, RequestKey, Time, Transaction, Versioned, now,
    transaction::retry,
};
use bson::{Document, doc};
use contracts::money::Money;
use futures::TryStreamExt;
use mongodb::Collection;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::Mutex;

/// How often a use is decided when other replicas write in between.
const ATTEMPTS: u32 = 16;

/// How many of a user's uses are looked at for the order that holds a coupon.
const NEWEST: i64 = 64;

/// Where redemptions are.
const REDEMPTIONS: &str = "redemptions";

impl Aggregate for Coupon {
    const COLLECTION: &'static str = "coupons";
    const NOUN: &'static str = "coupon";
}

/// Whether a redemption counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum RedemptionState {
    Redeemed,
    /// It was given back, or never was: it refuses a late one.
    Released,
}

/// That an order uses a coupon, or no longer does.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Redemption {
    #[serde(rename = "_id")]
    order_id: String,
    code: String,
    user_id: String,
    state: RedemptionState,
    created_at: Time,
    updated_at: Time,
}

/// Indexes of the coupons.
pub fn indexes() -> [Index; 2] {
    [
        Index::unique(Coupon::COLLECTION, doc! { "request_key": 1 }),
        Index::new(REDEMPTIONS, doc! { "code": 1, "user_id": 1, "state": 1 }),
    ]
}

/// An order that wants to use a coupon, or to give it back.
struct Claim<'a> {
    order_id: &'a str,
    code: &'a str,
    user_id: &'a str,
    subtotal: Money,
}

impl<'a> Claim<'a> {
    /// `None` of an order without a coupon.
    fn of(order_id: &'a str, order: &'a Order) -> Result<Option<Self>, Error> {
        let Some(discount) = &order.discount else { return Ok(None) };
        Ok(Some(Self {
            order_id,
            code: &discount.code,
            user_id: &order.user_id,
            subtotal: domain::subtotal(&order.items)?,
        }))
    }

    fn redemption(&self, state: RedemptionState, now: Time) -> Redemption {
        let [order_id, code, user_id] = [self.order_id, self.code, self.user_id].map(str::to_owned);
        Redemption { order_id, code, user_id, state, created_at: now, updated_at: now }
    }
}

/// The coupons. Cheap to clone.
#[derive(Clone)]
pub struct Coupons {
    database: Database,
    coupons: Documents<Coupon>,
    redemptions: Collection<Redemption>,
    /// Uses are counted one after the other here: each writes the coupon, and those that collide would be decided anew.
    turn: Arc<Mutex<()>>,
}

impl Coupons {
    /// Coupons of this database.
    pub fn new(database: &Database) -> Self {
        Self {
            database: database.clone(),
            coupons: Documents::new(database),
            redemptions: database.collection(REDEMPTIONS),
            turn: Arc::default(),
        }
    }

    /// Stores a new coupon, or finds the one that the same request made before.
    pub async fn create(
        &self,
        code: &str,
        terms: CouponTerms,
        request: Option<&RequestKey>,
    ) -> Result<Versioned<Coupon>, Error> {
        let key = request.map_or(code, RequestKey::name).to_owned();
        let mut coupon = Coupon::create(terms, key.clone(), now())?;
        coupon.request_digest = request.map_or_else(String::new, |request| request.digest().to_owned());
        let created = wire::created(code, &coupon);
        match self.coupons.insert(code, coupon, vec![created]).await {
            Err(::store::Error::Duplicate) => {
                let taken = || Error::CouponExists(code.to_owned());
                let request = request.ok_or_else(taken)?;
                let before = self.coupons.find_one(doc! { "request_key": key }).await?.ok_or_else(taken)?;
                if request.repeats(&before.state.request_digest) { Ok(before) } else { Err(Error::KeyReused) }
            }
            stored => Ok(stored?),
        }
    }

    pub async fn get(&self, code: &str) -> Result<Versioned<Coupon>, Error> {
        self.coupons.load(code).await?.ok_or_else(|| Error::CouponNotFound(code.to_owned()))
    }

    /// Coupons after `after`, by code.
    pub async fn list(&self, after: Option<String>, limit: i64) -> Result<Found<Versioned<Coupon>>, Error> {
        let filter = after.map_or_else(Document::new, |after| doc! { "_id": { "$gt": after } });
        Ok(self.coupons.page(filter, doc! { "_id": 1 }, limit).await?)
    }

    pub async fn disable(
        &self,
        code: &str,
        etag: &str,
        request: Option<&RequestKey>,
    ) -> Result<Versioned<Coupon>, Error> {
        let changed = self.coupons.change_once(code, request, |old| -> Result<_, Error> {
            let Some(state) = old.state.disabled(now()) else { return Ok(None) };
            if !old.is_current(etag) {
                return Err(Error::StaleEtag);
            }
            Ok(Some(Change { state, events: vec![wire::disabled(code)] }))
        });
        changed.await.map_err(|error| error.or(|| Error::CouponNotFound(code.to_owned())))
    }

    /// What the coupon takes off an order that is about to be placed, as things are now; nothing without a code.
    pub async fn discount(&self, code: &str, user_id: &str, subtotal: &Money) -> Result<Option<Discount>, Error> {
        if code.is_empty() {
            return Ok(None);
        }
        let coupon = match self.admitting(code, user_id, subtotal).await {
            Err(Error::Coupon(used_up @ (CouponRefusal::Exhausted | CouponRefusal::UserLimit))) => {
                let holder = self.holder(code, user_id).await?;
                return Err(holder.map_or(used_up, |order_id| CouponRefusal::Held { order_id }).into());
            }
            admitted => admitted?,
        };
        let amount = coupon.state.discount(subtotal)?;
        Ok(Some(Discount { code: code.to_owned(), amount }))
    }

    /// Counts the order's use of its coupon. Safe to repeat.
    pub async fn redeem(&self, order_id: &str, order: &Order) -> Result<(), Error> {
        let Some(claim) = Claim::of(order_id, order)? else { return Ok(()) };
        if self.decide(&claim).await?.is_none() {
            return Ok(()); // who is refused does not wait for a turn either
        }
        retry(ATTEMPTS, Error::is_conflict, || self.redeem_once(&claim)).await
    }

    /// Gives the order's use of its coupon back. Without a use, a mark refuses a late one. Safe to repeat.
    pub async fn release(&self, order_id: &str, order: &Order) -> Result<(), Error> {
        let Some(claim) = Claim::of(order_id, order)? else { return Ok(()) };
        retry(ATTEMPTS, Error::is_conflict, || self.release_once(&claim)).await
    }

    async fn redeem_once(&self, claim: &Claim<'_>) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        let Some(coupon) = self.decide(claim).await? else { return Ok(()) };
        let now = now();
        let state = coupon.state.redeemed(now);
        let event = wire::redeemed(claim.code, claim.order_id, claim.user_id, &state);
        let mut transaction = Transaction::new(&self.database);
        transaction.insert_raw(&self.redemptions, &claim.redemption(RedemptionState::Redeemed, now))?;
        transaction.update(&self.coupons, &coupon, Change { state, events: vec![event] }).await?;
        Ok(transaction.commit("orders.coupon").await?)
    }

    async fn release_once(&self, claim: &Claim<'_>) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        let now = now();
        let Some(found) = self.redemption(claim.order_id).await? else {
            let mark = claim.redemption(RedemptionState::Released, now);
            self.redemptions.insert_one(mark).await.map_err(::store::Error::from)?;
            return Ok(());
        };
        if found.state == RedemptionState::Released {
            return Ok(());
        }
        let coupon = self.get(claim.code).await?;
        let state = coupon.state.released(now);
        let event = wire::released(claim.code, &found.order_id, &found.user_id, &state);
        let mut transaction = Transaction::new(&self.database);
        let redeemed = doc! { "_id": claim.order_id, "state": "Redeemed" };
        let released = doc! { "$set": { "state": "Released", "updated_at": now } };
        transaction.update_raw(&self.redemptions, redeemed, released);
        transaction.update(&self.coupons, &coupon, Change { state, events: vec![event] }).await?;
        Ok(transaction.commit("orders.coupon").await?)
    }

    /// The coupon whose use is to be counted; `None` when it has been.
    async fn decide(&self, claim: &Claim<'_>) -> Result<Option<Versioned<Coupon>>, Error> {
        match self.redemption(claim.order_id).await?.map(|found| found.state) {
            Some(RedemptionState::Redeemed) => Ok(None),
            Some(RedemptionState::Released) => Err(CouponRefusal::Released.into()),
            None => self.admitting(claim.code, claim.user_id, &claim.subtotal).await.map(Some),
        }
    }

    /// A coupon that may be used. The uses are counted after it is read: one that comes between writes a new revision.
    async fn admitting(&self, code: &str, user_id: &str, subtotal: &Money) -> Result<Versioned<Coupon>, Error> {
        let coupon = self.coupons.load(code).await?.ok_or(CouponRefusal::Unknown)?;
        let uses = if coupon.state.terms.max_redemptions_per_user > 0 { self.uses(code, user_id).await? } else { 0 };
        coupon.state.admit(subtotal, uses, now())?;
        Ok(coupon)
    }

    /// The user's newest order that uses the coupon and is not confirmed yet. Those of others are nobody else's business.
    async fn holder(&self, code: &str, user_id: &str) -> Result<Option<String>, Error> {
        let used = doc! { "code": code, "user_id": user_id, "state": "Redeemed" };
        let newest = self.redemptions.find(used).sort(doc! { "_id": -1 }).limit(NEWEST).await;
        let newest: Vec<Redemption> = async { newest?.try_collect().await }.await.map_err(::store::Error::from)?;
        let ids: Vec<String> = newest.into_iter().map(|redemption| redemption.order_id).collect();
        let waiting = doc! { "_id": { "$in": ids }, "state": { "$in": ["Pending", "Cancelling"] } };
        let orders = self.database.collection::<Document>(Order::COLLECTION);
        let found = orders.find_one(waiting).sort(doc! { "_id": -1 }).projection(doc! { "_id": 1 }).await;
        let found = found.map_err(::store::Error::from)?;
        Ok(found.and_then(|order| order.get_str("_id").ok().map(str::to_owned)))
    }

    async fn redemption(&self, order_id: &str) -> Result<Option<Redemption>, Error> {
        Ok(self.redemptions.find_one(doc! { "_id": order_id }).await.map_err(::store::Error::from)?)
    }

    /// How many orders of a user use the coupon.
    async fn uses(&self, code: &str, user_id: &str) -> Result<i64, Error> {
        let filter = doc! { "code": code, "user_id": user_id, "state": "Redeemed" };
        let count = self.redemptions.count_documents(filter).await.map_err(::store::Error::from)?;
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }
}
