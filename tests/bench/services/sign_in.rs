//! Sign-ins of 64 clients at once, beside a bare driver that reads, hashes and writes as much, and argon2id alone.

use crate::{Sizes, table, usage::memory};
use anyhow::{Context, ensure};
use argon2::{Argon2, PasswordVerifier, password_hash::phc::PasswordHash};
use bson::{DateTime, Document, doc};
use futures::future::try_join_all;
use kit::{Client, DEMO_PASSWORD, Process, Stack};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use store::Database;
use tokio::{net::TcpStream, sync::Semaphore};

const CLIENTS: usize = 64;

/// How long a gateway may take to be ready, and to drain.
const START: Duration = Duration::from_secs(30);

/// Passwords that are hashed at once, as users has it.
const AT_ONCE: usize = 2;

pub async fn measure(stack: &Stack, users: &Process, sizes: &Sizes) -> anyhow::Result<()> {
    // All clients sign in from one address, more often than the limit of it lets them.
    let address = kit::free_address();
    let variables = [("COMPTOIR_LISTEN", address.as_str()), ("COMPTOIR_RATE_LIMITS", "sign-in=0")];
    let gateway = stack.serve_with("gateway", &variables);
    let anonymous = Client::at(&format!("http://{address}"));
    kit::eventually(START, || async { anyhow::Ok(TcpStream::connect(&address).await?) }).await;
    let addresses: Vec<String> = (0..CLIENTS).map(|number| format!("bench-{number}@example.com")).collect();
    for email in &addresses {
        let body = json!({ "email": email, "name": "Bench", "password": DEMO_PASSWORD });
        anonymous.post("/v1/users", body).await.expect(201);
    }
    let idle = memory(users.pid());
    table::head(
        &format!("Sign-ins, {CLIENTS} clients, {} s each, {AT_ONCE} passwords hashed at once", sizes.time.as_secs()),
        &["", "sign-ins/s", "p50 ms", "p99 ms", "users: MB before, allocated of them", "peak MB"],
    );
    let through = crowd(sizes.time, &addresses, async |email: &String| {
        let grant = json!({ "grant_type": "password", "username": email, "password": DEMO_PASSWORD });
        let reply = anonymous.post("/oauth2/token", grant).await;
        ensure!(reply.status == 200, "{reply:?}");
        Ok(())
    });
    let through = through.await?;
    let peak = memory(users.pid()).peak;
    row(
        "users, through the gateway",
        through,
        [format!("{:.0}, {:.0}", idle.resident, idle.own), format!("{peak:.0}")],
    );
    let bare = Bare::open(stack).await?;
    let driven = crowd(sizes.time, &addresses, async |email: &String| bare.sign_in(email).await).await?;
    row("bare driver", driven, Default::default());
    let alone = crowd(sizes.time, &addresses, async |_: &String| bare.hash(bare.example.clone()).await).await?;
    row("argon2id alone", alone, Default::default());
    gateway.stop(START).await?;
    Ok(())
}

fn row(name: &str, (rate, latencies): (f64, Vec<Duration>), memory: [String; 2]) {
    let [p50, p99] = table::latencies(latencies);
    let [idle, peak] = memory;
    table::row(&[name.to_owned(), format!("{rate:.1}"), p50, p99, idle, peak]);
}

async fn crowd(
    time: Duration,
    addresses: &[String],
    once: impl AsyncFn(&String) -> anyhow::Result<()>,
) -> anyhow::Result<(f64, Vec<Duration>)> {
    let (began, once) = (Instant::now(), &once);
    let clients = addresses.iter().map(|email| async move {
        let mut latencies = Vec::new();
        while began.elapsed() < time {
            let asked = Instant::now();
            once(email).await?;
            latencies.push(asked.elapsed());
        }
        anyhow::Ok(latencies)
    });
    let latencies = try_join_all(clients).await?.concat();
    Ok((latencies.len() as f64 / began.elapsed().as_secs_f64(), latencies))
}

/// The reads, the hash and the write of a sign-in, without a service around them.
struct Bare {
    users: Database,
    tokens: Database,
    at_work: Arc<Semaphore>,
    /// A hash that users has made: its parameters are in it.
    example: String,
}

impl Bare {
    async fn open(stack: &Stack) -> anyhow::Result<Self> {
        let uri = &stack.state().mongodb_uri;
        let connect = async |database| store::connect(uri, database, "bench-services").await;
        let (users, tokens) = (connect("users").await?, connect("bench_users").await?);
        let at_work = Arc::new(Semaphore::new(AT_ONCE));
        let mut bare = Self { users, tokens, at_work, example: String::new() };
        bare.example = text(&bare.account("bench-0@example.com").await?, "password_hash")?;
        Ok(bare)
    }

    async fn account(&self, email: &str) -> anyhow::Result<Document> {
        let users = self.users.collection::<Document>("users");
        users.find_one(doc! { "email_key": { "$in": [email] } }).await?.context("the account is there")
    }

    async fn sign_in(&self, email: &str) -> anyhow::Result<()> {
        let account = self.account(email).await?;
        self.hash(text(&account, "password_hash")?).await?;
        let token = format!("{:064x}", rand::random::<u128>());
        let now = DateTime::now();
        let token = doc! {
            "_id": token, "family": "x".repeat(43), "user_id": account.get("_id").cloned(), "password_version": 1_i64,
            "created_at": now, "expires_at": now,
        };
        self.tokens.collection("refresh_tokens").insert_one(token).await?;
        let users = self.users.collection::<Document>("users");
        users.find_one(doc! { "_id": account.get("_id").cloned() }).await?.context("the account is there")?;
        Ok(())
    }

    /// Whether the password is that of the hash, on one of the threads for it.
    async fn hash(&self, hash: String) -> anyhow::Result<()> {
        let seat = self.at_work.clone().acquire_owned().await?;
        let is_right = tokio::task::spawn_blocking(move || {
            let _seat = seat;
            let hash = PasswordHash::new(&hash)?;
            Argon2::default().verify_password(DEMO_PASSWORD.as_bytes(), &hash)
        });
        is_right.await?.map_err(|error| anyhow::anyhow!("{error}"))
    }
}

fn text(document: &Document, field: &str) -> anyhow::Result<String> {
    Ok(document.get_str(field).with_context(|| format!("the account has a {field}"))?.to_owned())
}
