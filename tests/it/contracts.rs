//! The contract of events: what the option says is what services publish, what docs/ says is what the contracts say, and
//! nothing in an event is personal data.

mod countries;
mod personal;
mod running;
mod text;

use crate::architecture::source_of;
use anyhow::ensure;
use async_nats::jetstream;
use bson::{Document, doc};
use comptoir::docs::{self, Catalogue, Event, HEADERS, Kind, fields, proto_text};
use contracts::api::v1::Data;
use kit::shop::{self, TIMEOUT};
use kit::{Client, Stack, eventually, shared};
use prost_reflect::{Cardinality, DescriptorPool, DynamicMessage, Kind as FieldKind, MessageDescriptor};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use topology::Topology;

/// Declared events that no ordinary day brings about: (aggregate, name).
const RARE: [(&str, &str); 6] = [
    ("payment", "created"),
    ("shipment", "lost"),
    ("order", "intervened"),
    ("order", "alarmed"),
    ("order", "parked"),
    ("order", "refund_refused"),
];

/// service, aggregate, name -> type.
type Names = BTreeMap<(String, String, String), String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository").to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn catalogue() -> Catalogue {
    Catalogue::of_this_build().expect("the contracts")
}

fn pool() -> DescriptorPool {
    DescriptorPool::decode(contracts::DESCRIPTORS).expect("the contracts")
}

fn declared(catalogue: &Catalogue) -> Names {
    let mut names = Names::new();
    for (publisher, event) in catalogue.events() {
        for name in &event.option.names {
            let key = (publisher.service.clone(), event.option.aggregate.clone(), name.clone());
            let before = names.insert(key, event.message.full_name().to_owned());
            assert_eq!(before, None, "{} and another event are both called {name}", event.message.full_name());
        }
    }
    names
}

#[test]
fn every_message_of_an_events_file_says_what_it_is_on_its_stream() {
    let (catalogue, topology) = (catalogue(), Topology::get());
    let described: BTreeSet<String> =
        catalogue.events().map(|(_, event)| event.message.full_name().to_owned()).collect();
    let pool = pool();
    let in_files = pool.all_messages().filter(|message| {
        let is_of_a_service = topology.by_proto(message.package_name()).is_some();
        is_of_a_service && message.parent_message().is_none() && message.parent_file().name().ends_with("/events.proto")
    });
    assert_eq!(described, in_files.map(|message| message.full_name().to_owned()).collect());
    let publishing = topology.service.iter().filter(|(_, table)| !table.aggregates.is_empty()).map(|(name, _)| name);
    assert!(publishing.eq(catalogue.publishers.iter().map(|publisher| &publisher.service)));
    for (publisher, event) in catalogue.events() {
        let (name, option) = (event.message.full_name(), &event.option);
        let nouns = &topology.service[&publisher.service].aggregates;
        assert!(nouns.values().any(|noun| *noun == option.aggregate), "{name}: {} is no aggregate", option.aggregate);
        let id = event.fields.iter().find(|field| field.path == option.id_field);
        assert!(id.is_some_and(|id| id.field.kind() == FieldKind::String), "{name}: {} is no id", option.id_field);
        assert!(!option.names.is_empty() && !event.comment.is_empty(), "{name} has no names, or no comment");
    }
    assert!(!declared(&catalogue).is_empty());
}

#[test]
fn events_that_are_named_after_a_state_have_the_names_of_all_states() {
    let catalogue = catalogue();
    let names = |message: &str| -> BTreeSet<String> {
        let found = catalogue.events().find(|(_, event)| event.message.full_name() == message);
        found.unwrap_or_else(|| panic!("{message} is no event")).1.option.names.iter().cloned().collect()
    };
    let states = |name: &str| -> BTreeSet<String> {
        let states = pool().get_enum_by_name(name).unwrap_or_else(|| panic!("{name} is no state"));
        let names = states.values().map(|value| value.name().to_lowercase());
        names.filter(|state| state != "state_unspecified").collect()
    };
    assert_eq!(names("comptoir.payments.v1.PaymentChanged"), states("comptoir.payments.v1.Payment.State"));
    assert_eq!(names("comptoir.shipping.v1.ShipmentChanged"), states("comptoir.shipping.v1.Shipment.State"));
    // An order is `created` as PENDING, by another message, and nothing leads back there.
    let moves = states("comptoir.orders.v1.Order.State").into_iter().filter(|state| state != "pending");
    assert_eq!(names("comptoir.orders.v1.OrderChanged"), moves.chain(["progressed".to_owned()]).collect());
}

#[test]
fn no_event_reaches_a_field_that_is_personal_data_or_a_secret() {
    for (_, event) in catalogue().events() {
        assert!(!event.fields.is_empty());
        for field in &event.fields {
            let name = event.message.full_name();
            assert_eq!(field.data, Data::Unspecified, "{name}: {} must not be in an event", field.path);
        }
    }
}

