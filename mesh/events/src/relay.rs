//! The relay: terms of leadership, one after another. In a term, change notices and hints become log entries, and log entries
//! messages.
//!
//! Reading outboxes, appending and publishing run side by side, joined by short queues: `outboxes` → `archive` →
//! `publish`. A broker that is away stops only the last of them.

use crate::{
    Error, Nats,
    append::{Appended, Archive, Found},
    change_stream::{self, Watcher},
    event::Entry,
    lease::{Checkpoint, LEASE_MS, Lease, Reached},
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

/// How often what has been reached is saved, when there is something new.
const SAVE_EVERY: Duration = Duration::from_millis(1000);

/// How often the token of a quiet change stream is saved. A write per second and service would keep all streams awake.
const SAVE_QUIET_EVERY: Duration = Duration::from_secs(10);

/// The lease is renewed after so long without a save.
const RENEW_AFTER: Duration = Duration::from_millis(LEASE_MS.unsigned_abs() / 3);

/// How often an idle publisher looks whether its connection has been another.
const LOOK_EVERY: Duration = Duration::from_millis(1000);

/// How often an idle publisher compares the stream with the log.
const COMPARE_EVERY: Duration = Duration::from_secs(30);

/// Pause after a term or a publisher that ended in an error, and between attempts to take the lease.
const PAUSE: Duration = Duration::from_millis(500);

/// Pause after somebody else has published in between: a long one would let them do so again.
const OVERTAKEN: Duration = Duration::from_millis(20);

/// Reads that wait to be appended.
const READ_AHEAD: usize = 2;

/// Appends that wait to be published.
const APPENDED_AHEAD: usize = 8;

/// The relay of one service.
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
        let reached = Reaching::default();
        let archive = Archive::new(&self.source, log.clone(), Appended { entries, last }).await?;
        let saved = Position::saved(from.gseq, from.js_seq);
        tokio::select! {
            archived = self.archive(archive, lease, from.token, &reached, shutdown) => archived?,
            published = self.publish(log, saved, Feed { entries: queue, logged }, &reached) => published?,
            kept = keep(lease, &reached) => kept?,
        }
        lease.keep(&reached.take()).await
    }

    /// From change notices to the log. Ends well when `shutdown` is cancelled.
    async fn archive(
        &self,
        archive: Archive,
        lease: &Lease,
        token: Option<ResumeToken>,
        reached: &Reaching,
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
        let archived = self.read_and_append(archive, watcher, scan, reached, shutdown).await;
        if let Err(error) = &archived
            && error.has_lost_the_token()
        {
            lease.forget_token().await?;
        }
        archived
    }

    async fn read_and_append(
        &self,
        mut archive: Archive,
        watcher: Watcher,
        scan: bool,
        reached: &Reaching,
        shutdown: &CancellationToken,
    ) -> Result<(), Error> {
        let (found, mut to_append) = mpsc::channel::<Result<Found, Error>>(READ_AHEAD);
        let outboxes = Outboxes::new(&self.database, &self.source, found).await?;
        let read = async {
            outboxes.run(watcher, scan, shutdown).await;
            Ok(())
        };
        let append = async {
            let mut noted: Option<Instant> = None;
            while let Some(found) = to_append.recv().await {
                let mut found = found?;
                let token = found.token.take();
                let is_quiet = found.outboxes.is_empty();
                archive.append(found).await?;
                let is_due = noted.is_none_or(|noted| noted.elapsed() >= SAVE_QUIET_EVERY);
                if token.is_some() && (!is_quiet || is_due) {
                    reached.token(token);
                    noted = Some(Instant::now());
                }
            }
            Ok(())
        };
        tokio::try_join!(read, append).map(|_| ())
    }

    /// Log to stream, again and again while the broker fails.
    async fn publish(&self, log: Log, from: Position, mut feed: Feed, reached: &Reaching) -> Result<(), Error> {
        let mut position = from;
        loop {
            let source = (self.source.service.as_str(), self.replicas);
            let ended = match Publisher::open(self.nats.clone(), log.clone(), source, position.clone()).await {
                Ok(mut publisher) => {
                    let ended = feed.publish(&mut publisher, reached).await;
                    position = publisher.position;
                    ended
                }
                Err(error) => Err(error),
            };
            let Err(error) = ended else { return Ok(()) };
            if matches!(error, Error::Overtaken) {
                position.is_careful = true;
                tokio::time::sleep(OVERTAKEN).await;
                continue;
            }
            if reached.problem(&error.to_string()) {
                self.tell(&error);
            } else {
                tracing::debug!(service = %self.source.service, %error, "publishing broke off; it begins anew");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Tells why publishing broke off.
    fn tell(&self, error: &Error) {
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

/// What the archive hands to the publisher.
struct Feed {
    entries: mpsc::Receiver<Vec<Entry>>,
    logged: watch::Receiver<i64>,
}

impl Feed {
    /// Publishes what comes, and sees to it that the stream keeps it. Ends well when the archive has ended.
    async fn publish(&mut self, publisher: &mut Publisher, reached: &Reaching) -> Result<(), Error> {
        let mut compared = Instant::now();
        loop {
            // The number first: its entries are in the queue by then.
            let logged = *self.logged.borrow_and_update();
            publisher.look(logged).await?;
            self.fill(publisher);
            while publisher.step().await? {
                reached.published(&publisher.position);
                self.fill(publisher);
            }
            reached.problem("");
            match tokio::time::timeout(LOOK_EVERY, self.logged.changed()).await {
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
            publisher.take(entries);
        }
    }
}

/// What has been reached and not yet saved.
#[derive(Default)]
struct Reaching {
    news: Mutex<Reached>,
    /// Why nothing is published, as it was told last; empty when all is well.
    problem: Mutex<Option<String>>,
}

impl Reaching {
    fn token(&self, token: Option<ResumeToken>) {
        self.news().token = token;
    }

    fn published(&self, position: &Position) {
        let js_seq = i64::try_from(position.js_seq).unwrap_or(i64::MAX);
        self.news().published = Some((position.gseq, js_seq));
    }

    /// Notes why nothing is published; nothing when all is well. False when that was noted last.
    fn problem(&self, why: &str) -> bool {
        let mut told = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = told.as_deref() != Some(why);
        if is_news {
            *told = Some(why.to_owned());
            self.news().problem = Some(why.to_owned());
        }
        is_news
    }

    fn take(&self) -> Reached {
        std::mem::take(&mut *self.news())
    }

    fn news(&self) -> MutexGuard<'_, Reached> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Saves what has been reached, and renews the lease.
async fn keep(lease: &Lease, reached: &Reaching) -> Result<(), Error> {
    let mut kept = Instant::now();
    loop {
        tokio::time::sleep(SAVE_EVERY).await;
        let news = reached.take();
        if !news.is_empty() || kept.elapsed() >= RENEW_AFTER {
            lease.keep(&news).await?;
            kept = Instant::now();
        }
    }
}
