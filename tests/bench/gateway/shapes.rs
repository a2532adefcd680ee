//! What is asked.

use crate::proxies::Proxy;
use serde_json::json;

/// A request, and who is measured with it.
pub struct Shape {
    pub name: String,
    pub proxies: &'static [Proxy],
    pub request: Request,
    /// What the pass-through is asked instead: it hands on what it gets.
    pub floor: Request,
}

impl Shape {
    pub fn request(&self, proxy: Proxy) -> &Request {
        if proxy == Proxy::Floor { &self.floor } else { &self.request }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: &'static str,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<Vec<u8>>,
    /// It goes over HTTP/2, and its reply is one of gRPC.
    pub is_http2: bool,
    /// What its reply has at least.
    pub reply_bytes: usize,
}

impl Request {
    /// The request as it goes over the wire in HTTP/1.1.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: shop.example\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(body) = &self.body {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        [head.as_bytes(), b"\r\n", self.body.as_deref().unwrap_or_default()].concat()
    }
}

/// A request in JSON, of which the pass-through hands on body and headers, and gets an order.
fn json_shape(name: &str, proxies: &'static [Proxy], mut request: Request) -> Shape {
    if request.body.is_some() {
        request.headers.push(("Content-Type", "application/json".to_owned()));
    }
    let floor = Request { path: "/comptoir.orders.v1.OrderService/GetOrder".to_owned(), ..request.clone() };
    Shape { name: name.to_owned(), proxies, request, floor }
}

const BARE: &[Proxy] = &[Proxy::Floor, Proxy::Gateway, Proxy::Envoy];
const FULL: &[Proxy] = &[Proxy::Floor, Proxy::GatewayFull, Proxy::EnvoyFull];

fn product(name: &'static str, size: usize) -> Shape {
    json_shape(name, BARE, Request { method: "GET", path: format!("/v1/products/prd_{size}"), ..Request::default() })
}

/// A user of 300 B.
const SMALL_BIO: &str = "b";
/// One of 10 KB: a biography may have 2,000 characters, so they are of four bytes.
const LARGE_BIO: &str = "𝒷";

fn user(name: &'static str, character: &str, count: usize, avatar: usize) -> Shape {
    let profile =
        json!({"bio": character.repeat(count), "avatar": format!("https://shop.example/{}", "a".repeat(avatar))});
    let body = json!({
        "email": "customer@example.com", "name": "Test Customer", "password": "correct horse battery staple",
        "profile": profile,
    });
    let body = Some(body.to_string().into_bytes());
    json_shape(name, BARE, Request { method: "POST", path: "/v1/users".to_owned(), body, ..Request::default() })
}

/// Bodies, with the RPCs that take them.
pub fn requests() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let create = "/comptoir.users.v1.UserService/CreateUser";
    let body = |shape: Shape| shape.request.body.unwrap_or_default();
    let draft = serde_json::json!({"order": draft()}).to_string().into_bytes();
    vec![
        ("user of 300 B, from JSON", create, body(user("", SMALL_BIO, 100, 10))),
        ("user of 10 KB, from JSON", create, body(user("", LARGE_BIO, 2_000, 1_800))),
        ("order of 3 lines, from JSON", "/comptoir.orders.v1.OrderService/CreateOrder", draft),
    ]
}

fn draft() -> serde_json::Value {
    let items: Vec<_> = (0..3).map(|at| json!({"productId": format!("prd_{at}"), "quantity": 2})).collect();
    json!({
        "items": items, "paymentToken": "tok_visa",
        "shippingAddress": {"name": "Test Customer", "line1": "1 rue de la Paix", "city": "Paris", "postalCode": "75002",
                            "countryCode": "FR"},
    })
}

/// Public routes: nothing is checked.
pub fn bare() -> Vec<Shape> {
    vec![
        product("GET of a product, reply of 300 B, bare", 300),
        product("GET of a product, reply of 10 KB, bare", 10_000),
        user("POST of a user, body of 300 B, bare", SMALL_BIO, 100, 10),
        user("POST of a user, body of 10 KB, bare", LARGE_BIO, 2_000, 1_800),
    ]
}

/// Routes of customers: the token is verified, and each request is logged.
pub fn full(token: &str) -> Vec<Shape> {
    let draft = draft().to_string().into_bytes();
    let order = |name: &str, method, path: &str, body| {
        let headers = vec![("Authorization", format!("Bearer {token}"))];
        json_shape(name, FULL, Request { method, path: path.to_owned(), headers, body, ..Request::default() })
    };
    vec![
        order("GET of an order of 3 lines, with token and access log", "GET", "/v1/orders/ord_1", None),
        order("POST of an order of 3 lines, with token and access log", "POST", "/v1/orders", Some(draft)),
    ]
}
