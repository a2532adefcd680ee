//! Keys that several programs have, and the defaults that follow from the topology.

use crate::Key;
use topology::{GRPC_BASE_PORT, Service, Topology};

/// The address to serve on.
pub const LISTEN: Key = Key::new("listen", "COMPTOIR_LISTEN", "Address to serve on").computed(
    "0.0.0.0 with 9000 + the service's offset, 8080 for the gateway",
    |name| {
        let table = Topology::get();
        let program = table.program.get(name).map(|program| program.port_offset);
        let offset = program.or(table.service(name).map(|service| service.port_offset));
        Some(offset.map_or_else(|| "0.0.0.0:8080".to_owned(), everywhere))
    },
);

/// The value of [`LISTEN`] for a program that gets its open socket as its standard input, as `comptoir dev` starts the
/// sandbox provider.
pub const INHERITED: &str = "inherited";

/// The address on which a provider's webhooks are taken over HTTP.
pub const WEBHOOK_LISTEN: Key = Key::new(
    "webhook-listen",
    "COMPTOIR_WEBHOOK_LISTEN",
    "Address on which the provider's webhooks are taken over HTTP",
)
.computed("0.0.0.0:9013", |name| Topology::get().service(name)?.webhook_port_offset.map(everywhere));

/// The secret key that callers bring to the payment provider.
pub const PROVIDER_KEY: Key =
    Key::new("provider-key", "COMPTOIR_PROVIDER_KEY", "Secret key of the provider's API").required().secret();

/// The secret that the payment provider signs its webhooks with.
pub const WEBHOOK_SECRET: Key =
    Key::new("webhook-secret", "COMPTOIR_WEBHOOK_SECRET", "Secret that the provider signs its webhooks with")
        .required()
        .secret();

/// The connection to MongoDB.
pub const MONGODB_URI: Key = Key::new(
    "mongodb-uri",
    "COMPTOIR_MONGODB_URI",
    "MongoDB connection string with the service's own user: mongodb://USER:PASSWORD@HOST/DB?authSource=DB",
)
.required();

/// The database of the program.
pub const DATABASE: Key = Key::new("database", "COMPTOIR_DATABASE", "Database")
    .computed("that of mesh/topology.toml", |name| Topology::get().database(name).map(str::to_owned));

/// The public keys of those who may sign tokens.
pub const JWKS_FILE: Key =
    Key::new("jwks-file", "COMPTOIR_JWKS_FILE", "File with the public keys of all services and of user tokens, a JWKS")
        .required();

/// The server that has the events of all services.
pub const NATS_URL: Key = Key::new("nats-url", "COMPTOIR_NATS_URL", "NATS server, nats://HOST:PORT");

/// The user of the program at NATS.
pub const NATS_USER: Key = Key::new("nats-user", "COMPTOIR_NATS_USER", "NATS user")
    .computed("the service's name", |name| Some(name.to_owned()));

pub const NATS_PASSWORD: Key =
    Key::new("nats-password", "COMPTOIR_NATS_PASSWORD", "Password of the NATS user").secret();

/// `<label>=http://<name>:<port>` of every service, as a Kubernetes Service or a compose file would name it.
pub fn addresses(label: impl Fn(&str, &Service) -> String) -> String {
    let entries = Topology::get().service.iter().map(|(name, service)| {
        format!("{}=http://{name}:{}", label(name, service), GRPC_BASE_PORT + service.port_offset)
    });
    entries.collect::<Vec<_>>().join(",")
}

fn everywhere(offset: u16) -> String {
    format!("0.0.0.0:{}", GRPC_BASE_PORT + offset)
}
