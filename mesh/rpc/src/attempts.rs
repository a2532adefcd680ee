//! How often somebody may fail: a few times at once, then one time per interval (GCRA, the generic cell rate algorithm).
//!
//! What succeeds is never counted. State is in the memory of the process: each replica counts for itself, and a restart
//! forgets.

use crate::status;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    str::FromStr,
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};
use tonic::Status;

/// Keys that are remembered at once, about 5 MiB. A key is forgotten when nothing is counted against it any more.
const KEYS: usize = 65_536;

/// How much may be counted against a key, in bursts: what fails at the same time is counted beyond the first.
const MOST_BURSTS: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Failures at once; 0 is no limit at all.
    pub burst: u32,
    /// The time after which one of them is forgotten.
    pub interval: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rate is FAILURES/SECONDS, such as 10/60: 0 to 1000000 at once, and one more each 1 to 86400 s")]
pub struct NoRate;

impl FromStr for Rate {
    type Err = NoRate;

    fn from_str(text: &str) -> Result<Self, NoRate> {
        let (burst, seconds) = text.split_once('/').ok_or(NoRate)?;
        let (burst, seconds): (u32, u64) = (burst.parse().map_err(|_| NoRate)?, seconds.parse().map_err(|_| NoRate)?);
        let is_sane = burst <= 1_000_000 && (1..=86_400).contains(&seconds);
        if is_sane { Ok(Self { burst, interval: Duration::from_secs(seconds) }) } else { Err(NoRate) }
    }
}

/// Failures by key.
pub struct Attempts {
    rate: Rate,
    /// When nothing will be counted against a key any more, by the key's digest.
    clear_at: Mutex<HashMap<[u8; 32], Instant>>,
}

impl Attempts {
    pub fn new(rate: Rate) -> Self {
        Self { rate, clear_at: Mutex::default() }
    }

    /// Whether `key` may try at `now`; if not, after which time.
    pub fn check(&self, key: &str, now: Instant) -> Result<(), Duration> {
        let Some(clear_at) = self.table().get(&digest(key)).copied() else { return Ok(()) };
        let free_at = clear_at + self.rate.interval;
        let wait = free_at.saturating_duration_since(now).saturating_sub(self.window());
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }

    pub fn count(&self, key: &str, now: Instant) {
        if self.rate.burst == 0 {
            return;
        }
        let mut table = self.table();
        let digest = digest(key);
        // A scan of all keys, and only when every place is taken by a key against which something still counts.
        if table.len() >= KEYS && !table.contains_key(&digest) {
            make_room(&mut table, now);
        }
        let clear_at = table.entry(digest).or_insert(now);
        // Many failures at one moment must not lock a key out for longer than two windows.
        let most = now + self.window() * MOST_BURSTS;
        *clear_at = ((*clear_at).max(now) + self.rate.interval).min(most);
    }

    /// In which a whole burst is forgotten.
    fn window(&self) -> Duration {
        self.rate.interval * self.rate.burst
    }

    fn table(&self) -> MutexGuard<'_, HashMap<[u8; 32], Instant>> {
        self.clear_at.lock().expect("no holder panics")
    }
}

/// RESOURCE_EXHAUSTED with the time after which another try makes sense.
pub fn too_many(wait: Duration) -> Status {
    let message = "too many failed attempts; wait before the next one";
    status::exhausted("TOO_MANY_ATTEMPTS", message, wait)
}

/// Forgets who may be forgotten; when nobody may, who would be first.
fn make_room(table: &mut HashMap<[u8; 32], Instant>, now: Instant) {
    table.retain(|_, clear_at| *clear_at > now);
    if table.len() >= KEYS
        && let Some(first) = table.iter().min_by_key(|(_, clear_at)| **clear_at).map(|(key, _)| *key)
    {
        table.remove(&first);
    }
}

/// The memory of a key must not depend on its length.
fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}
