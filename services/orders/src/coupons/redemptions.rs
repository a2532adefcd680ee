//! Redemptions: the uses of coupons by orders. Uses that wait at once are decided together and written in one transaction a coupon.
//!
//! The transaction holds the coupon's count, guarded by its revision, with the events, and for each order a redemption
//! whose `_id` is the order. So an order uses a coupon once, and the count is the number of redemptions that are not
//! released. A released redemption stays as a mark that refuses a late use.

use crate::{
    coupons::{
        domain::{Coupon, CouponRefusal},
        events,
    },
    domain::{self, Order},
    error::Error,
};
use ::store::{
    Aggregate, BatchWorker, Change, Database, Documents, Error as StoreError, Index, NewEvent, Time, Transaction, now,
    transaction::retry,
};
use bson::{Document, doc};
use contracts::money::Money;
use futures::TryStreamExt;
use mongodb::Collection;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

/// How often a batch is decided again when other replicas write in between; each of them has one batch at a time.
const ATTEMPTS: u32 = 16;

/// Newest redemptions of a user among which the order that holds a coupon is looked for: orders that wait are new.
const NEWEST: i64 = 64;

const REDEMPTIONS: &str = "redemptions";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RedemptionState {
    Redeemed,
    /// The use was given back, or never was.
    Released,
}

/// The use of a coupon by an order, or its release.
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

#[derive(Deserialize)]
struct UserCount {
    #[serde(rename = "_id")]
    user_id: String,
    uses: i64,
}

/// What a claim does to its order's redemption.
enum Effect {
    Nothing,
    Insert,
    Release,
}

/// A request to have the redemption of an order in `state`.
#[derive(Clone)]
pub struct Claim {
    state: RedemptionState,
    order_id: String,
    code: String,
    user_id: String,
    subtotal: Money,
}

impl Claim {
    /// `None` of an order without a coupon.
    pub fn new(state: RedemptionState, order_id: &str, order: &Order) -> Result<Option<Self>, Error> {
        let Some(discount) = &order.discount else { return Ok(None) };
        let [order_id, code, user_id] = [order_id, &discount.code, &order.user_id].map(str::to_owned);
        Ok(Some(Self { state, order_id, code, user_id, subtotal: domain::subtotal(&order.items)? }))
    }

    fn redemption(&self, now: Time) -> Redemption {
        let [order_id, code, user_id] = [&self.order_id, &self.code, &self.user_id].map(String::clone);
        Redemption { order_id, code, user_id, state: self.state, created_at: now, updated_at: now }
    }
}

/// A coupon and its redemptions as the claims of a batch, applied so far, leave them.
struct Draft {
    coupon: Coupon,
    /// By order.
    states: HashMap<String, RedemptionState>,
    /// By user.
    uses: HashMap<String, i64>,
    events: Vec<NewEvent>,
    now: Time,
}

impl Draft {
    fn apply(&mut self, claim: &Claim) -> Result<Effect, CouponRefusal> {
        use RedemptionState::{Redeemed, Released};
        let uses = self.uses.entry(claim.user_id.clone()).or_default();
        let effect = match (self.states.get(&claim.order_id), claim.state) {
            (Some(Redeemed), Redeemed) | (Some(Released), Released) => return Ok(Effect::Nothing),
            (Some(Released), Redeemed) => return Err(CouponRefusal::Released),
            (None, Released) => Effect::Insert,
            (None, Redeemed) => {
                self.coupon.admit(&claim.subtotal, *uses, self.now)?;
                *uses += 1;
                self.coupon = self.coupon.redeemed(self.now);
                self.events.push(events::redeemed(&claim.code, &claim.order_id, &claim.user_id, &self.coupon));
                Effect::Insert
            }
            (Some(Redeemed), Released) => {
                *uses -= 1;
                self.coupon = self.coupon.released(self.now);
                self.events.push(events::released(&claim.code, &claim.order_id, &claim.user_id, &self.coupon));
                Effect::Release
            }
        };
        self.states.insert(claim.order_id.clone(), claim.state);
        Ok(effect)
    }
}

/// The index by which a user's uses of a coupon are counted.
pub fn index() -> Index {
    Index::new(REDEMPTIONS, doc! { "code": 1, "user_id": 1, "state": 1 })
}

/// Decides and writes claims. Cheap to clone.
#[derive(Clone)]
pub struct Redemptions {
    database: Database,
    coupons: Documents<Coupon>,
    redemptions: Collection<Redemption>,
}

impl BatchWorker for Redemptions {
    type Request = Claim;
    /// A refusal is the claim's own; the store fails for all claims of a coupon.
    type Outcome = Result<Result<(), CouponRefusal>, StoreError>;
    // About the time of a transaction: a lone order waits for nobody, and many at once share their transactions.
    const MIN_INTERVAL: Duration = Duration::from_millis(5);
    // The events of a batch stay in the coupon's outbox until the relay has read them, and an outbox is bounded.
    const MAX_BATCH: usize = 64;

