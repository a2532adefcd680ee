//! Labelled places at which a test kills or stops the process: `COMPTOIR_CRASH_AT=relay.appended:3` is SIGKILL at the
//! third pass, `COMPTOIR_CRASH_AT=relay.appended:3:stop` SIGSTOP.
//!
//! Release builds have none of this.

/// Ends or stops this process when a test asked for it at `label`.
#[cfg(debug_assertions)]
pub fn crash_point(label: &str) {
    use rustix::{
        process::{Signal, kill_process},
        thread::gettid,
    };
    use std::sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    };
    static WANTED: LazyLock<Option<(String, u32, Signal)>> = LazyLock::new(|| {
        let variable = std::env::var("COMPTOIR_CRASH_AT").ok()?;
        let mut parts = variable.split(':');
        let label = parts.next()?.to_owned();
        let pass = parts.next().and_then(|pass| pass.parse().ok()).unwrap_or(1);
        let signal = if parts.next() == Some("stop") { Signal::STOP } else { Signal::KILL };
        Some((label, pass, signal))
    });
    static PASSES: AtomicU32 = AtomicU32::new(0);
    let Some((wanted, pass, signal)) = WANTED.as_ref() else { return };
    if wanted == label && PASSES.fetch_add(1, Ordering::Relaxed) + 1 == *pass {
        // By the id of this thread, so that Linux has this thread take the signal and no instruction of it follows. Sent
        // to the id of the process SIGSTOP is for the main thread: until that one is scheduled, this one runs on.
        let sent = kill_process(gettid(), *signal);
        assert!(sent.is_ok() && *signal == Signal::STOP, "SIGKILL does not return: {sent:?}");
    }
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
pub fn crash_point(_label: &str) {}
