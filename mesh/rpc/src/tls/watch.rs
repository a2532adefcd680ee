//! The looks at the two files while a port is served.
//!
//! Files are written piece by piece, and one after the other: what is new is tried when two looks find it. Kubernetes swaps a link
//! above both, which is whole at once. What cannot be used is tried again at every look, because the other file may follow, or
//! the time from which a certificate is valid.

use super::{
    certificate::Tls,
    error::Error,
    files::{Contents, Digest},
    pair::Pair,
    validity::now,
};
use std::{io, sync::Arc, time::Duration};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

const INTERVAL: Duration = Duration::from_secs(1);

/// How many looks have to find the same before it is tried, and before it is told that it cannot be used: whoever copies two
/// files by hand needs some seconds.
const LOOKS_BEFORE_TRIED: u32 = 2;
const LOOKS_BEFORE_TOLD: u32 = 10;

impl Tls {
    /// Looks at the files every second, and at SIGHUP, until `stop` or until the handle is dropped.
    pub fn keep(self: &Arc<Self>, stop: CancellationToken) -> io::Result<AbortOnDropHandle<()>> {
        let watching = Watch::new(self.clone())?.run();
        Ok(AbortOnDropHandle::new(tokio::spawn(async move {
            let _ = stop.run_until_cancelled(watching).await; // `None` is the stop itself
        })))
    }
}

struct Watch {
    tls: Arc<Tls>,
    hangup: Signal,
    /// What the last looks found that is not in use.
    other: Option<Sighting>,
}

struct Sighting {
    found: Found,
    looks: u32,
    is_told: bool,
}

/// The content of the files, or why they cannot be read.
type Found = Result<Digest, String>;

impl Watch {
    fn new(tls: Arc<Tls>) -> io::Result<Self> {
        Ok(Watch { tls, hangup: signal(SignalKind::hangup())?, other: None })
    }

    async fn run(mut self) {
        loop {
            self.tls.measure();
            let is_asked = tokio::select! {
                _ = self.hangup.recv() => true,
                () = tokio::time::sleep(INTERVAL) => false,
            };
            let tls = self.tls.clone();
            let read = tokio::task::spawn_blocking(move || tls.files.read()).await;
            self.consider(read.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())), is_asked);
        }
    }

    fn consider(&mut self, read: Result<Contents, Error>, is_asked: bool) {
        let found = read.as_ref().map(Contents::digest).map_err(ToString::to_string);
        if found == Ok(self.tls.digest()) {
            self.other = None;
            if is_asked {
                tracing::info!("the certificate is the one in use");
            }
            return;
        }
        let sighting = match &mut self.other {
            Some(known) if known.found == found => known,
            other => other.insert(Sighting { found, looks: 0, is_told: false }),
        };
        sighting.looks = sighting.looks.saturating_add(1);
        if sighting.looks < LOOKS_BEFORE_TRIED && !is_asked {
            return;
        }
        match read.and_then(|contents| Pair::checked(&contents, &self.tls.files, now())) {
            Ok(pair) => {
                self.other = None;
                self.tls.replace(pair);
            }
            Err(error) if is_asked || (sighting.looks >= LOOKS_BEFORE_TOLD && !sighting.is_told) => {
                sighting.is_told = true;
                tracing::error!(why = %error, "the new certificate is refused; the one in use stays");
            }
            Err(_) => {}
        }
    }
}
