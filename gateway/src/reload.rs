//! The schema in use, and the task that puts another one in its place: at SIGHUP, when the file of descriptors changes, and as
//! often as reflection is asked.
//!
//! A request keeps the schema that it began with, so a change disturbs none. A descriptor set that cannot be served is refused
//! with one line of the log, and what was served before goes on.

#[cfg(test)]
mod tests;

use crate::{
    Config, Error,
    error::chain,
    files::LIMIT_BYTES,
    reflect,
    schema::{self, Digest, Schema, Source},
    state::Gateway,
    upstreams::Upstreams,
};
use arc_swap::ArcSwap;
use std::{io, path::Path, sync::Arc, time::Duration};
use tokio::{
    fs::File,
    io::AsyncReadExt as _,
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// Between two looks at the file, and between two questions to a server that has not answered yet.
const INTERVAL: Duration = Duration::from_secs(1);

/// The gateway with the schema in use.
pub(crate) type Current = ArcSwap<Gateway>;

/// The schema to begin with, and what it was made of. With reflection nothing is served until the server has answered.
pub(crate) async fn first(config: &Arc<Config>) -> Result<(Schema, Option<Digest>), Error> {
    let encoded = match &config.source {
        Source::Contracts => contracts::DESCRIPTORS.to_vec(),
        Source::File(path) => read(path).await?,
        Source::Reflection(_) => return Ok((Schema::none()?, None)),
    };
    let digest = schema::digest(&encoded);
    let schema = compile(config.clone(), encoded, Arc::default()).await?;
    schema.tell();
    Ok((schema, Some(digest)))
}

/// Keeps the schema of `current`, which was made of `served`, up to date until `stop` or until the handle is dropped.
pub(crate) fn start(
    config: Arc<Config>,
    current: Arc<Current>,
    served: Option<Digest>,
    stop: CancellationToken,
) -> Result<Option<AbortOnDropHandle<Option<()>>>, Error> {
    if config.source == Source::Contracts {
        return Ok(None);
    }
    let hangup = signal(SignalKind::hangup()).map_err(Error::Signal)?;
    let digests = Digests { served, refused: None, seen: served };
    let reloader = Reloader { config, current, digests, absent: String::new() };
    let running = async move { stop.run_until_cancelled(reloader.run(hangup)).await };
    Ok(Some(AbortOnDropHandle::new(tokio::spawn(running))))
}

struct Reloader {
    config: Arc<Config>,
    current: Arc<Current>,
    digests: Digests,
    /// Why there was nothing to be found, as it was logged last.
    absent: String,
}

/// Which descriptors have been found.
#[derive(Debug, Default)]
struct Digests {
    /// What is served; none before reflection has told it.
    served: Option<Digest>,
    /// What was refused last.
    refused: Option<Digest>,
    /// What the last look found.
    seen: Option<Digest>,
}

impl Digests {
    /// Whether descriptors are to be taken that have just been found.
    fn is_due(&mut self, found: Digest, cause: Cause, source: &Source) -> bool {
        // A file is written piece by piece, and a part of it may well be a schema: one of fewer services. So what is new
        // is taken when a second look finds it again, or when somebody says that it is there.
        let is_settled = self.seen.replace(found) == Some(found) || !matches!(source, Source::File(_));
        let is_new = self.served != Some(found);
        is_new && (cause == Cause::Hangup || (is_settled && self.refused != Some(found)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Start,
    Interval,
    Hangup,
}

impl Reloader {
    async fn run(mut self, mut hangup: Signal) {
        if let Source::Reflection(_) = self.config.source {
            self.look(Cause::Start).await;
        }
        loop {
            let interval = self.interval();
            let waited = async {
                match interval {
                    Some(interval) => tokio::time::sleep(interval).await,
                    None => std::future::pending().await,
                }
            };
            let cause = tokio::select! {
                _ = hangup.recv() => Cause::Hangup,
                () = waited => Cause::Interval,
            };
            self.look(cause).await;
        }
    }

    /// How long nothing is looked at; none when SIGHUP alone asks for it.
    fn interval(&self) -> Option<Duration> {
        let is_asked_by_interval = self.digests.served.is_some() && matches!(self.config.source, Source::Reflection(_));
        if is_asked_by_interval { self.config.reflect_interval } else { Some(INTERVAL) }
    }

    async fn look(&mut self, cause: Cause) {
        match descriptors(&self.config).await {
            Ok(encoded) => {
                self.absent.clear();
                self.consider(encoded, cause).await;
            }
            Err(error) => {
                let why = chain(&error);
                // Told once, and not each second; whoever asks is told again.
                if why != self.absent || cause == Cause::Hangup {
                    match self.digests.served {
                        None => tracing::warn!(why, "nothing is served before the descriptors are there; waiting"),
                        Some(_) => tracing::warn!(why, "the descriptors cannot be read; the schema in use stays"),
                    }
                    self.absent = why;
                }
            }
        }
    }

    /// Takes the descriptors, when they are new.
    async fn consider(&mut self, encoded: Vec<u8>, cause: Cause) {
        let digest = schema::digest(&encoded);
        if !self.digests.is_due(digest, cause, &self.config.source) {
            if cause == Cause::Hangup {
                tracing::info!("the descriptors are those of the schema in use");
            }
            return;
        }
        let gateway = self.current.load_full();
        match compile(self.config.clone(), encoded, gateway.upstreams.clone()).await {
            Ok(schema) => {
                if let Some(name) = gateway.limits.unknown(&schema.router) {
                    tracing::error!(rpc = name, "the rate limit of an RPC that is not there limits nothing");
                }
                self.current.store(Arc::new(gateway.with(schema.clone())));
                schema.tell();
                (self.digests.served, self.digests.refused) = (Some(digest), None);
            }
            Err(error) => {
                self.digests.refused = Some(digest);
                let left = if self.digests.served.is_some() { "the schema in use stays" } else { "nothing is served" };
                tracing::error!(why = chain(&error), "the new descriptors are refused; {left}");
            }
        }
    }
}

/// The descriptors as they are now.
async fn descriptors(config: &Config) -> Result<Vec<u8>, Error> {
    match &config.source {
        Source::Contracts => Ok(contracts::DESCRIPTORS.to_vec()),
        Source::File(path) => read(path).await,
        Source::Reflection(uri) => {
            let told = reflect::descriptors(uri, &config.upstream_roots).await;
            told.map_err(|source| Error::Reflection { uri: uri.clone(), source })
        }
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let file = File::open(path).await.map_err(failed)?;
    let mut encoded = Vec::new();
    file.take(LIMIT_BYTES as u64 + 1).read_to_end(&mut encoded).await.map_err(failed)?;
    if encoded.len() > LIMIT_BYTES {
        return Err(failed(io::Error::other(format!("it is larger than {LIMIT_BYTES} bytes"))));
    }
    Ok(encoded)
}

/// Compiles beside the requests: a large schema takes a good part of a second.
async fn compile(config: Arc<Config>, encoded: Vec<u8>, old: Arc<Upstreams>) -> Result<Schema, Error> {
    compiled(move || Schema::compile(config.wanted(), &encoded, &old)).await
}

/// A panic, which is a defect, is that of one descriptor set: the next one may be served.
async fn compiled<T: Send + 'static>(compile: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(compile).await.unwrap_or_else(|error| Err(Error::Panic(error)))
}
