//! The subscriber of the process: filter, format, destination, and the OTLP exporter when one is asked for.

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use std::{fs::File, path::PathBuf};
use tracing_subscriber::{EnvFilter, Layer, fmt::writer::BoxMakeWriter, layer::SubscriberExt, util::SubscriberInitExt};

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// What to log, and where.
#[derive(Debug, Clone)]
pub struct Config {
    /// `service.name` of the traces.
    pub service: String,
    /// How a line looks.
    pub format: Format,
    /// `tracing` filter, for example `info,comptoir_events=debug`.
    pub filter: String,
    /// A file for the log; standard error when there is none.
    pub file: Option<PathBuf>,
    /// OTLP endpoint for traces, `http://host:4317`; none sends no traces.
    pub otlp_endpoint: Option<String>,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter.
    #[error("the log filter {0:?} is not one: {1}")]
    Filter(String, #[source] tracing_subscriber::filter::ParseError),
    /// The file.
    #[error("the log file {0} cannot be opened: {1}")]
    File(PathBuf, #[source] std::io::Error),
    /// The exporter.
    #[error("traces cannot be exported: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// A second call.
    #[error("logging is set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Keeps the exporter; dropping it sends what is left.
pub struct Guard(Option<SdkTracerProvider>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.take().map(|provider| provider.shutdown()) {
            tracing::warn!(%error, "the last traces were not sent");
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
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    let lines = match config.format {
        Format::Pretty => lines.boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    let provider = config.otlp_endpoint.as_deref().map(|endpoint| exporter(&config.service, endpoint)).transpose()?;
    // Trace context is propagated even when nothing is exported.
    let tracer = provider.clone().unwrap_or_else(|| SdkTracerProvider::builder().build()).tracer("comptoir");
    let traces = tracing_opentelemetry::layer().with_tracer(tracer);
    tracing_subscriber::registry().with(filter).with(lines).with(traces).try_init()?;
    Ok(Guard(provider))
}

fn exporter(service: &str, endpoint: &str) -> Result<SdkTracerProvider, Error> {
    use opentelemetry_otlp::WithExportConfig;
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    let resource = Resource::builder().with_service_name(service.to_owned()).build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}
