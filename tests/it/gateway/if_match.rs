//! `ETag` and `If-Match`: a plain HTTP client overwrites nothing that it has not seen.

use kit::shop::{fields, product, reason};
use kit::{Client, reply, shared};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_version_is_told_as_etag_and_if_match_guards_it() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let path = format!("/v1/products/{}", product(stack, 0).await);
    let patch = |if_match: &'static str, body: Value| {
        let request = staff.request(Method::PATCH, &path).header("if-match", if_match);
        reply(request.json(&body))
    };
    assert_eq!(staff.get(&path).await.headers["etag"], "\"1\"");
    let first = patch("\"1\"", json!({ "name": "First" })).await;
    assert_eq!((first.status, &first.headers["etag"]), (200, &"\"2\"".parse().expect("ascii")));
    for stale in ["\"1\"", "\"1\" , W/\"2\"", "W/\"2\"", ",\"0\",,\"0\" ,"] {
        let refused = patch(stale, json!({ "name": "Second" })).await;
        assert_eq!((refused.status, reason(&refused).as_str()), (412, "STALE_ETAG"), "{stale}: {refused:?}");
    }
    for wrong in ["2", "\"2", "2\"", "\"2\" \"3\"", ",", "", "*, \"2\"", "\"1\", \"2\""] {
        let refused = patch(wrong, json!({ "name": "Second" })).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec!["if-match".to_owned()]), "{wrong}");
    }
    let both = patch("\"2\"", json!({ "name": "Second", "etag": "1" })).await;
    assert_eq!((both.status, fields(&both)), (400, vec!["etag".to_owned()]), "{both:?}");
    assert_eq!(staff.get(&path).await.expect(200)["name"], "First");
    assert_eq!(patch("\"2\"", json!({ "name": "Second", "etag": "2" })).await.expect(200)["etag"], "3");
    assert_eq!(patch("*", json!({ "name": "Third" })).await.expect(200)["etag"], "4");
    let stale = staff.patch(&path, json!({ "name": "Fourth", "etag": "1" })).await;
    assert_eq!(stale.status, 409, "an etag in the body is not a precondition of HTTP");
}

#[tokio::test]
async fn if_match_guards_deletions_actions_and_reads_or_is_refused() {
    let stack = shared().await;
    let (me, user) = Client::register(stack).await;
    let path = format!("/v1/users/{}", user["userId"].as_str().expect("an id"));
    let send = |client: &Client, method: Method, path: &str, if_match: &str| {
        reply(client.request(method, path).header("if-match", if_match))
    };
    assert_eq!(send(&me, Method::GET, &path, "\"1\"").await.status, 200);
    assert_eq!(send(&me, Method::GET, &path, "\"2\"").await.status, 412);
    assert_eq!(send(&me, Method::HEAD, &path, "\"1\", \"2\"").await.status, 200);
    let staff = Client::staff(stack).await;
    let code = format!("MATCH{:010X}", rand::random::<u32>());
    let made = staff.post("/v1/coupons", json!({ "code": code, "percentage": "5" })).await;
    assert_eq!((made.status, &made.headers["etag"]), (201, &"\"1\"".parse().expect("ascii")));
    let disable = format!("/v1/coupons/{code}:disable");
    assert_eq!(send(&staff, Method::POST, &disable, "\"9\"").await.status, 412);
    assert_eq!(send(&staff, Method::POST, &disable, "\"1\"").await.status, 200);
    let action = send(&me, Method::POST, "/v1/orders/ord_1:cancel", "\"1\"").await;
    assert_eq!((action.status, fields(&action)), (400, vec!["if-match".to_owned()]), "it has no version to compare");
    assert_eq!(send(&me, Method::DELETE, &path, "\"2\"").await.status, 412);
    assert_eq!(send(&me, Method::DELETE, "/v1/users/usr_none", "*").await.status, 404);
    assert_eq!(send(&me, Method::DELETE, &path, "\"1\"").await.status, 200);
    let list = Client::anonymous(stack).get("/v1/products?pageSize=1").await;
    assert!(list.headers.get("etag").is_none(), "a list has no version");
}
