//! The sandbox payment provider as a child: a foreign system, so a process of its own.

use super::{
    data::DataDir,
    values::{Values, variables},
};
use crate::{child::Child, services::SANDBOX_PSP};
use ::settings::INHERITED;
use anyhow::Context;
use std::{
    fs::File,
    os::fd::OwnedFd,
    process::{Command, Stdio},
    time::Duration,
};
use tokio::net::TcpListener;

/// Name of its log.
const LOG: &str = "sandbox-psp.log";

/// How long it may take to end after SIGTERM.
pub const STOP_GRACE: Duration = Duration::from_secs(10);

/// Starts this same program as the provider. It answers on `listener`, which it gets as its standard input: no moment at
/// which the port is free for somebody else.
pub fn start(data: &DataDir, listener: TcpListener, values: &Values) -> anyhow::Result<Child> {
    let log = data.join(LOG);
    let output = File::options().create(true).append(true).open(&log)?;
    let mut command = Command::new(std::env::current_exe().context("find this program")?);
    command.args(["serve", SANDBOX_PSP]);
    for (name, _) in std::env::vars_os() {
        // It refuses variables that are none of its settings.
        if name.to_string_lossy().starts_with("COMPTOIR_") && name != "COMPTOIR_LOG" {
            command.env_remove(name);
        }
    }
    command.envs(variables(values)).env("COMPTOIR_LISTEN", INHERITED);
    // The socket stays open over the start, so a webhook or charge that comes early waits instead of being refused.
    command.stdin(Stdio::from(OwnedFd::from(listener.into_std()?))).stdout(output.try_clone()?).stderr(output);
    Child::spawn(SANDBOX_PSP, command, &log)
}
