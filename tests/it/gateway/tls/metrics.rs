//! What an operator's collector is told of a certificate.

use super::Authority;
use crate::{
    collector::{Collector, points},
    gateway::foreign::{Gateway, WAIT},
};
use kit::Directory;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use std::time::{SystemTime, UNIX_EPOCH};
use telemetry::metrics::CERTIFICATE_EXPIRY;

#[tokio::test]
async fn a_collector_is_told_for_how_long_the_certificate_is_good() {
    let mut collector = Collector::start().await;
    let (authority, directory) = (Authority::new(), Directory::new());
    authority.issue_between(2020, 2100).write(&directory.0);
    std::fs::write(directory.0.join("keys.json"), r#"{"keys": []}"#).expect("it can be written");
    let [keys, certificate, key] =
        ["keys.json", "tls.crt", "tls.key"].map(|name| directory.0.join(name).display().to_string());
    let arguments = ["--jwks-file", &keys, "--tls-certificate", &certificate, "--tls-key", &key];
    let _gateway = Gateway::spawn_with(directory, &arguments, &collector.variables()).await;
    let told = async {
        loop {
            let metric = collector.metric().await;
            if metric.name == CERTIFICATE_EXPIRY.name() {
                return points(&metric).1[0].value;
            }
        }
    };
    let told = tokio::time::timeout(WAIT, told).await.expect("it is told in time");
    let Some(Value::AsInt(seconds)) = told else { panic!("{told:?} is no whole number") };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let left = rcgen::date_time_ymd(2100, 1, 1).unix_timestamp() - i64::try_from(now).expect("seconds");
    assert!((left..left + 20).contains(&seconds), "{seconds} instead of {left}");
}
