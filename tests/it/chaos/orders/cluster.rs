//! A whole system in processes of its own, on which runs are played one after another.

use super::{
    clients::{Answered, Customer},
    plan::{Plan, Victim},
};
use crate::chaos::frame::System;
use anyhow::{Context, ensure};
use bson::{DateTime, Document, doc};
use comptoir::healthcheck;
use futures::TryStreamExt;
use kit::shop::TIMEOUT;
use kit::{Client, Process, Stores, binary, eventually, within};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::{task::JoinSet, time::sleep};

const CUSTOMERS: usize = 4;

/// How long after the healing every order must have come to an end.
const LIMIT: Duration = Duration::from_secs(60);

/// How long programs that start at once may take, on a machine that is at other work.
const START: Duration = Duration::from_secs(180);

/// How long a service may take to come to its step.
const STEP_LIMIT: Duration = Duration::from_secs(8);

/// Units of the scarce product that come in before each run.
const SCARCE: i64 = 3;

/// Life of the tokens: longer than a cluster.
const TOKEN_LIFE: Duration = Duration::from_secs(6 * 3600);

pub struct Cluster {
    stores: Stores,
    services: BTreeMap<String, Process>,
    customers: Vec<Customer>,
    answered: Answered,
}

impl System for Cluster {
    type Plan = Plan;
    const RUNS: usize = 20;

    async fn open() -> Self {
        let stores = Stores::start().await;
        let names = topology::Topology::get().service.keys().map(String::as_str).chain(["sandbox-psp", "gateway"]);
        let services: BTreeMap<String, Process> =
            names.map(|name| (name.to_owned(), stores.serve_at_its_address(name, &[]))).collect();
        let mut cluster = Self { stores, services, customers: Vec::new(), answered: Answered::default() };
        for name in topology::Topology::get().service.keys() {
            cluster.ready(name).await.unwrap_or_else(|error| panic!("{error:#}"));
        }
        cluster.stock_up().await;
        cluster
    }

    async fn play(&mut self, plan: &Plan) -> anyhow::Result<bool> {
        self.more_scarce(plan).await.context("more of the scarce product")?;
        let service = plan.point.service;
        let stop = if plan.kills_itself() { "" } else { ":stop" };
        let crash_at = format!("{}{stop}", plan.label());
        self.restart(service, &[("COMPTOIR_CRASH_AT", &crash_at)]).await.context("prepare the service")?;
        let mut clients: JoinSet<()> = (0..)
            .zip(&self.customers)
            .map(|(number, customer)| customer.clone().keep_ordering(plan.seed ^ number, self.answered.clone()))
            .collect();
        let replacement = (plan.victim == Victim::Stopped).then(|| self.stores.serve("orders", &[]));
        let is_reached = self.strike(plan).await?;
        if !plan.is_patient && replacement.is_none() {
            self.end_leases(plan).await?;
        }
        self.serves_again().await?;
        clients.shutdown().await;
        self.holds().await?;
        if let Some(replacement) = replacement {
            replacement.stop(TIMEOUT).await.context("the replacement drains")?;
        }
        Ok(is_reached)
    }

    fn last_output(&self) -> String {
        self.services.iter().map(|(name, process)| format!("{name}:\n{}\n", process.tail(8))).collect()
    }
}

impl Cluster {
    async fn stock_up(&mut self) {
        let anonymous = Client::at(self.stores.gateway());
        let key = std::fs::read_to_string(self.stores.data().join("keys/user-tokens.pem")).expect("the key file");
        let signer = rpc::Signer::new(rpc::token::USER_TOKENS, &key).expect("a key");
        let signed = |user: &str, roles: &[String]| {
            let token = signer.user_token(user, roles, TOKEN_LIFE).expect("it signs");
            anonymous.with_token(Some(&token))
        };
        let staff = signed("usr_warehouse", &["staff".to_owned()]);
        let (common, scarce) = (add_product(&staff, 1_000_000).await, add_product(&staff, SCARCE).await);
        for number in 0..CUSTOMERS {
            let client = signed(&register(&anonymous, number).await, &[]);
            let (staff, common, scarce) = (staff.clone(), common.clone(), scarce.clone());
            self.customers.push(Customer { client, staff, common, scarce });
        }
    }

