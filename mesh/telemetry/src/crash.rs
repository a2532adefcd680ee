//! Labelled places at which a test kills the process: `COMPTOIR_CRASH_AT=relay.appended:3` is SIGKILL at the third pass.
//!
//! Release builds have none of this.

/// Ends this process when a test asked for it at `label`.
#[cfg(debug_assertions)]
pub fn crash_point(label: &str) {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    };
    static WANTED: LazyLock<Option<(String, u32)>> = LazyLock::new(|| {
        let variable = std::env::var("COMPTOIR_CRASH_AT").ok()?;
        let (label, pass) = variable.split_once(':').unwrap_or((&variable, "1"));
        Some((label.to_owned(), pass.parse().unwrap_or(1)))
    });
    static PASSES: AtomicU32 = AtomicU32::new(0);
    let Some((wanted, pass)) = WANTED.as_ref() else { return };
    if wanted == label && PASSES.fetch_add(1, Ordering::Relaxed) + 1 == *pass {
        let killed = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        unreachable!("SIGKILL does not return: {killed:?}");
    }
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
pub fn crash_point(_label: &str) {}
