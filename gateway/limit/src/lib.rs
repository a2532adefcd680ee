//! Rate limits: how many requests each caller may send in a time, counted by all replicas of a program together.
//!
//! - `quota`: REQUESTS/SECONDS, and the arithmetic of GCRA (the generic cell rate algorithm) on one number for each caller.
//! - `limiter`: the callers that this process knows. It takes requests from the common count in portions that grow with the
//!   demand, to at most a twentieth of the quota, and admits from its portion without asking anybody.
//! - `shared`: the common count, in a key-value bucket of NATS. A take is a compare-and-set, so of two replicas that take at the
//!   same time one sees what the other has taken.
//!
//! What holds while the bucket answers: all replicas together admit no more than the quota, and a twentieth of it for each
//! replica. A quota below 40 has portions of one request: it is exact. Without the bucket each replica counts for itself.

mod limiter;
mod quota;
mod shared;
#[cfg(test)]
mod tests;

pub use limiter::{Decision, Limiter};
pub use quota::{NoQuota, Quota};
pub use shared::{BUCKET, ConnectError, Jetstream, Login, Shared, connect};
