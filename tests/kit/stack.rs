//! A whole running system on free ports, with a data directory of its own.

use crate::{
    process::{Process, binary},
    wait::eventually,
};
use anyhow::{Context, ensure};
use comptoir::dev::state::{self, State};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tokio::sync::OnceCell;

pub use comptoir::settings::DEMO_PASSWORD;

/// How long a stack may take to be ready; two cores may run several at once.
const START_LIMIT: Duration = Duration::from_secs(90);

/// How long a stack may take to drain and stop.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Start of the name of a stack's directory; the process id of the test run follows.
const PREFIX: &str = "comptoir-test-";

/// What is different from `comptoir dev`.
#[derive(Debug, Clone, Default)]
pub struct StackOptions {
    /// Services, and "gateway", inside the dev process; all when `None`. Start others with [`Stack::serve`].
    pub services: Option<Vec<String>>,
    /// Life of a stock hold.
    pub hold_seconds: Option<u32>,
    /// Variables of the process.
    pub variables: BTreeMap<String, String>,
}

/// The names of all services but these, and of the gateway.
pub fn all_but(others: &[&str]) -> Vec<String> {
    let all = topology::Topology::get().service.keys().map(String::as_str).chain(["gateway"]);
    all.filter(|name| !others.contains(name)).map(str::to_owned).collect()
}

impl StackOptions {
    /// All services but these in the dev process.
    pub fn without(services: &[&str]) -> Self {
        Self { services: Some(all_but(services)), ..Self::default() }
    }
}

/// A running system.
pub struct Stack {
    options: StackOptions,
    directory: Directory,
    process: Process,
    state: State,
    mongodb: mongodb::Client,
    /// How many have been started beside it.
    processes: AtomicU32,
}

impl Stack {
    /// Starts one and waits until it is ready; panics with the end of its log when it is not.
    pub async fn start(options: StackOptions) -> Self {
        let directory = Directory::new();
        let launched = Self::launch(&options, &directory.0).await;
        let (process, state, mongodb) = launched.unwrap_or_else(|error| panic!("{error:#}"));
        Self { options, directory, process, state, mongodb, processes: AtomicU32::new(0) }
    }

    async fn launch(options: &StackOptions, directory: &Path) -> anyhow::Result<(Process, State, mongodb::Client)> {
        let data = directory.join("data");
        let output = directory.join("output.log");
        // What an earlier run printed must not count.
        std::fs::write(&output, "")?;
        let mut args = vec!["dev".to_owned(), "--data".into(), data.display().to_string()];
        args.extend(["--gateway", "127.0.0.1:0", "--grpc-base-port", "0"].map(str::to_owned));
        if let Some(services) = &options.services {
            args.extend(["--services".to_owned(), services.join(",")]);
        }
        if let Some(seconds) = options.hold_seconds {
            args.extend(["--hold-seconds".to_owned(), seconds.to_string()]);
        }
        let process = Process::spawn(&args, &options.variables, &output)?;
        if let Err(error) = process.printed("ready", START_LIMIT).await {
            return Err(error.context(format!("end of the log:\n{}", log_tail(&data.join("comptoir.log")))));
        }
        let state: State = serde_json::from_slice(&std::fs::read(data.join(state::FILE))?)?;
        let mongodb = mongodb::Client::with_uri_str(&state.mongodb_uri).await?;
        Ok((process, state, mongodb))
    }

    /// The gateway, `http://host:port`.
    pub fn gateway(&self) -> &str {
        &self.state.gateway
    }

    /// gRPC address of a service, `http://host:port`.
    pub fn grpc(&self, service: &str) -> &str {
        &self.state.grpc[service]
    }

