//! How money is stored: `{currency, amount: Decimal128}`. Use with `#[serde(with = "store::fields::money")]`.

#[cfg(test)]
mod tests;

pub mod money {
    use bson::Decimal128;
    use contracts::money::Money;
    use rust_decimal::Decimal;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    #[derive(Serialize, Deserialize)]
    struct Stored {
        currency: String,
        amount: Decimal128,
    }

    /// What is added to the exponent of ten in a Decimal128.
    const BIAS: u128 = 6176;

    /// Place of the exponent in a Decimal128, whose highest bit is the sign and whose lower bits are the coefficient.
    const EXPONENT: u32 = 113;

    const SIGN: u128 = 1 << 127;

    pub fn serialize<S: Serializer>(money: &Money, serializer: S) -> Result<S::Ok, S::Error> {
        let stored = Stored { currency: money.currency.clone(), amount: to_stored(money.amount) };
        stored.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        let money = match from_stored(stored.amount) {
            Some(amount) => Money::new(&stored.currency, amount),
            None => Money::parse(&stored.currency, &stored.amount.to_string()),
        };
        money.map_err(D::Error::custom)
    }

    /// The same coefficient and exponent: a decimal has 96 bits and at most 28 decimals, a Decimal128 more of both.
    fn to_stored(amount: Decimal) -> Decimal128 {
        let exponent = (BIAS - u128::from(amount.scale())) << EXPONENT;
        let sign = if amount.is_sign_negative() { SIGN } else { 0 };
        Decimal128::from_bytes((sign | exponent | amount.mantissa().unsigned_abs()).to_le_bytes())
    }

    /// None for what is no decimal in this form; its text may still be one.
    fn from_stored(amount: Decimal128) -> Option<Decimal> {
        let bits = u128::from_le_bytes(amount.bytes());
        // Of the other form of coefficients, and of infinities, the exponent is beyond any scale.
        let scale = BIAS.checked_sub((bits & !SIGN) >> EXPONENT)?;
        let coefficient = i128::try_from(bits & ((1 << EXPONENT) - 1)).ok()?;
        let signed = if bits & SIGN == 0 { coefficient } else { -coefficient };
        Decimal::try_from_i128_with_scale(signed, u32::try_from(scale).ok()?).ok()
    }
}

/// A list of money, each as [`money`].
pub mod moneys {
    use contracts::money::Money;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Stored(#[serde(with = "super::money")] Money);

    pub fn serialize<S: Serializer>(all: &[Money], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(all.iter().cloned().map(Stored))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Money>, D::Error> {
        Ok(Vec::<Stored>::deserialize(deserializer)?.into_iter().map(|Stored(money)| money).collect())
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