    /// Waits until a service answers.
    async fn ready(&self, service: &str) -> anyhow::Result<()> {
        let variables = std::fs::read_to_string(self.stores.data().join(format!("serve/{service}.env")))?;
        let listen = variables.lines().find_map(|line| line.strip_prefix("COMPTOIR_LISTEN="));
        let uri = format!("http://{}", listen.context("a service has an address")?);
        within(START, || healthcheck::grpc(&uri)).await.with_context(|| format!("{service} is not ready"))
    }

    async fn restart(&mut self, service: &str, more: &[(&str, &str)]) -> anyhow::Result<()> {
        if let Some(old) = self.services.remove(service) {
            old.kill().await;
        }
        self.services.insert(service.to_owned(), self.stores.serve_at_its_address(service, more));
        self.ready(service).await
    }

    /// Clients go on until one of them is answered.
    async fn serves_again(&self) -> anyhow::Result<()> {
        let count = || self.answered.lock().expect("no holder panics").len();
        let before = count();
        let answered = within(LIMIT, || async {
            ensure!(count() > before, "no order has been answered since");
            Ok(())
        });
        answered.await.context("the healed system takes orders")
    }

    /// Waits until the service is at the step, kills the victim or lets it stand still, and brings it back.
    async fn strike(&mut self, plan: &Plan) -> anyhow::Result<bool> {
        let service = plan.point.service;
        let process = self.services.get(service).context("it runs")?;
        let is_reached = if plan.kills_itself() {
            process.ended(STEP_LIMIT).await.is_ok()
        } else {
            process.paused(STEP_LIMIT).await.is_ok()
        };
        match plan.victim {
            Victim::Service(victim) => {
                self.services.get(victim).context("it runs")?.kill().await;
                sleep(plan.lasts).await;
                self.restart(victim, &[]).await.context("restart the victim")?;
            }
            Victim::Mongod => {
                self.stores.kill_mongod().await;
                sleep(plan.lasts).await;
                self.stores.restart_mongod().await;
            }
            Victim::Nats => {
                self.stores.kill_nats().await;
                sleep(plan.lasts).await;
                self.stores.restart_nats().await;
            }
            Victim::Stopped if is_reached => sleep(plan.lasts).await,
            Victim::Stopped => {}
        }
        if is_reached {
            self.services.get(service).context("it runs")?.resume();
        } else {
            // It may still come to the step, in a later run too, and would stand still there with nobody to resume it.
            self.restart(service, &[]).await.context("restart the service that did not come to its step")?;
        }
        Ok(is_reached)
    }

    async fn more_scarce(&self, plan: &Plan) -> anyhow::Result<()> {
        let customer = self.customers.first().context("there are customers")?;
        let path = format!("/v1/stock/{}:adjust", customer.scarce);
        let body = json!({ "delta": SCARCE, "reason": "a delivery", "requestId": format!("run-{}", plan.seed) });
        within(TIMEOUT, || async {
            let reply = customer.staff.post(&path, body.clone()).await;
            ensure!(reply.status == 200, "{reply:?}");
            Ok(())
        })
        .await
    }

    /// Lets leases run out at once: of the relays of the one at the step and of the dead one, and of sagas.
    async fn end_leases(&self, plan: &Plan) -> anyhow::Result<()> {
        let ended = doc! { "$set": { "expires_at": DateTime::MIN } };
        let dead = if let Victim::Service(victim) = plan.victim { victim } else { plan.point.service };
        for service in [plan.point.service, dead] {
            let relay = self.stores.db(service).await.collection::<Document>("relay");
            relay.update_one(doc! { "_id": "relay" }, ended.clone()).await?;
        }
        let held = doc! { "saga.wake_at": { "$ne": null } };
        let woken = doc! { "$set": { "saga.wake_at": DateTime::now() } };
        self.orders().await.update_many(held, woken).await?;
        Ok(())
    }

    async fn orders(&self) -> mongodb::Collection<Document> {
        self.stores.db("orders").await.collection("orders")
    }

    async fn holds(&self) -> anyhow::Result<()> {
        within(LIMIT, || self.every_saga_has_ended()).await.context("every saga ends")?;
        let ids: Vec<Document> =
            self.orders().await.find(doc! {}).projection(doc! { "_id": 1 }).await?.try_collect().await?;
        let known: BTreeSet<String> =
            ids.iter().filter_map(|order| order.get_str("_id").ok().map(str::to_owned)).collect();
        let answered = self.answered.lock().expect("no holder panics").clone();
        let lost: Vec<&String> = answered.difference(&known).collect();
        ensure!(lost.is_empty(), "answered and lost: {lost:?}");
        within(LIMIT, || self.charged_once()).await.context("each order is charged once")?;
        self.verified().await
    }

