//! Mails to customers: to a real mail server, through its refusals and silences, after kills and replays, and as files.

mod directory;
mod erasure;
pub mod killed;
mod reading;
mod sending;
pub mod server;

use anyhow::ensure;
use kit::shop::{TIMEOUT, id};
use kit::{Client, DEMO_PASSWORD, Process, Stack, eventually};
use serde_json::{Value, json};
use server::Server;
use std::collections::BTreeMap;

/// A stack without email, a mail server, a product with stock.
struct Post {
    stack: Stack,
    server: Server,
    product: String,
    staff: Client,
}

impl Post {
    async fn open() -> Self {
        let stack = Stack::start(kit::StackOptions::without(&["email"])).await;
        let (server, staff) = (Server::start().await, Client::staff(&stack).await);
        let product = kit::shop::product(&stack, 1_000).await;
        Self { stack, server, product, staff }
    }

    /// The service, which sends to the server.
    fn serve(&self, more: &[(&str, &str)]) -> Process {
        let url = self.server.url();
        let own = [("COMPTOIR_SMTP_URL", url.as_str()), ("COMPTOIR_MAIL_FROM", "Tea & Cups <shop@example.com>")];
        self.stack.serve_with("email", &[&own[..], more].concat())
    }

    /// The service, which sends to a server that is not there, and a customer whose first mail waits for it.
    async fn serve_without_server(&self) -> (Process, Client, Value) {
        let email = self.serve(&[("COMPTOIR_SMTP_URL", &format!("smtp://{}", kit::free_address()))]);
        let (customer, user) = self.customer("taken", "en").await;
        self.order(&customer).await;
        self.settled(&user, &[("ORDER_CONFIRMED", "PENDING", "SMTP_UNREACHABLE")]).await;
        (email, customer, user)
    }

    /// An account with this address and language, signed in, and its user.
    async fn customer(&self, kind: &str, language: &str) -> (Client, Value) {
        let email = format!("{kind}-{:016x}@example.com", rand::random::<u64>());
        let body = json!({
            "email": email, "name": "Camille <b>Exemple</b>", "password": DEMO_PASSWORD,
            "preferences": { "language": language },
        });
        let user = Client::anonymous(&self.stack).post("/v1/users", body).await.expect(201);
        (Client::sign_in(&self.stack, &email, DEMO_PASSWORD).await, user)
    }

    async fn order(&self, customer: &Client) -> Value {
        let order = kit::shop::place(customer, &[(&self.product, 2)], "tok_visa").await;
        assert_eq!(order["state"], "CONFIRMED", "{order}");
        order
    }

    /// The mails to a user, oldest first.
    async fn mails(&self, user: &Value) -> anyhow::Result<Vec<Value>> {
        let reply = self.staff.get(&format!("/v1/emails?userId={}", id(user, "userId"))).await;
        ensure!(reply.status == 200, "{reply:?}");
        let mut mails = reply.body["emails"].as_array().cloned().unwrap_or_default();
        mails.reverse();
        Ok(mails)
    }

    /// The mails to a user once there are as many, all of them in these states with these reasons.
    async fn settled(&self, user: &Value, wanted: &[(&str, &str, &str)]) -> Vec<Value> {
        eventually(TIMEOUT, || async {
            let mails = self.mails(user).await?;
            let mut found: Vec<_> =
                mails.iter().map(|mail| (id(mail, "template"), id(mail, "state"), id(mail, "reason"))).collect();
            let mut wanted = wanted.to_vec();
            found.sort_unstable();
            wanted.sort_unstable();
            ensure!(found == wanted, "{mails:?}");
            Ok(mails)
        })
        .await
    }

    /// How often the server has taken a mail, by its Message-ID.
    fn taken(&self) -> BTreeMap<String, usize> {
        let mut taken = BTreeMap::new();
        for mail in self.server.mails() {
            *taken.entry(server::header(&mail, "Message-ID")).or_default() += 1;
        }
        taken
    }

    async fn close(self, email: Process) {
        email.stop(TIMEOUT).await.expect("email drains");
        self.stack.stop().await;
    }
}

/// The Message-ID of a mail.
fn message_id(mail: &Value) -> String {
    format!("<{}@example.com>", id(mail, "emailId"))
}
