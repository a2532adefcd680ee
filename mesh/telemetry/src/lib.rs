//! Logs and traces of every process, set up once by the binary.
//!
//! Logs go to standard error or a file, as text or JSON. Traces and metrics go to `OTEL_EXPORTER_OTLP_ENDPOINT` when it is set. The
//! W3C trace context comes in with a request (`continue_trace`), leaves with a call (`inject_trace`) and is stored with
//! an event (`traceparent`), so that one trace runs through change stream and broker.

mod actor;
mod context;
mod coverage;
mod crash;
mod instrument;
pub mod metrics;
mod setup;

pub use actor::{acting, actor, by_itself};
pub use context::{continue_trace, inject_trace, link_trace, trace_id, traceparent};
pub use coverage::rpc_answered;
pub use crash::crash_point;
pub use setup::{Config, Error, Format, Guard, init};
