//! Waiting for a condition instead of sleeping.

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
pub fn eventually<T, F, Fut>(timeout: Duration, mut condition: F) -> impl Future<Output = T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<T>>,
{
    let caller = std::panic::Location::caller();
    async move {
        let began = Instant::now();
        loop {
            let left = timeout.saturating_sub(began.elapsed());
            let outcome = tokio::time::timeout(left.max(STEP), condition()).await;
            match outcome {
                Ok(Ok(value)) => return value,
                Ok(Err(error)) if began.elapsed() > timeout => panic!("{caller}: not within {timeout:?}: {error:#}"),
                Err(_) => panic!("{caller}: the condition itself did not answer within {timeout:?}"),
                Ok(Err(_)) => tokio::time::sleep(STEP).await,
            }
        }
    }
}
