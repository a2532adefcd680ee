//! A collector of OpenTelemetry, as a process is told to send to one.

use crate::cli::settings::limits;
use axum::{Router, body::Bytes, http::HeaderMap};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    metrics::v1::{Metric, NumberDataPoint, metric::Data},
};
use prost::Message;
use rpc::Port;
use std::collections::{BTreeMap, VecDeque};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How often a process tells its metrics.
const INTERVAL_MILLISECONDS: &str = "200";

/// What stands before a message of gRPC.
const HEAD_BYTES: usize = 5;

pub struct Collector {
    uri: String,
    sent: mpsc::UnboundedReceiver<Bytes>,
    metrics: VecDeque<Metric>,
    _stop: DropGuard,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let uri = format!("http://{}", listener.local_addr().expect("bound"));
        let (told, sent) = mpsc::unbounded_channel();
        let metrics = axum::routing::post(async move |body: Bytes| {
            let _ = told.send(body);
            taken()
        });
        let app = Router::new()
            .route("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", metrics)
            .fallback(async || taken());
        let stop = CancellationToken::new();
        tokio::spawn(Port::grpc("collector", listener, limits()).serve(app, stop.clone()));
        Self { uri, sent, metrics: VecDeque::new(), _stop: stop.drop_guard() }
    }

    /// With these a process sends to it.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", self.uri.as_str()),
            ("OTEL_METRIC_EXPORT_INTERVAL", INTERVAL_MILLISECONDS),
        ];
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    /// The next metric that it is sent.
    pub async fn metric(&mut self) -> Metric {
        loop {
            if let Some(metric) = self.metrics.pop_front() {
                return metric;
            }
            let message = self.sent.recv().await.expect("the collector runs");
            let told = ExportMetricsServiceRequest::decode(message.slice(HEAD_BYTES..)).expect("a message of OTLP");
            let scopes = told.resource_metrics.into_iter().flat_map(|of| of.scope_metrics);
            self.metrics.extend(scopes.flat_map(|of| of.metrics));
        }
    }
}

fn taken() -> HeaderMap {
    HeaderMap::from_iter(
        [("content-type", "application/grpc"), ("grpc-status", "0")]
            .map(|(name, value)| (name.parse().expect("a header"), value.parse().expect("a value"))),
    )
}

/// The kind of a metric as the registry names it, and its values.
pub fn points(metric: &Metric) -> (&'static str, &[NumberDataPoint]) {
    match metric.data.as_ref().expect("a metric has data") {
        Data::Gauge(gauge) => ("Gauge", &gauge.data_points),
        Data::Sum(sum) => ("Counter", &sum.data_points),
        other => panic!("the registry has no kind for {other:?}"),
    }
}
