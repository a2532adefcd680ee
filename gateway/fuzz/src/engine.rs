//! Runs a target on inputs that are made of those that reached something new.

use crate::{coverage::Coverage, generate::Random, mutate::mutate, target::Target};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// An input that takes so long hangs: most take microseconds, and a loaded machine stalls for seconds.
const HANG: Duration = Duration::from_secs(20);

/// How long a run is, and what it is made of.
#[derive(Clone, Copy)]
pub struct Run {
    pub inputs: u64,
    /// The same seed makes the same inputs.
    pub seed: u64,
    /// Whether progress is printed each second.
    pub is_told: bool,
}

/// What a run has found.
pub struct Found {
    pub inputs: u64,
    pub corpus: usize,
    pub branches: usize,
    pub took: Duration,
}

/// An input that breaks what must hold; it is in the file.
#[derive(Debug)]
pub struct Broken {
    pub file: PathBuf,
    pub input: u64,
}

/// The input that is running, for who looks whether it ends.
#[derive(Default)]
struct Running {
    input: Mutex<Vec<u8>>,
    number: AtomicU64,
    is_over: AtomicBool,
}

/// Runs `target`, to the end or until an input breaks it.
pub fn run(target: &'static Target, run: Run) -> Result<Found, Broken> {
    let running = Arc::new(Running::default());
    let watched = running.clone();
    let watchdog = std::thread::spawn(move || watch(target, &watched));
    let found = drive(target, run, &running);
    running.is_over.store(true, Ordering::Release);
    watchdog.thread().unpark();
    watchdog.join().expect("the watchdog does not panic");
    found
}

fn drive(target: &Target, run: Run, running: &Running) -> Result<Found, Broken> {
    let (start, mut told) = (Instant::now(), Instant::now());
    let (mut random, mut coverage) = (Random(run.seed), Coverage::default());
    let mut corpus = (target.seeds)();
    let mut next = 0;
    for number in 0..run.inputs {
        let input = match corpus.get(next) {
            Some(seed) => seed.clone(),
            None => make(target, &corpus, &mut random),
        };
        next += 1;
        running.input.lock().expect("nobody panics with it").clone_from(&input);
        running.number.store(number, Ordering::Release);
        if catch_unwind(AssertUnwindSafe(|| (target.run)(&input))).is_err() {
            return Err(Broken { file: save(target, &input), input: number });
        }
        if coverage.is_new() && next > corpus.len() {
            corpus.push(input);
            next += 1;
        }
        if run.is_told && told.elapsed() >= Duration::from_secs(1) {
            told = Instant::now();
            tell(target, &Found::new(number + 1, &corpus, &coverage, start));
        }
    }
    Ok(Found::new(run.inputs, &corpus, &coverage, start))
}

impl Found {
    fn new(inputs: u64, corpus: &[Vec<u8>], coverage: &Coverage, start: Instant) -> Self {
        Found { inputs, corpus: corpus.len(), branches: coverage.branches, took: start.elapsed() }
    }
}

/// Prints a line: how far a run has come.
pub fn tell(target: &Target, found: &Found) {
    let rate = found.inputs as f64 / found.took.as_secs_f64();
    let Found { inputs, corpus, branches, .. } = found;
    println!("{:<8} {inputs:>9} inputs {rate:>8.0}/s, corpus {corpus:>5}, branches {branches:>6}", target.name);
}

fn make(target: &Target, corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    // The latest reached what is least known.
    let latest = corpus.len().saturating_sub(if random.once_in(2) { 64 } else { corpus.len() });
    let pick = |random: &mut Random, from: usize| corpus.get(from + random.below((corpus.len() - from).max(1)));
    let input = pick(random, latest).map(Vec::as_slice).unwrap_or_default();
    if random.once_in(8)
        && let Some(made) = (target.vary)(input, random)
    {
        return made;
    }
    let other = pick(random, 0).map(Vec::as_slice).unwrap_or_default();
    mutate(input, other, target.dictionary, random)
}

/// Ends the program when an input does not end.
fn watch(target: &Target, running: &Running) {
    let (mut last, mut since) = (u64::MAX, Instant::now());
    while !running.is_over.load(Ordering::Acquire) {
        let number = running.number.load(Ordering::Acquire);
        if number != last {
            (last, since) = (number, Instant::now());
        } else if since.elapsed() > HANG {
            let file = save(target, &running.input.lock().expect("nobody panics with it"));
            eprintln!("{}: input {number} hangs; it is in {}", target.name, file.display());
            std::process::exit(1);
        }
        std::thread::park_timeout(Duration::from_secs(1));
    }
}

/// Keeps an input in the directory for temporary files.
fn save(target: &Target, input: &[u8]) -> PathBuf {
    let hash = input
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let file = std::env::temp_dir().join(format!("comptoir-fuzz-{}-{hash:016x}", target.name));
    std::fs::write(&file, input).expect("the directory for temporary files takes a file");
    file
}
