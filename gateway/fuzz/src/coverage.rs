//! Which branches inputs take. The crates that are fuzzed count them when `rustc`, beside this folder, has compiled them;
//! else there are no counters, and nothing is ever new.

use std::sync::Mutex;

/// The counters of each part of the program, which it tells at its start.
static PARTS: Mutex<Vec<Part>> = Mutex::new(Vec::new());

struct Part(&'static mut [u8]);

/// Called by the program, for each of its parts, before `main`.
///
/// # Safety
///
/// The counters lie from `start` to `stop`, and live as long as the program.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, stop: *mut u8) {
    let length = (stop as usize).saturating_sub(start as usize);
    // SAFETY: the caller says where the counters are. They are counted by the thread that reads them, between its readings.
    let counters = unsafe { std::slice::from_raw_parts_mut(start, length) };
    let mut parts = PARTS.lock().expect("nobody panics with it");
    if parts.iter().all(|part| part.0.as_ptr() != counters.as_ptr()) {
        parts.push(Part(counters));
    }
}

/// What inputs have reached.
#[derive(Default)]
pub struct Coverage {
    /// For each counter, the classes of counts that were seen: a bit each.
    seen: Vec<Vec<u8>>,
    /// The parts that were ever reached, which are looked through after each input.
    reached: Vec<bool>,
    /// How many counters were ever counted.
    pub branches: usize,
    inputs: u64,
}

/// All parts are looked through once in so many inputs.
const ALL_PARTS_EVERY: u64 = 1024;

impl Coverage {
    /// Whether the input since the last call took a branch, or took it so often, that no input did before.
    pub fn is_new(&mut self) -> bool {
        let mut parts = PARTS.lock().expect("nobody panics with it");
        self.seen.resize_with(parts.len(), Vec::new);
        self.reached.resize(parts.len(), false);
        let all = self.inputs < ALL_PARTS_EVERY || self.inputs.is_multiple_of(ALL_PARTS_EVERY);
        self.inputs += 1;
        let mut is_new = false;
        for ((part, seen), reached) in parts.iter_mut().zip(&mut self.seen).zip(&mut self.reached) {
            if !all && !*reached {
                continue;
            }
            seen.resize(part.0.len(), 0);
            let (any, new) = look(part.0, seen, &mut self.branches);
            *reached |= any;
            is_new |= new;
        }
        is_new
    }
}

/// Moves the counts of one part into what was seen: whether there are any, and whether one is new.
fn look(counters: &mut [u8], seen: &mut [u8], branches: &mut usize) -> (bool, bool) {
    let (mut any, mut new) = (false, false);
    for (counters, seen) in counters.chunks_mut(64).zip(seen.chunks_mut(64)) {
        if counters.iter().fold(0, |all, count| all | count) == 0 {
            continue;
        }
        any = true;
        for (count, seen) in counters.iter_mut().zip(seen).filter(|(count, _)| **count > 0) {
            let class = 1 << class(std::mem::take(count));
            *branches += usize::from(*seen == 0);
            new |= *seen & class == 0;
            *seen |= class;
        }
    }
    (any, new)
}

/// Once, twice, three times, or about so often.
fn class(count: u8) -> u32 {
    match count {
        0..=3 => u32::from(count.saturating_sub(1)),
        4..=7 => 3,
        8..=15 => 4,
        16..=31 => 5,
        32..=127 => 6,
        128.. => 7,
    }
}
