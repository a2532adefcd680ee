//! SIGKILL of the services around the orders at each of their labelled steps, and of another one at a random moment, while people
//! register, buy, send back, are locked and go: nothing is done twice, nothing is lost, also when all logs are read again.
//! `make chaos-services` plays every step, `SEEDS=n` that many runs, `SEED=x` one again; `make test` plays a sample.

mod cluster;
mod plan;
mod replay;
mod rest;
mod writers;

use super::frame;
use crate::architecture::sources;
use cluster::Cluster;
use plan::{CELLS, SERVICES, points};
use std::collections::BTreeSet;

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

/// The texts that are given to `function` in a source.
fn given<'a>(source: &'a str, function: &str) -> Vec<&'a str> {
    source.split(function).skip(1).filter_map(|rest| rest.strip_prefix("(\"")?.split('"').next()).collect()
}

#[test]
fn each_labelled_step_of_these_services_is_played() {
    let mut labels = BTreeSet::new();
    for service in SERVICES {
        let mut files = Vec::new();
        sources(&kit::root().join("services").join(service).join("src"), &mut files);
        for file in files {
            let source = std::fs::read_to_string(&file).expect("a source can be read");
            labels.extend(given(&source, "crash_point").into_iter().map(str::to_owned));
            // Those of a transaction.
            let moments =
                |label: &str| ["writing", "committing", "committed"].map(|moment| format!("{label}.{moment}"));
            labels.extend(given(&source, ".commit").into_iter().flat_map(moments));
        }
    }
    let played: BTreeSet<String> = points().into_iter().map(|point| point.label).collect();
    let missing: Vec<_> = labels.difference(&played).collect();
    assert!(labels.len() > 30 && missing.is_empty(), "of {} labels no run is at {missing:?}", labels.len());
}
