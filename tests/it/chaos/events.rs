//! Many runs, each drawn from one number: writers at work, and one fault at one moment. `make chaos` has 500 of them,
//! `SEEDS=n` another number, `SEED=x` repeats one; `make test` has 30.

mod plan;
mod run;

use plan::{Fault, Plan};
use run::Stage;
use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Runs when nothing else is said.
const SEEDS: u64 = 30;

/// Runs at a time, each on stores of its own.
const WORKERS: usize = 2;

/// Runs on the same stores.
const RUNS_PER_STAGE: usize = 40;

/// How one run ended.
struct Outcome {
    fault: Fault,
    took: Duration,
    violation: Option<String>,
}

fn seeds() -> VecDeque<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    match number("SEED") {
        Some(seed) => VecDeque::from([seed]),
        None => {
            let first = u64::from(rand::random::<u32>());
            (first..first + number("SEEDS").unwrap_or(SEEDS)).collect()
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_at_whatever_moment_every_event_is_published_once_and_in_order() {
    let seeds = Arc::new(Mutex::new(seeds()));
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    let workers = (0..WORKERS).map(|_| tokio::spawn(work(seeds.clone(), outcomes.clone())));
    for worker in futures::future::join_all(workers).await {
        worker.expect("a worker does not panic");
    }
    let outcomes = outcomes.lock().expect("no holder panics");
    eprintln!("{}", table(&outcomes));
    let violations: Vec<&String> = outcomes.iter().filter_map(|outcome| outcome.violation.as_ref()).collect();
    assert!(violations.is_empty(), "{violations:#?}");
}

async fn work(seeds: Arc<Mutex<VecDeque<u64>>>, outcomes: Arc<Mutex<Vec<Outcome>>>) {
    let next = || seeds.lock().expect("no holder panics").pop_front();
    let Some(mut seed) = next() else { return };
    loop {
        let stage = Arc::new(Stage::open().await);
        for _ in 0..RUNS_PER_STAGE {
            let plan = Plan::draw(seed);
            let (fault, began) = (plan.fault, Instant::now());
            let playing = stage.clone();
            let ended = tokio::spawn(async move { playing.play(&plan).await }).await;
            let violation = match ended {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(format!("SEED={seed} {fault}: {error:#}")),
                Err(panic) => Some(format!("SEED={seed} {fault}: {panic}")),
            };
            let failed = violation.is_some();
            let outcome = Outcome { fault, took: began.elapsed(), violation };
            if let Some(violation) = &outcome.violation {
                eprintln!("{violation}\n{}", stage.last_words());
            }
            outcomes.lock().expect("no holder panics").push(outcome);
            let Some(following) = next() else { return };
            seed = following;
            if failed {
                break; // what it left must not count for others
            }
        }
    }
}

/// Faults, how often each was played, and how often something did not hold.
fn table(outcomes: &[Outcome]) -> String {
    let mut rows: BTreeMap<Fault, (usize, usize, Duration)> = BTreeMap::new();
    for outcome in outcomes {
        let row = rows.entry(outcome.fault).or_default();
        row.0 += 1;
        row.1 += usize::from(outcome.violation.is_some());
        row.2 += outcome.took;
    }
    let mut text = format!("{:<40} {:>5} {:>11} {:>12}\n", "fault", "runs", "violations", "seconds each");
    let mut line = |name: String, runs: usize, violations: usize, took: Duration| {
        let each = took.as_secs_f64() / runs.max(1) as f64;
        writeln!(text, "{name:<40} {runs:>5} {violations:>11} {each:>12.1}").expect("a string can be written");
    };
    for (fault, (runs, violations, took)) in &rows {
        line(fault.to_string(), *runs, *violations, *took);
    }
    let total = rows.values().fold((0, 0, Duration::ZERO), |sum, row| (sum.0 + row.0, sum.1 + row.1, sum.2 + row.2));
    line("all".into(), total.0, total.1, total.2);
    text
}
