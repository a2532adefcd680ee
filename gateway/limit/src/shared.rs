//! The common count of all replicas: a key-value bucket in the memory of NATS, one number for each caller.

use crate::quota::{Nanos, Quota, Taken};
use async_nats::{
    ConnectOptions,
    jetstream::{
        self,
        kv::{Config, Store},
        stream::StorageType,
    },
};
use bytes::Bytes;
use std::{
    sync::{
        Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// The bucket's name.
pub const BUCKET: &str = "RATE_LIMITS";

/// How long opening the bucket may take, and the pause after a failure of it.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
const OPEN_PAUSE: Duration = Duration::from_secs(1);

/// For how long nobody asks after an answer that did not come.
const PAUSE: Duration = Duration::from_secs(1);

/// Pause between two lines in the log.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Most bytes of the bucket, some 300,000 callers; above that each replica counts for itself.
const BUCKET_BYTES: i64 = 64 << 20;

/// The user that counts.
pub struct Login<'a> {
    /// Also the name of its inbox.
    pub user: &'a str,
    pub password: &'a str,
}

/// The connection to the bucket.
pub struct Shared {
    jetstream: jetstream::Context,
    /// After this time nothing is counted any more by any limit.
    longest: Duration,
    /// How long an answer may take: a request does not wait for longer for its limit.
    patience: Duration,
    /// None until it is open, and again after a failure: NATS may have lost its memory.
    store: RwLock<Option<Store>>,
    /// Somebody misses the bucket.
    missed: Notify,
    began: Instant,
    /// Until when nobody asks, in milliseconds since the begin.
    away_until: AtomicU64,
    logged: Mutex<Option<Instant>>,
}

/// A connection to NATS, with JetStream.
pub type Jetstream = jetstream::Context;

/// The address is none of a NATS server.
pub type ConnectError = async_nats::ConnectError;

/// Connects in the background, and again whenever it must.
pub async fn connect(url: &str, login: Login<'_>) -> Result<jetstream::Context, ConnectError> {
    let options = ConnectOptions::with_user_and_password(login.user.to_owned(), login.password.to_owned());
    let client = options
        .name(format!("comptoir {}", login.user))
        .custom_inbox_prefix(format!("_INBOX_{}", login.user))
        .retry_on_initial_connect()
        .ping_interval(Duration::from_secs(5))
        .connect(url)
        .await?;
    Ok(jetstream::new(client))
}

/// Why a take had no answer.
#[derive(Debug, thiserror::Error)]
enum Away {
    #[error("the bucket is not open")]
    Closed,
    #[error("the count cannot be read: {0}")]
    Read(#[from] jetstream::kv::EntryError),
    #[error("the count cannot be written: {0}")]
    Write(jetstream::kv::UpdateError),
    #[error("no answer in time")]
    Timeout,
}

impl Shared {
    /// Over a connection of its own, see [`connect`] and [`Shared::over`].
    pub async fn connect(url: &str, login: Login<'_>, times: (Duration, Duration)) -> Result<Self, ConnectError> {
        Ok(Self::over(connect(url, login).await?, times))
    }

    /// Over this connection. `longest` is the longest window of the limits, `patience` how long an answer may take.
    pub fn over(jetstream: jetstream::Context, (longest, patience): (Duration, Duration)) -> Self {
        Self {
            jetstream,
            longest,
            patience,
            store: RwLock::default(),
            missed: Notify::new(),
            began: Instant::now(),
            away_until: AtomicU64::new(0),
            logged: Mutex::default(),
        }
    }

    /// Opens the bucket. What fails is tried again by [`Shared::keep_open`].
    pub async fn open(&self) {
        match tokio::time::timeout(OPEN_TIMEOUT, self.bucket()).await {
            Ok(Ok(store)) => *self.store.write().unwrap_or_else(PoisonError::into_inner) = Some(store),
            Ok(Err(error)) => tracing::debug!(%error, "the bucket of rate limits cannot be opened"),
            Err(_) => tracing::debug!("NATS does not open the bucket of rate limits in time"),
        }
    }

    /// Opens the bucket again whenever that must be; never ends.
    pub async fn keep_open(&self) {
        loop {
            if self.store().is_some() {
                self.missed.notified().await;
            }
            tokio::time::sleep(OPEN_PAUSE).await;
            self.open().await;
        }
    }

    fn store(&self) -> Option<Store> {
        self.store.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes up to `wanted` requests of `quota` from the count of `key`, of which `known` is what this replica has seen (NATS
    /// forgets when it ends), or tells after which time there is one; none when the bucket is away.
    pub(crate) async fn take(
        &self,
        key: &str,
        (quota, wanted, known): (Quota, u32, Nanos),
        now: Nanos,
    ) -> Option<Result<Taken, Duration>> {
        if self.since_begin() < self.away_until.load(Ordering::Relaxed) {
            return None;
        }
        let taken = tokio::time::timeout(self.patience, self.ask(key, (quota, wanted, known), now)).await;
        match taken.unwrap_or(Err(Away::Timeout)) {
            Ok(taken) => Some(taken),
            Err(away) => {
                self.note(&away);
                None
            }
        }
    }

    async fn ask(
        &self,
        key: &str,
        (quota, wanted, known): (Quota, u32, Nanos),
        now: Nanos,
    ) -> Result<Result<Taken, Duration>, Away> {
        let store = self.store().ok_or(Away::Closed)?;
        // Where other replicas take at the same time, until the patience ends.
        loop {
            let entry = store.entry(key).await?;
            let (value, revision) = entry.map_or((Bytes::new(), 0), |entry| (entry.value, entry.revision));
            let clear_at = value.as_ref().try_into().map_or(0, Nanos::from_be_bytes);
            let taken = match quota.take(clear_at.max(known), now, wanted) {
                Ok(taken) => taken,
                Err(wait) => return Ok(Err(wait)),
            };
            let written = store.update(key, Bytes::copy_from_slice(&taken.clear_at.to_be_bytes()), revision).await;
            match written {
                Ok(_) => return Ok(Ok(taken)),
                Err(error) if error.kind() == jetstream::kv::UpdateErrorKind::WrongLastRevision => {}
                Err(error) => return Err(Away::Write(error)),
            }
        }
    }

    /// Makes the bucket, or takes the one that is there.
    async fn bucket(&self) -> Result<Store, jetstream::context::CreateKeyValueError> {
        let config = Config {
            bucket: BUCKET.to_owned(),
            description: "Rate limits: when nothing is counted against a caller any more, in ns since 1970".to_owned(),
            history: 1,
            max_age: self.longest,
            max_bytes: BUCKET_BYTES,
            storage: StorageType::Memory,
            num_replicas: 1,
            ..Config::default()
        };
        self.jetstream.create_or_update_key_value(config).await
    }

    /// Pauses, and says so once a minute.
    fn note(&self, away: &Away) {
        self.away_until.store(self.since_begin() + PAUSE.as_millis() as u64, Ordering::Relaxed);
        *self.store.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.missed.notify_one();
        let mut logged = self.logged.lock().expect("no holder panics");
        if logged.is_none_or(|logged| logged.elapsed() > LOG_EVERY) {
            *logged = Some(Instant::now());
            tracing::warn!(error = %away, "rate limits are counted by this replica alone; logged once a minute");
        }
    }

    fn since_begin(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }
}
