//! The kill matrix: SIGKILL of orders, inventory, payments, shipping, mongod and nats-server at each labelled step of the
//! sagas, and SIGSTOP of an orchestrator that is replaced, while clients place, cancel and dispatch orders. `make
//! chaos-orders` plays all of it, `SEEDS=n` that many runs, `SEED=x` one again; `make test` plays a sample.

mod clients;
mod cluster;
mod plan;

use super::frame;
use cluster::Cluster;
use plan::CELLS;

/// Runs of a sample.
const SAMPLE: u64 = 30;

/// Runs at a time, each on a system of its own.
const WORKERS: usize = 3;

/// Consecutive seeds go through the matrix cell by cell. A sample has steps of all services and all victims: the cells
/// that follow each other belong to one.
fn seeds() -> Vec<u64> {
    let is_whole = std::env::var("SEEDS").is_ok_and(|seeds| seeds == "matrix");
    if is_whole { frame::seeds(CELLS, 1) } else { frame::seeds(SAMPLE, 17) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_killed_at_whatever_step_every_order_ends_and_verify_is_clean() {
    let all = frame::play::<Cluster>(seeds(), WORKERS).await;
    assert!(all.reached * 4 >= all.runs * 3, "only {} of {} steps were reached", all.reached, all.runs);
}
