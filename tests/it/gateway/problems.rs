//! Failures as `application/problem+json` (RFC 9457), for those who accept it.

use kit::shop::{draft, fields, reason};
use kit::{Client, Reply, reply, shared};
use reqwest::Method;
use serde_json::{Value, json};

const PROBLEM: &str = "application/problem+json";

async fn send(client: &Client, method: Method, path: &str, accept: &str, body: Option<Value>) -> Reply {
    let request = client.request(method, path).header("accept", accept);
    reply(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
}

#[tokio::test]
async fn a_failure_is_a_problem_for_those_who_accept_it() {
    let stack = shared().await;
    let (customer, _) = Client::register(stack).await;
    let absent = send(&customer, Method::GET, "/v1/products/prd_none", PROBLEM, None).await;
    assert_eq!((absent.status, &absent.headers["content-type"]), (404, &PROBLEM.parse().expect("ascii")));
    let id = absent.headers["x-request-id"].to_str().expect("ascii");
    let expected = json!({
        "type": "about:blank", "title": "Not Found", "status": 404, "instance": id,
        "detail": absent.body["detail"], "code": 5, "reason": "NOT_FOUND",
    });
    assert_eq!(absent.body, expected);
    assert!(absent.body["detail"].as_str().expect("text").contains("prd_none"), "{absent:?}");
    assert_eq!(
        (&absent.headers["vary"], &absent.headers["cache-control"]),
        (&"accept".parse().expect("ascii"), &"no-store".parse().expect("ascii"))
    );
    for (method, path, status, title, reason) in [
        (Method::GET, "/v1/nothing", 404, "Not Found", "ROUTE_NOT_FOUND"),
        (Method::PUT, "/v1/orders", 405, "Method Not Allowed", "METHOD_NOT_ALLOWED"),
        (Method::POST, "/v1/products", 403, "Forbidden", "FORBIDDEN"),
    ] {
        let refused = send(&customer, method, path, PROBLEM, None).await;
        assert_eq!((refused.status, &refused.body["title"]), (status, &json!(title)), "{refused:?}");
        assert_eq!((&refused.body["status"], &refused.body["reason"]), (&json!(status), &json!(reason)), "{refused:?}");
    }
    let anonymous = send(&Client::anonymous(stack), Method::GET, "/v1/orders", PROBLEM, None).await;
    assert_eq!((anonymous.status, &anonymous.headers["www-authenticate"]), (401, &"Bearer".parse().expect("ascii")));
    assert_eq!(anonymous.body["code"], 16);
}

#[tokio::test]
async fn a_problem_names_every_refused_field() {
    let stack = shared().await;
    let (customer, _) = Client::register(stack).await;
    let mut body = draft(&[("prd_0", 0)], "tok_visa");
    body["surprise"] = json!(1);
    for (body, reasons) in [(body, true), (draft(&[("prd_0", 0)], "tok_visa"), false)] {
        let status = send(&customer, Method::POST, "/v1/orders", "application/json", Some(body.clone())).await;
        let problem = send(&customer, Method::POST, "/v1/orders", PROBLEM, Some(body)).await;
        assert_eq!((problem.status, &problem.body["reason"]), (400, &json!(reason(&status))));
        assert_eq!(problem.body["detail"], status.body["message"]);
        let violations = problem.body["violations"].as_array().expect("a list");
        let named: Vec<&str> = violations.iter().filter_map(|violation| violation["field"].as_str()).collect();
        assert_eq!(named, fields(&status), "{problem:?}");
        for violation in violations {
            let has = |name: &str| violation[name].as_str().is_some_and(|text| !text.is_empty());
            assert!(has("description") && has("reason") == reasons, "{violation}");
        }
    }
}

#[tokio::test]
async fn google_rpc_status_stays_the_default_and_successes_and_tokens_keep_their_form() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    for accept in ["*/*", "application/json", "application/json, application/problem+json;q=0.5", "text/html"] {
        let refused = send(&anonymous, Method::GET, "/v1/products/prd_none", accept, None).await;
        assert_eq!(
            (refused.status, &refused.headers["content-type"]),
            (404, &"application/json".parse().expect("ascii"))
        );
        assert_eq!((reason(&refused).as_str(), refused.body.get("type")), ("NOT_FOUND", None), "{accept}");
        assert_eq!(refused.headers["vary"], "accept", "{accept}");
    }
    let list = send(&anonymous, Method::GET, "/v1/products?pageSize=1", PROBLEM, None).await;
    assert_eq!((list.status, &list.headers["content-type"]), (200, &"application/json".parse().expect("ascii")));
    let grant = json!({ "grant_type": "none" });
    let token = send(&anonymous, Method::POST, "/oauth2/token", PROBLEM, Some(grant)).await;
    assert_eq!(token.body["error"], "unsupported_grant_type", "RFC 6749 has its own form");
}

#[tokio::test]
async fn a_head_of_a_problem_tells_its_type_and_length() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    let get = send(&anonymous, Method::GET, "/v1/products/prd_none", PROBLEM, None).await;
    let head = send(&anonymous, Method::HEAD, "/v1/products/prd_none", PROBLEM, None).await;
    assert_eq!((head.status, &head.body), (404, &Value::Null));
    for name in ["content-type", "content-length", "vary"] {
        assert_eq!(head.headers[name], get.headers[name], "{name}");
    }
}
