//! `comptoir gateway`: routes and explanations, from the contracts alone.

use kit::binary;
use serde_json::Value;
use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

/// Runs `comptoir gateway` with a body on standard input; the exit code and what it prints.
fn gateway(arguments: &[&str], body: &str) -> (i32, String) {
    let mut command = Command::new(binary());
    command.arg("gateway").args(arguments).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    child.stdin.take().expect("a pipe").write_all(body.as_bytes()).expect("it reads, or has ended");
    let Output { status, stdout, stderr } = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code().expect("no signal"), text)
}

#[test]
fn routes_are_those_of_the_contracts_each_with_who_may_call() {
    let (code, text) = gateway(&["routes"], "");
    assert_eq!(code, 0, "{text}");
    let row = |start: &[&str]| {
        let cells =
            |line: &str| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect();
        let rows = text.lines().map(cells).filter(|row: &Vec<String>| {
            row.starts_with(&start.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>())
        });
        rows.collect::<Vec<_>>()
    };
    let create = row(&["POST", "/v1/orders"]);
    assert_eq!(
        create,
        [["POST", "/v1/orders", "/comptoir.orders.v1.OrderService/CreateOrder", "user", "order", "one"]],
        "{text}"
    );
    assert_eq!(row(&["GET", "/v1/orders/{order_id}:watch"])[0][5], "stream");
    let (_, json) = gateway(&["routes", "--json"], "");
    let json: Value = serde_json::from_str(&json).unwrap();
    let router = transcode::Router::from_descriptors(contracts::DESCRIPTORS).unwrap();
    assert_eq!(json["routes"].as_array().unwrap().len(), router.routes().len());
    assert!(json["overlaps"].as_array().unwrap().iter().all(|overlap| overlap["crossing"] == false), "{json}");
}

#[test]
fn an_explanation_names_the_route_and_where_each_field_comes_from() {
    let arguments = [
        "explain",
        "post",
        "https://shop.example/v1/orders?wait=5s&utm_source=x",
        "--body",
        "-",
        "--header",
        "idempotency-key: k1",
    ];
    let (code, text) = gateway(&arguments, r#"{"items": [{"productId": "p", "quantity": 2}], "paymentToken": "tok"}"#);
    assert_eq!(code, 0, "{text}");
    for line in [
        "route    POST /v1/orders\n",
        "rpc      /comptoir.orders.v1.OrderService/CreateOrder\n",
        "access   user\n",
        "wait          in the query\n",
        "requestId     in the header Idempotency-Key\n",
        "items         in the body\n",
        "paymentToken  in the body\n",
        "\"requestId\": \"k1\"",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    let (code, text) = gateway(&["explain", "GET", "/v1/products:batchGet?productIds=a&productIds=b"], "");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("route    GET /v1/products:batchGet\n"), "{text}");
}

#[test]
fn an_explanation_of_a_request_that_is_refused_says_why_and_ends_with_1() {
    let body = r#"{"items": [{"productId": "p", "quantity": 1.5}], "coupon": "x"}"#;
    let (code, text) = gateway(&["explain", "POST", "/v1/orders?page=1", "--body", "-"], body);
    assert_eq!(code, 1, "{text}");
    for words in [
        "items[0].quantity  INVALID_VALUE            must be a whole number",
        "coupon             UNKNOWN_FIELD",
        "page               UNKNOWN_QUERY_PARAMETER",
        "refused with 400",
    ] {
        assert!(text.contains(words), "{words:?} in {text}");
    }
    let (code, text) = gateway(&["explain", "PUT", "/v1/users/usr_1"], "");
    assert_eq!(code, 1);
    assert!(text.contains("fits     PATCH /v1/users/{user.user_id}\n") && text.contains("refused with 405"), "{text}");
    let (code, text) = gateway(&["explain", "GET", "/v1/nothing"], "");
    assert!(code == 1 && text.contains("refused with 404: no such path"), "{text}");
    let (code, text) = gateway(&["--descriptors", "/nowhere.binpb", "routes"], "");
    assert!(code == 1 && text.contains("cannot read /nowhere.binpb"), "{text}");
}
