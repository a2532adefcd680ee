//! HTTP as the gateway speaks it, over raw sockets where a client would tidy up: methods, bodies, codings, Host, Expect.

use kit::shop::{fields, product, reason};
use kit::{Client, Reply, Stack, reply, shared};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long the gateway may take to answer and to close.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Everything that the gateway sends back for these bytes, until it closes the connection.
async fn raw(stack: &Stack, request: &str) -> String {
    let address = stack.gateway().trim_start_matches("http://");
    let talk = async {
        let mut connection = TcpStream::connect(address).await?;
        connection.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
    };
    timeout(TIMEOUT, talk).await.expect("the gateway closes").expect("the gateway answers")
}

async fn send(client: &Client, method: Method, path: &str, headers: &[(&str, &str)], body: &'static [u8]) -> Reply {
    let request = headers.iter().fold(client.request(method, path), |request, (name, value)| {
        let value = reqwest::header::HeaderValue::from_bytes(value.as_bytes()).expect("a header");
        request.header(*name, value)
    });
    reply(request.body(body)).await
}

#[tokio::test]
async fn a_content_type_of_a_request_without_a_body_is_no_error() {
    let stack = shared().await;
    let (customer, _) = Client::register(stack).await;
    for kind in ["text/xml", "application/x-protobuf", "nonsense", "multipart/form-data; boundary=x"] {
        let listed = send(&customer, Method::GET, "/v1/products?pageSize=1", &[("content-type", kind)], b"").await;
        assert_eq!(listed.status, 200, "{kind}: {listed:?}");
        let absent = send(&customer, Method::POST, "/v1/orders/ord_x:cancel", &[("content-type", kind)], b"").await;
        assert_eq!((absent.status, reason(&absent).as_str()), (404, "NOT_FOUND"), "{kind}");
        let absent = send(&customer, Method::DELETE, "/v1/users/usr_x", &[("content-type", kind)], b"").await;
        assert_eq!(absent.status, 404, "{kind}");
    }
    let twice = [("content-type", "text/xml"), ("content-type", "application/json")];
    assert_eq!(send(&customer, Method::GET, "/v1/products", &twice, b"").await.status, 200);
    let with_body = send(&customer, Method::POST, "/v1/orders", &[("content-type", "text/xml")], b"<a/>").await;
    assert_eq!((with_body.status, reason(&with_body).as_str()), (415, "UNSUPPORTED_MEDIA_TYPE"));
    let head = "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/xml\r\n";
    let empty = raw(stack, &format!("{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")).await;
    assert!(empty.starts_with("HTTP/1.1 400") && empty.contains("grant_type"), "{empty}");
    let chunked = raw(stack, &format!("{head}Transfer-Encoding: chunked\r\n\r\n4\r\n<a/>\r\n0\r\n\r\n")).await;
    assert!(chunked.starts_with("HTTP/1.1 415") && chunked.contains("invalid_request"), "{chunked}");
    assert!(chunked.contains("text/xml"), "{chunked}");
}

#[tokio::test]
async fn head_is_answered_like_get_without_its_body() {
    let stack = shared().await;
    let sold = product(stack, 0).await;
    let anonymous = Client::anonymous(stack);
    let ((customer, _), paths) =
        (Client::register(stack).await, [format!("/v1/products/{sold}"), "/v1/products/prd_none".into()]);
    for path in paths.iter().map(String::as_str).chain([
        "/v1/orders",
        "/healthz",
        "/openapi.json",
        "/docs",
        "/v1/nothing",
        "/v1/products?x=1",
    ]) {
        let client = if path == "/v1/orders" { &customer } else { &anonymous };
        let (get, head) = (client.get(path).await, reply(client.request(Method::HEAD, path)).await);
        assert_eq!((head.status, &head.body), (get.status, &json!(null)), "{path}");
        for name in ["content-type", "content-length", "cache-control", "etag"] {
            assert_eq!(head.headers.get(name), get.headers.get(name), "{path}: {name}");
        }
    }
    let refused = reply(anonymous.request(Method::HEAD, "/v1/orders/ord_x:cancel")).await;
    assert_eq!(refused.status, 405, "there is no GET");
    assert_eq!(reply(anonymous.request(Method::HEAD, "/v1/orders")).await.status, 401);
}

