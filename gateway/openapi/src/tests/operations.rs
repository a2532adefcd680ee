//! What an operation says of its binding.

use super::{at, compiled, described, linked, names, operation, service};
use serde_json::json;

const MESSAGES: &str = r#"
message Inner { string user_id = 1; Inner inner = 2; repeated Inner inners = 3; google.protobuf.Timestamp since_time = 4; }
message Thing { string etag = 1; string name = 2; }
message Request {
  string name = 1;
  Inner inner = 2;
  repeated string tag_names = 3;
  map<string, string> labels = 4;
  Thing thing = 5;
  google.protobuf.FieldMask update_mask = 6;
  // The key.
  string request_id = 7;
  int64 size = 8 [deprecated = true];
}
message Reply { Thing thing = 1; repeated Thing things = 2; }
"#;

#[test]
fn every_binding_is_an_operation_also_additional_ones_and_those_of_any_method() {
    let rules = [
        "get: \"/v1/a\" additional_bindings {get: \"/v1/b\"} additional_bindings {post: \"/v1/b\" body: \"*\"}",
        "custom: {kind: \"*\" path: \"/v1/any\"}",
        "custom: {kind: \"PURGE\" path: \"/v1/purge\"}",
    ];
    let document = described(&compiled(&service(&rules, MESSAGES)));
    let id = |method, path| operation(&document, method, path)["operationId"].as_str().expect("an id").to_owned();
    assert_eq!(id("get", "/v1/a"), "Zoo_Call0");
    assert_eq!([id("get", "/v1/b"), id("post", "/v1/b")], ["Zoo_Call0_2", "Zoo_Call0_3"]);
    let any = at(&document, "/paths/~1v1~1any").as_object().expect("a path item");
    assert_eq!(any.keys().collect::<Vec<_>>(), ["delete", "get", "patch", "post", "put"]);
    assert_eq!([id("get", "/v1/any"), id("put", "/v1/any")], ["Zoo_Call1_get", "Zoo_Call1_put"]);
    assert_eq!(id("x-purge", "/v1/purge"), "Zoo_Call2");
}

#[test]
fn what_nobody_but_services_may_call_is_not_there() {
    let source = "service Zoo {\n\
        rpc One(Request) returns (Reply) { option (google.api.http) = {get: \"/v1/one\"}; }\n\
        rpc Two(Request) returns (Reply) {\n  option (google.api.http) = {get: \"/v1/two\"};\n  \
        option (comptoir.api.v1.access) = {services: \"orders\"};\n}\n\
        rpc Three(Request) returns (Reply) { option (comptoir.api.v1.access) = {public: true}; }\n}\n\
        message Request {}\nmessage Reply {}";
    let document = described(&compiled(source));
    assert_eq!((&document["paths"], &document["tags"]), (&json!({}), &json!([])));
}

#[test]
fn the_query_has_the_leaves_that_neither_path_nor_body_nor_a_header_binds() {
    let rules = [
        "get: \"/v1/a/{name}\"",
        "get: \"/v1/a/{name}/{inner.user_id}\"",
        "patch: \"/v1/b\" body: \"thing\"",
        "post: \"/v1/b\" body: \"*\"",
    ];
    let document = described(&compiled(&service(&rules, MESSAGES)));
    let query = |method, path| names(operation(&document, method, path), "query");
    let leaves = ["inner.userId", "inner.sinceTime", "tagNames", "thing.etag", "thing.name", "updateMask", "size"];
    assert_eq!(
        query("get", "/v1/a/{name}"),
        leaves,
        "inner.inner is inside itself; lists of messages and maps cannot be"
    );
    assert_eq!(query("get", "/v1/a/{name}/{userId}"), leaves[1..]);
    assert_eq!(query("patch", "/v1/b"), ["name", "inner.userId", "inner.sinceTime", "tagNames", "updateMask", "size"]);
    assert_eq!(query("post", "/v1/b"), Vec::<&str>::new());
    let parameters = operation(&document, "get", "/v1/a/{name}")["parameters"].as_array().expect("a list");
    let of = |name: &str| parameters.iter().find(|it| it["name"] == name).expect("it is there");
    assert_eq!(of("tagNames")["schema"], json!({ "type": "array", "items": { "type": "string" } }));
    assert_eq!((&of("size")["deprecated"], of("size").get("required")), (&json!(true), None));
}

#[test]
fn headers_are_the_key_and_the_version_where_the_request_has_them() {
    let rules = ["patch: \"/v1/a\" body: \"thing\"", "post: \"/v1/a\" body: \"thing\""];
    let document = described(&compiled(&service(&rules, MESSAGES)));
    let patch = operation(&document, "patch", "/v1/a");
    assert_eq!(names(patch, "header"), ["Idempotency-Key", "If-Match"]);
    assert_eq!(names(operation(&document, "post", "/v1/a"), "header"), ["Idempotency-Key"], "it changes no version");
    let key = patch["parameters"].as_array().and_then(|all| all.iter().find(|it| it["name"] == "Idempotency-Key"));
    assert_eq!(key.map(|key| &key["description"]), Some(&json!("The key.")));
}

#[test]
fn the_body_is_one_field_or_all_that_the_path_does_not_bind() {
    let rules = ["post: \"/v1/a/{name}\" body: \"*\"", "post: \"/v1/b\" body: \"tag_names\""];
    let document = described(&compiled(&service(&rules, MESSAGES)));
    let body = |path| at(operation(&document, "post", path), "/requestBody/content/application~1json/schema");
    let members = body("/v1/a/{name}")["properties"].as_object().expect("members");
    assert!(!members.contains_key("name") && members.contains_key("inner"), "{members:?}");
    assert_eq!(body("/v1/b"), &json!({ "type": "array", "items": { "type": "string" } }));
}

#[test]
fn the_reply_is_the_message_or_the_field_that_is_sent() {
    let rules =
        ["get: \"/v1/a\" response_body: \"thing\"", "get: \"/v1/b\" response_body: \"things\"", "get: \"/v1/c\""];
    let document = described(&compiled(&service(&rules, MESSAGES)));
    let reply = |path| at(operation(&document, "get", path), "/responses/200");
    let schema = |path| at(reply(path), "/content/application~1json/schema").clone();
    let thing = json!({ "$ref": "#/components/schemas/zoo.v1.Thing" });
    assert_eq!(schema("/v1/a"), thing);
    assert_eq!(schema("/v1/b"), json!({ "type": "array", "items": thing }));
    assert_eq!(schema("/v1/c"), json!({ "$ref": "#/components/schemas/zoo.v1.Reply" }));
    let has_version = |path| reply(path).get("headers").is_some();
    assert_eq!(["/v1/a", "/v1/b", "/v1/c"].map(has_version), [true, false, false], "a list has no version");
}

#[test]
fn services_of_one_name_are_told_apart_by_their_packages() {
    let source = service(&["get: \"/v1/a\""], MESSAGES);
    assert_eq!(described(&compiled(&source))["tags"][0]["name"], "Zoo");
    let both = described(&linked(&source, &["zoo.proto", "den.proto"]));
    assert_eq!([&both["tags"][0]["name"], &both["tags"][1]["name"]], ["den.v1.Zoo", "zoo.v1.Zoo"]);
    // Both answer to one path, which the router refuses at start.
    assert_eq!(operation(&both, "get", "/v1/a")["operationId"], "zoo_v1_Zoo_Call0");
}
