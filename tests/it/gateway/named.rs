//! RPCs by their own names: gRPC, gRPC-Web and Connect, as buf's client and raw requests speak them.

use super::before;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use kit::shop::{draft, place, product};
use kit::{Client, Reply, Stack, reply, shared};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

const PROTOCOLS: [&str; 3] = ["grpc", "grpcweb", "connect"];

const ORDERS: &str = "/comptoir.orders.v1.OrderService/";
const PRODUCTS: &str = "/comptoir.products.v1.ProductService/";

/// `buf curl` for one call.
fn command(gateway: &str, protocol: &str, token: Option<&str>, rpc: &str, message: &Value) -> Command {
    let buf = std::env::var_os("BUF_BIN").unwrap_or_else(|| "../.tools/buf".into());
    let mut command = Command::new(buf);
    command.args(["curl", "--schema", "../proto", "--protocol", protocol, "--data", &message.to_string()]);
    if protocol == "grpc" {
        command.arg("--http2-prior-knowledge");
    }
    if let Some(token) = token {
        command.args(["--header", &format!("authorization: Bearer {token}")]);
    }
    command.arg(format!("{gateway}{rpc}"));
    command
}

/// Calls an RPC: whether it succeeded, and what is printed, which of an error is that of Connect.
pub fn buf_curl(gateway: &str, protocol: &str, token: Option<&str>, rpc: &str, message: &Value) -> (bool, String) {
    let output = command(gateway, protocol, token, rpc, message).output();
    let output = output.unwrap_or_else(|error| panic!("buf: {error}; mend: make tools"));
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn call(stack: &Stack, protocol: &str, client: &Client, rpc: &str, message: &Value) -> Result<Value, Value> {
    let (is_ok, text) = buf_curl(stack.gateway(), protocol, client.token(), rpc, message);
    let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{protocol} {rpc}: {error}: {text}"));
    if is_ok { Ok(json) } else { Err(json) }
}

async fn connect(client: &Client, rpc: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Reply {
    reply(client.request(Method::POST, rpc).header("content-type", content_type).body(body)).await
}

#[tokio::test]
async fn an_order_is_placed_read_and_watched_by_grpc_grpc_web_and_connect() {
    let stack = shared().await;
    let (customer, _) = Client::register(stack).await;
    let product = product(stack, 9).await;
    for protocol in PROTOCOLS {
        let message = json!({"order": draft(&[(&product, 2)], "tok_visa"), "wait": "25s"});
        let order = call(stack, protocol, &customer, &format!("{ORDERS}CreateOrder"), &message).unwrap();
        assert_eq!(order["state"], "CONFIRMED", "{protocol}");
        let named = json!({"orderId": order["orderId"]});
        let read = call(stack, protocol, &customer, &format!("{ORDERS}GetOrder"), &named).unwrap();
        assert_eq!(read["items"][0]["quantity"], 2, "{protocol}");
        let cancelled = call(stack, protocol, &customer, &format!("{ORDERS}CancelOrder"), &named).unwrap();
        assert_eq!(cancelled["orderId"], order["orderId"], "{protocol}");
        // The watch ends with the order, and says so: buf would call a stream without its status an error.
        let (is_ok, watched) =
            buf_curl(stack.gateway(), protocol, customer.token(), &format!("{ORDERS}WatchOrder"), &named);
        assert!(is_ok && watched.contains("CANCELLED"), "{protocol}: {watched}");
    }
}

#[tokio::test]
async fn an_error_has_its_code_and_its_details_in_every_protocol() {
    let stack = shared().await;
    let (customer, _) = Client::register(stack).await;
    for protocol in PROTOCOLS {
        let absent = json!({"orderId": "ord_0190b5a6-0000-7000-8000-000000000000"});
        let error = call(stack, protocol, &customer, &format!("{ORDERS}GetOrder"), &absent).unwrap_err();
        assert_eq!(error["code"], "not_found", "{protocol}: {error}");
        let kinds: Vec<&str> =
            error["details"].as_array().unwrap().iter().filter_map(|one| one["type"].as_str()).collect();
        assert!(kinds.iter().any(|kind| kind.ends_with("google.rpc.ErrorInfo")), "{protocol}: {error}");
        let anonymous = Client::anonymous(stack);
        let error = call(stack, protocol, &anonymous, &format!("{ORDERS}GetOrder"), &absent).unwrap_err();
        assert_eq!(error["code"], "unauthenticated", "{protocol}: {error}");
        let (is_ok, text) = buf_curl(stack.gateway(), protocol, None, &format!("{ORDERS}WatchOrder"), &absent);
        assert!(!is_ok && text.contains("unauthenticated"), "{protocol}: {text}");
    }
}

#[tokio::test]
async fn an_rpc_of_services_alone_is_not_there_in_any_protocol() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let rules = rpc::Rules::from_descriptors(contracts::DESCRIPTORS).unwrap();
    let is_hidden =
        |access: &transcode::Access| !access.public && !access.user && !access.owner && access.roles.is_empty();
    let hidden: Vec<&str> = rules.iter().filter(|(_, access)| is_hidden(access)).map(|(path, _)| path).collect();
    assert!(!hidden.is_empty());
    for path in hidden {
        for content_type in ["application/json", "application/grpc", "application/grpc-web", "application/connect+json"]
        {
            assert_eq!(connect(&staff, path, content_type, "{}").await.status, 404, "{path} {content_type}");
        }
    }
}

#[tokio::test]
async fn connect_answers_get_for_what_only_reads() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    let product = product(stack, 1).await;
    let message = json!({"productId": product}).to_string();
    let get = async |query: String| anonymous.get(&format!("{PRODUCTS}GetProduct?{query}")).await;
    let encoded: String = message.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let plain = get(format!("connect=v1&encoding=json&message={encoded}")).await;
    assert_eq!(plain.expect(200)["productId"], product);
    let base64 = get(format!("encoding=json&base64=1&message={}", URL_SAFE_NO_PAD.encode(&message))).await;
    assert_eq!(base64.expect(200)["productId"], product);
    for (query, field) in [
        ("message=%7B%7D", "encoding"),
        ("encoding=json", "message"),
        ("encoding=xml&message=a", "encoding"),
        ("encoding=json&message=a&base64=1&connect=v2", "connect"),
        ("encoding=json&message=!&base64=1", "message"),
        ("encoding=json&message=%7B%7D&more=1", "more"),
    ] {
        let refused = get(query.to_owned()).await.expect(400);
        let named =
            &refused["details"].as_array().unwrap().iter().find(|one| one["type"] == "google.rpc.BadRequest").unwrap()
                ["debug"];
        assert_eq!(named["fieldViolations"][0]["field"], field, "{query}: {refused}");
    }
    let options = reply(anonymous.request(Method::OPTIONS, &format!("{PRODUCTS}GetProduct"))).await;
    assert_eq!(options.headers["allow"], "GET, HEAD, OPTIONS, POST");
    let write = anonymous.get(&format!("{ORDERS}CreateOrder?encoding=json&message=%7B%7D")).await;
    assert_eq!((write.status, &write.headers["allow"]), (405, &"OPTIONS, POST".parse().unwrap()));
}

