//! The kill matrix: SIGKILL of orders, inventory, payments, shipping, mongod and nats-server at each labelled step of the
//! sagas, and SIGSTOP of an orchestrator that is replaced, while clients place, cancel and dispatch orders. `make
//! chaos-orders` plays all of it, `SEEDS=n` so many, `SEED=x` one again, both so many from there; `make test` plays a sample.

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
        return (seed..seed + number("SEEDS").unwrap_or(1)).collect();
    }
    let first = u64::from(rand::random::<u32>());
    if std::env::var("SEEDS").is_ok_and(|seeds| seeds == "matrix") {
        return (first..first + CELLS).collect();
    }
    // A sample has steps of all services and all victims: the cells that follow each other belong to one.
    (0..number("SEEDS").unwrap_or(SEEDS)).map(|index| first + index * 17).collect()
}

/// What `make test` plays.
fn is_sample() -> bool {
    std::env::var("SEEDS").is_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_killed_or_stopped_at_whatever_step_every_order_comes_to_an_end_and_verify_is_clean() {
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
            let (plan, began) = (Plan::draw(seed, is_sample()), Instant::now());
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

/// Runs, those that reached their step, those in which something did not hold, and their time.
#[derive(Default)]
struct Row(usize, usize, usize, Duration);

impl Row {
    fn add(&mut self, outcome: &Outcome) {
        self.0 += 1;
        self.1 += usize::from(outcome.is_reached);
        self.2 += usize::from(outcome.violation.is_some());
        self.3 += outcome.took;
    }
}

/// By step, by victim, and all.
fn table(outcomes: &[Outcome]) -> String {
    let (mut steps, mut victims, mut all) = (BTreeMap::new(), BTreeMap::new(), Row::default());
    for outcome in outcomes {
        steps.entry(outcome.point.label).or_insert_with(Row::default).add(outcome);
        victims.entry(outcome.victim).or_insert_with(Row::default).add(outcome);
        all.add(outcome);
    }
    let head = ["runs", "reached", "violations", "s each"];
    let mut text = format!("{:<44} {:>5} {:>8} {:>11} {:>8}\n", "step", head[0], head[1], head[2], head[3]);
    let mut line = |name: &str, Row(runs, reached, violations, took): &Row| {
        let each = took.as_secs_f64() / (*runs).max(1) as f64;
        writeln!(text, "{name:<44} {runs:>5} {reached:>8} {violations:>11} {each:>8.1}")
            .expect("a string can be written");
    };
    steps.iter().for_each(|(label, row)| line(label, row));
    victims.iter().for_each(|(victim, row)| line(&format!("at any step: {victim}"), row));
    line("all", &all);
    text
}
