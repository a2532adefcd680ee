//! The baskets service.

mod bounds;
mod checkout;
mod currencies;
mod erasure;
mod expiry;
mod guests;
mod killed;
mod merging;
mod quotes;
mod versions;

use kit::shop::{draft, id};
use kit::{Client, Reply, reply};
use reqwest::Method;
use serde_json::{Value, json};

pub const TOKEN: &str = "basket-token";

/// The body of a checkout.
pub fn checkout(payment_token: &str) -> Value {
    let mut body = draft(&[], payment_token);
    body.as_object_mut().expect("an object").remove("items");
    body
}

/// Items of a body.
pub fn items(lines: &[(&str, i32)]) -> Value {
    lines.iter().map(|(id, quantity)| json!({ "productId": id, "quantity": quantity })).collect()
}

/// The items of a basket.
pub fn contents(basket: &Value) -> Vec<(String, i64)> {
    let line = |item: &Value| (id(item, "productId").to_owned(), item["quantity"].as_i64().expect("a number"));
    basket["items"].as_array().expect("items").iter().map(line).collect()
}

pub fn path(basket: &Value) -> String {
    format!("/v1/baskets/{}", id(basket, "basketId"))
}

/// A new basket of a user.
pub async fn basket(customer: &Client, lines: &[(&str, i32)]) -> Value {
    customer.post("/v1/baskets", json!({ "items": items(lines), "countryCode": "FR" })).await.expect(201)
}

/// A new basket of a user and the order that it has become.
pub async fn ordered(customer: &Client, lines: &[(&str, i32)]) -> (Value, Value) {
    let basket = basket(customer, lines).await;
    let order = customer.post(&format!("{}:checkout?wait=25s", path(&basket)), checkout("tok_visa")).await.expect(200);
    (basket, order)
}

/// A guest with a basket.
pub struct Guest {
    client: Client,
    pub basket: Value,
    pub token: String,
}

impl Guest {
    pub async fn with(client: &Client, lines: &[(&str, i32)]) -> Self {
        let basket =
            client.post("/v1/baskets", json!({ "items": items(lines), "countryCode": "FR" })).await.expect(201);
        let token = id(&basket, "basketToken").to_owned();
        Self { client: client.clone(), basket, token }
    }

    pub fn path(&self) -> String {
        path(&self.basket)
    }

    /// A call about the basket as its guest; `verb` is what follows its path.
    pub async fn call(&self, method: Method, verb: &str, body: Option<Value>) -> Reply {
        let request = self.client.request(method, &format!("{}{verb}", self.path())).header(TOKEN, &self.token);
        reply(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    pub async fn get(&self) -> Reply {
        self.call(Method::GET, "", None).await
    }

    /// The guest has signed in.
    pub async fn merge(&self, customer: &Client, body: Value) -> Reply {
        let request = customer.request(Method::POST, &format!("{}:merge", self.path())).header(TOKEN, &self.token);
        reply(request.json(&body)).await
    }
}
