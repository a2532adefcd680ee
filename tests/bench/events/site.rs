//! A database and a stream that one measurement has to itself, and a relay for them.

use crate::usage::Usage;
use anyhow::{Context, ensure};
use comptoir::{child::Child, dev::state::State};
use contracts::id::Kind;
use events::{Nats, Relay, Source};
use kit::Stack;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};
use store::Database;
use store::{Documents, NewEvent, Time};
use tokio_util::sync::CancellationToken;

/// How long the relay may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// Bytes of an event's message; those of the shop have 60 to 300.
const EVENT_BYTES: usize = 200;

/// An aggregate about as large as a product.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Item {
    /// About as long as a name and a description.
    pub text: String,
    /// Changes with each write.
    pub number: i64,
    /// Changes with each write.
    pub updated_at: Time,
}

impl store::Aggregate for Item {
    const COLLECTION: &'static str = "items";
    const NOUN: &'static str = "item";
}

impl Item {
    /// The `number`-th state.
    pub fn of(number: i64) -> Self {
        Self { text: "x".repeat(160), number, updated_at: store::now() }
    }
}

/// An event of the usual size.
pub fn event() -> NewEvent {
    NewEvent {
        name: "changed".into(),
        r#type: "comptoir.bench.v1.ItemChanged".into(),
        data: vec![7; EVENT_BYTES],
        actor: None,
    }
}

/// A new identifier.
pub fn id() -> String {
    Kind::Product.new_id()
}

/// A place for one measurement.
pub struct Site {
    /// Name of its service.
    pub name: String,
    /// Its database.
    pub database: Database,
    /// Its documents.
    pub items: Documents<Item>,
    /// The broker.
    pub nats: Nats,
    data: PathBuf,
    pids: BTreeMap<String, u32>,
}

impl Site {
    /// An empty one.
    pub async fn new(stack: &Stack, name: &str) -> anyhow::Result<Self> {
        let data = stack.data();
        let name = format!("bench-{name}");
        let (database, nats) = connect(stack.state(), &name).await?;
        let items = Documents::new(&database);
        Ok(Self { name, database, items, nats, data, pids: stack.state().pids.clone() })
    }

    /// The stream's last sequence; 0 while there is no stream.
    pub async fn published(&self) -> usize {
        match self.nats.jetstream.get_stream(topology::stream(&self.name)).await {
            Ok(stream) => usize::try_from(stream.cached_info().state.last_sequence).unwrap_or(usize::MAX),
            Err(_) => 0,
        }
    }

    /// Waits until the stream has `events`.
    pub async fn wait_published(&self, events: usize, limit: Duration) -> anyhow::Result<()> {
        let waited = tokio::time::timeout(limit, async {
            while self.published().await < events {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let in_time = waited.await.is_ok();
        ensure!(in_time, "{} of {events} events were published in {limit:?}", self.published().await);
        Ok(())
    }

    /// Starts the relay in a process of its own.
    pub fn start_relay(&self) -> anyhow::Result<Child> {
        let log = self.data.join(format!("{}.log", self.name));
        let output = std::fs::File::options().create(true).append(true).open(&log)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("relay").arg(self.data.join(comptoir::dev::state::FILE)).arg(&self.name);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        Child::spawn("relay", command, &log)
    }

    /// Stops it.
    pub async fn stop_relay(&self, relay: Child) -> anyhow::Result<()> {
        ensure!(relay.stop(GRACE).await, "the relay did not stop: {}", relay.end_report());
        Ok(())
    }

    /// CPU that the stores, the relay and, when `with_self`, this process have used.
    pub fn usage(&self, relay: &Child, with_self: bool) -> Usage {
        let stores = self.pids.iter().filter(|(name, _)| *name != "comptoir");
        let stores = stores.map(|(name, pid)| (name.as_str(), *pid));
        let own = with_self.then(|| ("writer+consumer", std::process::id()));
        Usage::of(stores.chain([("relay", relay.pid())]).chain(own))
    }
}

async fn connect(state: &State, name: &str) -> anyhow::Result<(Database, Nats)> {
    let database = store::connect(&state.mongodb_uri, &name.replace('-', "_"), "bench-events").await?;
    let nats = events::connect(&state.nats_url, name, (&state.nats_user, &state.nats_password), true).await?;
    Ok((database, nats))
}

/// The relay's process: relays the items of site `name` until SIGTERM.
pub async fn run_relay(state: &Path, name: &str) -> anyhow::Result<()> {
    let _telemetry = telemetry::init(telemetry::Config {
        service: name.to_owned(),
        format: telemetry::Format::Pretty,
        filter: "info".to_owned(),
        file: None,
        otlp_endpoint: None,
    })?;
    let state: State = serde_json::from_slice(&std::fs::read(state).context("the state of the stack")?)?;
    let (database, nats) = connect(&state, name).await?;
    let source = Source {
        service: name.to_owned(),
        aggregates: [("items".to_owned(), "item".to_owned())].into(),
        removes: [].into(),
    };
    let shutdown = CancellationToken::new();
    let relay = Relay { database, nats, source, replicas: 1, owner: format!("bench-{}", std::process::id()) };
    let running = tokio::spawn(relay.run(shutdown.clone()));
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?.recv().await;
    shutdown.cancel();
    running.await?;
    Ok(())
}
