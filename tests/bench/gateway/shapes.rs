//! What is asked.

use crate::proxies::Proxy;
use serde_json::json;

/// A request, and who is measured with it.
pub struct Shape {
    pub name: &'static str,
    pub proxies: &'static [Proxy],
    method: &'static str,
    path: String,
    token: Option<String>,
    body: Option<String>,
}

impl Shape {
    /// The request as it goes over the wire in HTTP/1.1.
    pub fn bytes(&self, path: Option<&str>) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: shop.example\r\n", self.method, path.unwrap_or(&self.path));
        if let Some(token) = &self.token {
            head += &format!("Authorization: Bearer {token}\r\n");
        }
        let body = self.body.clone().unwrap_or_default();
        if self.body.is_some() {
            head += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        }
        (head + "\r\n" + &body).into_bytes()
    }
}

const BARE: &[Proxy] = &[Proxy::Floor, Proxy::Gateway, Proxy::Envoy];
const FULL: &[Proxy] = &[Proxy::Floor, Proxy::GatewayFull, Proxy::EnvoyFull];

fn product(name: &'static str, size: usize) -> Shape {
    Shape { name, proxies: BARE, method: "GET", path: format!("/v1/products/prd_{size}"), token: None, body: None }
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
    let body = Some(body.to_string());
    Shape { name, proxies: BARE, method: "POST", path: "/v1/users".to_owned(), token: None, body }
}

/// Bodies, with the RPCs that take them.
pub fn requests() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let create = "/comptoir.users.v1.UserService/CreateUser";
    let body = |shape: Shape| shape.body.unwrap_or_default().into_bytes();
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
    let draft = draft();
    let order = |name, method, path: &str, body| Shape {
        name,
        proxies: FULL,
        method,
        path: path.to_owned(),
        token: Some(token.to_owned()),
        body,
    };
    vec![
        order("GET of an order of 3 lines, with token and access log", "GET", "/v1/orders/ord_1", None),
        order("POST of an order of 3 lines, with token and access log", "POST", "/v1/orders", Some(draft.to_string())),
    ]
}
