//! nats-server as a child: JetStream that syncs before it acknowledges, and one user per service with its own subjects.

use super::{credentials::Credentials, data::DataDir, programs};
use crate::{child::Child, services::GATEWAY};
use anyhow::{Context, bail};
use events::Color;
use serde_json::{Value, json};
use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use topology::Topology;

/// NATS user with all permissions, for tools and tests.
pub const OPERATOR: &str = "operator";

/// How long it may take to listen; it reads its streams first.
const START_LIMIT: Duration = Duration::from_secs(60);

pub struct Nats {
    pub child: Child,
    /// `nats://127.0.0.1:<port>`.
    pub url: String,
}

/// Starts it and waits until a client can use it.
pub async fn start(data: &DataDir, credentials: &Credentials, program: &Path) -> anyhow::Result<Nats> {
    programs::wait_for_predecessor(data, "nats-server").await?;
    let directory = data.directory("nats")?;
    forget_ports(&directory)?;
    let log = data.join("nats-server.log");
    let _ = std::fs::rename(&log, data.join("nats-server.log.1"));
    let config = data.write("nats.conf", &serde_json::to_string_pretty(&config(&directory, &log, credentials))?)?;
    let mut command = Command::new(program);
    command.arg("--config").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = Child::spawn("nats-server", command, &log)?;
    programs::note_pid(data, "nats-server", child.pid())?;
    let url = listening(&child, &directory).await?;
    let options =
        async_nats::ConnectOptions::with_user_and_password(OPERATOR.into(), credentials.nats_operator.clone());
    options.connect(&url).await.with_context(|| format!("connect to nats-server at {url}"))?;
    Ok(Nats { child, url })
}

/// Removes the port files of killed servers: one could carry the process id of ours.
fn forget_ports(directory: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "ports") {
            std::fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Waits for the file in which the server tells the port that it has chosen.
async fn listening(child: &Child, directory: &Path) -> anyhow::Result<String> {
    let path = directory.join(format!("nats-server_{}.ports", child.pid()));
    let began = Instant::now();
    loop {
        if child.exit_status().is_some() || began.elapsed() > START_LIMIT {
            bail!("nats-server did not start: {}", child.end_report());
        }
        let ports: Option<Value> = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        if let Some(url) = ports.as_ref().and_then(|ports| ports["nats"][0].as_str()) {
            return Ok(url.to_owned());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Its configuration; JSON is a subset of its language.
fn config(directory: &Path, log: &Path, credentials: &Credentials) -> Value {
    let mut users = vec![json!({ "user": OPERATOR, "password": credentials.nats_operator })];
    users.push(user(GATEWAY, &credentials.nats_gateway, publish_limits()));
    for (name, service) in &Topology::get().service {
        users.push(user(name, &credentials.services[name].nats, publish(name, &service.consumes)));
    }
    json!({
        "server_name": "comptoir-dev",
        "host": "127.0.0.1",
        // The server chooses a free port and tells it in a file: no port can be lost between a search and its use.
        "port": -1,
        "ports_file_dir": directory,
        "log_file": log,
        "logfile_size_limit": 16 * 1024 * 1024,
        // An acknowledged event survives a power cut; by default the server syncs every two minutes.
        "jetstream": { "store_dir": directory, "sync_interval": "always" },
        "authorization": { "users": users },
    })
}

fn user(name: &str, password: &str, publish: Vec<String>) -> Value {
    let permissions = json!({ "publish": { "allow": publish }, "subscribe": { "allow": subscribe(name) } });
    json!({ "user": name, "password": password, "permissions": permissions })
}

/// What the gateway may publish: rate limits into their bucket, requests about it, and that for the revocations of tokens.
pub fn publish_limits() -> Vec<String> {
    let stream = format!("KV_{}", limit::BUCKET);
    let requests = ["CREATE", "UPDATE", "INFO", "MSG.GET"].map(|verb| format!("$JS.API.STREAM.{verb}.{stream}"));
    let direct = ["", ".>"].map(|rest| format!("$JS.API.DIRECT.GET.{stream}{rest}"));
    let bucket = [format!("$KV.{}.>", limit::BUCKET), "$JS.API.INFO".to_owned()];
    bucket.into_iter().chain(requests).chain(direct).chain([revocations()]).collect()
}

/// The request for a consumer of the revocations of tokens, and of nothing else: the server compares its filter with this subject.
fn revocations() -> String {
    format!("$JS.API.CONSUMER.CREATE.{}.*.{}", topology::stream("users"), revocations::SUBJECT)
}

/// What a service may publish: its own events, requests about its own stream, that for the revocations of tokens, and requests about its own consumers on
/// the streams that it reads, one for each copy of a read model (subjects: JetStream wire API reference).
pub fn publish(name: &str, consumes: &[String]) -> Vec<String> {
    let own = topology::stream(name);
    let mut subjects = vec![topology::subjects(name), "$JS.API.INFO".to_owned(), revocations()];
    for verb in ["CREATE", "UPDATE", "INFO", "MSG.GET"] {
        subjects.push(format!("$JS.API.STREAM.{verb}.{own}"));
    }
    subjects.push(format!("$JS.API.DIRECT.GET.{own}"));
    subjects.push(format!("$JS.API.DIRECT.GET.{own}.>"));
    for source in consumes {
        let stream = topology::stream(source);
        subjects.push(format!("$JS.API.STREAM.INFO.{stream}"));
        for durable in [Color::Blue, Color::Green].map(|color| color.durable(name)) {
            for verb in ["CREATE", "DURABLE.CREATE", "INFO", "MSG.NEXT", "DELETE"] {
                subjects.push(format!("$JS.API.CONSUMER.{verb}.{stream}.{durable}"));
            }
            subjects.push(format!("$JS.API.CONSUMER.CREATE.{stream}.{durable}.>"));
            subjects.push(format!("$JS.ACK.{stream}.{durable}.>"));
        }
    }
    subjects
}

/// What a service may hear: the answers to its own requests.
pub fn subscribe(name: &str) -> Vec<String> {
    vec![format!("_INBOX_{name}.>")]
}
