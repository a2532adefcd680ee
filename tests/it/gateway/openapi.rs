//! `GET /openapi.json` and `GET /docs`: what a running gateway says of itself.

use kit::shop::product;
use kit::{Client, reply, shared};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_running_gateway_shows_the_document_of_its_contracts_to_anyone() {
    let stack = shared().await;
    let shown = Client::anonymous(stack).get("/openapi.json").await;
    assert_eq!((shown.status, &shown.headers["content-type"]), (200, &"application/json".parse().expect("ascii")));
    assert_eq!(shown.headers["cache-control"], "no-cache");
    assert_eq!(shown.body, gateway::openapi(gateway::JsonOptions::default()).expect("the contracts can be described"));
    assert_eq!(shown.body["openapi"], "3.1.0");
}

#[tokio::test]
async fn who_has_the_document_already_gets_304_without_a_body() {
    let stack = shared().await;
    let client = Client::anonymous(stack);
    let etag = client.get("/openapi.json").await.headers["etag"].to_str().expect("ascii").to_owned();
    let ask =
        |method: Method, tags: String| reply(client.request(method, "/openapi.json").header("if-none-match", tags));
    for tags in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
        for method in [Method::GET, Method::HEAD] {
            let answer = ask(method, tags.clone()).await;
            assert_eq!((answer.status, &answer.body), (304, &json!(null)), "{tags}");
            assert_eq!(answer.headers["etag"], etag, "{tags}");
            assert_eq!(answer.headers["cache-control"], "no-cache", "{tags}");
        }
    }
    assert_eq!(ask(Method::GET, "\"other\"".to_owned()).await.status, 200);
}

#[tokio::test]
async fn the_page_that_renders_it_loads_nothing_from_elsewhere_and_has_a_strict_policy() {
    let stack = shared().await;
    let client = Client::anonymous(stack);
    let page = client.get("/docs").await;
    let html = page.body.as_str().expect("a page").to_owned();
    assert_eq!(
        (page.status, &page.headers["content-type"]),
        (200, &"text/html; charset=utf-8".parse().expect("ascii"))
    );
    let policy = page.headers["content-security-policy"].to_str().expect("ascii");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    assert!(!html.contains("://") && !html.contains("<style") && !html.contains("onload"), "{html}");
    let sources = html.split(['"', '\'']).filter(|text| text.starts_with("docs/")).collect::<Vec<_>>();
    assert_eq!(sources, ["docs/swagger-ui.css", "docs/swagger-ui-bundle.js", "docs/start.js"]);
    for source in sources {
        let file = client.get(&format!("/{source}")).await;
        let kind = if source.ends_with(".css") { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" };
        assert_eq!((file.status, &file.headers["content-type"]), (200, &kind.parse().expect("ascii")), "{source}");
        assert_eq!(file.headers["x-content-type-options"], "nosniff", "{source}");
    }
    assert_eq!(client.get("/docs/LICENSE").await.status, 404, "the page has no more files than it needs");
}

/// The operations of the document that take no parameter and no body, and answer anybody with JSON.
fn plain_reads(document: &Value) -> Vec<String> {
    let paths = document["paths"].as_object().expect("paths").iter();
    let is_plain = |item: &Value| {
        let is_required = |parameter: &Value| parameter["required"] == json!(true);
        let parameters = item["get"]["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        // A stream is no one reply; it has tests of its own.
        let is_one = item["get"]["responses"]["200"]["content"]["application/json"].is_object();
        is_one && !parameters.iter().any(is_required)
    };
    // Those are no replies of RPCs: what they say is that of other standards.
    let paths = paths.filter(|(path, _)| !path.starts_with("/.well-known/"));
    paths.filter(|(_, item)| is_plain(item)).map(|(path, _)| path.clone()).collect()
}

#[tokio::test]
async fn every_read_without_required_parameters_is_answered_as_documented() {
    let stack = shared().await;
    product(stack, 0).await;
    let document = Client::anonymous(stack).get("/openapi.json").await.expect(200);
    let paths = plain_reads(&document);
    assert!(paths.contains(&"/v1/products".to_owned()), "{paths:?}");
    let (admin, anonymous) = (Client::admin(stack).await, Client::anonymous(stack));
    for path in paths {
        let operation = &document["paths"][&path]["get"];
        let answer = admin.get(&path).await;
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        let name = schema["$ref"].as_str().and_then(|target| target.rsplit('/').next()).expect("a reference");
        let required = document["components"]["schemas"][name]["required"].as_array().expect("a reply has members");
        for member in required.iter().filter_map(Value::as_str) {
            assert!(answer.body.get(member).is_some(), "{path}: no {member} in {answer:?}");
        }
        let is_public = operation["security"][0] == json!({});
        assert_eq!(anonymous.get(&path).await.status, if is_public { 200 } else { 401 }, "{path}");
    }
}
