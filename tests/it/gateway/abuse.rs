//! Callers who mean harm, at the real binary before a service: others are served all the while, who is slow is sent away, and
//! the memory that they took comes back.

mod headers;
mod idle;
mod reset;
mod slow;
mod unread;

use super::foreign::{
    Gateway,
    library::{Running, library},
};
use anyhow::ensure;
use kit::{Client, eventually, reply};
use reqwest::Method;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{sync::Once, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// How long anything may take that takes a moment on a machine with nothing else to do.
const WAIT: Duration = Duration::from_secs(60);

/// What may be left of an attack: the allocator keeps some pages of each thread, and tables keep their size.
const LEFT_MIB: u64 = 24;

const BOOK: &str = "/v1/shelves/s1/books/b1";

/// A gateway that is attacked, and a caller who asks it for a book all the while.
struct Attacked {
    gateway: Gateway,
    _library: Running,
    before: Memory,
    over: CancellationToken,
    other: JoinHandle<usize>,
}

impl Attacked {
    /// Starts a gateway with these arguments beside those of the library.
    async fn start(arguments: &[&str]) -> Self {
        raise_open_files();
        let acme = library("acme").await;
        let arguments = [&["--default-access", "public"], arguments].concat();
        let gateway = Gateway::of_library(&acme.uri, &arguments).await;
        for _ in 0..100 {
            gateway.client().get(BOOK).await.expect(200);
        }
        let before = Memory::of(gateway.process.pid());
        let over = CancellationToken::new();
        let other = tokio::spawn(ask(gateway.client(), over.clone()));
        Self { gateway, _library: acme, before, over, other }
    }

    fn address(&self) -> String {
        self.gateway.uri.trim_start_matches("http://").to_owned()
    }

    async fn connect(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address()).await.expect("the port is open");
        stream.write_all(bytes).await.expect("the first bytes are taken");
        stream
    }

    /// The attack is over: the other caller was served and is, the gateway had at most `most_mib` more than before at a time,
    /// and has at most [`LEFT_MIB`] more in the end.
    async fn ends_well(self, most_mib: u64) {
        self.over.cancel();
        let served = self.other.await.expect("every call of the other caller is answered");
        assert!(served > 0, "nobody was served during the attack");
        let pid = self.gateway.process.pid();
        let peak = Memory::of(pid).peak_kib - self.before.peak_kib;
        assert!(peak <= most_mib << 10, "it had {peak} KiB more at a time, and {most_mib} MiB are the bound");
        let client = self.gateway.client();
        let left = eventually(WAIT, || async {
            client.get(BOOK).await.expect(200);
            let left = Memory::of(pid).resident_kib.saturating_sub(self.before.resident_kib);
            ensure!(left <= LEFT_MIB << 10, "it keeps {left} KiB");
            Ok(left)
        })
        .await;
        println!("{served} calls served meanwhile; {peak} KiB more at a time, {left} KiB in the end");
    }
}

/// Asks for a book again and again, which is never to take long; how often.
async fn ask(client: Client, over: CancellationToken) -> usize {
    let mut count = 0;
    while !over.is_cancelled() {
        reply(client.request(Method::GET, BOOK).header("x-request-timeout", "15")).await.expect(200);
        count += 1;
        tokio::task::yield_now().await;
    }
    count
}

/// The resident memory of a process.
#[derive(Debug)]
struct Memory {
    resident_kib: u64,
    /// The most that it had so far.
    peak_kib: u64,
}

impl Memory {
    fn of(pid: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the gateway runs");
        let figure = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux tells it");
            line.trim().trim_end_matches(" kB").parse().expect("a number")
        };
        Memory { resident_kib: figure("VmRSS:"), peak_kib: figure("VmHWM:") }
    }
}

/// Whether the campaign is as long as its issue wants it (`make abuse`); in CI it is short.
fn is_long() -> bool {
    std::env::var_os("ABUSE").is_some_and(|wanted| wanted == "long")
}

/// What the gateway sends on a connection until it closes it, while `bytes` are sent for as long as it takes them.
async fn sent_until_closed(mut stream: TcpStream, bytes: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = stream.split();
    let mut read = Vec::new();
    let talk = async { tokio::join!(reader.read_to_end(&mut read), writer.write_all(bytes)) };
    let _ = timeout(WAIT, talk).await.expect("the gateway closes it in time"); // a reset is an end too
    read
}

/// As many open files as the system allows: 1024 are usual.
fn raise_open_files() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let allowed = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: allowed.maximum, ..allowed }).expect("up to the maximum it may");
    });
}