#[tokio::test]
async fn over_http2_head_has_no_body_either() {
    let stack = shared().await;
    let url = format!("{}/openapi.json", stack.gateway());
    let mut curl = tokio::process::Command::new("curl");
    let output = curl.args(["-sS", "--head", "--http2-prior-knowledge", &url]).output().await;
    let output = output.unwrap_or_else(|error| panic!("curl: {error}; mend: apt-get install -y curl"));
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && text.starts_with("HTTP/2 200"), "{text}");
    let get = Client::anonymous(stack).get("/openapi.json").await;
    let length = get.headers["content-length"].to_str().expect("a number");
    assert!(text.contains(&format!("content-length: {length}\r\n")), "{text}");
}

#[tokio::test]
async fn options_and_405_tell_the_methods_of_a_path() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    let allow = |reply: &Reply| reply.headers.get("allow").map(|value| value.to_str().expect("ascii").to_owned());
    for (path, other, methods) in [
        ("/v1/users/usr_1", Method::PUT, "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/v1/orders", Method::DELETE, "GET, HEAD, OPTIONS, POST"),
        ("/v1/orders/ord_1:cancel", Method::GET, "OPTIONS, POST"),
        ("/oauth2/token", Method::HEAD, "OPTIONS, POST"),
        ("/readyz", Method::POST, "GET, HEAD, OPTIONS"),
        ("/healthz", Method::DELETE, "GET, HEAD, OPTIONS"),
        ("/openapi.json", Method::PUT, "GET, HEAD, OPTIONS"),
        ("/docs", Method::POST, "GET, HEAD, OPTIONS"),
    ] {
        let told = reply(anonymous.request(Method::OPTIONS, path)).await;
        assert_eq!((told.status, allow(&told).as_deref(), &told.body), (204, Some(methods), &json!(null)), "{path}");
        let refused = reply(anonymous.request(other, path)).await;
        assert_eq!((refused.status, allow(&refused).as_deref()), (405, Some(methods)), "{path}");
    }
    assert_eq!(reply(anonymous.request(Method::OPTIONS, "/v1/nothing")).await.status, 404);
    let all = raw(stack, "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.to_lowercase();
    assert!(all.starts_with("http/1.1 204") && all.contains("allow: delete, get, head, options, patch, post"), "{all}");
}

#[tokio::test]
async fn a_body_in_a_coding_that_is_not_read_is_415_and_tells_which_are() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    let (json, form) = (("content-type", "application/json"), b"grant_type=none".as_slice());
    for coding in ["deflate", "DEFLATE", "compress", "identity, deflate", "gzip, br", "gzip, deflate"] {
        let coded = [json, ("content-encoding", coding)];
        let refused = send(&anonymous, Method::POST, "/v1/users", &coded, b"{}").await;
        assert_eq!((refused.status, reason(&refused).as_str()), (415, "UNSUPPORTED_CONTENT_CODING"), "{coding}");
        assert_eq!(refused.headers["accept-encoding"], "gzip, br, zstd", "{coding}");
        let no_body =
            send(&anonymous, Method::GET, "/v1/products?pageSize=1", &[("content-encoding", coding)], b"").await;
        assert_eq!(no_body.status, 200, "{coding}");
    }
    let plain = [("content-type", "application/x-www-form-urlencoded"), ("content-encoding", "Identity")];
    let read = send(&anonymous, Method::POST, "/oauth2/token", &plain, form).await;
    assert_eq!(read.body["error"], "unsupported_grant_type", "{read:?}");
    let chunked = "POST /v1/users HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Encoding: deflate\r\n\
                   Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    assert!(raw(stack, chunked).await.starts_with("HTTP/1.1 415"));
}

