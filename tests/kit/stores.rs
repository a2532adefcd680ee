//! mongod and nats-server alone, as `comptoir dev` starts them: to be killed, rolled back and restarted under services
//! that run as processes of their own. Ports stay the same over restarts.

use crate::{process::Process, stack::Directory, wait::eventually};
use anyhow::Context;
use comptoir::{
    child::Child,
    dev::{
        Options,
        credentials::Credentials,
        data::DataDir,
        keys::Keys,
        mongod::{self, Mongod},
        nats::{self, Nats},
        programs, stores,
        system::System,
        values,
    },
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tokio::sync::Mutex;

/// How long a store may take to answer again after a kill.
const RESTART_LIMIT: Duration = Duration::from_secs(60);

/// Ports of services that are killed and started again: below those that the kernel gives to connections, so that no
/// other process has taken one in between.
const PORTS: std::ops::Range<u16> = 18_000..32_000;

/// Ports of one system: the services, the gateway, and as the last the one whose listener keeps all of them from others
/// who look for ports in this way.
const PORTS_OF_ONE: u16 = 32;

/// Running stores.
pub struct Stores {
    mongod: Mutex<Mongod>,
    nats: Mutex<Nats>,
    mongodb: mongodb::Client,
    mongodb_uri: String,
    nats_url: String,
    credentials: Credentials,
    oplog: &'static [&'static str],
    processes: AtomicU32,
    /// Kept from others while this lives.
    _ports: TcpListener,
    gateway: String,
    data: DataDir,
    directory: Directory,
}

impl Stores {
    /// Starts both; panics when they do not start.
    pub async fn start() -> Self {
        Self::with_oplog(mongod::OPLOG).await
    }

