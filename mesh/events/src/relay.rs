//! The relay: terms of leadership, one after another. In a term, change notices and hints become log entries, and log entries
//! messages.
//!
//! Reading outboxes, appending and publishing run side by side, joined by short queues: `outboxes` → `append` →
//! `publish`. A broker that is away stops only the last of them.

use crate::{
    Error, Nats,
    append::{Appended, Appender, Found},
    change_stream::{self, Watcher},
    event::Entry,
    lease::{Checkpoint, LEASE_MS, Lease, Published, Reached},
    log::Log,
    outboxes::Outboxes,
    publish::{Position, Publisher},
    source::Source,
};
use mongodb::change_stream::event::ResumeToken;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use store::Database;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// How often progress is saved. After a crash this much is read and compared again, which is cheap.
const SAVE_EVERY: Duration = Duration::from_millis(1000);

/// How often the token of a quiet change stream is saved. A write per second and service would keep all streams awake.
const SAVE_QUIET_EVERY: Duration = Duration::from_secs(10);

/// The lease is renewed after so long without a save.
const RENEW_AFTER: Duration = Duration::from_millis(LEASE_MS.unsigned_abs() / 3);

/// How often an idle publisher checks whether the client has reconnected: the broker may have been rolled back.
const CONNECTION_CHECK_EVERY: Duration = Duration::from_millis(1000);

/// How often an idle publisher compares the stream with the log, in case somebody purged or wrote the stream.
const COMPARE_EVERY: Duration = Duration::from_secs(30);

/// Pause after a term or a publisher that ended in an error, and between attempts to take the lease.
const PAUSE: Duration = Duration::from_millis(500);

/// Pause after somebody else has published in between: after a long one they would have published again.
const OVERTAKEN_PAUSE: Duration = Duration::from_millis(20);

/// Reads that wait to be appended: one more than the read that the appender works on, for short queues make a full one felt
/// at the change stream.
const READ_AHEAD: usize = 2;

/// Appends that wait to be published; beyond them the publisher reads the log.
const APPENDED_AHEAD: usize = 8;

pub struct Relay {
    pub database: Database,
    pub nats: Nats,
    pub source: Source,
    /// Copies of the stream, when it is made.
    pub replicas: u32,
    /// Name of this process, for the lease.
    pub owner: String,
}

