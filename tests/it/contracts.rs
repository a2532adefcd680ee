//! The contract of events: what the option says is what services publish, what docs/ says is what the contracts say, and
//! nothing in an event is personal data.

use crate::shop::{self, PATIENCE};
use anyhow::ensure;
use async_nats::jetstream;
use bson::{Document, doc};
use comptoir::docs::{self, Catalogue, Event, HEADERS, Kind, fields, proto_text};
use contracts::api::v1::Data;
use futures::TryStreamExt;
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
    let payments = ::payments::State::ALL.iter().map(|state| state.name().to_owned());
    assert_eq!(names("comptoir.payments.v1.PaymentChanged"), payments.collect());
    let shipments = ::shipping::State::ALL.iter().map(|state| state.name().to_owned());
    assert_eq!(names("comptoir.shipping.v1.ShipmentChanged"), shipments.collect());
    let states = pool().get_enum_by_name("comptoir.orders.v1.Order.State").expect("orders have a state");
    let states = states.values().map(|value| value.name().to_lowercase());
    // An order is `created` as PENDING, by another message, and nothing leads back there.
    let moves = states.filter(|state| state != "state_unspecified" && state != "pending");
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
    let proofs: BTreeSet<&str> = words.filter_map(|word| word.strip_prefix("it::")).collect();
    assert!(proofs.len() > 20, "docs/PROMISES.md names its tests as `it::file::name`");
    for proof in proofs {
        let (file, name) = proof.rsplit_once("::").expect("`it::file::name`");
        let file = root().join("tests/it").join(file.replace("::", "/")).with_extension("rs");
        let text = fs::read_to_string(&file).unwrap_or_default();
        assert!(text.contains(&format!("fn {name}(")), "docs/PROMISES.md: no test is called {proof}");
    }
}

/// An ordinary day: accounts, products, and orders that are delivered, refunded, cancelled, charged back, declined, slow and left waiting.
async fn an_ordinary_day(stack: &Stack) {
    let (staff, (customer, user)) = (Client::staff(stack).await, Client::register(stack).await);
    let product = shop::product(stack, 20).await;
    let path = format!("/v1/products/{product}");
    staff.patch(&path, json!({ "name": "Renamed" })).await.expect(200);
    let line = [(product.as_str(), 1)];
    let delivered = shop::place(&customer, &line, "tok_visa").await;
    let shipment = format!("/v1/shipments/{}", shop::id(&delivered, "shipmentId"));
    staff.post(&format!("{shipment}:dispatch"), json!({})).await.expect(200);
    shop::order_with(&customer, &delivered, "state", "SHIPPED").await;
    staff.post(&format!("{shipment}:deliver"), json!({})).await.expect(200);
    let disputed = shop::place(&customer, &line, "tok_dispute").await;
    let shipment = format!("/v1/shipments/{}:dispatch", shop::id(&disputed, "shipmentId"));
    staff.post(&shipment, json!({})).await.expect(200);
    let refund = format!("/v1/orders/{}:refund", shop::id(&delivered, "orderId"));
    staff.post(&refund, json!({ "reason": "it broke" })).await.expect(200);
    two_shipments(&customer, &staff, &product).await;
    a_coupon(&customer, &staff, &product).await;
    let cancelled = shop::place(&customer, &line, "tok_visa").await;
    let cancel = format!("/v1/orders/{}:cancel", shop::id(&cancelled, "orderId"));
    customer.post(&cancel, json!({ "reason": "CHANGED_MIND" })).await.expect(200);
    for token in ["tok_declined", "tok_timeout"] {
        shop::place(&customer, &line, token).await;
    }
    let waiting = customer.post("/v1/orders", shop::draft(&line, "tok_action_required")).await.expect(201);
    shop::order_with(&customer, &waiting, "paymentState", "ACTION_REQUIRED").await;
    shop::order_with(&customer, &delivered, "state", "DELIVERED").await;
    shop::order_with(&customer, &cancelled, "state", "CANCELLED").await;
    let me = format!("/v1/users/{}", shop::id(&user, "userId"));
    customer.patch(&me, json!({ "name": "Somebody Else" })).await.expect(200);
    customer.delete(&me).await.expect(200);
}

/// An order in two shipments, one of which comes back.
async fn two_shipments(customer: &Client, staff: &Client, product: &str) {
    let order = shop::place(customer, &[(product, 2)], "tok_visa").await;
    let shipment = format!("/v1/shipments/{}", shop::id(&order, "shipmentId"));
    let body = json!({ "lines": [{ "productId": product, "quantity": 1 }], "requestId": "split" });
    staff.post(&format!("{shipment}:split"), body).await.expect(200);
    let event =
        json!({ "carrier": "sandbox", "eventId": "1", "kind": "RETURNED", "occurTime": "2030-01-01T00:00:00Z" });
    staff.post(&format!("{shipment}:recordTrackingEvent"), json!({ "event": event })).await.expect(200);
}

