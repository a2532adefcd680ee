//! The gateway before services of others: the real binary, tonic servers, contracts that are compiled here.

pub(super) mod dam;
mod given_up;
pub(super) mod library;
mod reflection;
mod reload;
mod served;
mod split;
mod streams;
mod under_way;
mod unreachable;

use anyhow::{Context as _, ensure};
use kit::{Client, Directory, Process, eventually};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

pub(super) const WAIT: Duration = Duration::from_secs(20);

const LIBRARY: &str = include_str!("foreign/library.proto");

/// The descriptors of one file `NAME.proto` and of all that it imports.
pub(super) fn compiled(directory: &Path, name: &str, text: &str) -> Vec<u8> {
    let file = format!("{name}.proto");
    std::fs::write(directory.join(&file), text).expect("the directory can be written");
    let folders = [directory.to_owned(), kit::root().join("proto")];
    let mut compiler = protox::Compiler::new(folders).expect("the folders are there");
    compiler.include_imports(true).include_source_info(true).open_file(&file).expect("it compiles");
    compiler.encode_file_descriptor_set()
}

/// The descriptors of the library, with what `change` makes of its text.
pub(super) fn library_set(directory: &Path, change: impl FnOnce(String) -> String) -> Vec<u8> {
    compiled(directory, "library", &change(LIBRARY.to_owned()))
}

/// Puts another file in the place of `path`, whole.
pub(super) fn replace(path: &Path, content: &[u8]) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, content).expect("the directory can be written");
    std::fs::rename(beside, path).expect("it takes the place");
}

/// A running gateway with a directory of its own.
pub(super) struct Gateway {
    pub(super) process: Process,
    pub(super) uri: String,
    pub(super) directory: Directory,
}

impl Gateway {
    /// Starts it without a schema of its own: `arguments` tell one.
    pub(super) async fn start(directory: Directory, arguments: &[&str]) -> Self {
        let gateway = Self::spawn(directory, arguments).await;
        gateway.ready().await;
        gateway
    }

    /// Like [`Gateway::start`], but does not wait until it is ready.
    pub(super) async fn spawn(directory: Directory, arguments: &[&str]) -> Self {
        Self::spawn_with(directory, arguments, &BTreeMap::new()).await
    }

    /// Like [`Gateway::spawn`], with variables.
    pub(super) async fn spawn_with(
        directory: Directory,
        arguments: &[&str],
        variables: &BTreeMap<String, String>,
    ) -> Self {
        let arguments = ["serve", "gateway", "--listen", "127.0.0.1:0"].iter().chain(arguments);
        let arguments: Vec<String> = arguments.map(|argument| (*argument).to_owned()).collect();
        let output = directory.0.join("gateway.log");
        let process = Process::spawn(&arguments, variables, &output).expect("the binary starts");
        let uri = eventually(WAIT, || async {
            let address = lines(&process).into_iter().find_map(|line| Some(line["address"].as_str()?.to_owned()));
            ensure!(process.is_running(), "it ended: {}", process.tail(5));
            Ok(format!("http://{}", address.context("it does not listen yet")?))
        })
        .await;
        Gateway { process, uri, directory }
    }

    /// With the library's descriptors in `library.binpb`, and an upstream for them.
    pub(super) async fn of_library(upstream: &str, arguments: &[&str]) -> Self {
        let gateway = Self::of_absent_library(upstream, arguments).await;
        gateway.ready().await;
        gateway
    }

    /// Like [`Gateway::of_library`], but does not wait until it is ready.
    async fn of_absent_library(upstream: &str, arguments: &[&str]) -> Self {
        let directory = Directory::new();
        let file = directory.0.join("library.binpb");
        std::fs::write(&file, library_set(&directory.0, |text| text)).expect("the directory can be written");
        let (file, upstream) = (file.display().to_string(), format!("acme.library.v1={upstream}"));
        let arguments = [&["--descriptors", &file, "--upstream", &upstream], arguments].concat();
        Self::spawn(directory, &arguments).await
    }

    pub(super) async fn ready(&self) {
        eventually(WAIT, || async {
            ensure!(self.process.is_running(), "it ended: {}", self.process.tail(5));
            let reply = self.client().get("/readyz").await;
            ensure!(reply.status == 200, "{reply:?}");
            Ok(())
        })
        .await;
    }

    pub(super) fn client(&self) -> Client {
        Client::at(&self.uri)
    }

    pub(super) fn file(&self) -> PathBuf {
        self.directory.0.join("library.binpb")
    }

    pub(super) fn hangup(&self) {
        let id = i32::try_from(self.process.pid()).expect("a process id");
        let id = rustix::process::Pid::from_raw(id).expect("a process id");
        rustix::process::kill_process(id, rustix::process::Signal::HUP).expect("it runs");
    }

    /// How often the log has this text.
    pub(super) fn count(&self, text: &str) -> usize {
        self.process.output().lines().filter(|line| line.contains(text)).count()
    }

    /// Waits until the log has this text so often.
    pub(super) async fn logged(&self, text: &str, count: usize) {
        eventually(WAIT, || async {
            ensure!(self.count(text) >= count, "{text:?} is not logged {count} times:\n{}", self.process.tail(20));
            Ok(())
        })
        .await;
    }
}

/// The lines of a log.
pub(super) fn lines(process: &Process) -> Vec<Value> {
    process.output().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
