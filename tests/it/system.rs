//! What spans all services.

mod idempotency;
mod soak;