    /// Everything else: NATS, process ids, key files.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.directory.0.join("data")
    }

    /// MongoDB as root. Use it in the runtime of the test that started the stack; with [`shared`], use [`Stack::connect`].
    pub fn mongodb(&self) -> &mongodb::Client {
        &self.mongodb
    }

    /// A new MongoDB connection as root.
    pub async fn connect(&self) -> mongodb::Client {
        mongodb::Client::with_uri_str(&self.state.mongodb_uri).await.expect("dev.json has a valid URI")
    }

    /// The database of a service, as root.
    pub fn db(&self, service: &str) -> mongodb::Database {
        self.mongodb.database(topology::Topology::get().database(service).expect("it has a database"))
    }

    /// A NATS client that may do everything.
    pub async fn nats(&self) -> async_nats::Client {
        let (user, password) = (self.state.nats_user.clone(), self.state.nats_password.clone());
        let options = async_nats::ConnectOptions::with_user_and_password(user, password);
        options.connect(&self.state.nats_url).await.expect("nats-server of a ready stack answers")
    }

    /// SIGKILL of the dev process; returns when mongod and nats-server have ended too.
    pub async fn kill(&self) {
        self.process.kill().await;
        self.children_gone().await;
    }

    /// SIGKILL of the dev process, mongod and nats-server at once: what a power cut does to processes.
    pub async fn kill_all(&self) {
        let pids: Vec<String> = self.state.pids.values().map(u32::to_string).collect();
        let killed = std::process::Command::new("kill").arg("-KILL").args(&pids).status();
        assert!(killed.is_ok_and(|status| status.success()), "kill -KILL {pids:?} failed");
        self.process.kill().await;
        self.children_gone().await;
    }

    /// Starts again on the same data, after [`Stack::kill`] or [`Stack::stop`]. Addresses change.
    pub async fn restart(&mut self) {
        let launched = Self::launch(&self.options, &self.directory.0).await;
        (self.process, self.state, self.mongodb) = launched.unwrap_or_else(|error| panic!("restart: {error:#}"));
    }

    /// Like [`Stack::restart`], with these services, and "gateway", in the dev process; start the others with [`Stack::serve`].
    pub async fn restart_with(&mut self, services: Vec<String>) {
        self.options.services = Some(services);
        self.restart().await;
    }

    /// SIGTERM; panics unless it drains and ends with code 0.
    pub async fn stop(&self) {
        self.process.stop(STOP_LIMIT).await.unwrap_or_else(|error| panic!("{error:#}"));
        self.children_gone().await;
    }

    /// Runs `comptoir serve <service>` against this stack's stores: for a service that [`StackOptions::services`] leaves out.
    pub fn serve(&self, service: &str) -> Process {
        self.serve_with(service, &[])
    }

    /// Like [`Stack::serve`], and waits until the service is ready.
    pub async fn serve_ready(&self, service: &str) -> Process {
        let process = self.serve(service);
        eventually(START_LIMIT, || comptoir::healthcheck::grpc(self.grpc(service))).await;
        process
    }

    /// Like [`Stack::serve`], with further variables, for example `COMPTOIR_CRASH_AT`.
    pub fn serve_with(&self, service: &str, more: &[(&str, &str)]) -> Process {
        self.serve_of(&binary(), service, more)
    }

    /// Like [`Stack::serve_with`], of another build.
    pub fn serve_of(&self, program: &Path, service: &str, more: &[(&str, &str)]) -> Process {
        let spawned = self.variables_of(service).and_then(|mut variables| {
            variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            let number = self.processes.fetch_add(1, Ordering::Relaxed);
            let output = self.directory.0.join(format!("{service}-{number}.log"));
            Process::spawn_of(program, &["serve".to_owned(), service.to_owned()], &variables, &output)
        });
        spawned.unwrap_or_else(|error| panic!("serve {service}: {error:#}"))
    }

    /// The variables that [`Stack::serve`] sets.
    pub fn variables_of(&self, service: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let path = self.data().join(format!("serve/{service}.env"));
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    async fn children_gone(&self) {
        let alive = || {
            let pids = self.state.pids.iter();
            pids.filter(|(_, pid)| runs_on(**pid, &self.directory.0)).map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        crate::eventually(STOP_LIMIT, || async {
            let alive = alive();
            ensure!(alive.is_empty(), "{alive:?} still run");
            Ok(())
        })
        .await;
    }
}

/// Whether `pid` runs and was started on this directory; the id may have been given to another process.
fn runs_on(pid: u32, directory: &Path) -> bool {
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&command).contains(&*directory.to_string_lossy())
}

fn log_tail(log: &Path) -> String {
    comptoir::child::log_tail(log, 40)
}

/// Removes what test runs have left that are over: a killed one, a failed one, the shared stack of a good one.
fn sweep() {
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let run = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if run.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // Another run may sweep at the same time.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A temporary directory that goes with the value. Its processes end a moment after; they only lose files.
pub struct Directory(pub PathBuf);

impl Default for Directory {
    fn default() -> Self {
        Self::new()
    }
}

impl Directory {
    /// An empty one.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        if number == 0 {
            sweep();
        }
        let name = format!("{PREFIX}{}-{number}-{:08x}", std::process::id(), rand::random::<u32>());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("the temporary directory can be written");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kept for a look: {}", self.0.display());
        } else {
            // A file that a process is still writing may appear in between; /tmp is cleaned anyway.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// One stack for all tests of this binary that only call the API. It ends with the test run.
pub async fn shared() -> &'static Stack {
    static SHARED: OnceCell<Stack> = OnceCell::const_new();
    SHARED.get_or_init(start_in_its_own_runtime).await
}

/// Each test has a runtime of its own, and what the driver has spawned ends with it. So the shared stack gets one that
/// lives as long as the process.
async fn start_in_its_own_runtime() -> Stack {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.expect("a runtime can be made").block_on(async {
            // The test that asked may have given up; then nobody wants the stack.
            let _ = sender.send(Stack::start(StackOptions::default()).await);
            std::future::pending::<()>().await;
        });
    });
    receiver.await.expect("the shared stack starts; its own panic is above")
}
