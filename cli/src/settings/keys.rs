//! Every key that `comptoir serve` and `comptoir config` know: its flag, its variable, its default.

use super::sign_in;

/// First gRPC port when nothing else is said.
pub const GRPC_BASE_PORT: u16 = 9000;

/// Life of a stock hold in seconds when nothing else is said.
pub const HOLD_SECONDS: u32 = 900;

/// Password of the seeded accounts when `COMPTOIR_DEMO_PASSWORD` is not set.
pub const DEMO_PASSWORD: &str = "comptoir-demo";

/// The name that stands for the gateway beside those of the services.
pub const GATEWAY: &str = "gateway";

/// The sandbox payment provider, a program of the topology.
pub const SANDBOX_PSP: &str = "sandbox-psp";

/// The address of a program that gets its open socket as its standard input, as `comptoir dev` starts the provider.
pub const INHERITED: &str = "inherited";

/// The service that talks to payment providers.
pub const PAYMENTS: &str = "payments";

/// The service that sends parcels.
pub const SHIPPING: &str = "shipping";

/// The service that has taxes.
pub const ORDERS: &str = "orders";

/// The service that has accounts.
pub const USERS: &str = "users";

/// Variables that every command knows.
pub const KNOWN_EVERYWHERE: &[&str] = &[
    "COMPTOIR_LOG",
    "COMPTOIR_TOOLS",
    "COMPTOIR_DEMO_PASSWORD",
    "COMPTOIR_BIN",
    "COMPTOIR_CRASH_AT",
    "COMPTOIR_TOKEN",
];

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everyone.
    All,
    /// Every service and the gateway.
    Mesh,
    /// Every service, and programs with a database.
    Stored,
    /// Every service.
    Service,
    /// The gateway.
    Gateway,
    /// Payments.
    Payments,
    /// Shipping.
    Shipping,
    /// Orders.
    Orders,
    /// Users.
    Users,
    /// The sandbox provider.
    Sandbox,
    /// Payments and its provider.
    Provider,
}

/// One setting.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// Name of its flag, without dashes.
    pub flag: &'static str,
    /// Name of its variable.
    pub variable: &'static str,
    /// Whose it is.
    pub scope: Scope,
    /// Whether it must be set: it has no default.
    pub required: bool,
    /// Meaning, unit and default, for `--help`.
    pub doc: &'static str,
}

impl Key {
    /// Whether the service or gateway called `name` has this key.
    pub fn applies_to(&self, name: &str) -> bool {
        let (is_gateway, is_sandbox) = (name == GATEWAY, name == SANDBOX_PSP);
        match self.scope {
            Scope::All => true,
            Scope::Mesh => !is_sandbox,
            Scope::Stored => !is_gateway,
            Scope::Service => !is_gateway && !is_sandbox,
            Scope::Gateway => is_gateway,
            Scope::Payments => name == PAYMENTS,
            Scope::Shipping => name == SHIPPING,
            Scope::Users => name == USERS,
            Scope::Orders => name == ORDERS,
            Scope::Sandbox => is_sandbox,
            Scope::Provider => is_sandbox || name == PAYMENTS,
        }
    }

    /// Its default for `name`, when it has one.
    pub fn default_for(&self, name: &str) -> Option<String> {
        let table = topology::Topology::get();
        let service = table.service(name);
        match self.flag {
            "listen" => {
                let program = table.program.get(name).map(|program| program.port_offset);
                let offset = program.or(service.map(|service| service.port_offset));
                Some(offset.map_or_else(|| "0.0.0.0:8080".to_owned(), everywhere))
            }
            "database" => table.database(name).map(str::to_owned),
            "provider" => Some("sandbox".to_owned()),
            "provider-url" => Some(format!("http://{SANDBOX_PSP}:{}", port(table.program[SANDBOX_PSP].port_offset))),
            "webhook-listen" => service.and_then(|service| service.webhook_port_offset).map(everywhere),
            "webhook-url" => {
                let offset = table.service[PAYMENTS].webhook_port_offset;
                offset.map(|offset| format!("http://{PAYMENTS}:{}/v1/webhooks/sandbox", port(offset)))
            }
            "nats-user" => Some(name.to_owned()),
            "peers" => Some(addresses(|name, _| name.to_owned())),
            "upstreams" => Some(addresses(|_, service| service.proto.clone())),
            "hold-seconds" => Some(HOLD_SECONDS.to_string()),
            "stream-replicas" => Some("1".to_owned()),
            "free-orders" => Some("accept".to_owned()),
            "body-limit-bytes" => Some("1048576".to_owned()),
            "deadline-seconds" => Some("35".to_owned()),
            "ignored-parameters" => Some(gateway::IgnoredParameters::USUAL.to_owned()),
            "stream-keep-alive-seconds" => Some("15".to_owned()),
            "header-timeout-seconds" => Some("10".to_owned()),
            "idle-timeout-seconds" => Some("300".to_owned()),
            "connections" => Some("4096".to_owned()),
            "connections-per-address" => Some("3072".to_owned()),
            flag => sign_in::default(flag),
        }
    }
}

