//! Who is served while somebody is killed: people who register, buy and go, and a clerk who keeps the catalogue. A request is
//! repeated under its key until somebody has decided.

use crate::{
    baskets::{TOKEN, checkout, items},
    email::server::Server,
};
use anyhow::{Context, ensure};
use kit::{Client, DEMO_PASSWORD, within};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How long a request may be without a decision: a service is away for some seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// Longest wait for one answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Pause of the clerk between two entries.
const PAUSE: Duration = Duration::from_millis(200);

/// What was answered.
#[derive(Debug, Default, Clone)]
pub struct Answered {
    pub users: Vec<String>,
    pub products: Vec<String>,
    /// Baskets with their orders.
    pub checkouts: Vec<(String, String)>,
    /// Users that were deleted, and a word that only they have.
    pub deleted: Vec<(String, String)>,
}

/// What writers need, for one run.
pub struct Shop {
    pub seed: u64,
    pub anonymous: Client,
    pub staff: Client,
    pub admin: Client,
    pub product: String,
    pub mails: std::sync::Arc<Server>,
    pub answered: Mutex<Answered>,
    pub is_over: AtomicBool,
}

/// What becomes of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Cancelled,
    Returned,
    Delivered,
    Kept,
}

struct Person {
    client: Client,
    id: String,
    address: String,
    word: String,
    /// What its keys of requests begin with: they stay when the person goes.
    key: String,
}

impl Shop {
    /// Persons come one after another until the run is over; the last one is served to the end.
    pub async fn keep_selling(&self, counter: u64) -> anyhow::Result<()> {
        for number in 0.. {
            if self.is_over.load(Ordering::Relaxed) {
                break;
            }
            let name = format!("{}-{counter}-{number}", self.seed);
            let mut person = self.register(&name).await.context("register")?;
            match (number + counter) % 4 {
                0 => {
                    self.buy(&person, Fate::Cancelled).await.context("buy and cancel")?;
                    self.fill(&person, "left").await.context("leave a basket")?;
                    self.bring_along(&person).await.context("bring a basket along")?;
                    self.leave(&person).await.context("leave")?;
                }
                1 => self.buy(&person, Fate::Returned).await.context("buy and return")?,
                2 => {
                    person.client = self.forget_password(&person).await.context("reset a password")?;
                    self.buy(&person, Fate::Delivered).await.context("buy and take")?;
                    self.leave(&person).await.context("leave")?;
                }
                _ => {
                    self.buy(&person, Fate::Kept).await.context("buy")?;
                    self.lock(&person).await.context("lock")?;
                }
            }
        }
        Ok(())
    }

