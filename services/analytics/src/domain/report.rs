//! The rows of reports: sums laid out in their periods, with zeros where there is none.

use crate::domain::{
    calendar::Bucket,
    fact::{Amount, MovementKind},
};
use ::store::Time;
use contracts::money::{Error as MoneyError, Money};
use rust_decimal::{Decimal, RoundingStrategy::MidpointNearestEven};
use serde::Deserialize;
use std::collections::BTreeSet;

/// Most rows of a report.
const MOST_ROWS: usize = 5_000;

/// Movements of one kind, currency and period.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Moved {
    /// Time of the first one.
    pub at: Time,
    pub kind: MovementKind,
    pub amount: Amount,
    pub count: i64,
    pub units: i64,
}

/// Orders of one currency that were placed in one period, by what became of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entered {
    /// Time of the first one.
    pub at: Time,
    pub currency: String,
    pub placed: i64,
    pub confirmed: i64,
    pub shipped: i64,
    pub delivered: i64,
    pub rejected: i64,
    pub cancelled: i64,
    pub refunded: i64,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    #[error(
        "the report has more than {MOST_ROWS} rows; ask for one currency, for a shorter range, or for longer periods"
    )]
    TooManyRows,
    #[error("the sums of a report cannot be told: {0}")]
    Money(#[from] MoneyError),
}

/// A period and a currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevenueRow {
    pub bucket: Bucket,
    pub orders: i64,
    pub units: i64,
    pub gross: Money,
    pub cancelled: Money,
    pub cancellations: i64,
    pub refunded: Money,
    pub refunds: i64,
}

/// A period and a currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunnelRow {
    pub bucket: Bucket,
    pub entered: Entered,
}

/// Which row is where: periods in their order, and in each the currencies in theirs.
pub struct Layout {
    buckets: Vec<Bucket>,
    currencies: Vec<String>,
}

impl Layout {
    /// The layout for these periods. `asked` is the currency of the request, or empty: then those that were found.
    pub fn new<'a>(
        buckets: Vec<Bucket>,
        asked: &str,
        found: impl Iterator<Item = &'a str>,
    ) -> Result<Self, ReportError> {
        let mut currencies: BTreeSet<&str> = found.collect();
        if !asked.is_empty() {
            currencies = [asked].into();
        }
        let currencies: Vec<String> = currencies.into_iter().map(str::to_owned).collect();
        if buckets.len().saturating_mul(currencies.len()) > MOST_ROWS {
            return Err(ReportError::TooManyRows);
        }
        Ok(Self { buckets, currencies })
    }

    /// The rows of the revenue.
    pub fn revenue(&self, sums: &[Moved]) -> Result<Vec<RevenueRow>, ReportError> {
        let mut rows = self.rows(RevenueRow::zero)?;
        for sum in sums {
            if let Some(row) = self.place(sum.at, &sum.amount.0.currency).and_then(|place| rows.get_mut(place)) {
                row.add(sum)?;
            }
        }
        Ok(rows)
    }

    /// The rows of the funnel.
    pub fn funnel(&self, sums: Vec<Entered>) -> Result<Vec<FunnelRow>, ReportError> {
        let mut rows = self.rows(|bucket, currency| Ok(FunnelRow::zero(bucket, currency)))?;
        for sum in sums {
            if let Some(row) = self.place(sum.at, &sum.currency).and_then(|place| rows.get_mut(place)) {
                row.add(&sum);
            }
        }
        Ok(rows)
    }

    fn rows<R>(&self, zero: impl Fn(&Bucket, &str) -> Result<R, MoneyError>) -> Result<Vec<R>, ReportError> {
        let mut rows = Vec::with_capacity(self.buckets.len() * self.currencies.len());
        for bucket in &self.buckets {
            for currency in &self.currencies {
                rows.push(zero(bucket, currency)?);
            }
        }
        Ok(rows)
    }

    /// The place of the row for a time and a currency.
    fn place(&self, at: Time, currency: &str) -> Option<usize> {
        let bucket = self.buckets.partition_point(|bucket| bucket.end <= at);
        let column = self.currencies.iter().position(|known| known == currency)?;
        let is_within = self.buckets.get(bucket).is_some_and(|bucket| bucket.start <= at);
        is_within.then(|| bucket * self.currencies.len() + column)
    }
}

impl RevenueRow {
    fn zero(bucket: &Bucket, currency: &str) -> Result<Self, MoneyError> {
        let zero = Money::zero(currency)?;
        Ok(Self {
            bucket: bucket.clone(),
            orders: 0,
            units: 0,
            gross: zero.clone(),
            cancelled: zero.clone(),
            cancellations: 0,
            refunded: zero,
            refunds: 0,
        })
    }

    fn add(&mut self, sum: &Moved) -> Result<(), MoneyError> {
        let (amount, count) = match sum.kind {
            MovementKind::Gross => (&mut self.gross, &mut self.orders),
            MovementKind::Cancelled => (&mut self.cancelled, &mut self.cancellations),
            MovementKind::Refunded => (&mut self.refunded, &mut self.refunds),
        };
        *amount = amount.add(&sum.amount.0)?;
        *count += sum.count;
        self.units += sum.units;
        Ok(())
    }

    /// gross − cancelled − refunded.
    pub fn net(&self) -> Result<Money, MoneyError> {
        self.gross.minus(&self.cancelled)?.minus(&self.refunded)
    }

    /// gross / orders, half-even; none without orders.
    pub fn average_basket(&self) -> Result<Option<Money>, MoneyError> {
        if self.orders == 0 {
            return Ok(None);
        }
        let digits = contracts::money::decimals(&self.gross.currency).unwrap_or(0);
        let average =
            (self.gross.amount / Decimal::from(self.orders)).round_dp_with_strategy(digits, MidpointNearestEven);
        Money::new(&self.gross.currency, average).map(Some)
    }
}

impl FunnelRow {
    fn zero(bucket: &Bucket, currency: &str) -> Self {
        let entered = Entered {
            at: bucket.start,
            currency: currency.to_owned(),
            placed: 0,
            confirmed: 0,
            shipped: 0,
            delivered: 0,
            rejected: 0,
            cancelled: 0,
            refunded: 0,
        };
        Self { bucket: bucket.clone(), entered }
    }

    fn add(&mut self, sum: &Entered) {
        let row = &mut self.entered;
        row.placed += sum.placed;
        row.confirmed += sum.confirmed;
        row.shipped += sum.shipped;
        row.delivered += sum.delivered;
        row.rejected += sum.rejected;
        row.cancelled += sum.cancelled;
        row.refunded += sum.refunded;
    }

    /// Confirmed of a hundred placed, half-even to two decimals; empty without orders.
    pub fn conversion_percent(&self) -> String {
        if self.entered.placed == 0 {
            return String::new();
        }
        let percent = Decimal::from(self.entered.confirmed) * Decimal::from(100) / Decimal::from(self.entered.placed);
        format!("{:.2}", percent.round_dp_with_strategy(2, MidpointNearestEven))
    }
}
