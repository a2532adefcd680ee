//! What spans all services.

mod day;
mod idempotency;
