//! The relay: terms of leadership, one after another. In a term, rings become log entries, and log entries messages.

use crate::{
    Error, Nats,
    archive::{Archive, BATCH},
    doorbell::{self, Ring},
    lease::{Checkpoint, LEASE_MS, Lease},
    log::Log,
    publish::Publisher,
};
use bson::Timestamp;
use mongodb::{Database, change_stream::event::ResumeToken};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

/// How often the token and the published position are saved, and the lease renewed.
const SAVE_EVERY: Duration = Duration::from_millis(1000);

/// How often an idle relay compares the stream with the log.
const COMPARE_EVERY: Duration = Duration::from_secs(30);

/// Pause after a term that ended in an error, and between attempts to take the lease.
const PAUSE: Duration = Duration::from_millis(500);

/// What is relayed.
#[derive(Debug, Clone)]
pub struct Source {
    /// The service, as in the topology.
    pub service: String,
    /// Collections with an outbox, and the noun of each.
    pub aggregates: BTreeMap<String, String>,
}

/// The relay of one service.
pub struct Relay {
    /// The service's database.
    pub database: Database,
    /// The broker.
    pub nats: Nats,
    /// What is relayed.
    pub source: Source,
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
        let (appended, published) = watch::channel(());
        let published_from = (from.gseq, from.js_seq);
        tokio::select! {
            archived = self.archive(lease, from.token, &log, &appended, shutdown) => archived,
            published = self.publish(lease, &log, published_from, published) => published,
            renewed = renew(lease) => renewed,
        }
    }

    /// Rings to log. Ends well when `shutdown` is cancelled.
    async fn archive(
        &self,
        lease: &Lease,
        token: Option<ResumeToken>,
        log: &Log,
        appended: &watch::Sender<()>,
        shutdown: &CancellationToken,
    ) -> Result<(), Error> {
        let mut archive = Archive::new(self.database.clone(), self.source.clone(), log.clone()).await?;
        let resumed = match token {
            Some(token) => doorbell::open(&self.database, &self.source, Some(token)).await.inspect_err(|error| {
                tracing::warn!(service = %self.source.service, %error, "the change stream cannot be resumed; all outboxes are read");
            }),
            None => Err(Error::Superseded),
        };
        let mut bell = match resumed {
            Ok(bell) => bell,
            Err(_) => {
                let bell = doorbell::open(&self.database, &self.source, None).await?;
                archive.collect_all().await?;
                appended.send_replace(());
                bell
            }
        };
        let mut saved_at = Instant::now();
        let mut rings = Vec::new();
        loop {
            let received = shutdown.run_until_cancelled(bell.rings.recv_many(&mut rings, BATCH)).await;
            if matches!(received, None | Some(0)) {
                return Ok(());
            }
            let answered = answer(&mut archive, rings.drain(..)).await;
            if answered.count > 0 {
                appended.send_replace(());
            }
            if let Some(token) = answered.token
                && (saved_at.elapsed() >= SAVE_EVERY || shutdown.is_cancelled())
            {
                lease.save_token(&token).await?;
                telemetry::crash_point("relay.token_saved");
                saved_at = Instant::now();
            }
            if let Some(error) = answered.error {
                return Err(self.forget_token_when_lost(lease, error).await);
            }
        }
    }

    /// A token that the oplog no longer has must not be tried again.
    async fn forget_token_when_lost(&self, lease: &Lease, error: Error) -> Error {
        if is_lost(&error)
            && let Err(error) = lease.forget_token().await
        {
            return error;
        }
        error
    }

    /// Log to stream.
    async fn publish(
        &self,
        lease: &Lease,
        log: &Log,
        saved: (i64, i64),
        mut appended: watch::Receiver<()>,
    ) -> Result<(), Error> {
        let mut publisher = Publisher::open(self.nats.clone(), log.clone(), &self.source.service, saved).await?;
        let mut saved_at = Instant::now();
        let mut unsaved = false;
        loop {
            appended.mark_unchanged();
            while publisher.publish_next().await? > 0 {
                unsaved = true;
            }
            if unsaved && saved_at.elapsed() >= SAVE_EVERY {
                lease.save_published(publisher.gseq, i64::try_from(publisher.js_seq).unwrap_or(i64::MAX)).await?;
                (saved_at, unsaved) = (Instant::now(), false);
                telemetry::crash_point("relay.published_saved");
            }
            let patience = if unsaved { SAVE_EVERY } else { COMPARE_EVERY };
            match tokio::time::timeout(patience, appended.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Ok(()),
                Err(_) if unsaved => {}
                Err(_) => publisher.find_tail().await?,
            }
        }
    }
}

struct Answered {
    count: usize,
    token: Option<ResumeToken>,
    error: Option<Error>,
}

/// Archives the documents of these rings; the token is that of the last ring before any error.
async fn answer(archive: &mut Archive, rings: impl Iterator<Item = Result<Ring, Error>>) -> Answered {
    let mut answered = Answered { count: 0, token: None, error: None };
    let mut changed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut latest: Option<Timestamp> = None;
    let mut heard = None;
    for ring in rings {
        match ring {
            Ok(Ring::Changed { collection, id, time, token }) => {
                changed.entry(collection).or_default().insert(id);
                latest = latest.max(time);
                heard = Some(token);
            }
            Ok(Ring::Quiet(token)) => heard = token.or(heard),
            Ok(Ring::Destroyed(what)) => {
                tracing::error!(%what, "somebody removed data by hand; events that were pending in it are lost");
            }
            Err(error) => answered.error = Some(error),
        }
    }
    for (collection, ids) in changed {
        let ids: Vec<String> = ids.into_iter().collect();
        match archive.collect(&collection, &ids, latest).await {
            Ok(count) => answered.count += count,
            Err(error) => {
                answered.error = Some(error);
                return answered;
            }
        }
    }
    answered.token = heard;
    answered
}

async fn renew(lease: &Lease) -> Result<(), Error> {
    loop {
        tokio::time::sleep(Duration::from_millis(LEASE_MS.unsigned_abs() / 3)).await;
        lease.renew().await?;
    }
}

/// Whether the change stream cannot go on from its token (ChangeStreamHistoryLost, ChangeStreamFatalError, invalidate).
fn is_lost(error: &Error) -> bool {
    match error {
        Error::Database(error) => matches!(
            error.kind.as_ref(),
            mongodb::error::ErrorKind::Command(command) if matches!(command.code, 260 | 280 | 286)
        ),
        _ => false,
    }
}
