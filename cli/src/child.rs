//! A child process that cannot outlive this one.
//!
//! Linux sends the death signal (PR_SET_PDEATHSIG, prctl(2)) when the *thread* that spawned the child ends. So each
//! child has a thread of its own, which spawns it and then waits for it: it lives exactly as long as the child. The
//! child leads its own process group, so that Ctrl-C in the terminal reaches only us, and we stop it in our order.

use anyhow::{Context, anyhow};
use rustix::process::{Pid, Signal};
use std::{
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    sync::mpsc,
    time::Duration,
};
use tokio::sync::watch;

/// How long SIGKILL may take to show.
const KILL_GRACE: Duration = Duration::from_secs(10);

/// A running, or ended, child. Dropping it asks it to stop.
#[derive(Debug)]
pub struct Child {
    name: String,
    pid: Pid,
    log: PathBuf,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Child {
    /// Spawns `command`. `log` is the file that a report on its end quotes; it may be absent.
    pub fn spawn(name: &str, mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let parent = rustix::process::getpid();
        // Ctrl-C reaches the process group of the terminal, and would stop the stores before the services that still
        // write.
        command.process_group(0);
        // SAFETY: between fork and exec this makes two system calls and neither allocates nor locks.
        unsafe { command.pre_exec(move || end_with(parent)) };
        let program = command.get_program().to_owned();
        let (started, start) = mpsc::sync_channel(1);
        let (ended, exit) = watch::channel(None);
        std::thread::Builder::new()
            .name(format!("child {name}"))
            .spawn(move || live(command, &started, &ended))
            .with_context(|| format!("start a thread for {name}"))?;
        let spawned = start.recv().map_err(|_| anyhow!("the thread of {name} ended early"))?;
        let id = spawned.with_context(|| format!("start {name} ({})", program.display()))?;
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw).context("a process id fits a pid")?;
        Ok(Self { name: name.to_owned(), pid, log: log.to_owned(), exit })
    }

    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// How it ended, if it has.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Waits until it has ended; `None` when that cannot be known.
    pub async fn exited(&self) -> Option<ExitStatus> {
        let mut exit = self.exit.clone();
        exit.wait_for(Option::is_some).await.ok().and_then(|status| *status)
    }

    /// Sends a signal; nothing happens when it has ended.
    pub fn signal(&self, signal: Signal) {
        if self.exit_status().is_none() {
            // It may end in between: then there is nobody left to tell.
            let _ = rustix::process::kill_process(self.pid, signal);
        }
    }

    /// SIGTERM, a bounded wait, then SIGKILL. True when SIGTERM was enough.
    pub async fn stop(&self, grace: Duration) -> bool {
        self.signal(Signal::TERM);
        if tokio::time::timeout(grace, self.exited()).await.is_ok() {
            return true;
        }
        self.kill().await;
        false
    }

    /// SIGKILL, and a bounded wait for its end.
    pub async fn kill(&self) {
        self.signal(Signal::KILL);
        // A process in uninterruptible sleep may take longer; waiting on would not help it.
        let _ = tokio::time::timeout(KILL_GRACE, self.exited()).await;
    }

    /// What to tell when it ended by itself: how, and the last lines of its log.
    pub fn end_report(&self) -> String {
        let how =
            self.exit_status().map_or_else(|| "is still running".to_owned(), |status| format!("ended ({status})"));
        format!("{} {how}; end of {}:\n{}", self.name, self.log.display(), log_tail(&self.log, 12))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
    }
}

/// The last `lines` lines of a log, indented.
pub fn log_tail(log: &Path, lines: usize) -> String {
    let text = std::fs::read(log).map_or_else(
        |error| format!("({error})"),
        |bytes| String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(64 * 1024)..]).into_owned(),
    );
    let all: Vec<&str> = text.lines().collect();
    let tail = &all[all.len().saturating_sub(lines)..];
    tail.iter().map(|line| format!("  | {line}")).collect::<Vec<_>>().join("\n")
}

/// Runs in the child before exec: ask for SIGTERM at the parent's death, and end if it came before that.
fn end_with(parent: Pid) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
    // A parent that died between the fork and the line above sends no signal any more.
    if rustix::process::getppid() == Some(parent) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
}

/// The child's thread: spawn, report, wait.
fn live(mut command: Command, started: &mpsc::SyncSender<io::Result<u32>>, ended: &watch::Sender<Option<ExitStatus>>) {
    match command.spawn() {
        Ok(mut child) => {
            // The receiver waits for exactly this message.
            let _ = started.send(Ok(child.id()));
            if let Ok(status) = child.wait() {
                ended.send_replace(Some(status));
            }
        }
        Err(error) => {
            let _ = started.send(Err(error));
        }
    }
}
