//! Deadlines: read from `grpc-timeout`, kept for the task, shrunk for each call that the task makes.
//!
//! tonic ends an expired call as CANCELLED, so this layer ends it first, by a small margin, as DEADLINE_EXCEEDED.

use crate::status;
use std::time::Duration;
use tokio::time::Instant;
use tonic::{Code, Status};

/// How much earlier than tonic we end a call. Both timers start with the request, so a few milliseconds make ours the first.
const MARGIN: Duration = Duration::from_millis(5);

tokio::task_local! {
    static DEADLINE: Instant;
}

/// Runs `work` until `deadline`; calls that it makes inherit what is left.
pub async fn scope<F: Future>(deadline: Instant, work: F) -> Result<F::Output, Status> {
    DEADLINE
        .scope(deadline, async { tokio::time::timeout_at(deadline - MARGIN, work).await })
        .await
        .map_err(|_| exceeded())
}

/// The time that a call may take: `default`, or what is left of the request that is being served.
pub fn remaining(default: Duration) -> Duration {
    let left = DEADLINE.try_with(|deadline| deadline.saturating_duration_since(Instant::now()));
    left.map_or(default, |left| left.min(default))
}

/// DEADLINE_EXCEEDED.
pub fn exceeded() -> Status {
    status::error(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "the deadline passed before the work was done")
}

/// Value of the `grpc-timeout` header for `timeout`.
pub fn header(timeout: Duration) -> String {
    // The header has room for eight digits: 100 s in microseconds, more than a call between services gets.
    format!("{}u", timeout.as_micros().min(99_999_999))
}

/// Parses a `grpc-timeout` header: at most 8 digits and a unit.
pub fn parse(header: &str) -> Option<Duration> {
    let (digits, unit) = header.split_at_checked(header.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}
