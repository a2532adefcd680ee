//! Which access tokens count no more though they have not expired: of each account whose tokens were revoked, the generation
//! that those of today have.
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

/// Life of a user's access token.
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
    /// Tokens of `user_id` of a lower generation than `least` count no more. Repeating it, and older news, have no effect.
    pub fn note(&self, user_id: &str, least: i64, now: Instant) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        entries.forget(now);
        if entries.least.get(user_id).is_some_and(|known| *known >= least) {
            return;
        }
        let user_id: Arc<str> = user_id.into();
        entries.least.insert(user_id.clone(), least);
        entries.ends.push_back((now + KEPT, user_id, least));
    }

    /// Whether a token of `user_id` of this generation was revoked. Allocates nothing and asks nobody.
    pub fn covers(&self, user_id: &str, generation: i64) -> bool {
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        entries.least.get(user_id).is_some_and(|least| generation < *least)
    }
}

impl Entries {
    /// Drops what has ended, and the oldest where there are too many: its tokens have the least time left.
    fn forget(&mut self, now: Instant) {
        while self.ends.front().is_some_and(|(end, ..)| *end <= now || self.ends.len() >= MOST) {
            let Some((_, user_id, least)) = self.ends.pop_front() else { return };
            if self.least.get(&user_id) == Some(&least) {
                self.least.remove(&user_id);
            }
        }
    }
}