/// A coupon that an order uses, one gives back, and staff end.
async fn a_coupon(customer: &Client, staff: &Client, product: &str) {
    let code = crate::coupons::new_code();
    staff.post("/v1/coupons", json!({ "code": code, "percentage": "10" })).await.expect(201);
    for token in ["tok_visa", "tok_declined"] {
        crate::coupons::buy(customer, product, &code, token).await.expect(201);
    }
    staff.post(&format!("/v1/coupons/{code}:disable"), json!({})).await.expect(200);
}

async fn logged(mongodb: &mongodb::Client, service: &str) -> anyhow::Result<Vec<Document>> {
    let database = mongodb.database(&Topology::get().service[service].database);
    Ok(database.collection::<Document>("events").find(doc! {}).await?.try_collect().await?)
}

/// Compares an entry of a log with the contract of its event.
fn check(event: &Event, entry: &Document) -> anyhow::Result<()> {
    let data = entry.get_binary_generic("data")?;
    let message = DynamicMessage::decode(event.message.clone(), data.as_slice())?;
    ensure!(message.unknown_fields().next().is_none(), "{entry} has fields that its contract does not know");
    let id = event.option.id_field.split('.').try_fold(prost_reflect::Value::Message(message), |at, name| {
        at.as_message().and_then(|message| Some(message.get_field_by_name(name)?.into_owned()))
    });
    let id = id.and_then(|id| id.as_str().map(str::to_owned));
    ensure!(id.as_deref() == Some(entry.get_str("aid")?), "{} is not the id of {entry}", event.option.id_field);
    Ok(())
}

#[tokio::test]
async fn what_a_running_system_logs_is_what_the_contracts_say() {
    let stack = shared().await;
    an_ordinary_day(stack).await;
    let (catalogue, mongodb) = (catalogue(), stack.connect().await);
    let declared = declared(&catalogue);
    let seen = eventually(PATIENCE, || async {
        let mut seen = Names::new();
        for publisher in &catalogue.publishers {
            for entry in logged(&mongodb, &publisher.service).await? {
                let text = |field: &str| entry.get_str(field).map(str::to_owned);
                let event = publisher
                    .events
                    .iter()
                    .find(|event| entry.get_str("type").is_ok_and(|name| name == event.message.full_name()));
                let event = event.ok_or_else(|| anyhow::anyhow!("the contracts have no such event: {entry}"))?;
                check(event, &entry)?;
                seen.insert((publisher.service.clone(), text("agg")?, text("name")?), text("type")?);
            }
        }
        let is_rare = |key: &(String, String, String)| RARE.contains(&(key.1.as_str(), key.2.as_str()));
        let missing: Vec<_> = declared.keys().filter(|key| !seen.contains_key(*key) && !is_rare(key)).collect();
        ensure!(missing.is_empty(), "never logged: {missing:?}");
        Ok(seen)
    })
    .await;
    let undeclared: Vec<_> = seen.iter().filter(|(key, message)| declared.get(*key) != Some(*message)).collect();
    assert!(undeclared.is_empty(), "logged, and not in the contracts: {undeclared:?}");
}

#[tokio::test]
async fn messages_on_the_streams_have_the_headers_and_subjects_that_the_documents_name() {
    let stack = shared().await;
    an_ordinary_day(stack).await;
    let nats = jetstream::new(stack.nats().await);
    for publisher in catalogue().publishers {
        let stream = nats.get_stream(topology::stream(&publisher.service)).await.expect("a publisher has a stream");
        let last = eventually(PATIENCE, || async {
            let last = stream.get_info().await?.state.last_sequence;
            ensure!(last > 0, "nothing is on the stream of {}", publisher.service);
            Ok(stream.get_raw_message(last).await?)
        })
        .await;
        let value = |name: &str| last.headers.get(name).map(|value| value.as_str().to_owned());
        for header in HEADERS.iter().filter(|header| header.is_always_there) {
            assert!(value(header.name).is_some_and(|text| !text.is_empty()), "{} is not in {last:?}", header.name);
        }
        for (name, _) in last.headers.iter() {
            let name: &str = name.as_ref();
            let is_documented = HEADERS.iter().any(|header| header.name == name) || name.starts_with("Nats-");
            assert!(is_documented, "{name} is not in cli/src/docs/catalogue.rs");
        }
        let event =
            publisher.events.iter().find(|event| value("ce-type").as_deref() == Some(event.message.full_name()));
        let event = event.unwrap_or_else(|| panic!("the contracts have no event of {last:?}"));
        let words: Vec<&str> = last.subject.split('.').collect();
        assert_eq!(words[..3], ["evt", &publisher.service, &event.option.aggregate]);
        assert!(event.option.names.iter().any(|name| name == words[3]), "{}", last.subject);
        assert_eq!(value("ce-partitionkey").as_deref(), words.get(4).copied());
        assert_eq!(value("ce-source"), Some(format!("/comptoir/{}", publisher.service)));
    }
}