#[test]
fn the_walk_that_looks_for_personal_data_finds_it_at_any_depth() {
    let marked = |message: &str| -> Vec<String> {
        let message = pool().get_message_by_name(message).expect("a message of the contracts");
        let found = fields(&message).expect("its options can be read");
        found.into_iter().filter(|field| field.data != Data::Unspecified).map(|field| field.path).collect()
    };
    let order = marked("comptoir.orders.v1.CreateOrderRequest");
    assert!(
        order.contains(&"order.payment_token".to_owned()) && order.contains(&"order.shipping_address.name".to_owned())
    );
    let list = marked("comptoir.orders.v1.ListOrdersResponse");
    assert!(list.contains(&"orders[].user_snapshot.email".to_owned()), "{list:?}");
}

#[test]
fn the_committed_documents_are_those_of_the_contracts() {
    for (kind, path) in [
        (Kind::Events, "docs/EVENTS.md"),
        (Kind::Asyncapi, "docs/asyncapi.json"),
        (Kind::Openapi, "docs/openapi.json"),
        (Kind::Telemetry, "docs/TELEMETRY.md"),
        (Kind::Chart, "helm/comptoir/topology.yaml"),
    ] {
        let generated = docs::generate(kind).expect("the contracts can be described");
        assert!(generated == read(path), "{path} is not what the contracts say; mend: make docs");
    }
}

#[test]
fn an_event_of_the_last_release_keeps_its_aggregate_and_all_its_names() {
    let bytes = fs::read(root().join("proto/baseline.binpb")).expect("make release-baseline writes it");
    let baseline = Catalogue::new(&DescriptorPool::decode(bytes.as_slice()).expect("an image of buf"), Topology::get());
    let (baseline, now) = (declared(&baseline.expect("the options of the release")), declared(&catalogue()));
    let gone: Vec<_> = baseline.iter().filter(|(key, message)| now.get(*key) != Some(*message)).collect();
    assert!(gone.is_empty(), "{gone:?} are gone or of another type; mend: put them back, or make release-baseline");
}

/// buf compiles what stands in the document; tests run in the directory of their package.
fn compiled_payloads() -> DescriptorPool {
    let directory = std::env::temp_dir().join(format!("comptoir-asyncapi-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("the temporary directory can be written");
    let document: Value = serde_json::from_str(&read("docs/asyncapi.json")).expect("JSON");
    for (name, message) in document["components"]["messages"].as_object().expect("messages") {
        let text = message["payload"]["schema"].as_str().expect("protobuf source");
        fs::write(directory.join(format!("{name}.proto")), text).expect("a file can be written");
    }
    let buf = std::env::var_os("BUF_BIN").unwrap_or_else(|| root().join(".tools/buf").into());
    let built = Command::new(&buf).args(["build", "--output", "-"]).arg(&directory).output();
    let built = built.unwrap_or_else(|error| panic!("{}: {error}; mend: make tools", buf.display()));
    fs::remove_dir_all(directory).expect("what was written can be removed");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    DescriptorPool::decode(built.stdout.as_slice()).expect("an image of buf")
}

/// What a decoder depends on: numbers, names, types and labels, all the way down.
fn shape(message: &MessageDescriptor, depth: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for field in message.fields() {
        let is_repeated = field.cardinality() == Cardinality::Repeated;
        let head = format!("{depth} {} {} {is_repeated} {}", field.number(), field.name(), field.supports_presence());
        match field.kind() {
            FieldKind::Message(inner) => {
                lines.push(format!("{head} {}", inner.name()));
                lines.extend(shape(&inner, depth + 1));
            }
            FieldKind::Enum(inner) => {
                let values = inner.values().map(|value| format!("{}={}", value.name(), value.number()));
                lines.push(format!("{head} {:?}", values.collect::<Vec<_>>()));
            }
            scalar => lines.push(format!("{head} {scalar:?}")),
        }
    }
    lines
}

#[test]
fn the_payload_schemas_of_the_asyncapi_document_compile_to_the_contracts() {
    let compiled = compiled_payloads();
    for (_, event) in catalogue().events() {
        let name = event.message.full_name();
        let copy = compiled.get_message_by_name(name).unwrap_or_else(|| panic!("{name} is not in the document"));
        assert_eq!(shape(&copy, 0), shape(&event.message, 0), "{name}: {:?}", proto_text(&event.message));
    }
}

#[test]
fn every_rpc_has_a_promise_and_every_proof_is_a_test() {
    let promises = read("docs/PROMISES.md");
    let topology = Topology::get();
    for service in pool().services().filter(|service| topology.by_proto(service.package_name()).is_some()) {
        for method in service.methods() {
            assert!(promises.contains(&format!("`{}`", method.name())), "docs/PROMISES.md has no {}", method.name());
        }
    }
    let words = promises.split('`').skip(1).step_by(2);
    let is_of_a_crate = |word: &&str| word.contains('/') && word.contains("tests::");
    let proof = |word| str::strip_prefix(word, "it::").or(Some(word).filter(is_of_a_crate));
    let proofs: BTreeSet<&str> = words.filter(|word| !word.contains('<')).filter_map(proof).collect();
    assert!(proofs.len() > 20, "docs/PROMISES.md names its tests as `it::file::name` and `crate/file::tests::name`");
    for proof in proofs {
        let (text, name) = source_of(proof);
        assert!(text.contains(&format!("fn {name}(")), "docs/PROMISES.md: no test is called {proof}");
    }
}
