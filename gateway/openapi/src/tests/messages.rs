//! Messages as the gateway writes them, checked by the schemas of the document.

use super::{
    OUTPUT, compiled, contracts::pool, described, described_with, faults, names, operation, schema, service, written,
};
use crate::Output;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};
use serde_json::json;

/// Messages inside messages are filled to this depth: some have themselves inside.
const DEPTH: usize = 5;

const ZOO: &str = r#"
enum Kind { KIND_UNSPECIFIED = 0; TIGER = 1; }
message Request {}
message Reply {
  bool bool = 1; string string = 2; bytes bytes = 3; int32 int32 = 4; sint32 sint32 = 5; uint32 uint32 = 6; fixed32 fixed32 = 7;
  int64 int64 = 8; uint64 uint64 = 9; sfixed64 sfixed64 = 10; float float = 11; double double = 12; Kind kind = 13;
  optional int32 optional_int32 = 14; optional Kind optional_kind = 15;
  repeated int64 int64s = 16; repeated Kind kinds = 17; repeated Reply replies = 18; Reply reply = 19;
  map<string, Reply> by_name = 20; map<int64, string> by_number = 21; map<bool, Kind> by_flag = 22; map<uint32, bytes> by_uint = 23;
  oneof choice { string text = 24; Reply other = 25; int64 number = 26; }
  google.protobuf.Timestamp time = 27; google.protobuf.Duration duration = 28; google.protobuf.FieldMask mask = 29;
  google.protobuf.Struct object = 30; google.protobuf.Value any_json = 31; google.protobuf.ListValue list = 32;
  google.protobuf.Empty empty = 33; google.protobuf.Any any = 34; google.protobuf.NullValue nothing = 35;
  google.protobuf.StringValue string_value = 36; google.protobuf.Int64Value int64_value = 37;
  google.protobuf.BoolValue bool_value = 38; google.protobuf.DoubleValue double_value = 39; google.protobuf.BytesValue bytes_value = 40;
  google.protobuf.UInt32Value uint32_value = 41; repeated google.protobuf.Timestamp times = 42;
  map<string, google.protobuf.Duration> durations = 43;
}
"#;

/// A message each of whose fields has a value that is not its default.
fn filled(descriptor: &MessageDescriptor, depth: usize) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    let own: &[(&str, Value)] = match descriptor.full_name() {
        "google.protobuf.Any" => &[("type_url", text("type.googleapis.com/google.protobuf.Empty"))],
        "google.protobuf.Timestamp" => &[("seconds", Value::I64(1_700_000_000)), ("nanos", Value::I32(5))],
        "google.protobuf.Duration" => &[("seconds", Value::I64(-7)), ("nanos", Value::I32(-5))],
        "google.protobuf.FieldMask" => &[("paths", Value::List(vec![text("some_name"), text("other.name")]))],
        "google.protobuf.Value" => &[("string_value", text("text"))],
        _ => &[],
    };
    for (name, value) in own {
        message.set_field_by_name(name, value.clone());
    }
    let depth = depth.saturating_sub(1);
    let is_open = |field: &FieldDescriptor| depth > 0 || field.kind().as_message().is_none();
    for field in descriptor.fields().filter(|field| own.is_empty() && is_open(field)) {
        message.set_field(&field, value(&field, depth));
    }
    message
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn value(field: &FieldDescriptor, depth: usize) -> Value {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => {
            let key = match entry.map_entry_key_field().kind() {
                Kind::Bool => MapKey::Bool(true),
                Kind::Int64 => MapKey::I64(-3),
                Kind::Uint32 => MapKey::U32(3),
                _ => MapKey::String("name".to_owned()),
            };
            Value::Map([(key, single(&entry.map_entry_value_field().kind(), depth))].into())
        }
        kind if field.is_list() => Value::List(vec![single(&kind, depth); 2]),
        kind => single(&kind, depth),
    }
}

fn single(kind: &Kind, depth: usize) -> Value {
    match kind {
        Kind::Bool => Value::Bool(true),
        Kind::String => text("text"),
        Kind::Bytes => Value::Bytes(vec![0, 254, 255].into()),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(-7),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(i64::MIN),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(u32::MAX),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(u64::MAX),
        Kind::Float => Value::F32(f32::NAN),
        Kind::Double => Value::F64(1.5),
        Kind::Enum(kind) => Value::EnumNumber(kind.values().last().map_or(0, |value| value.number())),
        Kind::Message(message) => Value::Message(filled(message, depth)),
    }
}

