//! What an operator's collector is told of a certificate.

use super::Authority;
use crate::{
    cli::settings::limits,
    gateway::foreign::{Gateway, WAIT},
};
use axum::{Router, body::Bytes, http::HeaderMap};
use kit::Directory;
use rpc::Port;
use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A collector: what it is sent as OTLP over gRPC, still encoded.
async fn collector() -> (String, mpsc::UnboundedReceiver<Bytes>, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let uri = format!("http://{}", listener.local_addr().expect("bound"));
    let (told, sent) = mpsc::unbounded_channel();
    let app = Router::new().fallback(async move |body: Bytes| {
        let _ = told.send(body);
        HeaderMap::from_iter(
            [("content-type", "application/grpc"), ("grpc-status", "0")]
                .map(|(name, value)| (name.parse().expect("a header"), value.parse().expect("a value"))),
        )
    });
    let stop = CancellationToken::new();
    tokio::spawn(Port::grpc("collector", listener, limits()).serve(app, stop.clone()));
    (uri, sent, stop.drop_guard())
}

/// The number of the first point behind a name, in an encoded message: start, time and value, eight bytes each.
fn number_behind(message: &[u8], name: &str) -> Option<i64> {
    let at = message.windows(name.len()).position(|window| window == name.as_bytes())?;
    let behind = message.get(at + name.len()..)?;
    let tags = [2, 3, 6].map(|number: u8| number << 3 | 1);
    let point = behind.windows(27).find(|bytes| [bytes[0], bytes[9], bytes[18]] == tags)?;
    Some(i64::from_le_bytes(point[19..].try_into().ok()?))
}

#[tokio::test]
async fn a_collector_is_told_for_how_long_the_certificate_is_good() {
    let (uri, mut sent, _stop) = collector().await;
    let (authority, directory) = (Authority::new(), Directory::new());
    authority.issue_between(2020, 2100).write(&directory.0);
    std::fs::write(directory.0.join("keys.json"), r#"{"keys": []}"#).expect("it can be written");
    let [keys, certificate, key] =
        ["keys.json", "tls.crt", "tls.key"].map(|name| directory.0.join(name).display().to_string());
    let arguments = ["--jwks-file", &keys, "--tls-certificate", &certificate, "--tls-key", &key];
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", uri.as_str()), ("OTEL_METRIC_EXPORT_INTERVAL", "200")];
    let variables = BTreeMap::from(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let _gateway = Gateway::spawn_with(directory, &arguments, &variables).await;
    let told = async {
        loop {
            let message = sent.recv().await.expect("the collector runs");
            if let Some(seconds) = number_behind(&message, "comptoir.tls.certificate.expires_in_seconds") {
                return seconds;
            }
        }
    };
    let seconds = tokio::time::timeout(WAIT, told).await.expect("it is told in time");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let left = rcgen::date_time_ymd(2100, 1, 1).unix_timestamp() - i64::try_from(now).expect("seconds");
    assert!((left..left + 20).contains(&seconds), "{seconds} instead of {left}");
}