#[tokio::test]
async fn http_1_1_needs_one_host() {
    let stack = shared().await;
    for (version, hosts, expected) in [
        ("1.1", "", "400"),
        ("1.1", "Host: a\r\nHost: a\r\n", "400"),
        ("1.1", "Host: user@a\r\n", "400"),
        ("1.1", "Host: a b\r\n", "400"),
        ("1.1", "Host: shop.example:8080\r\n", "200"),
        ("1.1", "Host: [::1]:8080\r\n", "200"),
        ("1.1", "Host:\r\n", "200"),
        ("1.0", "", "200"),
    ] {
        for path in ["/v1/products?pageSize=1", "/healthz"] {
            let answer = raw(stack, &format!("GET {path} HTTP/{version}\r\n{hosts}Connection: close\r\n\r\n")).await;
            let status = answer.split(' ').nth(1).unwrap_or_default();
            assert_eq!(status, expected, "{hosts:?}: {answer}");
            assert_eq!(expected == "400", answer.contains("\"field\":\"host\""), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_body_that_would_be_refused_is_not_asked_for_with_100_continue() {
    let stack = shared().await;
    let ask = |path: &str, headers: &str, length: usize| {
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n");
        format!("{head}{headers}Content-Length: {length}\r\n\r\n")
    };
    let json = "Content-Type: application/json\r\n";
    for (request, status) in [
        (ask("/v1/users", json, 2 << 20), "413"),
        (ask("/v1/users", "Content-Type: text/xml\r\n", 4), "415"),
        (ask("/v1/users", "Content-Encoding: deflate\r\n", 4), "415"),
        (ask("/v1/users", "Content-Encoding: gzip\r\n", 2 << 20), "413"),
        (ask("/v1/orders", json, 4), "401"),
        (ask("/v1/nothing", json, 4), "404"),
    ] {
        let answer = raw(stack, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
    }
    let asked_for = raw(stack, &format!("{}{{}}", ask("/v1/users", json, 2))).await;
    assert!(asked_for.starts_with("HTTP/1.1 100 Continue"), "{asked_for}");
    assert!(asked_for.contains("HTTP/1.1 400"), "{asked_for}");
}

#[tokio::test]
async fn parameters_that_others_add_to_links_are_skipped() {
    let stack = shared().await;
    let sold = product(stack, 0).await;
    let anonymous = Client::anonymous(stack);
    for query in
        ["utm_source=mail&utm_campaign=50%off", "fbclid=x&fbclid=y", "GCLID=1&_=1700000000", "mc_cid=a&msclkid="]
    {
        for path in ["/v1/products?pageSize=1&", &format!("/v1/products/{sold}?"), &format!("/v1/stock/{sold}?")] {
            let answer = anonymous.get(&format!("{path}{query}")).await;
            assert!(answer.status != 400, "{path}{query}: {answer:?}");
        }
    }
    let unknown = anonymous.get("/v1/products?utm_source=x&debug=1&utm=2").await;
    assert_eq!((unknown.status, fields(&unknown)), (400, vec!["debug".to_owned(), "utm".to_owned()]));
}

#[test]
fn the_ignored_parameters_can_be_set_and_a_wrong_list_is_refused() {
    use comptoir::settings::{Flags, resolve};
    let ignored = |value: Option<&str>| {
        let jwks = ("jwks-file", "/dev/null".to_owned());
        let flags = value.map(|value| ("ignored-parameters", value.to_owned())).into_iter().chain([jwks]).collect();
        let settings = resolve("gateway", &Flags(flags), &Default::default()).expect("known flags");
        gateway::Config::resolve(&settings).map(|config| config.ignored_parameters.0)
    };
    assert_eq!(ignored(Some("ref, campaign_*")).expect("a list"), ["ref", "campaign_*"]);
    assert_eq!(ignored(Some(",")).expect("an empty list"), Vec::<String>::new());
    let usual = ignored(None).expect("the default");
    for name in ["utm_*", "gclid", "fbclid", "msclkid", "mc_cid", "_"] {
        assert!(usual.iter().any(|known| known == name), "{name}");
    }
    for wrong in ["*", "a*b", "a,**", "utm_**"] {
        let refused = ignored(Some(wrong)).expect_err(wrong).to_string();
        assert!(refused.contains("ignored-parameters"), "{wrong}: {refused}");
    }
}
