//! What spans all services.

mod clients;
mod idempotency;
mod soak;
