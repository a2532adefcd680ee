//! Waiting for a condition instead of sleeping.

use anyhow::anyhow;
use std::time::{Duration, Instant};

/// Time between two looks.
const STEP: Duration = Duration::from_millis(20);

/// Asks `condition` every 20 ms until it answers `Ok`, and panics with its last error after `timeout`.
///
/// ```ignore
/// let order = eventually(Duration::from_secs(5), || async {
///     let reply = customer.get(&path).await;
///     ensure!(reply.body["state"] == "CONFIRMED", "state is {}", reply.body["state"]);
///     Ok(reply.body)
/// })
/// .await;
/// ```
#[track_caller]
pub fn eventually<T, F, Fut>(timeout: Duration, condition: F) -> impl Future<Output = T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<T>>,
{
    let caller = std::panic::Location::caller();
    async move { within(timeout, condition).await.unwrap_or_else(|error| panic!("{caller}: {error:#}")) }
}

/// Like [`eventually`], with the last error instead of a panic.
pub async fn within<T, F, Fut>(timeout: Duration, mut condition: F) -> anyhow::Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<T>>,
{
    let began = Instant::now();
    let mut last = anyhow!("the condition itself did not answer");
    loop {
        let left = timeout.saturating_sub(began.elapsed());
        match tokio::time::timeout(left.max(STEP), condition()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => last = error,
            Err(_) => {}
        }
        if began.elapsed() > timeout {
            return Err(last.context(format!("not within {timeout:?}")));
        }
        tokio::time::sleep(STEP).await;
    }
}