    /// New products, prices and categories until the run is over.
    pub async fn keep_catalogue(&self) -> anyhow::Result<()> {
        for number in 0.. {
            if self.is_over.load(Ordering::Relaxed) {
                break;
            }
            let key = format!("catalogue-{}-{number}", self.seed);
            let price = |units: u32| json!({ "currencyCode": "EUR", "units": units.to_string(), "nanos": 0 });
            let body = json!({ "name": "Chaos cup", "sku": format!("CUP-{key}"), "price": price(7) });
            let product = ask(&self.staff, Method::POST, "/v1/products", &body, &key).await?;
            let id = text(&product, "productId")?;
            self.note(|answered| answered.products.push(id.clone()));
            let path = format!("/v1/products/{id}");
            ask(&self.staff, Method::PATCH, &path, &json!({ "price": price(8) }), &format!("{key}-price")).await?;
            let category = json!({ "name": format!("Category {key}") });
            ask(&self.staff, Method::POST, "/v1/categories", &category, &format!("{key}-category")).await?;
            self.keep_group(&key).await?;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// A group whose options are named anew while it is empty, and two variants of it.
    async fn keep_group(&self, key: &str) -> anyhow::Result<()> {
        let group = json!({ "name": format!("Group {key}"), "variesBy": ["Size"] });
        let group = ask(&self.staff, Method::POST, "/v1/product-groups", &group, &format!("{key}-group")).await?;
        let id = text(&group, "groupId")?;
        let other = json!({ "variesBy": ["Colour"] });
        ask(&self.staff, Method::PATCH, &format!("/v1/product-groups/{id}"), &other, &format!("{key}-options")).await?;
        for colour in ["Red", "Blue"] {
            let key = format!("{key}-{colour}");
            let body = json!({
                "name": "Chaos variant", "sku": format!("VAR-{key}"), "price": { "currencyCode": "EUR", "units": "7" },
                "groupId": id, "options": [{ "name": "Colour", "value": colour }],
            });
            ask(&self.staff, Method::POST, "/v1/products", &body, &key).await?;
        }
        Ok(())
    }

    fn note(&self, what: impl FnOnce(&mut Answered)) {
        what(&mut self.answered.lock().expect("no holder panics"));
    }

    async fn register(&self, name: &str) -> anyhow::Result<Person> {
        let [word, key] = ["chaos", "key"].map(|kind| format!("{kind}-{name}-{:08x}", rand::random::<u32>()));
        let address = format!("{word}@example.com");
        let body = json!({ "email": address, "name": word, "password": DEMO_PASSWORD });
        let user = ask(&self.anonymous, Method::POST, "/v1/users", &body, &format!("{key}-register")).await?;
        let id = text(&user, "userId")?;
        self.note(|answered| answered.users.push(id.clone()));
        let grant = json!({ "grant_type": "password", "username": address, "password": DEMO_PASSWORD });
        let client = self.token(&grant).await.context("sign in")?;
        Ok(Person { client, id, address, word, key })
    }

    /// Signed in by a grant, and with a token that was refreshed.
    async fn token(&self, grant: &Value) -> anyhow::Result<Client> {
        let first = ask(&self.anonymous, Method::POST, "/oauth2/token", grant, "").await?;
        let refresh = json!({ "grant_type": "refresh_token", "refresh_token": text(&first, "refresh_token")? });
        let second = ask(&self.anonymous, Method::POST, "/oauth2/token", &refresh, "").await.context("refresh")?;
        Ok(self.anonymous.with_token(Some(&text(&second, "access_token")?)))
    }

    /// A new basket.
    async fn fill(&self, person: &Person, key: &str) -> anyhow::Result<String> {
        let body = json!({ "items": items(&[(&self.product, 2)]), "countryCode": "FR" });
        let key = format!("{}-basket-{key}", person.key);
        let basket = ask(&person.client, Method::POST, "/v1/baskets", &body, &key).await?;
        text(&basket, "basketId")
    }

    /// What the person had put into a basket before they signed in comes into theirs.
    async fn bring_along(&self, person: &Person) -> anyhow::Result<()> {
        let body = json!({ "items": items(&[(&self.product, 1)]), "countryCode": "FR" });
        let key = format!("{}-guest", person.key);
        let guest = ask(&self.anonymous, Method::POST, "/v1/baskets", &body, &key).await?;
        let (path, token) = (format!("/v1/baskets/{}:merge", text(&guest, "basketId")?), text(&guest, "basketToken")?);
        within(LIMIT, || async {
            let request = person.client.request(Method::POST, &path).header(TOKEN, &token).json(&json!({}));
            let reply = request.timeout(DEADLINE).send().await?;
            ensure!(reply.status() == 200, "{reply:?}");
            Ok(())
        })
        .await
    }

    async fn buy(&self, person: &Person, fate: Fate) -> anyhow::Result<()> {
        let basket = self.fill(person, "bought").await.context("fill a basket")?;
        let mut body = checkout("tok_visa");
        body["shippingAddress"]["name"] = json!(person.word);
        let path = format!("/v1/baskets/{basket}:checkout");
        let order = ask(&person.client, Method::POST, &path, &body, "").await.context("check out")?;
        let order = text(&order, "orderId")?;
        self.note(|answered| answered.checkouts.push((basket, order.clone())));
        let path = format!("/v1/orders/{order}");
        let confirmed = |order: &Value| order["state"] == "CONFIRMED" && order["shipmentId"] != "";
        let sold = seen(&person.client, &path, confirmed).await?;
        let shipment = format!("/v1/shipments/{}", text(&sold, "shipmentId")?);
        if fate == Fate::Cancelled {
            let body = json!({ "reason": "changed my mind" });
            ask(&person.client, Method::POST, &format!("{path}:cancel"), &body, "").await.context("cancel")?;
            seen(&person.client, &path, |order| order["state"] == "CANCELLED").await?;
        }
        if matches!(fate, Fate::Returned | Fate::Delivered) {
            ask(&self.staff, Method::POST, &format!("{shipment}:dispatch"), &json!({}), "")
                .await
                .context("dispatch")?;
            seen(&person.client, &path, |order| order["state"] == "SHIPPED").await?;
            ask(&self.staff, Method::POST, &format!("{shipment}:deliver"), &json!({}), "").await.context("deliver")?;
            seen(&person.client, &path, |order| order["state"] == "DELIVERED").await?;
        }
        if fate == Fate::Returned {
            let units = json!([{ "productId": self.product, "quantity": 1, "disposition": "RESTOCK" }]);
            let body = json!({ "items": units });
            let key = format!("{}-return", person.key);
            ask(&self.staff, Method::POST, &format!("{path}:refund"), &body, &key).await.context("refund")?;
        }
        Ok(())
    }

    /// Sets another password by the token of a mail, and signs in by it.
    async fn forget_password(&self, person: &Person) -> anyhow::Result<Client> {
        let body = json!({ "email": person.address });
        ask(&self.anonymous, Method::POST, "/v1/users:requestPasswordReset", &body, "").await?;
        within(LIMIT, || async {
            let mails = self.mails.mails_to(&person.address);
            // A mail that went twice has two tokens, of which the later one works.
            let token = mails.iter().rev().find_map(|mail| token_in(mail, &person.id)).context("no mail")?;
            let body = json!({ "token": token, "password": "another long password" });
            let (status, reply) = send(&self.anonymous, Method::POST, "/v1/users:resetPassword", &body, "").await?;
            // Whose reset had no answer finds that the token is used up.
            ensure!(status == 200 || status == 400, "{status}: {reply}");
            let grant =
                json!({ "grant_type": "password", "username": person.address, "password": "another long password" });
            let (status, reply) = send(&self.anonymous, Method::POST, "/oauth2/token", &grant, "").await?;
            ensure!(status == 200, "{status}: {reply}");
            Ok(self.anonymous.with_token(Some(&text(&reply, "access_token")?)))
        })
        .await
    }

    async fn lock(&self, person: &Person) -> anyhow::Result<()> {
        let path = format!("/v1/users/{}", person.id);
        let body = json!({ "reason": "a test" });
        ask(&self.admin, Method::POST, &format!("{path}:lock"), &body, "").await?;
        ask(&self.admin, Method::POST, &format!("{path}:unlock"), &json!({}), "").await?;
        Ok(())
    }

    /// The account is deleted by an admin: a token of the person is revoked by it, and a repeat would be refused.
    async fn leave(&self, person: &Person) -> anyhow::Result<()> {
        let path = format!("/v1/users/{}", person.id);
        let key = format!("{}-leave", person.key);
        ask(&self.admin, Method::DELETE, &path, &Value::Null, &key).await?;
        self.note(|answered| answered.deleted.push((person.id.clone(), person.word.clone())));
        Ok(())
    }
}

/// Repeats a request until it has a good answer; an error when it is refused.
async fn ask(client: &Client, method: Method, path: &str, body: &Value, key: &str) -> anyhow::Result<Value> {
    let decided = within(LIMIT, || async {
        let (status, reply) = send(client, method.clone(), path, body, key).await?;
        ensure!(status < 500 && !matches!(status, 408 | 409 | 429), "{status}: {reply}");
        Ok((status, reply))
    });
    let (status, reply) = decided.await.with_context(|| format!("{method} {path}"))?;
    ensure!((200..300).contains(&status), "{method} {path} is {status}: {reply}");
    Ok(reply)
}

/// What is read at this path once it is as wanted.
async fn seen(client: &Client, path: &str, is_wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    within(LIMIT, || async {
        let (_, found) = send(client, Method::GET, path, &Value::Null, "").await?;
        ensure!(is_wanted(&found), "{path} is {found}");
        Ok(found)
    })
    .await
}

/// The answer to one request, if there is one.
async fn send(client: &Client, method: Method, path: &str, body: &Value, key: &str) -> anyhow::Result<(u16, Value)> {
    let mut request = client.request(method, path).timeout(DEADLINE);
    if !body.is_null() {
        request = request.json(body);
    }
    if !key.is_empty() {
        request = request.header("idempotency-key", key);
    }
    let reply = request.send().await?;
    let (status, text) = (reply.status().as_u16(), reply.text().await?);
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

fn token_in(mail: &str, user: &str) -> Option<String> {
    // Quoted-printable (RFC 2045) breaks lines of more than 76 characters.
    let text = mail.replace("\r\n", "\n").replace("=\n", "");
    text.lines().find(|line| line.starts_with(&format!("{user}."))).map(str::to_owned)
}

fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    value[field].as_str().map(str::to_owned).with_context(|| format!("no {field} in {value}"))
}
