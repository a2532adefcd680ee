//! What a system tells the collector of its operator.

use crate::collector::{Collector, points};
use kit::{Stack, StackOptions};
use opentelemetry_proto::tonic::metrics::v1::Metric;
use std::{collections::BTreeSet, time::Duration};
use telemetry::metrics::{
    ALL, BREAKER_STATE, CONNECTIONS_OPEN, EVENTS_DEAD_LETTERS, EVENTS_LAG, RELAY_LAG, SAGA_FAILING, SAGA_PARKED,
};

/// The lags are read every 10 s.
const WAIT: Duration = Duration::from_secs(60);

/// A metric is in the registry, as what it is.
fn is_registered(metric: &Metric) {
    let registered = ALL.iter().find(|registered| registered.name == metric.name);
    let registered = registered.unwrap_or_else(|| panic!("{:?} is not in the registry", metric.name));
    let (kind, points) = points(metric);
    assert_eq!((kind, metric.unit.as_str()), (registered.kind, registered.unit), "{}", metric.name);
    let wanted: BTreeSet<&str> = registered.attributes.iter().copied().collect();
    for point in points {
        let attributes: BTreeSet<&str> = point.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
        assert_eq!(attributes, wanted, "{}", metric.name);
    }
}

#[tokio::test]
async fn a_system_at_work_sends_the_metrics_of_the_registry_and_no_others() {
    let mut collector = Collector::start().await;
    let options = StackOptions { variables: collector.variables(), ..StackOptions::default() };
    let _stack = Stack::start(options).await;
    // The others are of what goes wrong, and of certificates.
    let mut missing = BTreeSet::from([
        RELAY_LAG.name(),
        EVENTS_LAG.name(),
        EVENTS_DEAD_LETTERS.name(),
        SAGA_PARKED.name(),
        SAGA_FAILING.name(),
        BREAKER_STATE.name(),
        CONNECTIONS_OPEN.name(),
    ]);
    let all = async {
        while !missing.is_empty() {
            let metric = collector.metric().await;
            is_registered(&metric);
            missing.remove(metric.name.as_str());
        }
    };
    let told = tokio::time::timeout(WAIT, all).await;
    assert!(told.is_ok(), "{missing:?} are not told");
}
