//! Those that are compared, each a process with one worker; and beside what is ours a second process, whose allocations are
//! counted and whose time is not.

#[path = "envoy.rs"]
mod envoy;

use anyhow::Context;
use envoy::Filters;
use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::{io::AsyncReadExt, net::TcpStream};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proxy {
    /// HTTP/1.1 to HTTP/2 and nothing else.
    Floor,
    Gateway,
    Envoy,
    /// With an access log.
    GatewayFull,
    /// With verification of tokens and an access log.
    EnvoyFull,
    /// With the filters for gRPC-Web and Connect, without the transcoder.
    EnvoyRpc,
}

/// All of them.
const ALL: [Proxy; 6] =
    [Proxy::Floor, Proxy::Gateway, Proxy::Envoy, Proxy::GatewayFull, Proxy::EnvoyFull, Proxy::EnvoyRpc];

impl Proxy {
    pub fn name(self) -> &'static str {
        match self {
            Proxy::Floor => "pass-through",
            Proxy::Gateway | Proxy::GatewayFull => "comptoir gateway",
            Proxy::Envoy | Proxy::EnvoyFull | Proxy::EnvoyRpc => "Envoy 1.40",
        }
    }

    /// Whether it is of this repository, so that its allocations can be counted.
    fn is_ours(self) -> bool {
        matches!(self, Proxy::Floor | Proxy::Gateway | Proxy::GatewayFull)
    }
}

pub struct Running {
    pub address: String,
    pub pid: u32,
    /// Who tells its allocations, if they are counted.
    count: Option<String>,
    child: Child,
}

impl Running {
    /// How many allocations it has made so far.
    pub async fn allocations(&self) -> anyhow::Result<u64> {
        let mut told = String::new();
        let count = self.count.as_ref().context("its allocations are not counted")?;
        TcpStream::connect(count).await?.read_to_string(&mut told).await?;
        Ok(told.parse()?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
    }
}

pub struct Proxies {
    running: BTreeMap<Proxy, Running>,
    counted: BTreeMap<Proxy, Running>,
    /// A token of a customer.
    pub token: String,
    directory: PathBuf,
}

impl Proxies {
    pub async fn start(upstream: &str) -> anyhow::Result<Self> {
        let directory = std::env::temp_dir().join(format!("comptoir-bench-gateway-{}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        let keys = secrets(&directory)?;
        let pem = std::fs::read_to_string(&keys.private)?;
        let signer = rpc::Signer::new(rpc::token::USER_TOKENS, &pem)?;
        let token = signer.user_token("usr_1", &[], Duration::from_secs(3600))?;
        let place = Place { upstream, directory: &directory, keys: &keys };
        let start = |proxy: Proxy, is_counted| {
            Ok::<_, anyhow::Error>((proxy, place.start(proxy, is_counted).with_context(|| proxy.name())?))
        };
        let running = ALL.into_iter().map(|proxy| start(proxy, false)).collect::<Result<_, _>>()?;
        let ours = ALL.into_iter().filter(|proxy| proxy.is_ours());
        let counted = ours.map(|proxy| start(proxy, true)).collect::<Result<_, _>>()?;
        let proxies = Proxies { running, counted, token, directory };
        for running in proxies.running.values().chain(proxies.counted.values()) {
            wait(&running.address).await?;
        }
        Ok(proxies)
    }

    pub fn of(&self, proxy: Proxy) -> &Running {
        self.running.get(&proxy).expect("all are started")
    }

    /// The one whose allocations are counted; none of what is not ours.
    pub fn counted(&self, proxy: Proxy) -> Option<&Running> {
        self.counted.get(&proxy)
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        self.running.clear();
        self.counted.clear();
        let _ = std::fs::remove_dir_all(&self.directory); // what is left is in the directory for temporary files
    }
}

async fn wait(address: &str) -> anyhow::Result<()> {
    for _ in 0..400 {
        if TcpStream::connect(address).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("nobody listens at {address}")
}

struct Keys {
    private: PathBuf,
    jwks: PathBuf,
}

fn secrets(directory: &Path) -> anyhow::Result<Keys> {
    let status =
        Command::new(kit::binary()).args(["secrets", "--output"]).arg(directory).stdout(Stdio::null()).status()?;
    anyhow::ensure!(status.success(), "comptoir secrets: {status}");
    Ok(Keys { private: directory.join("keys/user-tokens.pem"), jwks: directory.join("keys/jwks.json") })
}

/// Where they are started.
struct Place<'a> {
    upstream: &'a str,
    directory: &'a Path,
    keys: &'a Keys,
}

impl Place<'_> {
    fn start(&self, proxy: Proxy, is_counted: bool) -> anyhow::Result<Running> {
        let (address, count) = (free()?, is_counted.then(free).transpose()?);
        let log = File::create(self.directory.join(format!("{proxy:?}-{is_counted}.log")))?;
        let counting = || std::env::current_exe().map(|own| own.with_file_name("bench-gateway-counted"));
        let program = |own: PathBuf| if is_counted { counting() } else { Ok(own) };
        let mut command = match proxy {
            Proxy::Floor => {
                let mut command = Command::new(program(std::env::current_exe()?)?);
                command.args(["floor", self.upstream]).env("LISTEN", &address);
                command
            }
            Proxy::Gateway | Proxy::GatewayFull => {
                let mut command = Command::new(program(kit::binary())?);
                let packages =
                    ["products", "users", "orders"].map(|name| format!("comptoir.{name}.v1=http://{}", self.upstream));
                command.args(["serve", "gateway", "--listen", &address, "--upstream", &packages.join(",")]);
                command.arg("--jwks-file").arg(&self.keys.jwks).env("TOKIO_WORKER_THREADS", "1");
                command.env("COMPTOIR_LOG", if proxy == Proxy::Gateway { "warn" } else { "info" });
                command
            }
            Proxy::Envoy => self.envoy(Filters::Transcoder, &address)?,
            Proxy::EnvoyFull => self.envoy(Filters::Full, &address)?,
            Proxy::EnvoyRpc => self.envoy(Filters::Rpc, &address)?,
        };
        if let Some(count) = &count {
            command.env("COUNT_LISTEN", count);
        }
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        Ok(Running { address, pid: child.id(), count, child })
    }

    fn envoy(&self, filters: Filters, address: &str) -> anyhow::Result<Command> {
        let config = self.directory.join(format!("{filters:?}.json"));
        let descriptors = self.directory.join("contracts.binpb");
        std::fs::write(&descriptors, contracts::DESCRIPTORS)?;
        let text = envoy::config(filters, (self.upstream, address), (&descriptors, &self.keys.jwks))?.to_string();
        std::fs::write(&config, text)?;
        let mut command =
            Command::new(std::env::var_os("ENVOY_BIN").context("ENVOY_BIN names Envoy; mend: make tools")?);
        command.arg("-c").arg(config).args(["--concurrency", "1", "--use-dynamic-base-id", "-l", "error"]);
        Ok(command)
    }
}

fn free() -> std::io::Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
