//! `comptoir check`: what a customer does, over the gateway of a running system: sign in, order, wait, cancel.
//!
//! It goes the way of every customer, so it passes only when gateway, services, MongoDB, NATS and the payment provider work
//! together. It leaves a cancelled order behind, and no stock is sold.

mod shop;
mod visitor;

use crate::{Environment, events::table};
use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use visitor::Visitor;

/// Pause between two looks at an order, whose first reply has waited for the saga already.
const POLL: Duration = Duration::from_millis(200);

/// Options of `comptoir check`.
#[derive(Debug, Args)]
pub struct Options {
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8080",
        help = "The gateway, http(s)://HOST[:PORT]"
    )]
    pub gateway: String,
    /// Take any certificate: for one that has another name than the URL, or is of an authority of one's own
    #[arg(long)]
    pub any_certificate: bool,
    /// Account of a customer; with --password [env: COMPTOIR_CHECK_USERNAME]
    #[arg(long, value_name = "EMAIL", conflicts_with = "user_token_key_file")]
    pub username: Option<String>,
    /// Its password [env: COMPTOIR_CHECK_PASSWORD]
    #[arg(long, value_name = "PASSWORD", conflicts_with = "user_token_key_file")]
    pub password: Option<String>,
    /// Key that signs user tokens, PKCS#8 PEM: makes an account and a product for itself, for a shop that is still empty
    #[arg(long, value_name = "FILE")]
    pub user_token_key_file: Option<PathBuf>,
    /// Product to order, prd_…; the newest one that is in stock when absent
    #[arg(long, value_name = "ID")]
    pub product: Option<String>,
    /// Payment token to pay with
    #[arg(long, value_name = "TOKEN", default_value = "tok_visa")]
    pub payment_token: String,
    /// Longest time for all of it
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout: u64,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Serialize)]
struct Step {
    name: &'static str,
    ok: bool,
    ms: u64,
    /// The identifier of what it made or found, or why it failed.
    detail: String,
}

struct Account {
    customer: Visitor,
    product: Option<String>,
}

/// Takes the steps; an error when one fails.
pub async fn run(options: Options, environment: &Environment) -> anyhow::Result<()> {
    let mut steps = Vec::new();
    let limit = Duration::from_secs(options.timeout);
    let walk = walk(&options, environment, &mut steps);
    let outcome = tokio::time::timeout(limit, walk).await;
    let outcome = outcome.unwrap_or_else(|_| Err(anyhow::anyhow!("it took more than {} s", options.timeout)));
    table::print(&if options.json { as_json(&options, &steps, outcome.is_ok())? } else { as_table(&steps) })?;
    outcome
}

async fn walk(options: &Options, environment: &Environment, steps: &mut Vec<Step>) -> anyhow::Result<()> {
    let visitor = Visitor::new(&options.gateway, options.any_certificate)?;
    step(steps, "ready", visitor.ready()).await?;
    let account = take(steps, "sign in", account(options, environment, &visitor)).await?;
    let product = take(steps, "product", product(options, &account)).await?;
    let order = take(steps, "order", order(options, &account.customer, &product)).await?;
    take(steps, "cancel", cancel(&account.customer, &order)).await?;
    Ok(())
}

/// Takes a step that gives something, and what to say of it.
async fn take<T>(
    steps: &mut Vec<Step>,
    name: &'static str,
    work: impl Future<Output = anyhow::Result<(T, String)>>,
) -> anyhow::Result<T> {
    let began = Instant::now();
    let outcome = work.await;
    let detail = match &outcome {
        Ok((_, detail)) => detail.clone(),
        Err(error) => format!("{error:#}"),
    };
    let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    steps.push(Step { name, ok: outcome.is_ok(), ms, detail });
    outcome.map(|(value, _)| value).context(name)
}

async fn step(
    steps: &mut Vec<Step>,
    name: &'static str,
    work: impl Future<Output = anyhow::Result<String>>,
) -> anyhow::Result<()> {
    take(steps, name, async { Ok(((), work.await?)) }).await
}

/// Signs in, with the account that was given or with a new one.
async fn account(options: &Options, environment: &Environment, visitor: &Visitor) -> anyhow::Result<(Account, String)> {
    if let Some(file) = &options.user_token_key_file {
        let (customer, product, email) = shop::open(visitor, file).await?;
        return Ok((Account { customer, product: Some(product) }, email));
    }
    let given = |flag: &Option<String>, variable: &str| {
        flag.clone().or_else(|| environment.get(variable).cloned()).filter(|value| !value.is_empty())
    };
    let username = given(&options.username, "COMPTOIR_CHECK_USERNAME");
    let password = given(&options.password, "COMPTOIR_CHECK_PASSWORD");
    let (Some(username), Some(password)) = (username, password) else {
        bail!("no account: set --username and --password, or --user-token-key-file");
    };
    let customer = visitor.sign_in(&username, &password).await?;
    Ok((Account { customer, product: None }, username))
}

async fn product(options: &Options, account: &Account) -> anyhow::Result<(String, String)> {
    let id = match options.product.as_ref().or(account.product.as_ref()) {
        Some(id) => id.clone(),
        None => shop::in_stock(&account.customer).await?,
    };
    Ok((id.clone(), id))
}

/// Places an order and waits until it is confirmed.
async fn order(options: &Options, customer: &Visitor, product: &str) -> anyhow::Result<(String, String)> {
    let body = json!({
        "items": [{ "productId": product, "quantity": 1 }],
        "shippingAddress": {
            "name": "Comptoir Check", "line1": "1 rue de la Paix", "city": "Paris",
            "postalCode": "75002", "countryCode": "FR",
        },
        "paymentToken": options.payment_token,
    });
    // The reply waits for the saga, so on a healthy system no second look is needed.
    let order = customer.post("/v1/orders?wait=20s", body).await?;
    let id = order["orderId"].as_str().context("the reply has no orderId")?.to_owned();
    let order = settled(customer, order, &id, "PENDING").await?;
    ensure!(order["state"] == "CONFIRMED", "{id} is {}, not CONFIRMED: {}", order["state"], order["reason"]);
    Ok((id.clone(), id))
}

/// Cancels it and waits until that has been done.
async fn cancel(customer: &Visitor, id: &str) -> anyhow::Result<((), String)> {
    let order = customer.post(&format!("/v1/orders/{id}:cancel"), json!({ "reason": "comptoir check" })).await?;
    let order = settled(customer, order, id, "CANCELLING").await?;
    ensure!(order["state"] == "CANCELLED", "{id} is {}, not CANCELLED", order["state"]);
    Ok(((), id.to_owned()))
}

/// Waits while the order is in `state`; the caller's time-out ends it.
async fn settled(customer: &Visitor, mut order: Value, id: &str, state: &str) -> anyhow::Result<Value> {
    while order["state"] == state {
        tokio::time::sleep(POLL).await;
        order = customer.get(&format!("/v1/orders/{id}")).await?;
    }
    Ok(order)
}

fn as_table(steps: &[Step]) -> String {
    let mut table = table::Table::new(&["STEP", "OUTCOME", " MS", "DETAIL"]);
    for step in steps {
        let outcome = if step.ok { "ok" } else { "failed" };
        table.row(vec![step.name.to_owned(), outcome.to_owned(), step.ms.to_string(), step.detail.clone()]);
    }
    table.text()
}

fn as_json(options: &Options, steps: &[Step], ok: bool) -> anyhow::Result<String> {
    let report = json!({ "gateway": options.gateway, "ok": ok, "steps": steps });
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}
