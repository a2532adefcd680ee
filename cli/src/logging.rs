//! Sets up logs and traces; the only call of `telemetry::init`.

use crate::Environment;
use std::path::PathBuf;

/// Filter of the log when `COMPTOIR_LOG` is not set.
const FILTER: &str = "info";

pub enum Destination {
    /// Lines for people, in a file: `comptoir dev`.
    File(PathBuf),
    /// JSON on standard error: `comptoir serve`.
    StandardError,
}

/// Starts logging; keep the guard until the process ends, dropping it sends the last traces.
pub fn start(service: &str, destination: Destination, environment: &Environment) -> anyhow::Result<telemetry::Guard> {
    let (format, file) = match destination {
        Destination::File(path) => (telemetry::Format::Pretty, Some(path)),
        Destination::StandardError => (telemetry::Format::Json, None),
    };
    // Container files often set a variable to nothing, which must not be an empty filter or address.
    let value = |name: &str| environment.get(name).filter(|value| !value.is_empty()).cloned();
    let guard = telemetry::init(telemetry::Config {
        service: service.to_owned(),
        format,
        filter: value("COMPTOIR_LOG").unwrap_or_else(|| FILTER.to_owned()),
        file,
        otlp_endpoint: value("OTEL_EXPORTER_OTLP_ENDPOINT"),
    });
    guard.map_err(|error| match &error {
        telemetry::Error::Filter(..) => {
            ::settings::Error::BadVariable { variable: "COMPTOIR_LOG", why: error.to_string() }.into()
        }
        telemetry::Error::File(..) | telemetry::Error::Exporter(_) | telemetry::Error::Twice(_) => error.into(),
    })
}