#[tokio::test]
async fn a_connect_error_is_json_with_the_status_of_its_code() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    let rpc = format!("{PRODUCTS}GetProduct");
    let unknown = connect(&anonymous, &rpc, "application/json", r#"{"productId": "p", "color": "red"}"#).await;
    assert_eq!(unknown.headers["content-type"], "application/json");
    let unknown = unknown.expect(400);
    assert_eq!(
        (&unknown["code"], &unknown["message"]),
        (&json!("invalid_argument"), &json!("color: is not a field of this message"))
    );
    let absent = connect(&anonymous, &rpc, "application/json", r#"{"productId": "prd_x"}"#).await.expect(404);
    assert_eq!(absent["code"], "not_found");
    let detail = &absent["details"][0];
    assert!(
        detail["type"] == "google.rpc.ErrorInfo"
            && detail["value"].is_string()
            && detail["debug"]["reason"] == "NOT_FOUND"
    );
    for (header, value) in
        [("connect-protocol-version", "2"), ("connect-timeout-ms", "1.5"), ("connect-timeout-ms", "12345678901")]
    {
        let request =
            anonymous.request(Method::POST, &rpc).header("content-type", "application/json").header(header, value);
        let refused = reply(request.body("{}")).await.expect(400);
        assert_eq!(refused["code"], "invalid_argument", "{header}: {value}");
    }
    let late = anonymous
        .request(Method::POST, &rpc)
        .header("content-type", "application/json")
        .header("connect-timeout-ms", "0");
    assert_eq!(reply(late.body("{}")).await.expect(504)["code"], "deadline_exceeded");
    let xml = connect(&anonymous, &rpc, "text/xml", "<a/>").await;
    assert!(xml.status == 415 && xml.headers["accept-post"].to_str().unwrap().contains("application/connect+json"));
    let streams = connect(&anonymous, &rpc, "application/connect+json", "").await;
    assert_eq!(streams.status, 200, "a stream tells its error in its last message");
    let watch = connect(&Client::customer(stack).await, &format!("{ORDERS}WatchOrder"), "application/json", "{}").await;
    assert_eq!(watch.expect(501)["code"], "unimplemented");
}

#[tokio::test]
async fn a_protobuf_body_passes_as_it_is() {
    use prost::Message as _;
    let stack = shared().await;
    let id = product(stack, 1).await;
    let message = contracts::products::v1::GetProductRequest { product_id: id.clone() };
    let url = format!("{}{PRODUCTS}GetProduct", stack.gateway());
    for content_type in ["application/proto", "Application/Proto; charset=utf-8"] {
        let request = reqwest::Client::new().post(&url).header("content-type", content_type);
        let answer = request.body(message.encode_to_vec()).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "application/proto", "{content_type}");
        let found = contracts::products::v1::Product::decode(answer.bytes().await.unwrap()).unwrap();
        assert_eq!(found.product_id, id);
    }
}

