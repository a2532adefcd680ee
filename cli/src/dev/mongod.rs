//! mongod as a child: a replica set of one with access control, and one user per service in that service's database.

use super::{credentials::Credentials, data::DataDir, mongod_setup, ports, programs};
use crate::child::Child;
use anyhow::bail;
use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Name of its log.
const LOG: &str = "mongod.log";

/// How long it may take to listen; after a crash it replays its journal first.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Ports to try when one is taken between finding and using it.
const PORT_ATTEMPTS: usize = 5;

/// Its oplog, in MB, unless a test wants one that rolls over.
pub const OPLOG: &[&str] = &["--oplogSize", "512"];

/// Exit code of mongod when it cannot use its address (MongoDB manual, "Exit Codes and Statuses").
const EXIT_ADDRESS_IN_USE: i32 = 48;

pub struct Mongod {
    pub child: Child,
    /// Its port on 127.0.0.1.
    pub port: u16,
    pub root_uri: String,
}

impl Mongod {
    /// Connection string of a service's own user, who can open `database` only.
    pub fn service_uri(&self, user: &str, password: &str, database: &str) -> String {
        format!(
            "mongodb://{user}:{password}@127.0.0.1:{}/{database}?authSource={database}&replicaSet={}",
            self.port,
            mongod_setup::REPLICA_SET
        )
    }
}

/// Starts it, on the first start makes the replica set and `root`, and on every start the services' users.
pub async fn start(
    data: &DataDir,
    credentials: &Credentials,
    program: &Path,
    oplog: &[&str],
) -> anyhow::Result<Mongod> {
    programs::wait_for_predecessor(data, "mongod").await?;
    let key_file = data.write("mongod.key", &credentials.mongodb_key_file)?;
    data.directory("mongodb")?;
    let recorded = data.read("mongod.port")?.and_then(|text| text.trim().parse().ok());
    let mut port = match recorded {
        Some(port) => port,
        None => ports::free()?,
    };
    for _ in 0..PORT_ATTEMPTS {
        data.write("mongod.port", &port.to_string())?;
        if let Some(child) = launch(data, command(data, program, &key_file, port, oplog)).await? {
            let root_uri = mongod_setup::prepare(port, credentials, &child).await?;
            return Ok(Mongod { child, port, root_uri });
        }
        // The replica set names its member by address, so the recorded port is kept until it is taken.
        port = ports::free()?;
    }
    bail!("mongod found {PORT_ATTEMPTS} ports taken; end what takes ports on 127.0.0.1, then start again")
}

/// Spawns it and waits until it listens; `None` when the port is taken.
async fn launch(data: &DataDir, command: Command) -> anyhow::Result<Option<Child>> {
    let log = data.join(LOG);
    // The log of an earlier run would say too early that mongod listens.
    let _ = std::fs::rename(&log, data.join("mongod.log.1"));
    let child = Child::spawn("mongod", command, &log)?;
    programs::note_pid(data, "mongod", child.pid())?;
    let began = Instant::now();
    loop {
        if let Some(status) = child.exit_status() {
            if status.code() == Some(EXIT_ADDRESS_IN_USE) {
                return Ok(None);
            }
            bail!("mongod did not start: {}", child.end_report());
        }
        if listens(&log) {
            return Ok(Some(child));
        }
        if began.elapsed() > START_LIMIT {
            bail!("mongod does not listen after {} s: {}", START_LIMIT.as_secs(), child.end_report());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether its log says so. An open port alone could be that of another process.
fn listens(log: &Path) -> bool {
    std::fs::read_to_string(log).is_ok_and(|text| text.contains("\"Waiting for connections\""))
}

fn command(data: &DataDir, program: &Path, key_file: &Path, port: u16, oplog: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .arg("--dbpath")
        .arg(data.join("mongodb"))
        .arg("--logpath")
        .arg(data.join(LOG))
        .arg("--keyFile")
        .arg(key_file)
        .args(["--auth", "--bind_ip", "127.0.0.1", "--nounixsocket", "--quiet"])
        .args(["--port", &port.to_string(), "--replSet", mongod_setup::REPLICA_SET])
        .args(["--wiredTigerCacheSizeGB", "0.5"])
        .args(oplog)
        // Not 300 MB of empty journal for each new directory.
        .args(["--wiredTigerEngineConfigString", "log=(file_max=32MB,prealloc=false)"])
        // Nobody is there to take over: do not wait for an election on SIGTERM.
        .args(["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"])
        .args(["--setParameter", "diagnosticDataCollectionEnabled=false"])
        // What it logs of a slow operation has the values of it, personal data too.
        .args(["--slowOpSampleRate", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
