//! The days, weeks and months of the shop: when each begins, in its time zone.

use ::store::Time;
use jiff::{
    Span, Timestamp,
    civil::Date,
    tz::{TimeZone, TimeZoneDatabase},
};
use std::str::FromStr;

/// Most buckets of a report.
const MOST_BUCKETS: usize = 400;

/// Buckets of a report whose request has no start.
const USUAL_BUCKETS: i64 = 30;

/// The first second of the year 1, counted from 1970: a `google.protobuf.Timestamp` has none before it.
const FIRST_SECOND: i64 = -62_135_596_800;

/// The calendar of the shop, in its time zone.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Day,
    /// From Monday on (ISO 8601).
    Week,
    Month,
}

/// One period of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// `2026-03-29`, `2026-W13` or `2026-03`.
    pub label: String,
    pub start: Time,
    /// When the next one begins.
    pub end: Time,
}

/// Why there are no buckets for what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    #[error("must be a day, such as 2026-03-29")]
    Date { field: &'static str },
    #[error("must be after start_date")]
    Empty,
    #[error("is more than {MOST_BUCKETS} periods after start_date; ask for a shorter range, or for longer periods")]
    TooLong,
}

impl FromStr for Calendar {
    type Err = String;

    /// The calendar of a time zone of the IANA database.
    fn from_str(name: &str) -> Result<Self, String> {
        let rule = "must be a time zone of the IANA database, such as Europe/Paris or UTC";
        // The database of this build, so that the machine has no say in what a day is.
        let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| rule.to_owned())?;
        let name = zone.iana_name().ok_or(rule)?.to_owned();
        Ok(Self { zone, name })
    }
}

impl Calendar {
    /// The name of the time zone.
    pub fn zone(&self) -> &str {
        &self.name
    }

    /// The periods from the one of `start` to the one of the day before `end`, both days as `2026-03-29`. Without `end` the last
    /// one is the present one, without `start` there are 30.
    pub fn buckets(&self, period: Period, start: &str, end: &str, now: Time) -> Result<Vec<Bucket>, RangeError> {
        let last = match end {
            "" => self.today(now),
            day => parsed("end_date", day)?.yesterday().ok(),
        };
        let last = last.ok_or(RangeError::Date { field: "end_date" })?;
        let first = match start {
            "" => period.first(last).and_then(|first| period.later(first, 1 - USUAL_BUCKETS)),
            day => period.first(parsed("start_date", day)?),
        };
        let is_told = |day: &Date| self.midnight(*day).is_some();
        let mut day = first.filter(is_told).ok_or(RangeError::Date { field: "start_date" })?;
        if day > last || (!start.is_empty() && parsed("start_date", start)? > last) {
            return Err(RangeError::Empty);
        }
        let mut buckets = Vec::new();
        while day <= last {
            if buckets.len() >= MOST_BUCKETS {
                return Err(RangeError::TooLong);
            }
            let next = period.later(day, 1);
            let bucket = next.and_then(|next| self.bucket(period, day, next));
            buckets.push(bucket.ok_or(RangeError::Date { field: "end_date" })?);
            day = next.ok_or(RangeError::Date { field: "end_date" })?;
        }
        Ok(buckets)
    }

    fn today(&self, now: Time) -> Option<Date> {
        let now = Timestamp::from_millisecond(now.timestamp_millis()).ok()?;
        Some(now.to_zoned_datetime(self.zone.clone()).date())
    }

    fn bucket(&self, period: Period, first: Date, next: Date) -> Option<Bucket> {
        Some(Bucket { label: period.label(first), start: self.midnight(first)?, end: self.midnight(next)? })
    }

    /// When a day begins: at the first instant of it, where clocks leave midnight out. None for what the contract cannot tell.
    fn midnight(&self, day: Date) -> Option<Time> {
        let midnight = day.to_zoned_datetime(self.zone.clone()).ok()?.timestamp();
        (midnight.as_second() >= FIRST_SECOND).then(|| Time::from_millis(midnight.as_millisecond()))
    }
}

fn parsed(field: &'static str, day: &str) -> Result<Date, RangeError> {
    day.parse().map_err(|_| RangeError::Date { field })
}

impl Period {
    /// The first day of the period that `day` lies in.
    fn first(self, day: Date) -> Option<Date> {
        match self {
            Period::Day => Some(day),
            Period::Week => day.checked_sub(Span::new().days(day.weekday().to_monday_zero_offset())).ok(),
            Period::Month => Some(day.first_of_month()),
        }
    }

    /// The first day of the period that is so many after that of `first`.
    fn later(self, first: Date, count: i64) -> Option<Date> {
        let span = match self {
            Period::Day => Span::new().days(count),
            Period::Week => Span::new().weeks(count),
            Period::Month => Span::new().months(count),
        };
        first.checked_add(span).ok()
    }

    fn label(self, first: Date) -> String {
        match self {
            Period::Day => first.to_string(),
            Period::Week => {
                let week = first.iso_week_date();
                format!("{:04}-W{:02}", week.year(), week.week())
            }
            Period::Month => format!("{:04}-{:02}", first.year(), first.month()),
        }
    }
}
