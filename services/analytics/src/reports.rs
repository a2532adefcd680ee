//! The aggregations of the reports. MongoDB sums by period and currency; a sum has the time of the first thing in it, by which it
//! finds its row: a row has the days of this build, a sum those of MongoDB's time zone database.

use crate::{
    domain::{Amount, Bucket, Calendar, Entered, Fact, Moved, Period},
    error::Error,
};
use ::store::{READ_LIMIT, Time};
use bson::{Bson, Document, doc};
use contracts::orders::v1::order::State;
use futures::TryStreamExt;
use mongodb::Collection;
use serde::{Deserialize, de::DeserializeOwned};

/// Most sums of a report: three for each row of the longest one, and one that tells that there are more.
const MOST_SUMS: i64 = 15_001;

/// What a report is about.
pub struct Query<'a> {
    pub period: Period,
    pub buckets: &'a [Bucket],
    /// Empty: all.
    pub currency: &'a str,
}

/// By what products are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    Gross,
    Units,
}

/// A product of the orders that were confirmed.
#[derive(Debug, Deserialize)]
pub struct Sold {
    pub product_id: String,
    pub sku: String,
    pub name: String,
    pub orders: i64,
    pub units: i64,
    pub gross: Amount,
}

impl Query<'_> {
    /// From when, and until when.
    pub fn range(&self) -> (Time, Time) {
        let none = Time::from_millis(0);
        let (first, last) = (self.buckets.first(), self.buckets.last());
        (first.map_or(none, |first| first.start), last.map_or(none, |last| last.end))
    }

    fn within(&self) -> Document {
        let (from, until) = self.range();
        doc! { "$gte": from, "$lt": until }
    }

    /// A filter of facts, of the currency if there is one.
    fn filter(&self, mut filter: Document) -> Document {
        if !self.currency.is_empty() {
            filter.insert("order.total.currency", self.currency);
        }
        filter
    }

    /// The expression for the period that the time of the field `at` lies in.
    fn period(&self, calendar: &Calendar, at: &str) -> Document {
        let unit = match self.period {
            Period::Day => "day",
            Period::Week => "week",
            Period::Month => "month",
        };
        doc! { "$dateTrunc": { "date": at, "unit": unit, "timezone": calendar.zone(), "startOfWeek": "monday" } }
    }
}

/// What was sold and given back.
pub async fn revenue(facts: &Collection<Fact>, query: &Query<'_>, calendar: &Calendar) -> Result<Vec<Moved>, Error> {
    let within = query.within();
    let stages = [
        doc! { "$match": query.filter(doc! { "movements": { "$elemMatch": { "at": within.clone() } } }) },
        doc! { "$unwind": "$movements" },
        doc! { "$match": { "movements.at": within } },
        doc! { "$group": {
            "_id": {
                "period": query.period(calendar, "$movements.at"),
                "kind": "$movements.kind",
                "currency": "$movements.amount.currency",
            },
            "at": { "$min": "$movements.at" },
            "amount": { "$sum": "$movements.amount.amount" },
            "count": long(1),
            "units": { "$sum": "$movements.units" },
        } },
        doc! { "$limit": MOST_SUMS },
        doc! { "$project": {
            "kind": "$_id.kind",
            "at": 1,
            "amount": { "currency": "$_id.currency", "amount": "$amount" },
            "count": 1,
            "units": 1,
        } },
    ];
    all(facts, stages).await
}

/// What became of the orders that were placed.
pub async fn funnel(facts: &Collection<Fact>, query: &Query<'_>, calendar: &Calendar) -> Result<Vec<Entered>, Error> {
    let is = |states: &[State]| {
        let states: Vec<Bson> = states.iter().map(|state| Bson::Int32((*state).into())).collect();
        count(doc! { "$in": ["$state", states] })
    };
    let stages = [
        doc! { "$match": query.filter(doc! { "order.at": query.within() }) },
        doc! { "$group": {
            "_id": { "period": query.period(calendar, "$order.at"), "currency": "$order.total.currency" },
            "at": { "$min": "$order.at" },
            "placed": long(1),
            "confirmed": count(doc! { "$ne": ["$confirmed_at", Bson::Null] }),
            "shipped": is(&[State::Shipped, State::Delivered]),
            "delivered": is(&[State::Delivered]),
            "rejected": is(&[State::Rejected]),
            "cancelled": is(&[State::Cancelled]),
            "refunded": count(doc! { "$in": ["refunded", "$movements.kind"] }),
        } },
        doc! { "$limit": MOST_SUMS },
        doc! { "$set": { "currency": "$_id.currency" } },
        doc! { "$unset": "_id" },
    ];
    all(facts, stages).await
}

/// The products that were sold most.
pub async fn products(facts: &Collection<Fact>, query: &Query<'_>, rank: Rank, limit: i64) -> Result<Vec<Sold>, Error> {
    let rank = match rank {
        Rank::Gross => "amount",
        Rank::Units => "units",
    };
    let stages = [
        doc! { "$match": query.filter(doc! { "confirmed_at": query.within() }) },
        // As the index has them, so that nothing is sorted: the last name of a product is the newest.
        doc! { "$sort": { "confirmed_at": 1, "_id": 1 } },
        doc! { "$unwind": "$order.lines" },
        doc! { "$group": {
            "_id": "$order.lines.product_id",
            "sku": { "$last": "$order.lines.sku" },
            "name": { "$last": "$order.lines.name" },
            "orders": long(1),
            "units": { "$sum": "$order.lines.units" },
            "amount": { "$sum": "$order.lines.gross.amount" },
        } },
        doc! { "$sort": { rank: -1, "_id": 1 } },
        doc! { "$limit": limit },
        doc! { "$project": {
            "product_id": "$_id",
            "sku": 1,
            "name": 1,
            "orders": 1,
            "units": 1,
            "gross": { "currency": query.currency, "amount": "$amount" },
        } },
    ];
    all(facts, stages).await
}

/// Counts the facts for which `condition` holds.
fn count(condition: Document) -> Document {
    long(doc! { "$cond": [condition, 1_i64, 0_i64] })
}

/// A sum that is a 64-bit integer.
fn long(of: impl Into<Bson>) -> Document {
    doc! { "$sum": { "$toLong": of.into() } }
}

async fn all<T: DeserializeOwned>(
    facts: &Collection<Fact>,
    stages: impl IntoIterator<Item = Document>,
) -> Result<Vec<T>, Error> {
    let cursor = facts.aggregate(stages).max_time(READ_LIMIT).await.map_err(Error::of_report)?;
    let found: Vec<Document> = cursor.try_collect().await.map_err(Error::of_report)?;
    let read = |document| bson::deserialize_from_document(document).map_err(::store::Error::from);
    Ok(found.into_iter().map(read).collect::<Result<_, _>>()?)
}