    async fn run(&self, claims: Vec<Claim>) -> Vec<Self::Outcome> {
        let mut outcomes: Vec<Self::Outcome> = claims.iter().map(|_| Ok(Ok(()))).collect();
        let codes: BTreeSet<&str> = claims.iter().map(|claim| claim.code.as_str()).collect();
        for code in codes {
            let places: Vec<usize> = (0..claims.len()).filter(|at| claims[*at].code == code).collect();
            let group: Vec<&Claim> = places.iter().map(|at| &claims[*at]).collect();
            match retry(ATTEMPTS, StoreError::is_conflict, || self.attempt(code, &group)).await {
                Ok(decided) => places.into_iter().zip(decided).for_each(|(at, each)| outcomes[at] = Ok(each)),
                Err(error) => places.into_iter().for_each(|at| outcomes[at] = Err(error.clone())),
            }
        }
        outcomes
    }
}

impl Redemptions {
    pub fn new(database: &Database) -> Self {
        let (coupons, redemptions) = (Documents::new(database), database.collection(REDEMPTIONS));
        Self { database: database.clone(), coupons, redemptions }
    }

    /// Decides the claims for one coupon in their order and writes what they change.
    async fn attempt(&self, code: &str, claims: &[&Claim]) -> Result<Vec<Result<(), CouponRefusal>>, StoreError> {
        let Some(coupon) = self.coupons.load(code).await? else {
            return Ok(claims.iter().map(|_| Err(CouponRefusal::Unknown)).collect());
        };
        // The uses are counted after the coupon is read: a use that another replica
        // writes in between changes the coupon's revision, and this batch conflicts.
        let states = self.states(claims).await?;
        let uses = match coupon.state.terms.max_redemptions_per_user {
            0 => HashMap::new(),
            _ => self.uses(code, claims.iter().map(|claim| claim.user_id.as_str()).collect()).await?,
        };
        let mut draft = Draft { coupon: coupon.state.clone(), states, uses, events: Vec::new(), now: now() };
        let (mut transaction, mut outcomes) = (Transaction::new(&self.database), Vec::new());
        for claim in claims {
            let applied = draft.apply(claim);
            match applied {
                Ok(Effect::Insert) => transaction.insert_raw(&self.redemptions, &claim.redemption(draft.now))?,
                Ok(Effect::Release) => {
                    let redeemed = doc! { "_id": &claim.order_id, "state": "Redeemed" };
                    let released = doc! { "$set": { "state": "Released", "updated_at": draft.now } };
                    transaction.update_raw(&self.redemptions, redeemed, released)?;
                }
                Ok(Effect::Nothing) | Err(_) => {}
            }
            outcomes.push(applied.map(|_| ()));
        }
        if !draft.events.is_empty() {
            let change = Change { state: draft.coupon, events: draft.events };
            transaction.update(&self.coupons, &coupon, change).await?;
        }
        transaction.commit("orders.coupon").await?;
        Ok(outcomes)
    }

    async fn states(&self, claims: &[&Claim]) -> Result<HashMap<String, RedemptionState>, StoreError> {
        let ids: Vec<&str> = claims.iter().map(|claim| claim.order_id.as_str()).collect();
        let found = self.redemptions.find(doc! { "_id": { "$in": ids } }).await?;
        Ok(found.map_ok(|redemption| (redemption.order_id, redemption.state)).try_collect().await?)
    }

    /// How many orders of each user use the coupon.
    pub async fn uses(&self, code: &str, user_ids: Vec<&str>) -> Result<HashMap<String, i64>, StoreError> {
        let stages = [
            doc! { "$match": { "code": code, "user_id": { "$in": user_ids }, "state": "Redeemed" } },
            doc! { "$group": { "_id": "$user_id", "uses": { "$sum": 1_i64 } } },
        ];
        let counts = self.redemptions.aggregate(stages).with_type::<UserCount>().await?;
        Ok(counts.map_ok(|count| (count.user_id, count.uses)).try_collect().await?)
    }

    /// The user's newest order that uses the coupon and is not confirmed yet. Orders of other users are not revealed.
    pub async fn holder(&self, code: &str, user_id: &str) -> Result<Option<String>, StoreError> {
        let used = doc! { "code": code, "user_id": user_id, "state": "Redeemed" };
        let newest = self.redemptions.find(used).sort(doc! { "_id": -1 }).limit(NEWEST).await?;
        let ids: Vec<String> = newest.map_ok(|redemption| redemption.order_id).try_collect().await?;
        let waiting = doc! { "_id": { "$in": ids }, "state": { "$in": ["Pending", "Cancelling"] } };
        let orders = self.database.collection::<Document>(Order::COLLECTION);
        let found = orders.find_one(waiting).sort(doc! { "_id": -1 }).projection(doc! { "_id": 1 }).await?;
        Ok(found.and_then(|order| order.get_str("_id").ok().map(str::to_owned)))
    }
}
