//! `If-None-Match`: what a caller has already is not sent again, and what must not be there is not changed.

use kit::shop::{fields, product, reason};
use kit::{Client, Reply, reply, shared};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn read(client: &Client, method: Method, path: &str, if_none_match: &[&str]) -> Reply {
    let request = client.request(method, path);
    reply(if_none_match.iter().fold(request, |request, tags| request.header("if-none-match", *tags))).await
}

async fn write(client: &Client, method: Method, path: &str, if_none_match: &str, body: Value) -> Reply {
    reply(client.request(method, path).header("if-none-match", if_none_match).json(&body)).await
}

#[tokio::test]
async fn what_the_caller_has_already_is_304_without_a_body() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    let path = format!("/v1/products/{}", product(stack, 0).await);
    for method in [Method::GET, Method::HEAD] {
        for tags in ["\"1\"", "W/\"1\"", "*", "\"0\", W/\"1\" , \"2\"", ",\"1\",,"] {
            let unchanged = read(&anonymous, method.clone(), &path, &[tags]).await;
            assert_eq!((unchanged.status, &unchanged.body), (304, &Value::Null), "{method} {tags}: {unchanged:?}");
            assert_eq!(unchanged.headers["etag"], "\"1\"", "{tags}");
            assert!(unchanged.headers.contains_key("x-request-id"), "{tags}");
            for absent in ["content-type", "content-length", "transfer-encoding"] {
                assert!(!unchanged.headers.contains_key(absent), "{method} {tags}: {absent}");
            }
        }
        for tags in ["\"0\"", "W/\"2\"", "\"11\", \"0\""] {
            let shown = read(&anonymous, method.clone(), &path, &[tags]).await;
            assert_eq!((shown.status, &shown.headers["etag"]), (200, &"\"1\"".parse().expect("ascii")), "{tags}");
        }
        assert_eq!(read(&anonymous, method, &path, &["\"0\"", "\"1\""]).await.status, 304, "two headers are one list");
    }
    let staff = Client::staff(stack).await;
    staff.patch(&path, json!({ "name": "Changed" })).await.expect(200);
    let changed = read(&anonymous, Method::GET, &path, &["\"1\""]).await.expect(200);
    assert_eq!(changed["name"], "Changed");
}

#[tokio::test]
async fn a_read_that_fails_fails_whatever_if_none_match_says() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    let path = format!("/v1/products/{}", product(stack, 0).await);
    assert_eq!(read(&anonymous, Method::GET, "/v1/products/prd_none", &["*"]).await.status, 404);
    assert_eq!(read(&anonymous, Method::GET, "/v1/orders", &["*"]).await.status, 401);
    for wrong in ["1", "\"1", "*, \"1\"", ""] {
        let refused = read(&anonymous, Method::GET, &path, &[wrong]).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec!["if-none-match".to_owned()]), "{wrong}");
    }
    let both = anonymous.request(Method::GET, &path).header("if-match", "\"2\"").header("if-none-match", "\"1\"");
    assert_eq!(reply(both).await.status, 412, "If-Match comes first");
    let both = anonymous.request(Method::GET, &path).header("if-match", "\"1\"").header("if-none-match", "\"1\"");
    assert_eq!(reply(both).await.status, 304);
    let list = read(&anonymous, Method::GET, "/v1/products?pageSize=1", &["\"1\""]).await;
    assert_eq!(list.status, 200, "a list has no version");
    assert_eq!(read(&anonymous, Method::GET, "/v1/products?pageSize=1", &["*"]).await.status, 304, "but it is there");
}

#[tokio::test]
async fn a_write_to_a_version_that_if_none_match_names_is_412() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let path = format!("/v1/products/{}", product(stack, 0).await);
    for tags in ["*", "\"1\"", "W/\"1\"", "\"7\", \"1\""] {
        let refused = write(&staff, Method::PATCH, &path, tags, json!({ "name": "Never" })).await;
        assert_eq!((refused.status, reason(&refused).as_str()), (412, "STALE_ETAG"), "{tags}: {refused:?}");
    }
    assert_eq!(staff.get(&path).await.expect(200)["name"], "Test product");
    let changed = write(&staff, Method::PATCH, &path, "\"7\", \"8\"", json!({ "name": "Changed" })).await;
    assert_eq!(changed.expect(200)["etag"], "2");
    let absent = write(&staff, Method::PATCH, "/v1/products/prd_none", "*", json!({ "name": "x" })).await;
    assert_eq!(absent.status, 404, "what is not there has no version");
    let (me, user) = Client::register(stack).await;
    let path = format!("/v1/users/{}", user["userId"].as_str().expect("an id"));
    assert_eq!(read(&me, Method::DELETE, &path, &["*"]).await.status, 412);
    assert_eq!(read(&me, Method::DELETE, &path, &["\"9\""]).await.status, 200);
}

#[tokio::test]
async fn a_write_that_cannot_be_compared_is_refused_and_changes_nothing() {
    let stack = shared().await;
    let (me, _) = Client::register(stack).await;
    let create = write(&me, Method::POST, "/v1/orders", "*", json!({})).await;
    assert_eq!(create.status, 412, "the list of orders is there");
    for (path, tags) in [("/v1/orders", "\"1\""), ("/v1/orders/ord_1:cancel", "*"), ("/v1/orders/ord_1:cancel", "1")] {
        let refused = write(&me, Method::POST, path, tags, json!({})).await;
        let status = StatusCode::from_u16(refused.status).expect("a status");
        assert_eq!((status, fields(&refused)), (StatusCode::BAD_REQUEST, vec!["if-none-match".to_owned()]), "{path}");
    }
    let anonymous = Client::anonymous(stack);
    assert_eq!(write(&anonymous, Method::POST, "/v1/orders", "*", json!({})).await.status, 401, "rights come first");
}
