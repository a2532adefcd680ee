//! Coupons in MongoDB.

use crate::{
    coupons::{
        domain::{Coupon, CouponRefusal, CouponTerms, Discount},
        events,
        redemptions::{self, Claim, RedemptionState, Redemptions},
    },
    domain::Order,
    error::Error,
};
use ::store::{Aggregate, Batcher, Change, Database, Documents, Found, Index, RequestKey, Versioned, now};
use bson::{Document, doc};
use contracts::money::Money;

impl Aggregate for Coupon {
    const COLLECTION: &'static str = "coupons";
    const NOUN: &'static str = "coupon";
}

pub fn indexes() -> [Index; 2] {
    [Index::unique(Coupon::COLLECTION, doc! { "request_key": 1 }), redemptions::index()]
}

#[derive(Clone)]
pub struct Coupons {
    coupons: Documents<Coupon>,
    redemptions: Redemptions,
    batcher: Batcher<Redemptions>,
}

impl Coupons {
    pub fn new(database: &Database) -> Self {
        let redemptions = Redemptions::new(database);
        Self { coupons: Documents::new(database), batcher: Batcher::new(redemptions.clone()), redemptions }
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
        let created = events::created(code, &coupon);
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
            Ok(Some(Change { state, events: vec![events::disabled(code)] }))
        });
        changed.await.map_err(|error| error.or(|| Error::CouponNotFound(code.to_owned())))
    }

    /// The discount of an order that is about to be placed; none without a code.
    pub async fn discount(&self, code: &str, user_id: &str, subtotal: &Money) -> Result<Option<Discount>, Error> {
        if code.is_empty() {
            return Ok(None);
        }
        let coupon = match self.admitting(code, user_id, subtotal).await {
            Err(Error::Coupon(used_up @ (CouponRefusal::Exhausted | CouponRefusal::UserLimit))) => {
                let holder = self.redemptions.holder(code, user_id).await?;
                return Err(holder.map_or(used_up, |order_id| CouponRefusal::Held { order_id }).into());
            }
            admitted => admitted?,
        };
        let amount = coupon.state.discount(subtotal)?;
        Ok(Some(Discount { code: code.to_owned(), amount }))
    }

    /// Counts the order's use of its coupon. Safe to repeat.
    pub async fn redeem(&self, order_id: &str, order: &Order) -> Result<(), Error> {
        self.claim(Claim::new(RedemptionState::Redeemed, order_id, order)?).await
    }

    /// Gives the order's use of its coupon back. Without a use, a mark refuses a late one. Safe to repeat.
    pub async fn release(&self, order_id: &str, order: &Order) -> Result<(), Error> {
        self.claim(Claim::new(RedemptionState::Released, order_id, order)?).await
    }

    async fn claim(&self, claim: Option<Claim>) -> Result<(), Error> {
        let Some(claim) = claim else { return Ok(()) };
        Ok(self.batcher.submit(claim, 0).await???)
    }

    async fn admitting(&self, code: &str, user_id: &str, subtotal: &Money) -> Result<Versioned<Coupon>, Error> {
        let coupon = self.coupons.load(code).await?.ok_or(CouponRefusal::Unknown)?;
        let uses = match coupon.state.terms.max_redemptions_per_user {
            0 => 0,
            _ => self.redemptions.uses(code, vec![user_id]).await?.into_values().sum(),
        };
        coupon.state.admit(subtotal, uses, now())?;
        Ok(coupon)
    }
}
