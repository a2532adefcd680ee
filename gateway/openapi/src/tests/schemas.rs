//! What the schema of a message says, as it is sent and as it is received.

use super::{compiled, described, schema, service};
use serde_json::{Value, json};

/// The document of one RPC that takes and answers the message `Thing` with these members.
fn thing(members: &str) -> Value {
    let messages = format!(
        "message Request {{ Thing thing = 1; }}\nmessage Reply {{ Thing thing = 1; }}\n\
         // A thing.\nmessage Thing {{ {members} }}"
    );
    described(&compiled(&service(&["post: \"/v1/things\" body: \"thing\""], &messages)))
}

fn sent(document: &Value) -> &Value {
    schema(document, "zoo.v1.Thing-Input")
}

fn received(document: &Value) -> &Value {
    schema(document, "zoo.v1.Thing")
}

#[test]
fn what_is_sent_has_bounds_and_what_is_received_has_all_its_members() {
    let document =
        thing("string name = 1 [(buf.validate.field).string.min_len = 1]; optional int32 size = 2; Thing in = 3;");
    let (sent, received) = (sent(&document), received(&document));
    assert_eq!((&sent["required"], &sent["additionalProperties"]), (&json!(["name"]), &json!(false)));
    assert_eq!((&sent["properties"]["name"]["minLength"], &sent["title"]), (&json!(1), &json!("Thing")));
    assert_eq!((&received["required"], received.get("additionalProperties")), (&json!(["name"]), None));
    assert!(received["properties"]["name"].get("minLength").is_none(), "what is stored may be older than the bound");
    assert_eq!(sent["properties"]["in"], json!({ "$ref": "#/components/schemas/zoo.v1.Thing-Input" }));
    assert_eq!(received["properties"]["in"], json!({ "$ref": "#/components/schemas/zoo.v1.Thing" }));
    assert_eq!(received["description"], "A thing.");
}

#[test]
fn field_behavior_tells_the_direction_of_a_member() {
    let document = thing(
        "string id = 1 [(google.api.field_behavior) = IDENTIFIER]; \
         string time = 2 [(google.api.field_behavior) = OUTPUT_ONLY]; \
         string input = 3 [(google.api.field_behavior) = INPUT_ONLY]; \
         string needed = 4 [(google.api.field_behavior) = REQUIRED]; \
         \n// Fixed.\nstring fixed = 5 [(google.api.field_behavior) = IMMUTABLE];",
    );
    let members = &sent(&document)["properties"];
    for (name, keyword) in [("id", "readOnly"), ("time", "readOnly"), ("input", "writeOnly")] {
        assert_eq!(members[name][keyword], json!(true), "{name}");
    }
    assert_eq!(sent(&document)["required"], json!(["needed"]));
    assert_eq!(members["fixed"]["description"], "Fixed.\n\nIt cannot be changed.");
}

#[test]
fn a_secret_that_is_sent_is_a_password_and_write_only() {
    let document =
        thing("string token = 1 [(comptoir.api.v1.data) = SECRET]; string name = 2 [(comptoir.api.v1.data) = PII];");
    let members = &sent(&document)["properties"];
    assert_eq!(members["token"], json!({ "type": "string", "format": "password", "writeOnly": true }));
    assert_eq!(members["name"], json!({ "type": "string" }));
}

#[test]
fn an_enum_has_all_of_its_names_and_says_what_they_mean() {
    let document = thing(
        "\n// What it is.\nenum Kind { KIND_UNSPECIFIED = 0; // A cat.\nreserved 9;\n// It bites.\nTIGER = 1; } Kind kind = 1;",
    );
    let kind = schema(&document, "zoo.v1.Thing.Kind");
    assert_eq!((&kind["enum"], &kind["title"]), (&json!(["KIND_UNSPECIFIED", "TIGER"]), &json!("Thing.Kind")));
    assert_eq!(kind["description"], "What it is.\n\n- `TIGER`: It bites.");
}

#[test]
fn a_oneof_is_told_in_words_and_an_optional_field_is_none() {
    let document = thing("oneof it { string some_text = 1; int32 number = 2; } optional string other = 3;");
    assert_eq!(sent(&document)["description"], "A thing.\n\nAt most one of `someText`, `number` is there.");
    let document =
        thing("oneof it { option (buf.validate.oneof).required = true; string text = 1; int32 number = 2; }");
    assert_eq!(sent(&document)["description"], "A thing.\n\nExactly one of `text`, `number` is there.");
}

#[test]
fn what_is_deprecated_says_so() {
    let document = thing("option deprecated = true; string name = 1 [deprecated = true];");
    assert_eq!(
        (&sent(&document)["deprecated"], &sent(&document)["properties"]["name"]["deprecated"]),
        (&json!(true), &json!(true))
    );
}

#[test]
fn a_member_has_its_own_json_name() {
    let document = thing("string some_name = 1; string grant_type = 2 [json_name = \"grant_type\"];");
    let members = received(&document)["properties"].as_object().expect("members");
    assert_eq!(members.keys().collect::<Vec<_>>(), ["grant_type", "someName"]);
}
