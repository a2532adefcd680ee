//! The document of the contracts of Comptoir.

use super::{at, described, faults, names, operation, schema};
use prost_reflect::DescriptorPool;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(super) fn pool() -> DescriptorPool {
    DescriptorPool::decode(contracts::DESCRIPTORS).expect("the contracts")
}

/// A path without the names of what is in braces.
fn shape(path: &str) -> String {
    let pieces = path.split('{').map(|piece| piece.split_once('}').map_or(piece, |(_, after)| after));
    pieces.collect::<Vec<_>>().join("{}")
}

fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().expect("paths").iter();
    let items = paths.flat_map(|(path, item)| item.as_object().into_iter().flatten().map(move |it| (path, it)));
    items.map(|(path, (method, operation))| (method.as_str(), path.as_str(), operation)).collect()
}

#[test]
fn each_reachable_binding_of_the_router_is_an_operation_and_nothing_else_is() {
    let router = transcode::Router::from_descriptors(contracts::DESCRIPTORS).expect("the routes");
    let routes = router.routes().iter().filter(|route| route.rpc.reachable());
    let served: BTreeSet<(String, String)> =
        routes.map(|route| (route.method.to_lowercase(), shape(&route.template))).collect();
    let document = described(&pool());
    let described: BTreeSet<(String, String)> =
        operations(&document).iter().map(|(method, path, _)| ((*method).to_owned(), shape(path))).collect();
    assert_eq!(described, served);
    assert!(served.len() > 40, "{served:?}");
}

