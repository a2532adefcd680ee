//! Which access tokens count no more though they have not expired: of each account, and each client, whose tokens were revoked,
//! the generation that those of today have.
//!
//! A token carries the generation that its account had when it was issued. A revocation raises that of the account, so no clock
//! decides which token came first. An entry is kept for as long as a token lives; after that none of an older generation is left.

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

/// Life of the access token of a user or a client.
pub const USER_TOKEN_LIFE: Duration = Duration::from_secs(900);

/// How long an entry is kept: the life of a token, and five minutes for clocks that differ.
pub const KEPT: Duration = USER_TOKEN_LIFE.saturating_add(Duration::from_secs(300));

/// Most entries, some 20 MB. Each is an account that was locked, deleted or lost a role within [`KEPT`].
const MOST: usize = 131_072;

/// The revocations of the last minutes. Clones share them.
#[derive(Clone, Default)]
pub struct Revocations(Arc<RwLock<Entries>>);

#[derive(Default)]
struct Entries {
    least: HashMap<Arc<str>, i64>,
    /// The accounts in the order in which their entries end; one that was revoked twice is here twice.
    ends: VecDeque<(Instant, Arc<str>, i64)>,
}

impl Revocations {
    /// Tokens of `subject`, an account or a client, of a lower generation than `least` count no more. Repeating it, and older
    /// news, have no effect.
    pub fn note(&self, subject: &str, least: i64, now: Instant) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        entries.forget(now);
        if entries.least.get(subject).is_some_and(|known| *known >= least) {
            return;
        }
        let subject: Arc<str> = subject.into();
        entries.least.insert(subject.clone(), least);
        entries.ends.push_back((now + KEPT, subject, least));
    }

    /// Whether a token of `subject` of this generation was revoked. Allocates nothing and asks nobody.
    pub fn covers(&self, subject: &str, generation: i64) -> bool {
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        entries.least.get(subject).is_some_and(|least| generation < *least)
    }
}

impl Entries {
    /// Drops what has ended, and the oldest where there are too many: its tokens have the least time left.
    fn forget(&mut self, now: Instant) {
        while self.ends.front().is_some_and(|(end, ..)| *end <= now || self.ends.len() >= MOST) {
            let Some((_, subject, least)) = self.ends.pop_front() else { return };
            if self.least.get(&subject) == Some(&least) {
                self.least.remove(&subject);
            }
        }
    }
}
