//! A point in time: given as such, or as how long ago it was.

use bson::DateTime;
use prost_types::Timestamp;
use std::{str::FromStr, time::Duration};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    At(DateTime),
    Ago(Duration),
}

impl Since {
    pub fn to_wire(self) -> Timestamp {
        let millis = match self {
            Since::At(time) => time.timestamp_millis(),
            Since::Ago(ago) => {
                let now = DateTime::now().timestamp_millis();
                now.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX))
            }
        };
        let nanos = i32::try_from(millis.rem_euclid(1000)).unwrap_or(0) * 1_000_000;
        Timestamp { seconds: millis.div_euclid(1000), nanos }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(time) = DateTime::parse_rfc3339_str(text) {
            return Ok(Since::At(time));
        }
        let seconds = text.chars().last().and_then(|unit| match unit {
            's' => Some(1),
            'm' => Some(60),
            'h' => Some(3600),
            'd' => Some(24 * 3600),
            _ => None,
        });
        let count: Option<u64> = text.get(..text.len().saturating_sub(1)).and_then(|digits| digits.parse().ok());
        match (count, seconds) {
            (Some(count), Some(seconds)) => Ok(Since::Ago(Duration::from_secs(count.saturating_mul(seconds)))),
            _ => Err("it is neither a time such as 2026-01-31T09:00:00Z nor a duration such as 15m".to_owned()),
        }
    }
}
