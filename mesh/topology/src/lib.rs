//! `mesh/topology.toml` as types: the one table that ports, databases, broker permissions and call edges derive from.
//!
//! The file is compiled in, so that a binary and its table can never disagree. [`Topology::get`] parses and checks it
//! once; a fault in it stops every process at start and the tests before that.

use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// Prefix of every JetStream stream.
const STREAM_PREFIX: &str = "EVT_";

/// First gRPC port when nothing else is said; each offset of the table counts from it.
pub const GRPC_BASE_PORT: u16 = 9000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// Services by name, in the order of their names.
    pub service: BTreeMap<String, Service>,
    /// Programs beside the mesh, by name.
    #[serde(default)]
    pub program: BTreeMap<String, Program>,
}

/// A program that speaks HTTP and is no part of the mesh.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// HTTP port = base port + this.
    pub port_offset: u16,
    pub database: String,
    #[serde(default)]
    pub collections: Vec<String>,
    /// What it takes the place of, for a trial: one of what services use.
    pub stands_for: Option<String>,
    /// Variable of the services that use it, which tells them its address.
    pub address_variable: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// gRPC port = base port + this.
    pub port_offset: u16,
    /// HTTP port for webhooks = base port + this, when it takes any.
    pub webhook_port_offset: Option<u16>,
    /// The protobuf package that it implements.
    pub proto: String,
    pub database: String,
    /// Collections whose documents carry an outbox, with the noun of their events.
    #[serde(default)]
    pub aggregates: BTreeMap<String, String>,
    /// Those of which it removes documents itself, once all of their events are in the log.
    #[serde(default)]
    pub removes: BTreeSet<String>,
    /// Further collections, without events.
    #[serde(default)]
    pub collections: Vec<String>,
    /// Services that it calls over gRPC.
    #[serde(default)]
    pub calls: Vec<String>,
    /// Services whose events it reads.
    #[serde(default)]
    pub consumes: Vec<String>,
    /// What else it must be given: "user-tokens", the key that signs them, or what lies outside.
    #[serde(default)]
    pub uses: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("mesh/topology.toml: {0}")]
    Syntax(#[from] toml::de::Error),
    #[error("mesh/topology.toml: {from} refers to {to}, which is not a service")]
    Edge { from: String, to: String },
    #[error("mesh/topology.toml: {0} is used twice")]
    Twice(String),
    #[error("mesh/topology.toml: {from} removes documents of {collection}, which is none of its aggregates")]
    NoAggregate { from: String, collection: String },
    /// A service reads events from one that has none.
    #[error("mesh/topology.toml: {from} consumes {to}, which publishes no events")]
    NoEvents { from: String, to: String },
}

impl Topology {
    /// The table of this build.
    pub fn get() -> &'static Topology {
        static TABLE: LazyLock<Topology> = LazyLock::new(|| {
            Topology::parse(include_str!("../../topology.toml")).expect("the tests parse the same file")
        });
        &TABLE
    }

    pub fn parse(source: &str) -> Result<Self, Error> {
        let table: Topology = toml::from_str(source)?;
        let mut seen = BTreeSet::new();
        // Programs share ports and the MongoDB server with the services, and no service may take what is theirs.
        for program in table.program.values() {
            seen.insert(format!("port offset {}", program.port_offset));
            seen.insert(format!("database {}", program.database));
        }
        for (name, service) in &table.service {
            let mut claims = vec![
                format!("port offset {}", service.port_offset),
                format!("package {}", service.proto),
                format!("database {}", service.database),
            ];
            claims.extend(service.webhook_port_offset.map(|offset| format!("port offset {offset}")));
            for claim in claims {
                if !seen.insert(claim.clone()) {
                    return Err(Error::Twice(claim));
                }
            }
            for collection in &service.removes {
                if !service.aggregates.contains_key(collection) {
                    return Err(Error::NoAggregate { from: name.clone(), collection: collection.clone() });
                }
            }
            for to in service.calls.iter().chain(&service.consumes) {
                if !table.service.contains_key(to) {
                    return Err(Error::Edge { from: name.clone(), to: to.clone() });
                }
            }
            for to in &service.consumes {
                if table.service[to].aggregates.is_empty() {
                    return Err(Error::NoEvents { from: name.clone(), to: to.clone() });
                }
            }
        }
        Ok(table)
    }

    pub fn service(&self, name: &str) -> Option<&Service> {
        self.service.get(name)
    }

    /// Whether `service` must be given `what`.
    pub fn uses(&self, service: &str, what: &str) -> bool {
        self.service(service).is_some_and(|service| service.uses.iter().any(|used| used == what))
    }

    pub fn database(&self, name: &str) -> Option<&str> {
        let program = self.program.get(name).map(|program| program.database.as_str());
        program.or_else(|| self.service(name).map(|service| service.database.as_str()))
    }

    /// Names of all that have a database: services and programs.
    pub fn stores(&self) -> impl Iterator<Item = &str> {
        self.service.keys().chain(self.program.keys()).map(String::as_str)
    }

    pub fn by_proto(&self, proto: &str) -> Option<(&str, &Service)> {
        self.service.iter().find(|(_, service)| service.proto == proto).map(|(name, service)| (name.as_str(), service))
    }
}

/// The stream that carries the events of `service`: `EVT_ORDER_HISTORY` for `order-history`.
pub fn stream(service: &str) -> String {
    format!("{STREAM_PREFIX}{}", service.to_uppercase().replace('-', "_"))
}

pub fn subjects(service: &str) -> String {
    format!("evt.{service}.>")
}