impl Relay {
    /// Relays until `shutdown`, then gives the lease up.
    pub async fn run(self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            match Lease::acquire(&self.database, &self.owner).await {
                Ok(Some((lease, checkpoint))) => {
                    if let Err(error) = self.term(&lease, checkpoint, &shutdown).await {
                        tracing::warn!(service = %self.source.service, %error, "a term of the relay ended; it begins anew");
                    }
                    if let Err(error) = lease.release().await {
                        tracing::debug!(%error, "the lease could not be given up; it runs out by itself");
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::debug!(service = %self.source.service, %error, "the lease cannot be read"),
            }
            shutdown.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
        }
    }

    async fn term(&self, lease: &Lease, from: Checkpoint, shutdown: &CancellationToken) -> Result<(), Error> {
        tracing::info!(service = %self.source.service, owner = %self.owner, "this relay leads");
        let log = Log::open(&self.database).await?;
        let (entries, queue) = mpsc::channel(APPENDED_AHEAD);
        let (last, logged) = watch::channel(0);
        let reached = Progress::default();
        let appender = Appender::new(&self.source, log.clone(), Appended { entries, last }).await?;
        let saved = Position::saved(from.gseq, from.js_seq);
        tokio::select! {
            appended = self.append(appender, lease, from.token, &reached, shutdown) => appended?,
            published = self.publish(log, saved, Feed { entries: queue, logged }, &reached) => published?,
            kept = keep(lease, &reached) => kept?,
        }
        // The last save of a term that ended well: the next relay begins where this one stopped.
        lease.keep(&reached.take()).await
    }

    /// From change notices to the log. Ends well when `shutdown` is cancelled.
    async fn append(
        &self,
        appender: Appender,
        lease: &Lease,
        token: Option<ResumeToken>,
        reached: &Progress,
        shutdown: &CancellationToken,
    ) -> Result<(), Error> {
        let scan = token.is_none();
        let (watcher, scan) = match change_stream::open(&self.database, &self.source, token).await {
            Err(error) if error.has_lost_the_token() => {
                tracing::warn!(service = %self.source.service, %error, "the change stream cannot be resumed; all outboxes are read");
                lease.forget_token().await?;
                (change_stream::open(&self.database, &self.source, None).await?, true)
            }
            opened => (opened?, scan),
        };
        let ended = self.read_and_append(appender, watcher, scan, reached, shutdown).await;
        if let Err(error) = &ended
            && error.has_lost_the_token()
        {
            lease.forget_token().await?;
        }
        ended
    }

    async fn read_and_append(
        &self,
        mut appender: Appender,
        watcher: Watcher,
        scan: bool,
        reached: &Progress,
        shutdown: &CancellationToken,
    ) -> Result<(), Error> {
        let (found, mut to_append) = mpsc::channel::<Result<Found, Error>>(READ_AHEAD);
        let outboxes = Outboxes::new(&self.database, &self.source, found).await?;
        let read = async {
            outboxes.run(watcher, scan, shutdown).await;
            Ok(())
        };
        let append = async {
            let mut saved_at: Option<Instant> = None;
            while let Some(found) = to_append.recv().await {
                let mut found = found?;
                let token = found.token.take();
                let is_quiet = found.outboxes.is_empty();
                appender.append(found).await?;
                let is_due = saved_at.is_none_or(|saved_at| saved_at.elapsed() >= SAVE_QUIET_EVERY);
                if token.is_some() && (!is_quiet || is_due) {
                    reached.token(token);
                    saved_at = Some(Instant::now());
                }
            }
            Ok(())
        };
        tokio::try_join!(read, append).map(|_| ())
    }

    /// Log to stream, again and again while the broker fails.
    async fn publish(&self, log: Log, from: Position, mut feed: Feed, reached: &Progress) -> Result<(), Error> {
        let mut position = from;
        loop {
            let open =
                Publisher::open(self.nats.clone(), log.clone(), &self.source.service, self.replicas, position.clone());
            let ended = match open.await {
                Ok(mut publisher) => {
                    let ended = feed.publish(&mut publisher, reached).await;
                    position = publisher.position;
                    ended
                }
                Err(error) => Err(error),
            };
            let Err(error) = ended else { return Ok(()) };
            if matches!(error, Error::Overtaken) {
                // The stream ends elsewhere than believed. One entry alone finds out why, without half a batch in
                // doubt.
                position.is_careful = true;
                tokio::time::sleep(OVERTAKEN_PAUSE).await;
                continue;
            }
            if reached.problem(&error.to_string()) {
                self.report(&error);
            } else {
                tracing::debug!(service = %self.source.service, %error, "publishing broke off; it begins anew");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn report(&self, error: &Error) {
        let service = &self.source.service;
        match error {
            Error::StreamAhead { .. } => {
                tracing::error!(%service, %error, "nothing is published: was the database restored?");
            }
            Error::TooLarge { .. } => {
                tracing::error!(alarm = "event_too_large", %service, %error, "nothing is published")
            }
            _ => tracing::warn!(%service, %error, "publishing broke off; it begins anew"),
        }
    }
}

struct Feed {
    entries: mpsc::Receiver<Vec<Entry>>,
    logged: watch::Receiver<i64>,
}

impl Feed {
    /// Publishes what comes, and sees to it that the stream keeps it. Ends well when the appender has ended.
    async fn publish(&mut self, publisher: &mut Publisher, reached: &Progress) -> Result<(), Error> {
        let mut compared = Instant::now();
        loop {
            // The number first: its entries are in the queue by then.
            let logged = *self.logged.borrow_and_update();
            publisher.refresh(logged).await?;
            self.fill(publisher);
            while publisher.step().await? {
                reached.published(&publisher.position);
                self.fill(publisher);
            }
            reached.problem("");
            match tokio::time::timeout(CONNECTION_CHECK_EVERY, self.logged.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Ok(()),
                Err(_) if compared.elapsed() >= COMPARE_EVERY => {
                    publisher.find_tail().await?;
                    compared = Instant::now();
                }
                Err(_) => {}
            }
        }
    }

    fn fill(&mut self, publisher: &mut Publisher) {
        while !publisher.has_enough()
            && let Ok(entries) = self.entries.try_recv()
        {
            publisher.push(entries);
        }
    }
}

#[derive(Default)]
struct Progress {
    unsaved: Mutex<Reached>,
    /// The last reported reason why nothing is published; empty when all is well.
    problem: Mutex<Option<String>>,
}

impl Progress {
    fn token(&self, token: Option<ResumeToken>) {
        self.unsaved().token = token;
    }

    fn published(&self, position: &Position) {
        let js_seq = i64::try_from(position.js_seq).unwrap_or(i64::MAX);
        self.unsaved().published = Some(Published { gseq: position.gseq, js_seq });
    }

    /// Records why nothing is published; an empty text when all is well. False when the last record says it already.
    fn problem(&self, why: &str) -> bool {
        let mut last = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = last.as_deref() != Some(why);
        if is_new {
            *last = Some(why.to_owned());
            self.unsaved().problem = Some(why.to_owned());
        }
        is_new
    }

    fn take(&self) -> Reached {
        std::mem::take(&mut *self.unsaved())
    }

    fn unsaved(&self) -> MutexGuard<'_, Reached> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Saves what has been reached, and renews the lease.
async fn keep(lease: &Lease, reached: &Progress) -> Result<(), Error> {
    let mut kept = Instant::now();
    loop {
        tokio::time::sleep(SAVE_EVERY).await;
        let unsaved = reached.take();
        if !unsaved.is_empty() || kept.elapsed() >= RENEW_AFTER {
            lease.keep(&unsaved).await?;
            kept = Instant::now();
        }
    }
}