#[tokio::test]
async fn a_content_type_of_grpc_web_may_have_parameters() {
    let stack = shared().await;
    let client = Client::anonymous(stack);
    let empty = [0_u8; 5];
    for (name, value) in [
        ("application/grpc-web; charset=utf-8", empty.to_vec()),
        ("Application/gRPC-Web+proto", empty.to_vec()),
        ("application/grpc-web-text;charset=utf-8", STANDARD.encode(empty).into_bytes()),
    ] {
        let request = client.request(Method::POST, &format!("{PRODUCTS}ListProducts")).header("content-type", name);
        let answer = request.body(value).send().await.expect("a reply");
        let (status, body) = (answer.status(), answer.bytes().await.expect("a body"));
        assert!(status == 200 && body.len() > 5, "{name}: {status} {body:?}");
    }
}

#[tokio::test]
async fn a_body_of_grpc_web_that_is_no_base64_is_a_fault_of_the_caller() {
    let client = Client::anonymous(shared().await);
    let empty = STANDARD.encode([0_u8; 5]);
    for broken in ["####".to_owned(), empty.replace('=', ""), empty[..6].to_owned()] {
        let request = client.request(Method::POST, &format!("{PRODUCTS}ListProducts"));
        let request = request.header("content-type", "application/grpc-web-text").body(broken.clone());
        let refused = reply(request).await;
        let status =
            tonic::Status::from_header_map(&refused.headers).unwrap_or_else(|| panic!("{broken}: {refused:?}"));
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{broken}: {status:?}");
        assert_eq!(rpc::status::reason(&status), "BODY_UNDECODABLE");
    }
}

#[tokio::test]
async fn a_shutdown_ends_a_stream_with_unavailable_in_every_protocol() {
    let stack = shared().await;
    let (customer, _) = Client::register(stack).await;
    let product = product(stack, 5).await;
    let order = place(&customer, &[(&product, 1)], "tok_visa").await;
    let message = json!({"orderId": order["orderId"]});
    for protocol in PROTOCOLS {
        let (gateway, stop) = before(stack, |config| config).await;
        let mut watching = command(&gateway, protocol, customer.token(), &format!("{ORDERS}WatchOrder"), &message)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("buf runs");
        let mut lines = BufReader::new(watching.stdout.take().expect("a pipe")).lines();
        let is_told = tokio::task::spawn_blocking(move || {
            lines.by_ref().map_while(Result::ok).any(|line| line.contains("CONFIRMED"))
        });
        assert!(is_told.await.expect("it reads"), "{protocol}: the first message comes");
        drop(stop);
        let ended = tokio::task::spawn_blocking(move || watching.wait_with_output());
        let ended = ended.await.expect("it waits").expect("buf ends");
        let text = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!ended.status.success(), "{protocol}: {text}");
        assert!(text.contains("unavailable") && text.contains("shutting down"), "{protocol}: {text}");
    }
}
