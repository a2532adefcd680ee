//! One limit and the callers that this process knows.

use crate::{
    quota::{Nanos, Quota, Taken},
    shared::Shared,
};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Callers that are remembered at once, about 12 MiB. One is forgotten when nothing is counted against them any more.
const CALLERS: usize = 65_536;

/// Bytes of a caller's digest: with 128 bits no two callers have one by chance.
const DIGEST_BYTES: usize = 16;

type Caller = [u8; DIGEST_BYTES];

/// One limit.
pub struct Limiter {
    name: String,
    quota: Quota,
    shared: Option<Arc<Shared>>,
    callers: Mutex<HashMap<Caller, Arc<tokio::sync::Mutex<Known>>>>,
}

/// What is known of a caller. Whoever asks for requests from the common count holds it, so that one asks and not all.
#[derive(Debug, Default)]
struct Known {
    /// When nothing will be counted against them any more.
    clear_at: Nanos,
    /// How many were taken at once the last time, and what is left of them.
    taken: u32,
    portion: u32,
    portion_until: Nanos,
    /// Until when the common count has none: it is not asked.
    refused_until: Nanos,
}

/// What a limit says of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// How many more requests would be admitted now.
    pub free: u32,
    /// The time after which the whole quota is free again.
    pub clear_in: Duration,
    /// Why not: none when the request is admitted, otherwise the time after which one would be.
    pub refused_for: Option<Duration>,
}

impl Limiter {
    /// A limit. Its name tells it apart from others with the same common count.
    pub fn new(name: &str, quota: Quota, shared: Option<Arc<Shared>>) -> Self {
        Self { name: name.to_owned(), quota, shared, callers: Mutex::default() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// Counts a request of `caller`.
    pub async fn count(&self, caller: &str) -> Decision {
        self.count_at(caller, nanos(SystemTime::now())).await
    }

    pub(crate) async fn count_at(&self, caller: &str, now: Nanos) -> Decision {
        let caller = digest(caller);
        let known = self.known(caller, now);
        let mut known = known.lock().await;
        if known.portion > 0 && now < known.portion_until {
            known.portion -= 1;
            return self.decision(&known, now, None);
        }
        let wanted = self.quota.portion(known.taken, now < known.portion_until);
        let taken = match &self.shared {
            _ if now < known.refused_until => Err(Duration::from_nanos(known.refused_until - now)),
            Some(shared) => {
                let asked = shared.take(&key(&self.name, caller), (self.quota, wanted, known.clear_at), now).await;
                asked.unwrap_or_else(|| self.quota.take(known.clear_at, now, 1))
            }
            None => self.quota.take(known.clear_at, now, 1),
        };
        match taken {
            Ok(Taken { requests, clear_at }) => {
                known.clear_at = clear_at;
                (known.taken, known.portion) = (requests, requests - 1);
                known.portion_until = now + self.quota.keep(requests);
                self.decision(&known, now, None)
            }
            Err(wait) => {
                (known.portion, known.refused_until) = (0, now + wait.as_nanos() as Nanos);
                known.clear_at = self.quota.clear_after(now, wait);
                self.decision(&known, now, Some(wait))
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn remembered(&self) -> usize {
        self.callers().len()
    }

    fn decision(&self, known: &Known, now: Nanos, refused_for: Option<Duration>) -> Decision {
        let free = if refused_for.is_some() { 0 } else { known.portion + self.quota.free(known.clear_at, now) };
        Decision { free, clear_in: Duration::from_nanos(known.clear_at.saturating_sub(now)), refused_for }
    }

    fn known(&self, caller: Caller, now: Nanos) -> Arc<tokio::sync::Mutex<Known>> {
        let mut callers = self.callers();
        // A scan of all callers, when every place is taken.
        if callers.len() >= CALLERS && !callers.contains_key(&caller) {
            make_room(&mut callers, now);
        }
        callers.entry(caller).or_default().clone()
    }

    fn callers(&self) -> MutexGuard<'_, HashMap<Caller, Arc<tokio::sync::Mutex<Known>>>> {
        self.callers.lock().expect("no holder panics")
    }
}

/// The memory of a caller must not depend on the length of the name.
fn digest(caller: &str) -> Caller {
    let digest = Sha256::digest(caller);
    let mut short = Caller::default();
    short.copy_from_slice(&digest[..DIGEST_BYTES]);
    short
}

/// Forgets whom nothing counts against, and half of the others when that is not enough: a flood of callers costs those
/// their portions, and the common count remembers.
fn make_room(callers: &mut HashMap<Caller, Arc<tokio::sync::Mutex<Known>>>, now: Nanos) {
    callers.retain(|_, known| known.try_lock().map_or(true, |known| known.clear_at > now));
    if callers.len() >= CALLERS {
        let mut keep = false;
        callers.retain(|_, _| {
            keep = !keep;
            keep
        });
    }
}

/// The key of a caller in the bucket.
fn key(name: &str, caller: Caller) -> String {
    format!("{name}.{:032x}", u128::from_be_bytes(caller))
}

fn nanos(time: SystemTime) -> Nanos {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as Nanos)
}