    /// Ended, or parked with a reason. Who has not paid by now is cancelled.
    async fn every_saga_has_ended(&self) -> anyhow::Result<()> {
        let orders = self.orders().await;
        let unpaid = doc! { "state": "Pending", "payment_state": "ActionRequired" };
        let unpaid: Vec<Document> = orders.find(unpaid).projection(doc! { "_id": 1 }).await?.try_collect().await?;
        for order in unpaid {
            let path = format!("/v1/orders/{}:cancel", order.get_str("_id")?);
            let staff = &self.customers.first().context("there are customers")?.staff;
            staff.request(reqwest::Method::POST, &path).json(&json!({})).send().await?;
        }
        let open = doc! { "saga.status": { "$in": ["Running", "Compensating"] } };
        let open = orders.count_documents(open).await?;
        ensure!(open == 0, "{open} orders have a saga that has not ended");
        let parked = doc! { "saga.status": "Parked" };
        let parked = orders.find_one(parked).await?;
        ensure!(parked.is_none(), "a saga is parked, and nobody refused anything: {parked:?}");
        Ok(())
    }

    /// The provider's own record against the orders: at most one charge each, and none that holds money for nothing.
    async fn charged_once(&self) -> anyhow::Result<()> {
        let book = self.stores.db("sandbox-psp").await.collection::<Document>("charges");
        let charges: Vec<Document> = book.find(doc! {}).await?.try_collect().await?;
        let mut by_payment: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for charge in &charges {
            let payment = charge.get_str("_id")?.split('/').next().unwrap_or_default().to_owned();
            by_payment.entry(payment).or_default().push(charge.get_str("status")?.to_owned());
        }
        let wanted = doc! { "state": 1, "payment_id": 1 };
        let orders: Vec<Document> = self.orders().await.find(doc! {}).projection(wanted).await?.try_collect().await?;
        for order in orders {
            let (state, payment) = (order.get_str("state")?, order.get_str("payment_id")?);
            let charges = by_payment.remove(payment).unwrap_or_default();
            let holding = charges.iter().filter(|status| matches!(status.as_str(), "Authorized" | "Captured")).count();
            let expected = usize::from(matches!(state, "Confirmed" | "Shipped" | "Delivered"));
            ensure!(charges.len() <= 1, "{order} is charged {charges:?}");
            ensure!(holding == expected, "{order}: the provider has {charges:?}");
        }
        ensure!(by_payment.is_empty(), "charges without an order: {by_payment:?}");
        Ok(())
    }

    async fn verified(&self) -> anyhow::Result<()> {
        let mut command = tokio::process::Command::new(binary());
        command.arg("verify").args(self.stores.verify_arguments()).args(["--settle", "20"]).kill_on_drop(true);
        let output = command.output().await?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "verify: {text}{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

async fn add_product(staff: &Client, units: i64) -> String {
    let sku = format!("CHAOS-{:016x}", rand::random::<u64>());
    let price = json!({ "currencyCode": "EUR", "units": "7", "nanos": 0 });
    let body = json!({ "name": "Chaos product", "sku": sku, "price": price });
    let product: Value = eventually(TIMEOUT, || async {
        let reply = staff.post_with_key("/v1/products", body.clone(), &sku).await;
        ensure!(reply.status == 201 || reply.status == 200, "{reply:?}");
        Ok(reply.body)
    })
    .await;
    let id = product["productId"].as_str().expect("a product has an id").to_owned();
    let body = json!({ "delta": units, "reason": "the first delivery" });
    staff.post(&format!("/v1/stock/{id}:adjust"), body).await.expect(200);
    id
}

async fn register(anonymous: &Client, number: usize) -> String {
    let email = format!("chaos-{number}@example.com");
    let body = json!({ "email": email, "name": "Chaos Customer", "password": kit::DEMO_PASSWORD });
    let user = anonymous.post("/v1/users", body).await.expect(201);
    user["userId"].as_str().expect("a user has an id").to_owned()
}
