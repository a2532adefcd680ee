//! Finds mongod and nats-server, and waits for those of an earlier run on the same data.

use super::data::DataDir;
use crate::Environment;
use anyhow::{Context, bail};
use rustix::process::{Pid, Signal};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long one of an earlier run may take to end by itself.
const PREDECESSOR_GRACE: Duration = Duration::from_secs(30);

/// A program: its variable, `COMPTOIR_TOOLS`, `.tools`, PATH; the first that exists.
pub fn find(name: &str, variable: &str, environment: &Environment) -> anyhow::Result<PathBuf> {
    if let Some(chosen) = environment.get(variable).filter(|value| !value.is_empty()) {
        let path = PathBuf::from(chosen);
        if !path.is_file() {
            bail!("{variable}={chosen} is not a file: run `make tools`, or unset {variable}");
        }
        return Ok(path);
    }
    let tools = environment.get("COMPTOIR_TOOLS").map_or_else(|| PathBuf::from(".tools"), PathBuf::from);
    let path = environment.get("PATH").map(String::as_str).unwrap_or_default();
    let found = std::iter::once(tools).chain(std::env::split_paths(path)).map(|directory| directory.join(name));
    match found.into_iter().find(|candidate| candidate.is_file()) {
        Some(program) => Ok(program.canonicalize()?),
        None => bail!("{name} is not there: run `make tools`, or set {variable}"),
    }
}

/// Notes the process id of a child, for [`wait_for_predecessor`] of the next run.
pub fn note_pid(data: &DataDir, name: &str, pid: u32) -> anyhow::Result<()> {
    data.write(&format!("{name}.pid"), &pid.to_string())?;
    Ok(())
}

/// Waits until the one that an earlier run started on this data has ended; SIGKILL when it takes too long.
pub async fn wait_for_predecessor(data: &DataDir, name: &str) -> anyhow::Result<()> {
    let noted = data.read(&format!("{name}.pid"))?;
    let Some(pid) = noted.and_then(|text| text.trim().parse().ok()).and_then(Pid::from_raw) else {
        return Ok(());
    };
    let began = Instant::now();
    let mut killed = false;
    while runs_on(pid, data.path()) {
        // Two servers on one data directory would damage it, so a slow predecessor is ended the hard way.
        if began.elapsed() > PREDECESSOR_GRACE && !killed {
            killed = true;
            rustix::process::kill_process(pid, Signal::KILL).with_context(|| format!("stop the old {name}"))?;
        }
        if began.elapsed() > PREDECESSOR_GRACE * 2 {
            bail!("{name} of an earlier run (process {pid:?}) does not end; end it with `kill -9 {pid:?}`");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Whether `pid` is alive and was started on this directory: a process id alone may have been given to another since.
fn runs_on(pid: Pid, directory: &Path) -> bool {
    let command = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    String::from_utf8_lossy(&command).contains(&*directory.to_string_lossy())
}
