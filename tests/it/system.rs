//! What spans all services.

mod api_document;
mod clients;
mod documented;
mod idempotency;
mod soak;
