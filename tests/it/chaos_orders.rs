//! The kill matrix: SIGKILL of a service, of mongod or of nats-server at each labelled step of the sagas, while clients
//! place, cancel and dispatch orders. `make chaos-orders` plays all of it, `SEEDS=n` so many, `SEED=x` one again; `make
//! test` plays a sample.

mod clients;
mod plan;
mod stage;

use plan::{CELLS, Plan, Point, Victim};
use stage::Stage;
use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Runs when nothing else is said.
const SEEDS: u64 = 30;

/// Runs at a time, each on a system of its own.
const WORKERS: usize = 3;

/// Runs on the same system, one after another.
const RUNS_PER_STAGE: usize = 20;

/// How one run ended.
struct Outcome {
    point: Point,
    victim: Victim,
    is_reached: bool,
    took: Duration,
    violation: Option<String>,
}

/// Consecutive numbers go through the matrix cell by cell.
fn seeds() -> VecDeque<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("SEED") {
        return VecDeque::from([seed]);
    }
    let count = if std::env::var("SEEDS").is_ok_and(|seeds| seeds == "matrix") { Some(CELLS) } else { number("SEEDS") };
    let first = u64::from(rand::random::<u32>());
    // A sample has steps of all services: the cells that follow each other belong to one.
    let stride = if count == Some(CELLS) { 1 } else { 17 };
    (0..count.unwrap_or(SEEDS)).map(|index| first + index * stride).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_killed_at_whatever_step_every_order_comes_to_an_end_and_verify_is_clean() {
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
    let reached = outcomes.iter().filter(|outcome| outcome.is_reached).count();
    assert!(reached * 4 >= outcomes.len() * 3, "only {reached} of {} steps were reached", outcomes.len());
}

async fn work(seeds: Arc<Mutex<VecDeque<u64>>>, outcomes: Arc<Mutex<Vec<Outcome>>>) {
    let next = || seeds.lock().expect("no holder panics").pop_front();
    let Some(mut seed) = next() else { return };
    loop {
        let mut stage = Stage::open().await;
        for _ in 0..RUNS_PER_STAGE {
            let (plan, began) = (Plan::draw(seed), Instant::now());
            let played = stage.play(&plan).await;
            let (point, victim) = (plan.point, plan.victim);
            let (is_reached, violation) = match played {
                Ok(is_reached) => (is_reached, None),
                Err(error) => (true, Some(format!("SEED={seed} {victim} at {}: {error:#}", plan.label()))),
            };
            if let Some(violation) = &violation {
                eprintln!("{violation}\n{}", stage.last_words());
            }
            let failed = violation.is_some();
            let outcome = Outcome { point, victim, is_reached, took: began.elapsed(), violation };
            outcomes.lock().expect("no holder panics").push(outcome);
            let Some(following) = next() else { return };
            seed = following;
            if failed {
                break; // what it left must not count for others
            }
        }
    }
}

/// Steps, how often somebody was killed there, and how often something did not hold.
fn table(outcomes: &[Outcome]) -> String {
    let mut rows: BTreeMap<(&str, Victim), (usize, usize, usize, Duration)> = BTreeMap::new();
    for outcome in outcomes {
        let row = rows.entry((outcome.point.label, outcome.victim)).or_default();
        row.0 += 1;
        row.1 += usize::from(outcome.is_reached);
        row.2 += usize::from(outcome.violation.is_some());
        row.3 += outcome.took;
    }
    let mut text = format!(
        "{:<44} {:<12} {:>5} {:>8} {:>11} {:>8}\n",
        "step", "killed", "runs", "reached", "violations", "s each"
    );
    let mut line = |label: &str, victim: &str, row: (usize, usize, usize, Duration)| {
        let each = row.3.as_secs_f64() / row.0.max(1) as f64;
        writeln!(text, "{label:<44} {victim:<12} {:>5} {:>8} {:>11} {each:>8.1}", row.0, row.1, row.2)
            .expect("a string can be written");
    };
    for ((label, victim), row) in &rows {
        line(label, &victim.to_string(), *row);
    }
    let total = rows
        .values()
        .fold((0, 0, 0, Duration::ZERO), |sum, row| (sum.0 + row.0, sum.1 + row.1, sum.2 + row.2, sum.3 + row.3));
    line("all", "", total);
    text
}
