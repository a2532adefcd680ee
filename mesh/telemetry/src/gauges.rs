//! Gauges and counters, by their OpenTelemetry names.

use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Gauge},
};
use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex},
};

/// Records the present value of the gauge `name` (a count) for these attributes.
pub fn gauge(name: &'static str, value: i64, attributes: &[(&'static str, &str)]) {
    static GAUGES: LazyLock<Mutex<HashMap<&'static str, Gauge<i64>>>> = LazyLock::new(Mutex::default);
    let mut gauges = GAUGES.lock().expect("no holder panics");
    let gauge = gauges.entry(name).or_insert_with(|| global::meter("comptoir").i64_gauge(name).build());
    gauge.record(value, &pairs(attributes));
}

/// Adds one to the counter `name` for these attributes.
pub fn count(name: &'static str, attributes: &[(&'static str, &str)]) {
    static COUNTERS: LazyLock<Mutex<HashMap<&'static str, Counter<u64>>>> = LazyLock::new(Mutex::default);
    let mut counters = COUNTERS.lock().expect("no holder panics");
    let counter = counters.entry(name).or_insert_with(|| global::meter("comptoir").u64_counter(name).build());
    counter.add(1, &pairs(attributes));
}

fn pairs(attributes: &[(&'static str, &str)]) -> Vec<KeyValue> {
    attributes.iter().map(|(key, value)| KeyValue::new(*key, (*value).to_owned())).collect()
}