    /// Like [`Stores::start`], with mongod's options about its oplog.
    pub async fn with_oplog(oplog: &'static [&'static str]) -> Self {
        Self::launch(oplog).await.unwrap_or_else(|error| panic!("{error:#}"))
    }

    async fn launch(oplog: &'static [&'static str]) -> anyhow::Result<Self> {
        let directory = Directory::new();
        let data = DataDir::open(&directory.0.join("data"))?;
        let credentials = Credentials::open(&data)?;
        let (mongod_program, nats_program) = (program("mongod")?, program("nats-server")?);
        let (mongod, nats) = tokio::try_join!(
            mongod::start(&data, &credentials, &mongod_program, oplog),
            nats::start(&data, &credentials, &nats_program),
        )?;
        let (base, ports) = free_ports();
        let options = Options {
            gateway: ([127, 0, 0, 1], base + PORTS_OF_ONE - 2).into(),
            data: data.path().to_owned(),
            ephemeral: false,
            grpc_base_port: base,
            services: Some(Vec::new()),
            hold_seconds: None,
        };
        let (mongodb_uri, nats_url) = (mongod.root_uri.clone(), nats.url.clone());
        let started = stores::Stores { mongod, nats };
        let system = System::bind(&options, credentials, Keys::open(&data)?, &data).await?;
        values::write_env_files(&data, &system, &started)?;
        let mongodb = mongodb::Client::with_uri_str(&mongodb_uri).await?;
        Ok(Self {
            mongod: Mutex::new(started.mongod),
            nats: Mutex::new(started.nats),
            mongodb,
            mongodb_uri,
            nats_url,
            gateway: system.gateway.uri(),
            credentials: system.credentials,
            oplog,
            processes: AtomicU32::new(0),
            _ports: ports,
            data,
            directory,
        })
    }

    /// Connection string of MongoDB's root.
    pub fn mongodb_uri(&self) -> &str {
        &self.mongodb_uri
    }

    /// MongoDB as root.
    pub fn mongodb(&self) -> &mongodb::Client {
        &self.mongodb
    }

    /// The database of a service, as root, with the concerns and limits that services use.
    pub async fn db(&self, service: &str) -> store::Database {
        let database = topology::Topology::get().database(service).expect("it has a database");
        store::connect(&self.mongodb_uri, database, "test").await.expect("the URI is valid")
    }

    /// A new connection to NATS that may do everything.
    pub async fn nats(&self) -> anyhow::Result<async_nats::Client> {
        let password = self.credentials.nats_operator.clone();
        let options = async_nats::ConnectOptions::with_user_and_password(nats::OPERATOR.into(), password);
        Ok(options.connect(&self.nats_url).await?)
    }

    /// A connection to NATS as services have it.
    pub async fn broker(&self) -> Result<events::Nats, events::Error> {
        events::connect(&self.nats_url, "test", (nats::OPERATOR, &self.credentials.nats_operator), true).await
    }

    /// The gateway, when it runs: `http://host:port`.
    pub fn gateway(&self) -> &str {
        &self.gateway
    }

    /// The data directory: keys, and the variables of each service.
    pub fn data(&self) -> &std::path::Path {
        self.data.path()
    }

    /// What names these stores to `comptoir verify`.
    pub fn verify_arguments(&self) -> [String; 8] {
        let pairs = [
            ("--mongodb-uri", self.mongodb_uri.as_str()),
            ("--nats-url", self.nats_url.as_str()),
            ("--nats-user", nats::OPERATOR),
            ("--nats-password", self.credentials.nats_operator.as_str()),
        ];
        let [a, b, c, d] = pairs.map(|(flag, value)| [flag.to_owned(), value.to_owned()]);
        let ([a, aa], [b, bb], [c, cc], [d, dd]) = (a, b, c, d);
        [a, aa, b, bb, c, cc, d, dd]
    }

    /// Runs `comptoir serve <service>` on a free port, with further variables.
    pub fn serve(&self, service: &str, more: &[(&str, &str)]) -> Process {
        let webhooks = (service == "payments").then_some(("COMPTOIR_WEBHOOK_LISTEN", "127.0.0.1:0"));
        let free = [("COMPTOIR_LISTEN", "127.0.0.1:0")].into_iter().chain(webhooks);
        let more: Vec<(&str, &str)> = free.chain(more.iter().copied()).collect();
        self.serve_at_its_address(service, &more)
    }

    /// Runs `comptoir serve <service>` at the address where its peers expect it.
    pub fn serve_at_its_address(&self, service: &str, more: &[(&str, &str)]) -> Process {
        let number = self.processes.fetch_add(1, Ordering::Relaxed);
        let output = self.directory.0.join(format!("{service}-{number}.log"));
        let path = self.data.join(&format!("serve/{service}.env"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let own = text.lines().filter_map(|line| line.split_once('='));
        let variables = own.chain(more.iter().copied());
        let variables: BTreeMap<String, String> =
            variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Process::spawn(&["serve".to_owned(), service.to_owned()], &variables, &output)
            .unwrap_or_else(|error| panic!("serve {service}: {error:#}"))
    }

    /// SIGKILL of mongod.
    pub async fn kill_mongod(&self) {
        self.mongod.lock().await.child.kill().await;
    }

    /// Starts mongod again on its data and port, after [`Stores::kill_mongod`].
    pub async fn restart_mongod(&self) {
        let mut mongod = self.mongod.lock().await;
        let started = async { mongod::start(&self.data, &self.credentials, &program("mongod")?, self.oplog).await };
        *mongod = started.await.unwrap_or_else(|error| panic!("mongod again: {error:#}"));
    }

    /// SIGKILL of nats-server.
    pub async fn kill_nats(&self) {
        self.nats.lock().await.child.kill().await;
    }

    /// Starts nats-server again on its data and port, after [`Stores::kill_nats`].
    pub async fn restart_nats(&self) {
        let child = self.launch_nats().unwrap_or_else(|error| panic!("nats-server again: {error:#}"));
        self.nats.lock().await.child = child;
        eventually(RESTART_LIMIT, || async {
            let nats = async_nats::jetstream::new(self.nats().await?);
            Ok(nats.query_account().await?)
        })
        .await;
    }

    /// `nats::start` wrote the configuration with any free port; services know the one that it got.
    fn launch_nats(&self) -> anyhow::Result<Child> {
        let text = self.data.read("nats.conf")?.context("nats-server was started before")?;
        let mut config: Value = serde_json::from_str(&text)?;
        let port = self.nats_url.rsplit_once(':').context("the URL has a port")?.1;
        config["port"] = json!(port.parse::<u16>()?);
        let config = self.data.write("nats.conf", &config.to_string())?;
        let mut command = Command::new(program("nats-server")?);
        command.arg("--config").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Child::spawn("nats-server", command, &self.data.join("nats-server.log"))
    }

    /// Has nats-server take messages of at most `bytes`, from now on and over restarts, without a restart.
    pub async fn limit_nats(&self, bytes: usize) {
        limit_nats(self.data.path(), self.nats.lock().await.child.pid(), bytes);
        eventually(RESTART_LIMIT, || async {
            let told = self.nats().await?.server_info().max_payload;
            anyhow::ensure!(told == bytes, "nats-server takes {told} bytes");
            Ok(())
        })
        .await;
    }

    /// Copies the files of a killed nats-server.
    pub fn copy_nats_files(&self) {
        copy(&self.data.join("nats"), &self.directory.0.join("nats-copy"));
    }

    /// Puts the copy in the place of the files of a killed nats-server.
    pub fn roll_nats_files_back(&self) {
        copy(&self.directory.0.join("nats-copy"), &self.data.join("nats"));
    }
}

/// Writes the limit into the configuration of the nats-server of a data directory, which then reads it again.
pub fn limit_nats(data: &std::path::Path, pid: u32, bytes: usize) {
    let path = data.join("nats.conf");
    let text = std::fs::read_to_string(&path).expect("nats-server was started");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    config["max_payload"] = json!(bytes);
    std::fs::write(&path, config.to_string()).expect("the data directory can be written");
    let reload = Command::new("kill").args(["-HUP", &pid.to_string()]).status();
    assert!(reload.is_ok_and(|status| status.success()), "nats-server takes the signal");
}

/// The first of the ports of one system, which nobody else listens on or has kept, and what keeps them.
fn free_ports() -> (u16, TcpListener) {
    let bind = |port: u16| TcpListener::bind(("127.0.0.1", port));
    let systems = 0..(PORTS.end - PORTS.start) / PORTS_OF_ONE;
    let bases = std::iter::repeat_with(|| PORTS.start + rand::random_range(systems.clone()) * PORTS_OF_ONE).take(1000);
    let mut free = bases.filter_map(|base| {
        let keeper = bind(base + PORTS_OF_ONE - 1).ok()?;
        (base..base + PORTS_OF_ONE - 1).all(|port| bind(port).is_ok()).then_some((base, keeper))
    });
    free.next().expect("some ports of this machine are free")
}

fn program(name: &str) -> anyhow::Result<PathBuf> {
    let variable = format!("{}_BIN", name.to_uppercase().replace('-', "_"));
    let mut environment: comptoir::Environment = std::env::vars().collect();
    let tools = crate::process::root().join(".tools").display().to_string();
    environment.entry("COMPTOIR_TOOLS".into()).or_insert(tools);
    programs::find(name, &variable, &environment)
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    let _ = std::fs::remove_dir_all(to); // absent before the first copy
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.is_ok_and(|status| status.success()), "cp -a {} {} failed", from.display(), to.display());
}