fn port(offset: u16) -> u16 {
    GRPC_BASE_PORT + offset
}

fn everywhere(offset: u16) -> String {
    format!("0.0.0.0:{}", port(offset))
}

/// `<label>=http://<name>:<port>` of every service, as a Kubernetes Service or a compose file would name it.
fn addresses(label: impl Fn(&str, &topology::Service) -> String) -> String {
    let services = &topology::Topology::get().service;
    let entries = services
        .iter()
        .map(|(name, service)| format!("{}=http://{name}:{}", label(name, service), port(service.port_offset)));
    entries.collect::<Vec<_>>().join(",")
}

pub(super) const fn key(
    flag: &'static str,
    variable: &'static str,
    scope: Scope,
    required: bool,
    doc: &'static str,
) -> Key {
    Key { flag, variable, scope, required, doc }
}

/// All keys, in the order in which they are shown.
pub const KEYS: &[Key] = &[
    key(
        "listen",
        "COMPTOIR_LISTEN",
        Scope::All,
        false,
        "Address to serve on; default 0.0.0.0 with 9000 + the service's offset, 8080 for the gateway",
    ),
    key(
        "mongodb-uri",
        "COMPTOIR_MONGODB_URI",
        Scope::Stored,
        true,
        "MongoDB connection string with the service's own user: mongodb://USER:PASSWORD@HOST/DB?authSource=DB. Required",
    ),
    key("database", "COMPTOIR_DATABASE", Scope::Stored, false, "Database; default that of mesh/topology.toml"),
    key("nats-url", "COMPTOIR_NATS_URL", Scope::Service, true, "NATS server, nats://HOST:PORT. Required"),
    key("nats-user", "COMPTOIR_NATS_USER", Scope::Service, false, "NATS user; default the service's name"),
    key("nats-password", "COMPTOIR_NATS_PASSWORD", Scope::Service, true, "Its password. Required"),
    key(
        "peers",
        "COMPTOIR_PEERS",
        Scope::Service,
        false,
        "Addresses of the services, NAME=URI,…; default http://NAME:PORT with the default ports",
    ),
    key(
        "service-key-file",
        "COMPTOIR_SERVICE_KEY_FILE",
        Scope::Service,
        true,
        "File with the service's Ed25519 key, PKCS#8 PEM. Required",
    ),
    key(
        "jwks-file",
        "COMPTOIR_JWKS_FILE",
        Scope::Mesh,
        true,
        "File with the public keys of all services and of user tokens, a JWKS. Required",
    ),
    key(
        "user-token-key-file",
        "COMPTOIR_USER_TOKEN_KEY_FILE",
        Scope::Service,
        false,
        "File with the key that signs user tokens, PKCS#8 PEM; users alone needs it",
    ),
    key(
        "hold-seconds",
        "COMPTOIR_HOLD_SECONDS",
        Scope::Service,
        false,
        "Life of a stock hold in seconds, 1 to 86400; default 900; inventory alone reads it",
    ),
    key("provider", "COMPTOIR_PROVIDER", Scope::Payments, false, "Payment provider: sandbox (default) or stripe"),
    key(
        "provider-url",
        "COMPTOIR_PROVIDER_URL",
        Scope::Payments,
        false,
        "Address of the provider's API, http(s)://HOST[:PORT]; default http://sandbox-psp:9014",
    ),
    key("provider-key", "COMPTOIR_PROVIDER_KEY", Scope::Provider, true, "Secret key of the provider's API. Required"),
    key(
        "webhook-secret",
        "COMPTOIR_WEBHOOK_SECRET",
        Scope::Provider,
        true,
        "Secret that the provider signs its webhooks with. Required",
    ),
    key(
        "webhook-listen",
        "COMPTOIR_WEBHOOK_LISTEN",
        Scope::Payments,
        false,
        "Address on which the provider's webhooks are taken over HTTP; default 0.0.0.0:9013",
    ),
    key(
        "webhook-url",
        "COMPTOIR_WEBHOOK_URL",
        Scope::Sandbox,
        false,
        "Where the sandbox sends its webhooks; default http://payments:9013/v1/webhooks/sandbox",
    ),
    key(
        "taxes-file",
        "COMPTOIR_TAXES_FILE",
        Scope::Orders,
        false,
        "File with the taxes by country and category, TOML as services/orders/src/taxes.toml; default that one, built in",
    ),
    key(
        "free-orders",
        "COMPTOIR_FREE_ORDERS",
        Scope::Orders,
        false,
        "Whether an order may have nothing to pay, by free articles or a coupon: accept (default) or refuse",
    ),
    key(
        "stream-replicas",
        "COMPTOIR_STREAM_REPLICAS",
        Scope::Service,
        false,
        "Copies of the service's stream in a NATS cluster, 1 to 5; counts when the stream is made; default 1",
    ),
    key(
        "rates-file",
        "COMPTOIR_RATES_FILE",
        Scope::Shipping,
        false,
        "File with what it costs to send a parcel, TOML as services/shipping/src/rates.toml; default that one, built in",
    ),
    key(
        "upstreams",
        "COMPTOIR_UPSTREAMS",
        Scope::Gateway,
        false,
        "Which service serves a protobuf package, PACKAGE=URI,…; default http://NAME:PORT with the default ports",
    ),
    key(
        "body-limit-bytes",
        "COMPTOIR_BODY_LIMIT_BYTES",
        Scope::Gateway,
        false,
        "Largest request body in bytes; default 1048576",
    ),
    key(
        "deadline-seconds",
        "COMPTOIR_DEADLINE_SECONDS",
        Scope::Gateway,
        false,
        "Longest time that a request may take, in seconds; default 35",
    ),
    key(
        "ignored-parameters",
        "COMPTOIR_IGNORED_PARAMETERS",
        Scope::Gateway,
        false,
        "Query parameters that are skipped unless they are fields of the request, NAME or START*,…; a lone comma for none; \
         default those of advertisers and analytics: utm_*, gclid, fbclid, msclkid, mc_cid, _ and others",
    ),
    key(
        "stream-keep-alive-seconds",
        "COMPTOIR_STREAM_KEEP_ALIVE_SECONDS",
        Scope::Gateway,
        false,
        "How long a watch is silent at most, in seconds, so that proxies don't cut it; default 15",
    ),
    key(
        "header-timeout-seconds",
        "COMPTOIR_HEADER_TIMEOUT_SECONDS",
        Scope::All,
        false,
        "How long a request's head may take, from the connect on, in seconds; default 10",
    ),
    key(
        "idle-timeout-seconds",
        "COMPTOIR_IDLE_TIMEOUT_SECONDS",
        Scope::All,
        false,
        "How long an unused connection is kept, in seconds: longer than a load balancer keeps it; default 300",
    ),
    key(
        "connections",
        "COMPTOIR_CONNECTIONS",
        Scope::All,
        false,
        "Connections to each port at once; a new one takes the place of the one idle for longest; default 4096",
    ),
    key(
        "connections-per-address",
        "COMPTOIR_CONNECTIONS_PER_ADDRESS",
        Scope::All,
        false,
        "The same of one address, of IPv6 of a /64; behind an ingress or sidecar that is everybody's address; default 3072",
    ),
    sign_in::REFRESH_GRACE,
    sign_in::ACCOUNT_FAILURES,
    sign_in::ADDRESS_FAILURES,
    sign_in::TRUSTED_PROXIES,
];
