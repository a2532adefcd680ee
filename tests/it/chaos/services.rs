//! SIGKILL of the services around the orders at each of their labelled steps, and of another one at a random moment, while people
//! register, buy, send back, are locked and go: nothing is done twice, nothing is lost, also when all logs are read again.
//! `make chaos-services` plays every step, `SEEDS=n` that many runs, `SEED=x` one again; `make test` plays a sample.

mod cluster;
mod plan;
mod replay;
mod rest;
mod writers;

use super::frame;
use cluster::Cluster;
use plan::CELLS;

/// Runs of a sample.
const SAMPLE: u64 = 3;

/// Systems at a time, when all is played.
const WORKERS: usize = 2;

/// The steps of a sample are of different services, and one run of three reads the logs again.
const STRIDE: u64 = 31;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_service_is_killed_at_whatever_step_nothing_is_done_twice_or_lost() {
    let all = match std::env::var("SEEDS").as_deref() {
        Ok("steps") => frame::play::<Cluster>((0..CELLS).collect(), WORKERS).await,
        Ok(_) => frame::play::<Cluster>(frame::seeds(SAMPLE, 1), WORKERS).await,
        Err(_) => frame::play::<Cluster>(frame::seeds(SAMPLE, STRIDE), 1).await,
    };
    assert!(all.reached * 4 >= all.runs * 3, "only {} of {} steps were reached", all.reached, all.runs);
}
