//! Instruments of OpenTelemetry that know their name, unit and attributes. They are made in `metrics` alone.

use opentelemetry::{KeyValue, global, metrics};
use std::{
    array,
    sync::{LazyLock, OnceLock},
};

/// Tells present values, for `N` attributes.
pub type Gauge<const N: usize> = Instrument<metrics::Gauge<i64>, N>;

/// Adds up, for `N` attributes.
pub type Counter<const N: usize> = Instrument<metrics::Counter<u64>, N>;

/// An instrument, which is made when it is first used.
pub struct Instrument<I, const N: usize> {
    name: &'static str,
    unit: &'static str,
    attributes: [&'static str; N],
    made: OnceLock<I>,
}

static METER: LazyLock<metrics::Meter> = LazyLock::new(|| global::meter("comptoir"));

impl<I, const N: usize> Instrument<I, N> {
    pub(crate) const fn new(name: &'static str, unit: &'static str, attributes: [&'static str; N]) -> Self {
        Self { name, unit, attributes, made: OnceLock::new() }
    }

    /// Its name in OpenTelemetry.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    fn with(&self, values: [&str; N]) -> [KeyValue; N] {
        array::from_fn(|index| KeyValue::new(self.attributes[index], values[index].to_owned()))
    }
}

impl<const N: usize> Gauge<N> {
    /// Records the present value for these values of its attributes; a number that is too large as the largest.
    pub fn record(&self, value: impl TryInto<i64>, values: [&str; N]) {
        let gauge = self.made.get_or_init(|| METER.i64_gauge(self.name).with_unit(self.unit).build());
        gauge.record(value.try_into().unwrap_or(i64::MAX), &self.with(values));
    }
}

impl<const N: usize> Counter<N> {
    /// Adds one for these values of its attributes.
    pub fn add_one(&self, values: [&str; N]) {
        let counter = self.made.get_or_init(|| METER.u64_counter(self.name).with_unit(self.unit).build());
        counter.add(1, &self.with(values));
    }
}
