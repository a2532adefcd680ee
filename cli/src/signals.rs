//! SIGINT and SIGTERM as a token: the first asks for a drain, a later one ends the process at once. SIGHUP, where it means
//! something else than the end.

use anyhow::Context;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code of a process that was told twice to stop: 128 + SIGINT.
const EXIT_INTERRUPTED: i32 = 130;

/// Signals this soon after the first are the same request: Linux sends the parent-death signal once for each thread of
/// a parent that dies.
const SAME_REQUEST: Duration = Duration::from_secs(1);

/// A token that the first SIGINT or SIGTERM cancels. Children of this process end with it (see `child`).
pub fn shutdown() -> anyhow::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        next(&mut interrupt, &mut terminate).await;
        cancelled.cancel();
        let first = Instant::now();
        while first.elapsed() < SAME_REQUEST {
            next(&mut interrupt, &mut terminate).await;
        }
        // Whoever asks twice does not want to wait for the drain.
        std::process::exit(EXIT_INTERRUPTED);
    });
    Ok(token)
}

/// From now on SIGHUP does not end this process.
pub fn survive_hangup() -> anyhow::Result<()> {
    // tokio never gives a signal back to the system, also when nobody listens any more.
    signal(SignalKind::hangup()).context("listen for SIGHUP").map(drop)
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
