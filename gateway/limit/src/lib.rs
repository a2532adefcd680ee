//! Rate limits: how many requests each caller may send in a time, counted by all replicas of a program together.
//!
//! - `quota`: REQUESTS/SECONDS, and the arithmetic of GCRA (the generic cell rate algorithm) on one number for each caller.
//! - `limiter`: the callers that this process knows. It takes requests from the common count in portions of at most a
//!   twentieth of the quota, and admits from its portion without asking anybody.
//! - `shared`: the common count, in a key-value bucket of NATS. A take is a compare-and-set, so no request is counted twice
//!   or forgotten.
//!
//! What holds: all replicas together admit no more than the quota, and a twentieth of it for each replica. While the
//! bucket cannot be reached each replica counts for itself. A small quota has portions of one request: it is exact.

mod limiter;
mod quota;
mod shared;
#[cfg(test)]
mod tests;

pub use limiter::{Decision, Limiter};
pub use quota::{NoQuota, Quota};
pub use shared::{BUCKET, ConnectError, Login, Shared};
