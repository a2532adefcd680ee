//! Many runs, each drawn from one number: writers at work, and one fault at one moment. `make chaos` has 500 of them,
//! `SEEDS=n` another number, `SEED=x` repeats one; `make test` has 30.

mod cluster;
mod plan;

use super::frame;
use cluster::Cluster;

/// Runs when nothing else is said.
const SEEDS: u64 = 30;

/// Runs at a time, each on stores of its own.
const WORKERS: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_at_whatever_moment_every_event_is_published_once_and_in_order() {
    frame::play::<Cluster>(frame::seeds(SEEDS, 1), WORKERS).await;
}
