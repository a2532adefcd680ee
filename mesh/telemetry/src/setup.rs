//! The subscriber of the process: filter, format, destination, and the OTLP exporter when one is asked for.

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use std::{fs::File, path::PathBuf};
use tracing_subscriber::{EnvFilter, Layer, fmt::writer::BoxMakeWriter, layer::SubscriberExt, util::SubscriberInitExt};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Pretty,
    Json,
}

#[derive(Debug, Clone)]
pub struct Config {
    /// `service.name` of the traces.
    pub service: String,
    pub format: Format,
    /// `tracing` filter, for example `info,comptoir_events=debug`.
    pub filter: String,
    /// A file for the log; standard error when there is none.
    pub file: Option<PathBuf>,
    /// OTLP endpoint for traces, `http://host:4317`; none sends no traces.
    pub otlp_endpoint: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the log filter {0:?} is not one: {1}")]
    Filter(String, #[source] tracing_subscriber::filter::ParseError),
    #[error("the log file {0} cannot be opened: {1}")]
    File(PathBuf, #[source] std::io::Error),
    #[error("traces cannot be exported: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    #[error("logging is set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Keeps the exporters; dropping it sends what is left.
pub struct Guard(Option<Providers>);

struct Providers {
    traces: SdkTracerProvider,
    gauges: SdkMeterProvider,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(providers) = self.0.take() else { return };
        if let Err(error) = providers.traces.shutdown().and(providers.gauges.shutdown()) {
            tracing::warn!(%error, "the last traces and metrics were not sent");
        }
    }
}

/// Sets up logging and tracing of this process. Call once, inside the runtime.
pub fn init(config: Config) -> Result<Guard, Error> {
    let filter = EnvFilter::try_new(&config.filter).map_err(|error| Error::Filter(config.filter.clone(), error))?;
    let writer = match &config.file {
        Some(path) => {
            let file = File::options().create(true).append(true).open(path);
            BoxMakeWriter::new(file.map_err(|error| Error::File(path.clone(), error))?)
        }
        None => BoxMakeWriter::new(std::io::stderr),
    };
    // Logs go to files and collectors, where codes of colours are noise.
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    let lines = match config.format {
        Format::Pretty => lines.boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    let providers = config.otlp_endpoint.as_deref().map(|endpoint| exporters(&config.service, endpoint)).transpose()?;
    // Trace context is propagated even when nothing is exported.
    let exported = providers.as_ref().map(|providers| providers.traces.clone());
    let tracer = exported.unwrap_or_else(|| SdkTracerProvider::builder().build()).tracer("comptoir");
    let traces = tracing_opentelemetry::layer().with_tracer(tracer);
    tracing_subscriber::registry().with(filter).with(lines).with(traces).try_init()?;
    Ok(Guard(providers))
}

fn exporters(service: &str, endpoint: &str) -> Result<Providers, Error> {
    let resource = Resource::builder().with_service_name(service.to_owned()).build();
    let spans = opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    let traces = SdkTracerProvider::builder().with_batch_exporter(spans).with_resource(resource.clone()).build();
    let metrics = opentelemetry_otlp::MetricExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    let gauges = SdkMeterProvider::builder().with_periodic_exporter(metrics).with_resource(resource).build();
    opentelemetry::global::set_meter_provider(gauges.clone());
    Ok(Providers { traces, gauges })
}
