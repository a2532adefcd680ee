//! Gauges, by their OpenTelemetry names.

use opentelemetry::{KeyValue, global, metrics::Gauge};
use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex},
};

/// Records the present value of the gauge `name` (a count) for these attributes.
pub fn gauge(name: &'static str, value: i64, attributes: &[(&'static str, &str)]) {
    static GAUGES: LazyLock<Mutex<HashMap<&'static str, Gauge<i64>>>> = LazyLock::new(Mutex::default);
    let mut gauges = GAUGES.lock().expect("no holder panics");
    let gauge = gauges.entry(name).or_insert_with(|| global::meter("comptoir").i64_gauge(name).build());
    let attributes: Vec<KeyValue> =
        attributes.iter().map(|(key, value)| KeyValue::new(*key, (*value).to_owned())).collect();
    gauge.record(value, &attributes);
}
