//! How money is stored: `{currency, amount: Decimal128}`. Use with `#[serde(with = "store::fields::money")]`.

#[cfg(test)]
mod tests;

pub mod money {
    use bson::Decimal128;
    use contracts::money::Money;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};

    #[derive(Serialize, Deserialize)]
    struct Stored {
        currency: String,
        amount: Decimal128,
    }

    pub fn serialize<S: Serializer>(money: &Money, serializer: S) -> Result<S::Ok, S::Error> {
        let amount = money.amount.to_string().parse().map_err(S::Error::custom)?;
        Stored { currency: money.currency.clone(), amount }.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        Money::parse(&stored.currency, &stored.amount.to_string()).map_err(D::Error::custom)
    }
}

pub mod time {
    use crate::Time;

    /// From `google.protobuf.Timestamp`, to the millisecond.
    pub fn from_wire(time: &prost_types::Timestamp) -> Time {
        Time::from_millis(time.seconds.saturating_mul(1000).saturating_add(i64::from(time.nanos / 1_000_000)))
    }

    pub fn to_wire(time: Time) -> prost_types::Timestamp {
        let millis = time.timestamp_millis();
        let nanos = i32::try_from(millis.rem_euclid(1000)).unwrap_or(0) * 1_000_000;
        prost_types::Timestamp { seconds: millis.div_euclid(1000), nanos }
    }
}