#[test]
fn an_operation_has_an_id_of_its_own_and_declares_the_parameters_of_its_path() {
    let document = described(&pool());
    let operations = operations(&document);
    let ids: BTreeSet<&str> = operations.iter().filter_map(|(.., each)| each["operationId"].as_str()).collect();
    assert_eq!(ids.len(), operations.len());
    for (method, path, each) in operations {
        let in_path: Vec<&str> =
            path.split('{').skip(1).filter_map(|piece| piece.split_once('}')).map(|(name, _)| name).collect();
        assert_eq!(names(each, "path"), in_path, "{method} {path}");
        let (summary, description) = (each["summary"].as_str(), each["description"].as_str());
        assert!(summary.is_some_and(|text| !text.is_empty() && !text.ends_with('.')), "{method} {path}: {summary:?}");
        assert!(description.is_some_and(|text| text.contains("call")), "{method} {path}: {description:?}");
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_referred_to() {
    let document = described(&pool());
    let text = document.to_string();
    let references: BTreeSet<&str> =
        text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    for reference in &references {
        at(&document, reference);
    }
    for name in document["components"]["schemas"].as_object().expect("schemas").keys() {
        assert!(references.contains(format!("/components/schemas/{name}").as_str()), "nothing refers to {name}");
        assert!(!schema(&document, name).is_null(), "{name}");
    }
}

#[test]
fn one_pool_gives_one_document_byte_for_byte() {
    // The pool has its elements in no promised order.
    let texts: BTreeSet<String> = (0..5).map(|_| described(&pool()).to_string()).collect();
    assert_eq!(texts.len(), 1);
}

#[test]
fn two_templates_of_one_shape_are_one_path() {
    let document = described(&pool());
    let item = at(&document, "/paths/~1v1~1users~1{userId}").as_object().expect("a path item");
    assert_eq!(item.keys().collect::<Vec<_>>(), ["delete", "get", "patch"], "PATCH binds user.user_id");
    assert_eq!(names(&item["patch"], "path"), ["userId"]);
}

#[test]
fn the_token_endpoint_takes_a_form_and_answers_errors_of_rfc_6749() {
    let document = described(&pool());
    let token = operation(&document, "post", "/oauth2/token");
    let form = at(token, "/requestBody/content/application~1x-www-form-urlencoded/schema/properties");
    let secrets = ["password", "refresh_token"].map(|name| (&form[name]["format"], &form[name]["writeOnly"]));
    assert_eq!(secrets, [(&json!("password"), &json!(true)); 2]);
    assert_eq!(token["responses"]["default"]["$ref"], "#/components/responses/OAuthError");
    assert_eq!(token["security"], json!([{}, { "client": [] }]));
    assert_eq!(at(&document, "/components/securitySchemes/client/scheme"), "basic");
    let reply = schema(&document, "comptoir.users.v1.Token");
    assert_eq!(
        reply["required"],
        json!(["access_token", "token_type", "expires_in"]),
        "a client is given no refresh token"
    );
    assert!(reply["properties"]["access_token"].get("writeOnly").is_none(), "a reply shows it: that is its purpose");
}

#[test]
fn a_creation_answers_201_takes_an_idempotency_key_and_shows_its_version() {
    let document = described(&pool());
    let create = operation(&document, "post", "/v1/orders");
    assert_eq!((names(create, "query"), names(create, "header")), (vec!["wait"], vec!["Idempotency-Key"]));
    let responses = create["responses"].as_object().expect("responses");
    assert_eq!(responses.keys().collect::<Vec<_>>(), ["201", "default"]);
    assert!(responses["201"]["headers"]["ETag"].is_object());
    assert_eq!(responses["default"]["$ref"], "#/components/responses/Error");
    let schema = at(create, "/requestBody/content/application~1json/schema/$ref");
    assert_eq!(
        (schema, &create["requestBody"]["required"]),
        (&json!("#/components/schemas/comptoir.orders.v1.OrderDraft-Input"), &json!(true),)
    );
}

#[test]
fn if_match_is_a_header_where_the_gateway_compares_versions() {
    let router = transcode::Router::from_descriptors(contracts::DESCRIPTORS).expect("the routes");
    let document = described(&pool());
    for route in router.routes().iter().filter(|route| route.rpc.reachable()) {
        let operations = operations(&document);
        let found = operations
            .iter()
            .find(|(method, path, _)| method.to_uppercase() == route.method && shape(path) == shape(&route.template));
        let (.., operation) = found.unwrap_or_else(|| panic!("{} {} is missing", route.method, route.template));
        let takes = names(operation, "header").contains(&"If-Match");
        assert_eq!(takes, route.takes_etag(), "{} {}", route.method, route.template);
    }
}

#[test]
fn a_read_of_a_resource_with_a_version_may_be_answered_with_304() {
    let document = described(&pool());
    let read = operation(&document, "get", "/v1/products/{productId}");
    assert_eq!(names(read, "header"), ["If-None-Match"]);
    assert!(read["responses"]["304"].is_object() && read["responses"]["200"]["headers"]["ETag"].is_object());
    let list = operation(&document, "get", "/v1/products");
    assert_eq!((names(list, "header"), list["responses"].get("304")), (Vec::new(), None), "a list has no version");
}

#[test]
fn a_failure_is_a_status_or_a_problem() {
    let document = described(&pool());
    let forms = at(&document, "/components/responses/Error/content").as_object().expect("forms");
    assert_eq!(forms.keys().collect::<Vec<_>>(), ["application/json", "application/problem+json"]);
    let status = json!({ "code": 5, "message": "no such order", "details": [{ "@type": "x/google.rpc.ErrorInfo" }] });
    assert_eq!(faults(&document, schema(&document, "google.rpc.Status"), &status), Vec::<String>::new());
    let problem = json!({ "type": "about:blank", "title": "Not Found", "status": 404, "detail": "no such order",
        "instance": "", "code": 5, "reason": null, "violations": [{ "field": "orderId" }] });
    assert_eq!(faults(&document, schema(&document, "Problem"), &problem), Vec::<String>::new());
}

#[test]
fn a_watch_is_lines_or_events_and_ends_with_204() {
    let document = described(&pool());
    let watch = operation(&document, "get", "/v1/orders/{orderId}:watch");
    let types = at(watch, "/responses/200/content").as_object().expect("types");
    assert_eq!(types.keys().collect::<Vec<_>>(), ["application/x-ndjson", "text/event-stream"]);
    assert!(watch["responses"]["204"].is_object());
    assert_eq!(names(watch, "header"), ["Last-Event-ID"]);
}

#[test]
fn who_may_call_is_told_in_words_to_programs_and_as_security() {
    let document = described(&pool());
    let told = |method: &str, path: &str| {
        let operation = operation(&document, method, path);
        let words = operation["description"].as_str().and_then(|text| text.rsplit("\n\n").next()).expect("words");
        (words.to_owned(), operation["x-comptoir-roles"].clone(), operation["security"].clone())
    };
    let bearer = json!([{ "bearer": [] }]);
    let anyone = |roles: Value| ("Anyone may call, without a token.".to_owned(), roles, json!([{}, { "bearer": [] }]));
    assert_eq!(told("get", "/v1/stock/{productId}"), anyone(Value::Null));
    assert_eq!(told("get", "/v1/products"), anyone(json!(["staff"])), "who are shown drafts too");
    let owner = "May be called by the user who owns the resource, which is NOT_FOUND for other users, and by users whose \
                 role is at least `support`.";
    assert_eq!(told("get", "/v1/orders/{orderId}"), (owner.to_owned(), json!(["support"]), bearer.clone()));
    let user = "May be called by any signed-in user.".to_owned();
    assert_eq!(told("post", "/v1/orders"), (user, Value::Null, bearer));
}

#[test]
fn a_text_with_a_header_of_its_own_is_a_header_and_no_parameter_of_the_query() {
    let document = described(&pool());
    for (method, path) in [("get", "/v1/baskets/{basketId}"), ("delete", "/v1/baskets/{basketId}")] {
        let operation = operation(&document, method, path);
        assert!(names(operation, "header").contains(&"Basket-Token"), "{method} {path}");
        assert!(names(operation, "query").is_empty(), "{method} {path}");
    }
}
