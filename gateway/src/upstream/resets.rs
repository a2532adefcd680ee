//! How many calls of an upstream are given up at a time.
//!
//! All calls share one connection, and servers end a connection on which many streams are reset before they have accepted them
//! (CVE-2023-44487; those in Rust bear 20). When a call is given up is for its caller to say, who must not end the calls of
//! others by it. Servers of the house bear any number. For those of others a few streams are reset, and further ones once a
//! probe is answered, which tells that the server is at work. Probes have a connection of their own, as the calls that are
//! to be given up may have all streams of the other. A call that waits for its turn may end by itself.
//!
//! That is a pace and no bound: a server may answer on one connection while it does not read the other.

use crate::channel::Channel;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Semaphore, time::timeout};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// Streams reset for each probe. Its answer may overtake them, so that as a rule twice as many come together at most.
const AT_ONCE: usize = 8;

/// How long a probe may take. It is longer than a connection whose host has died is kept, which ends a probe as well.
const PROBE_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) struct Resets {
    /// What the probes go by.
    channel: Channel,
    left: Semaphore,
    count: AtomicUsize,
}

impl Resets {
    /// For an upstream that `channel` reaches as well.
    pub(super) fn new(channel: Channel) -> Arc<Self> {
        Arc::new(Self { channel, left: Semaphore::new(AT_ONCE), count: AtomicUsize::new(0) })
    }

    /// Waits until one more stream may be reset.
    pub(super) async fn one(self: &Arc<Self>) {
        self.left.acquire().await.expect("it is never closed").forget();
        self.counted();
    }

    /// Whether one more may be reset now.
    pub(super) fn one_now(self: &Arc<Self>) -> bool {
        let Ok(permit) = self.left.try_acquire() else { return false };
        permit.forget();
        self.counted();
        true
    }

    fn counted(self: &Arc<Self>) {
        if (self.count.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(AT_ONCE) {
            tokio::spawn(self.clone().probe());
        }
    }

    /// Any answer will do, and so will the end of the connection.
    async fn probe(self: Arc<Self>) {
        let mut client = HealthClient::new(self.channel.clone());
        let answered = timeout(PROBE_TIMEOUT, client.check(HealthCheckRequest { service: String::new() })).await;
        tracing::debug!(?answered, "how an upstream answers a probe");
        self.left.add_permits(AT_ONCE);
    }
}
