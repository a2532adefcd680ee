//! The frame of all campaigns: seeds from the environment, runs one after another on systems that are opened for them, a
//! line for each run, and a table of runs and violations.

use anyhow::anyhow;
use futures::FutureExt;
use std::{
    any::Any,
    collections::{BTreeMap, VecDeque},
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// What one run does. Its text names the run when something does not hold.
pub trait Plan: fmt::Display + Send + Sync + 'static {
    /// The plan of a seed.
    fn draw(seed: u64) -> Self;

    /// The rows of the table that the run counts in. All first rows come before all second ones.
    fn rows(&self) -> Vec<String>;
}

/// A system under test, on which runs are played one after another.
pub trait System: Sized + Send + 'static {
    type Plan: Plan;

    /// Runs on one system. After a violation there is another one at once: what it left must not count for later runs.
    const RUNS: usize;

    fn open() -> impl Future<Output = Self> + Send;

    /// Plays one run; whether the fault came to the step that it was meant for. An error says what did not hold.
    fn play(&mut self, plan: &Self::Plan) -> impl Future<Output = anyhow::Result<bool>> + Send;

    /// What the processes of the system printed last.
    fn last_output(&self) -> String {
        String::new()
    }

    /// Ends a system on which everything held.
    fn close(self) -> impl Future<Output = ()> + Send {
        async { drop(self) }
    }
}

/// Counts of runs.
#[derive(Default, Clone)]
pub struct Row {
    pub runs: usize,
    pub reached: usize,
    violations: usize,
    took: Duration,
}

struct Run {
    rows: Vec<String>,
    is_reached: bool,
    took: Duration,
    violation: Option<String>,
}

impl Row {
    fn add(&mut self, run: &Run) {
        self.runs += 1;
        self.reached += usize::from(run.is_reached);
        self.violations += usize::from(run.violation.is_some());
        self.took += run.took;
    }

    fn line(&self, name: &str) -> String {
        let Self { runs, reached, violations, took } = self;
        let each = took.as_secs_f64() / (*runs).max(1) as f64;
        format!("{name:<44} {runs:>5} {reached:>8} {violations:>11} {each:>8.1}\n")
    }
}

/// A number of the environment.
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// `SEED=x` is that run again, with `SEEDS=n` the n from there; `SEEDS=n` alone are n new ones, `count` when nothing is
/// said. New seeds are `stride` apart.
pub fn seeds(count: u64, stride: u64) -> Vec<u64> {
    if let Some(seed) = number("SEED") {
        return (seed..seed + number("SEEDS").unwrap_or(1)).collect();
    }
    let first = u64::from(rand::random::<u32>());
    (0..number("SEEDS").unwrap_or(count)).map(|index| first + index * stride).collect()
}

/// Plays the runs of these seeds on `workers` systems at a time and prints the table. Panics if something did not hold.
pub async fn play<S: System>(seeds: Vec<u64>, workers: usize) -> Row {
    let (seeds, runs) = (Arc::new(Mutex::new(VecDeque::from(seeds))), Arc::new(Mutex::new(Vec::new())));
    let workers = (0..workers).map(|_| tokio::spawn(work::<S>(seeds.clone(), runs.clone())));
    for worker in futures::future::join_all(workers).await {
        worker.expect("a worker does not panic");
    }
    let runs = runs.lock().expect("no holder panics");
    let (table, all) = table(&runs);
    eprintln!("{table}");
    let violations: Vec<&String> = runs.iter().filter_map(|run| run.violation.as_ref()).collect();
    assert!(violations.is_empty(), "{violations:#?}");
    all
}

async fn work<S: System>(seeds: Arc<Mutex<VecDeque<u64>>>, runs: Arc<Mutex<Vec<Run>>>) {
    let next = || seeds.lock().expect("no holder panics").pop_front();
    let mut upcoming = next();
    while upcoming.is_some() {
        let (mut system, mut left, mut is_sound) = (S::open().await, S::RUNS, true);
        while let Some(seed) = upcoming
            && left > 0
            && is_sound
        {
            let run = run(&mut system, seed).await;
            (left, is_sound) = (left - 1, run.violation.is_none());
            runs.lock().expect("no holder panics").push(run);
            upcoming = next();
        }
        if is_sound {
            system.close().await;
        }
    }
}

async fn run<S: System>(system: &mut S, seed: u64) -> Run {
    let (plan, began) = (S::Plan::draw(seed), Instant::now());
    let played = AssertUnwindSafe(system.play(&plan)).catch_unwind().await;
    let played = played.unwrap_or_else(|panic| Err(anyhow!("{}", message(&*panic))));
    let (took, is_reached) = (began.elapsed(), *played.as_ref().unwrap_or(&true));
    let violation = played.err().map(|error| format!("SEED={seed} {plan}: {error:#}"));
    match &violation {
        Some(violation) => eprintln!("{violation}\n{}", system.last_output()),
        None => eprintln!("SEED={seed} {plan}: {:.1} s", took.as_secs_f64()),
    }
    Run { rows: plan.rows(), is_reached, took, violation }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}

fn table(runs: &[Run]) -> (String, Row) {
    let (mut rows, mut all) = (BTreeMap::<(usize, &str), Row>::new(), Row::default());
    for run in runs {
        for (section, name) in run.rows.iter().enumerate() {
            rows.entry((section, name)).or_default().add(run);
        }
        all.add(run);
    }
    let head = format!("{:<44} {:>5} {:>8} {:>11} {:>8}\n", "", "runs", "reached", "violations", "s each");
    let lines = rows.iter().map(|((_, name), row)| row.line(name));
    (head + &lines.collect::<String>() + &all.line("all"), all)
}
