//! helm/comptoir/topology.yaml: the topology, the RPCs of the contracts and the call graph, as the chart's templates
//! read them.

use super::catalogue::option;
use crate::{dev::nats, services::GATEWAY};
use contracts::api::v1::Access;
use prost_reflect::{DescriptorPool, MethodDescriptor};
use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};
use topology::{GRPC_BASE_PORT, Program, Service, Topology};

const HEAD: &str = "\
# Every service, its RPCs, its permissions and the call graph, for the templates. Written by `make docs` from
# mesh/topology.toml and the contracts; do not edit.
";

/// Port of the gateway.
const GATEWAY_PORT: u16 = 8080;

/// The package that every service serves beside its own.
const EVENTS: &str = "comptoir.events.v1";

const LIST_EVENTS: &str = "/comptoir.events.v1.EventService/ListEvents";
const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";

/// Methods that change nothing (AIP-131, AIP-132, AIP-231).
const READS: [&str; 3] = ["Get", "List", "BatchGet"];

/// An RPC with an access option.
struct Rpc {
    service: String,
    name: String,
    access: Access,
    is_stream: bool,
    has_http: bool,
}

impl Rpc {
    fn path(&self) -> String {
        format!("/{}/{}", self.service, self.name)
    }
}

type Rpcs = BTreeMap<String, Vec<Rpc>>;

pub fn render(pool: &DescriptorPool, topology: &Topology) -> anyhow::Result<String> {
    let rpcs = rpcs(pool)?;
    let mut text = format!("{HEAD}gateway:\n  port: {GATEWAY_PORT}\n");
    list(&mut text, "  publish", &nats::publish_limits())?;
    list(&mut text, "  subscribe", &nats::subscribe(GATEWAY))?;
    text.push_str("services:\n");
    for (name, service) in &topology.service {
        write_service(&mut text, name, service, &rpcs)?;
    }
    let none = if topology.program.is_empty() { " {}" } else { "" };
    writeln!(text, "programs:{none}")?;
    for (name, program) in &topology.program {
        write_program(&mut text, name, program)?;
    }
    text.push_str("edges:\n");
    for ((from, to), paths) in edges(topology, &rpcs) {
        writeln!(text, "  - from: {from}\n    to: {to}\n    rpcs:")?;
        for path in paths {
            writeln!(text, "      - {path}")?;
        }
    }
    Ok(text)
}

fn rpcs(pool: &DescriptorPool) -> anyhow::Result<Rpcs> {
    let mut found = Rpcs::new();
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        if let Some(access) = option(pool, "access", &method.options())? {
            found
                .entry(method.parent_service().package_name().to_owned())
                .or_default()
                .push(rpc(pool, &method, access)?);
        }
    }
    Ok(found)
}

fn rpc(pool: &DescriptorPool, method: &MethodDescriptor, access: Access) -> anyhow::Result<Rpc> {
    let http = pool.get_extension_by_name("google.api.http");
    Ok(Rpc {
        service: method.parent_service().full_name().to_owned(),
        name: method.name().to_owned(),
        access,
        is_stream: method.is_client_streaming() || method.is_server_streaming(),
        has_http: http.is_some_and(|http| method.options().has_extension(&http)),
    })
}

fn write_service(text: &mut String, name: &str, service: &Service, rpcs: &Rpcs) -> fmt::Result {
    writeln!(text, "  {name}:\n    port: {}", GRPC_BASE_PORT + service.port_offset)?;
    if let Some(offset) = service.webhook_port_offset {
        writeln!(text, "    webhookPort: {}", GRPC_BASE_PORT + offset)?;
    }
    writeln!(text, "    proto: {}\n    database: {}", service.proto, service.database)?;
    writeln!(text, "    uses: [{}]", service.uses.join(", "))?;
    list(text, "    publish", &nats::publish(name, &service.consumes))?;
    list(text, "    subscribe", &nats::subscribe(name))?;
    text.push_str("    rpcs:\n");
    let mut last = "";
    let served = [EVENTS, &service.proto].into_iter().filter_map(|package| rpcs.get(package)).flatten();
    for rpc in served {
        if rpc.service != last {
            writeln!(text, "      {}:", rpc.service)?;
            last = &rpc.service;
        }
        let (idempotent, stream) = (rpc.access.idempotent, rpc.is_stream);
        let read = READS.iter().any(|verb| rpc.name.starts_with(verb));
        writeln!(text, "        - {{ name: {}, idempotent: {idempotent}, read: {read}, stream: {stream} }}", rpc.name)?;
    }
    Ok(())
}

/// A list, whose key is indented as it stands.
fn list(text: &mut String, key: &str, values: &[String]) -> fmt::Result {
    writeln!(text, "{key}:")?;
    let indent = key.len() - key.trim_start().len() + 2;
    values.iter().try_for_each(|value| writeln!(text, "{:indent$}- \"{value}\"", ""))
}

fn write_program(text: &mut String, name: &str, program: &Program) -> fmt::Result {
    writeln!(text, "  {name}:\n    port: {}", GRPC_BASE_PORT + program.port_offset)?;
    writeln!(text, "    database: {}", program.database)?;
    writeln!(text, "    standsFor: {}", program.stands_for.as_deref().unwrap_or("\"\""))?;
    writeln!(text, "    addressVariable: {}", program.address_variable.as_deref().unwrap_or("\"\""))
}

/// Who calls whom with which RPCs: the gateway what has a route over HTTP, a service what the contracts let it call, and a
/// consumer the log of who publishes.
fn edges<'a>(topology: &'a Topology, rpcs: &Rpcs) -> BTreeMap<(&'a str, &'a str), Vec<String>> {
    let mut edges: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    let of = |service: &str| rpcs.get(&topology.service[service].proto).into_iter().flatten();
    for (name, service) in &topology.service {
        let public = of(name).filter(|rpc| rpc.has_http).map(Rpc::path).chain([HEALTH_CHECK.to_owned()]);
        edges.insert(("gateway", name), public.collect());
        for to in &service.calls {
            let named = of(to).filter(|rpc| rpc.access.services.contains(name)).map(Rpc::path);
            edges.entry((name, to)).or_default().extend(named);
        }
        for to in &service.consumes {
            // A consumer asks the publisher for events that the stream has no more.
            edges.entry((name, to)).or_default().push(LIST_EVENTS.to_owned());
        }
    }
    edges
}