/// Checks the empty and the full message of each schema of replies, and answers how many there are.
fn check(pool: &DescriptorPool, output: Output) -> usize {
    let document = described_with(pool, output);
    let names = document["components"]["schemas"].as_object().expect("schemas").keys();
    let messages: Vec<MessageDescriptor> = names.filter_map(|name| pool.get_message_by_name(name)).collect();
    for message in &messages {
        // A reply of the token endpoint has what RFC 6749 requires, and is never empty.
        let is_token = message.full_name() == "comptoir.users.v1.Token";
        let empty = (!is_token).then(|| DynamicMessage::new(message.clone()));
        for each in empty.into_iter().chain([filled(message, DEPTH)]) {
            let json = written(&each, output);
            let found = faults(&document, schema(&document, message.full_name()), &json);
            assert!(found.is_empty(), "{}: {found:?} of {json}", message.full_name());
        }
    }
    messages.len()
}

/// All ways of writing replies.
fn ways() -> impl Iterator<Item = Output> {
    (0..8_u8).map(|bits| Output {
        shows_defaults: bits & 1 != 0,
        keeps_names: bits & 2 != 0,
        numbers_enums: bits & 4 != 0,
    })
}

#[test]
fn the_document_follows_the_options_of_the_output() {
    const MESSAGES: &str = r#"
        enum Kind { KIND_UNSPECIFIED = 0; TIGER = 1; }
        message Request { string page_size = 1; Kind of_kind = 2 [(buf.validate.field).enum = {in: [1]}]; }
        message Reply { int32 the_count = 1; Kind of_kind = 2; }
    "#;
    let pool = compiled(&service(&["get: \"/v1/zoo\""], MESSAGES));
    let plain = described(&pool);
    assert_eq!(names(operation(&plain, "get", "/v1/zoo"), "query"), ["pageSize", "ofKind"]);
    assert_eq!(schema(&plain, "zoo.v1.Reply")["required"], json!(["theCount", "ofKind"]));
    let other = described_with(&pool, Output { shows_defaults: false, keeps_names: true, numbers_enums: true });
    let get = operation(&other, "get", "/v1/zoo");
    assert_eq!(names(get, "query"), ["page_size", "of_kind"]);
    assert_eq!(get["parameters"][1]["schema"]["enum"], json!([1]), "{get}");
    let reply = schema(&other, "zoo.v1.Reply");
    let members = reply["properties"].as_object().expect("members").keys();
    let members: Vec<&str> = members.map(String::as_str).collect();
    assert_eq!((members.as_slice(), reply.get("required")), (["of_kind", "the_count"].as_slice(), None));
    let kind = schema(&other, "zoo.v1.Kind");
    assert_eq!((&kind["type"], &kind["enum"]), (&json!("integer"), &json!([0, 1])));
    assert_eq!(kind["description"], "- 0: `KIND_UNSPECIFIED`.\n- 1: `TIGER`.");
}

#[test]
fn every_message_of_a_reply_is_valid_empty_and_with_all_its_fields() {
    for output in ways() {
        assert!(check(&pool(), output) > 40);
    }
}

#[test]
fn every_type_of_protobuf_is_valid_as_it_is_written() {
    // Status, and the one message of the zoo.
    for output in ways() {
        assert!(check(&compiled(&service(&["get: \"/v1/zoo\""], ZOO)), output) >= 1);
    }
}

#[test]
fn a_value_of_another_type_is_not_valid() {
    let document = described(&compiled(&service(&["get: \"/v1/zoo\""], ZOO)));
    let pool = compiled(&service(&["get: \"/v1/zoo\""], ZOO));
    let reply = DynamicMessage::new(pool.get_message_by_name("zoo.v1.Reply").expect("it is there"));
    for (name, wrong) in [
        ("bool", json!("true")),
        ("int64", json!(1)),
        ("int64", json!("1.5")),
        ("uint32", json!(-1)),
        ("kind", json!("LION")),
        ("float", json!("nan")),
        ("time", json!("yesterday")),
        ("duration", json!("1 s")),
        ("byNumber", json!({ "one": "1" })),
        ("byFlag", json!({ "yes": "TIGER" })),
        ("nothing", json!("NULL_VALUE")),
        ("stringValue", json!(1)),
        ("replies", json!([null])),
        ("any", json!({ "value": 1 })),
    ] {
        let mut json = written(&reply, OUTPUT);
        json[name] = wrong.clone();
        let found = faults(&document, schema(&document, "zoo.v1.Reply"), &json);
        assert_eq!(found.len(), 1, "{name} as {wrong}: {found:?}");
    }
}

#[test]
fn a_reply_may_have_further_members_and_lacks_none_that_is_always_written() {
    let document = described(&pool());
    let money = schema(&document, "google.type.Money");
    let valid = json!({ "currencyCode": "EUR", "units": "1", "nanos": 0, "later": true });
    assert_eq!(faults(&document, money, &valid), Vec::<String>::new());
    assert_eq!(faults(&document, money, &json!({ "currencyCode": "EUR", "units": "1" })).len(), 1);
}
