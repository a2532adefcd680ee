//! The three that are compared, each a process with one worker.

#[path = "floor.rs"]
pub mod floor;

use anyhow::Context;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

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
}

impl Proxy {
    pub fn name(self) -> &'static str {
        match self {
            Proxy::Floor => "pass-through",
            Proxy::Gateway | Proxy::GatewayFull => "comptoir gateway",
            Proxy::Envoy | Proxy::EnvoyFull => "Envoy 1.40",
        }
    }
}

pub struct Running {
    pub address: String,
    pub pid: u32,
    /// The path that is asked instead of that of the shape.
    pub path: Option<String>,
    child: Child,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
    }
}

pub struct Proxies {
    running: BTreeMap<Proxy, Running>,
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
        let start = |proxy| start(proxy, upstream, &directory, &keys);
        let all = [Proxy::Floor, Proxy::Gateway, Proxy::Envoy, Proxy::GatewayFull, Proxy::EnvoyFull];
        let running: anyhow::Result<BTreeMap<Proxy, Running>> =
            all.into_iter().map(|proxy| Ok((proxy, start(proxy).with_context(|| proxy.name())?))).collect();
        let proxies = Proxies { running: running?, token, directory };
        for running in proxies.running.values() {
            wait(&running.address).await?;
        }
        Ok(proxies)
    }

    pub fn of(&self, proxy: Proxy) -> &Running {
        self.running.get(&proxy).expect("all are started")
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        self.running.clear();
        let _ = std::fs::remove_dir_all(&self.directory); // what is left is in the directory for temporary files
    }
}

async fn wait(address: &str) -> anyhow::Result<()> {
    for _ in 0..400 {
        if tokio::net::TcpStream::connect(address).await.is_ok() {
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

fn start(proxy: Proxy, upstream: &str, directory: &Path, keys: &Keys) -> anyhow::Result<Running> {
    let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let log = File::create(directory.join(format!("{proxy:?}.log")))?;
    let mut command = match proxy {
        Proxy::Floor => {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["floor", upstream]).env("LISTEN", &address);
            command
        }
        Proxy::Gateway | Proxy::GatewayFull => {
            let mut command = Command::new(kit::binary());
            let packages = ["products", "users", "orders"].map(|name| format!("comptoir.{name}.v1=http://{upstream}"));
            command.args(["serve", "gateway", "--listen", &address, "--upstream", &packages.join(",")]);
            command.arg("--jwks-file").arg(&keys.jwks).env("TOKIO_WORKER_THREADS", "1");
            command.env("COMPTOIR_LOG", if proxy == Proxy::Gateway { "warn" } else { "info" });
            command
        }
        Proxy::Envoy | Proxy::EnvoyFull => {
            let config = directory.join(format!("{proxy:?}.json"));
            let descriptors = directory.join("contracts.binpb");
            std::fs::write(&descriptors, contracts::DESCRIPTORS)?;
            std::fs::write(&config, envoy(proxy, upstream, &address, (&descriptors, keys))?.to_string())?;
            let mut command =
                Command::new(std::env::var_os("ENVOY_BIN").context("ENVOY_BIN names Envoy; mend: make tools")?);
            command.arg("-c").arg(config).args(["--concurrency", "1", "--use-dynamic-base-id", "-l", "error"]);
            command
        }
    };
    let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
    let path = (proxy == Proxy::Floor).then(|| "/comptoir.orders.v1.OrderService/GetOrder".to_owned());
    Ok(Running { address, pid: child.id(), path, child })
}

/// Envoy's configuration: transcoder and router; with all, verification of tokens and an access log in JSON.
fn envoy(proxy: Proxy, upstream: &str, address: &str, (descriptors, keys): (&Path, &Keys)) -> anyhow::Result<Value> {
    let socket = |address: &str| {
        let (host, port) = address.rsplit_once(':').context("an address")?;
        Ok::<_, anyhow::Error>(json!({"socket_address": {"address": host, "port_value": port.parse::<u16>()?}}))
    };
    let typed = |name: &str, config: Value, kind: &str| {
        let mut config = config;
        config["@type"] = format!("type.googleapis.com/{kind}").into();
        json!({"name": name, "typed_config": config})
    };
    let transcoder = typed(
        "envoy.filters.http.grpc_json_transcoder",
        json!({
            "proto_descriptor": descriptors,
            "services": ["comptoir.products.v1.ProductService", "comptoir.users.v1.UserService", "comptoir.orders.v1.OrderService"],
            "print_options": {"always_print_primitive_fields": true},
        }),
        "envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
    );
    let jwks: Value = serde_json::from_slice(&std::fs::read(&keys.jwks)?)?;
    let tokens = typed(
        "envoy.filters.http.jwt_authn",
        json!({
            "providers": {"comptoir": {"issuer": "comptoir", "audiences": ["comptoir"], "forward": true,
                                       "local_jwks": {"inline_string": jwks.to_string()}}},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "comptoir"}}],
        }),
        "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
    );
    let router = typed("envoy.filters.http.router", json!({}), "envoy.extensions.filters.http.router.v3.Router");
    let log = typed(
        "envoy.access_loggers.stdout",
        json!({"log_format": {"json_format": {
            "method": "%REQ(:METHOD)%", "status": "%RESPONSE_CODE%", "duration": "%DURATION%", "bytes_in": "%BYTES_RECEIVED%",
            "bytes_out": "%BYTES_SENT%", "request_id": "%REQ(X-REQUEST-ID)%", "start": "%START_TIME%",
        }}}),
        "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
    );
    let is_full = proxy == Proxy::EnvoyFull;
    let filters = if is_full { vec![tokens, transcoder, router] } else { vec![transcoder, router] };
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "30s"}}]);
    let manager = typed(
        "envoy.filters.network.http_connection_manager",
        json!({
            "stat_prefix": "in", "http_filters": filters, "access_log": if is_full { vec![log] } else { vec![] },
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        }),
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    );
    let options = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }});
    let endpoint = json!({"endpoint": {"address": socket(upstream)?}});
    Ok(json!({"static_resources": {
        "listeners": [{"name": "in", "address": socket(address)?, "filter_chains": [{"filters": [manager]}]}],
        "clusters": [{"name": "upstream", "type": "STATIC", "typed_extension_protocol_options": options,
                      "load_assignment": {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [endpoint]}]}}],
    }}))
}
