//! A whole system whose services are processes of their own, with a mail server and a receiver of webhooks.

use super::{
    plan::{Plan, SERVICES},
    replay, rest,
    writers::Shop,
};
use crate::{chaos::frame::System, email::server::Server, webhooks::receiver::Receiver};
use anyhow::{Context, ensure};
use bson::{DateTime, Document, doc};
use kit::{Client, Process, Stack, StackOptions, shop, within};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};

/// Processes of their own: those that are killed at random moments, and two that erase.
const APART: [&str; 2] = ["orders", "shipping"];

/// How long a process may take to be ready, on a machine that is at other work.
const START: Duration = Duration::from_secs(120);

/// How long a service may take to come to its step, on a machine that is at other work: persons come until then.
const STEP_LIMIT: Duration = Duration::from_secs(60);

/// Persons that are served at a time.
const COUNTERS: u64 = 2;

/// What the integrator wants to hear of.
const EVENT_TYPES: [&str; 6] =
    ["order.created", "order.confirmed", "order.cancelled", "order.shipped", "shipment.dispatched", "user.deleted"];

pub struct Cluster {
    pub stack: Stack,
    pub mails: Arc<Server>,
    pub receiver: Receiver,
    /// How often a service was killed, over all runs.
    pub kills: BTreeMap<&'static str, usize>,
    product: String,
    processes: BTreeMap<&'static str, Process>,
}

impl System for Cluster {
    type Plan = Plan;
    const RUNS: usize = 12;

    async fn open() -> Self {
        // The accounts of staff are made by a system in one process.
        let mut stack = Stack::start(StackOptions::default()).await;
        let product = shop::product(&stack, 1_000_000).await;
        stack.stop().await;
        let apart: Vec<&str> = SERVICES.into_iter().chain(APART).collect();
        stack.restart_with(kit::all_but(&apart)).await;
        let (mails, receiver) = (Arc::new(Server::start().await), Receiver::start().await);
        let (kills, processes) = (BTreeMap::new(), BTreeMap::new());
        let mut cluster = Self { stack, mails, receiver, kills, product, processes };
        for service in SERVICES.into_iter().chain(APART) {
            cluster.start(service, "").await.unwrap_or_else(|error| panic!("{error:#}"));
        }
        let body = json!({ "url": cluster.receiver.url("/hook"), "eventTypes": EVENT_TYPES });
        Client::admin(&cluster.stack).await.post("/v1/webhooks/endpoints", body).await.expect(201);
        cluster
    }

    async fn play(&mut self, plan: &Plan) -> anyhow::Result<bool> {
        let shop = Arc::new(self.shop(plan.seed).await);
        self.kill(plan.point.service).await?;
        self.start(plan.point.service, &format!("{}:1", plan.point.label)).await?;
        let mut writers = tokio::task::JoinSet::new();
        for counter in 0..COUNTERS {
            let shop = shop.clone();
            writers.spawn(async move { shop.keep_selling(counter).await });
        }
        let clerk = shop.clone();
        writers.spawn(async move { clerk.keep_catalogue().await });
        tokio::time::sleep(plan.after).await; // the moment under test
        self.kill(plan.other).await?;
        self.start(plan.other, "").await?;
        let at_step = self.processes.get(plan.point.service).context("it runs")?;
        let is_reached = at_step.ended(STEP_LIMIT).await.is_ok();
        self.kill(plan.point.service).await?;
        self.start(plan.point.service, "").await?;
        shop.is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        while let Some(written) = writers.join_next().await {
            written.context("a writer does not panic")??;
        }
        let answered = shop.answered.lock().expect("no holder panics").clone();
        rest::holds(self, &answered).await?;
        if plan.replays {
            replay::changes_nothing(self).await.context("after all logs were read again")?;
            rest::holds(self, &answered).await.context("after all logs were read again")?;
        }
        Ok(is_reached)
    }

    fn last_output(&self) -> String {
        self.processes.iter().map(|(name, process)| format!("{name}:\n{}\n", process.tail(8))).collect()
    }

    async fn close(self) {
        for process in self.processes.values() {
            process.stop(shop::TIMEOUT).await.expect("it drains");
        }
        self.stack.stop().await;
    }
}

impl Cluster {
    async fn shop(&self, seed: u64) -> Shop {
        Shop {
            seed,
            anonymous: Client::anonymous(&self.stack),
            staff: Client::staff(&self.stack).await,
            admin: Client::admin(&self.stack).await,
            product: self.product.clone(),
            mails: self.mails.clone(),
            answered: Mutex::default(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Starts a service, which dies at this label, and waits until it answers.
    pub async fn start(&mut self, service: &'static str, crash_at: &str) -> anyhow::Result<()> {
        let smtp = self.mails.url();
        let variables: &[(&str, &str)] = match service {
            "email" => &[("COMPTOIR_SMTP_URL", &smtp), ("COMPTOIR_MAIL_FROM", "shop@example.com")],
            "privacy" => &[("COMPTOIR_ERASURE_PAUSE_SECONDS", "2")],
            _ => &[],
        };
        let crash = if crash_at.is_empty() { None } else { Some(("COMPTOIR_CRASH_AT", crash_at)) };
        let variables: Vec<_> = variables.iter().copied().chain(crash).collect();
        let process = self.stack.serve_with(service, &variables);
        let address = self.stack.grpc(service);
        let ready = within(START, || async {
            // What is due at once may come to its step before the service answers.
            ensure!(!process.is_running() || comptoir::healthcheck::grpc(address).await.is_ok(), "no answer");
            Ok(())
        });
        ready.await.with_context(|| format!("{service} is not ready"))?;
        self.processes.insert(service, process);
        Ok(())
    }

    /// SIGKILL, unless it has died at its step; then what it held is anybody's at once.
    pub async fn kill(&mut self, service: &'static str) -> anyhow::Result<()> {
        if let Some(process) = self.processes.remove(service) {
            process.kill().await;
        }
        *self.kills.entry(service).or_default() += 1;
        self.end_claims(service).await
    }

    /// SIGTERM, and its end.
    pub async fn stop(&mut self, service: &'static str) -> anyhow::Result<()> {
        let process = self.processes.remove(service).context("it runs")?;
        process.stop(shop::TIMEOUT).await
    }

    /// As if as much time had passed as claims and leases last. Nobody but the dead one had any of its own.
    async fn end_claims(&self, service: &str) -> anyhow::Result<()> {
        let database = self.stack.db(service);
        let wake = |collection: &'static str, field: &'static str| {
            let held = doc! { field: { "$ne": null } };
            let woken = doc! { "$set": { field: DateTime::now() } };
            let collection = database.collection::<Document>(collection);
            async move { collection.update_many(held, woken).await }
        };
        let ended = doc! { "$set": { "expires_at": DateTime::MIN } };
        database.collection::<Document>("relay").update_one(doc! { "_id": "relay" }, ended).await?;
        match service {
            "email" => drop(wake("emails", "wake_at").await?),
            "webhooks" => drop(wake("deliveries", "wake_at").await?),
            "privacy" => drop(wake("erasures", "saga.wake_at").await?),
            "orders" => drop(wake("orders", "saga.wake_at").await?),
            _ => {}
        }
        Ok(())
    }
}
