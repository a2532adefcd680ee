//! What spans all services.

mod access;
mod api_document;
mod clients;
mod documented;
mod erasure;
mod hostile;
mod idempotency;
mod metrics;
mod soak;
mod tokens;
