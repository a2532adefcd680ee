//! Stores, relays and a consumer. One run: emptied stores, writers, the fault, and then everything must hold.

use super::plan::{Fault, Plan};
use crate::{
    chaos::frame::System,
    mesh::events::{
        fixture::{Fixture, STREAM},
        invariants,
        write_forms::{self, FORMS},
        writer::Writer,
    },
};
use anyhow::Context;
use async_nats::jetstream::{
    self,
    consumer::{DeliverPolicy, pull},
};
use bson::{Document, doc};
use kit::{Process, within};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use std::time::Duration;
use tokio::{task::JoinSet, time::sleep};

/// How long after the fault everything must hold.
const LIMIT: Duration = Duration::from_secs(45);

/// How long a relay may take to come to the step at which it stops.
const STEP_LIMIT: Duration = Duration::from_secs(3);

/// No event fits; what clients ask of the broker does.
const LOW_PAYLOAD: usize = 600;

/// nats-server's own limit.
const PAYLOAD: usize = 1024 * 1024;

/// The durable of the consumer.
const DURABLE: &str = "order-history";

/// How often two relays take the lease from each other.
const TURN: Duration = Duration::from_millis(200);

/// Stores with a consumer, on which runs are played one after another.
pub struct Cluster {
    fixture: Fixture,
    consumer: Process,
    output: String,
}

impl System for Cluster {
    type Plan = Plan;
    const RUNS: usize = 40;

    async fn open() -> Self {
        let fixture = Fixture::open().await;
        let consumer = fixture.stores.serve("order-history", &[]);
        Self { fixture, consumer, output: String::new() }
    }

    fn last_output(&self) -> String {
        format!("{}\nthe consumer:\n{}", self.output, self.consumer.tail(15))
    }

    async fn play(&mut self, plan: &Plan) -> anyhow::Result<bool> {
        self.output.clear();
        self.clear().await.context("clear the stores")?;
        let ids = self.fixture.writer.products(plan.products, 1).await;
        let mut relays = vec![match plan.fault {
            Fault::KillAtStep => self.fixture.relay_until(&plan.step),
            Fault::Overtake => self.fixture.relay_until(&format!("{}:stop", plan.step)),
            _ => self.fixture.relay(),
        }];
        if plan.warm {
            self.fixture.next_term(0).await;
        }
        let mut writers: JoinSet<()> = (0..plan.writers)
            .map(|number| write(self.fixture.writer.clone(), ids.clone(), plan.clone(), number))
            .collect();
        sleep(plan.at).await; // the moment under test
        let is_reached = self.go_wrong(plan, &mut relays, &mut writers).await?;
        while writers.join_next().await.is_some() {}
        let outcome = self.holds(&ids).await;
        self.output = relays.iter().map(|relay| format!("a relay:\n{}\n", relay.tail(15))).collect();
        for relay in relays {
            relay.kill().await;
        }
        outcome.map(|()| is_reached)
    }
}

impl Cluster {
    /// Everything, after one more write to each product: a relay that is asleep would look only after 30 s.
    async fn holds(&self, ids: &[String]) -> anyhow::Result<()> {
        for id in ids {
            self.fixture.writer.update(id, 1).await;
        }
        within(LIMIT, || invariants::everything(&self.fixture)).await?;
        within(LIMIT, || invariants::read_model(&self.fixture)).await
    }

    /// As it was before the first run. Nobody relays now.
    async fn clear(&self) -> anyhow::Result<()> {
        for collection in ["products", "events", "relay"] {
            self.fixture.db.collection::<Document>(collection).delete_many(doc! {}).await?;
        }
        let nats = jetstream::new(self.fixture.stores.nats().await?);
        // Purged and not deleted, so that the consumer goes on. Before the first run there is none.
        if let Ok(stream) = nats.get_stream(STREAM).await {
            stream.purge().await?;
        }
        self.fixture.writer.clear();
        Ok(())
    }

    async fn go_wrong(
        &self,
        plan: &Plan,
        relays: &mut Vec<Process>,
        writers: &mut JoinSet<()>,
    ) -> anyhow::Result<bool> {
        let mut is_reached = true;
        match plan.fault {
            Fault::KillAtStep => {
                // It may not come to that pass; then it is killed now.
                is_reached = relays[0].ended(STEP_LIMIT).await.is_ok();
                self.replace(plan, relays).await;
            }
            Fault::KillRelay => self.replace(plan, relays).await,
            Fault::PauseRelay => {
                relays[0].pause().await?;
                sleep(plan.lasts).await;
                relays[0].resume();
            }
            Fault::Overtake => is_reached = self.overtake(plan, relays).await?,
            Fault::TwoRelays => {
                relays.push(self.fixture.relay());
                while !writers.is_empty() {
                    self.fixture.expire_lease().await;
                    let _ = tokio::time::timeout(TURN, writers.join_next()).await;
                }
            }
            Fault::RewriteLease => {
                relays.push(self.fixture.relay());
                self.rewrite_lease(plan.variant).await?;
            }
            Fault::ForeignMessages | Fault::LowerPayload | Fault::RemakeDurable => self.meddle(plan, writers).await?,
            Fault::KillNats | Fault::RollNatsBack | Fault::DeleteStream | Fault::KillMongod => {
                self.break_store(plan).await?;
            }
        }
        Ok(is_reached)
    }

    /// What operators, or programs of theirs, do to the broker.
    async fn meddle(&self, plan: &Plan, writers: &mut JoinSet<()>) -> anyhow::Result<()> {
        let nats = jetstream::new(self.fixture.stores.nats().await?);
        match plan.fault {
            Fault::ForeignMessages => {
                while !writers.is_empty() {
                    for _ in 0..=plan.variant {
                        nats.publish("evt.products.product.updated.prd_foreign", "hello".into()).await?.await?;
                    }
                    let _ = tokio::time::timeout(plan.pause, writers.join_next()).await;
                }
            }
            Fault::LowerPayload => {
                self.fixture.stores.limit_nats(LOW_PAYLOAD).await;
                sleep(plan.lasts).await;
                self.fixture.stores.limit_nats(PAYLOAD).await;
            }
            _ => {
                let stream = nats.get_stream(STREAM).await?;
                // The consumer makes it too; whoever comes later has made it.
                let _ = stream.delete_consumer(DURABLE).await;
                let config = pull::Config {
                    durable_name: Some(DURABLE.to_owned()),
                    deliver_policy: DeliverPolicy::New,
                    ..Default::default()
                };
                let _ = stream.create_consumer_strict(config).await;
            }
        }
        Ok(())
    }

    async fn break_store(&self, plan: &Plan) -> anyhow::Result<()> {
        let stores = &self.fixture.stores;
        if plan.fault == Fault::DeleteStream {
            // The relay may not have made it yet.
            let _ = jetstream::new(stores.nats().await?).delete_stream(STREAM).await;
        } else if plan.fault == Fault::KillMongod {
            stores.kill_mongod().await;
            sleep(plan.lasts).await;
            stores.restart_mongod().await;
        } else {
            stores.kill_nats().await;
            let roll_back = plan.fault == Fault::RollNatsBack;
            if roll_back {
                stores.copy_nats_files();
                stores.restart_nats().await;
            }
            sleep(plan.lasts).await;
            if roll_back {
                stores.kill_nats().await;
                stores.roll_nats_files_back();
            }
            stores.restart_nats().await;
        }
        Ok(())
    }

    /// Kills the relay and starts another, which need not wait for the lease to run out.
    async fn replace(&self, plan: &Plan, relays: &mut Vec<Process>) {
        relays[0].kill().await;
        sleep(plan.lasts).await;
        self.fixture.expire_lease().await;
        relays.push(self.fixture.relay());
    }

    async fn overtake(&self, plan: &Plan, relays: &mut Vec<Process>) -> anyhow::Result<bool> {
        let is_reached = relays[0].paused(STEP_LIMIT).await.is_ok();
        if !is_reached {
            relays[0].pause().await?; // it did not come to that pass
        }
        let epoch = self.fixture.epoch().await;
        self.fixture.expire_lease().await;
        relays.push(self.fixture.relay());
        self.fixture.next_term(epoch).await;
        sleep(plan.lasts).await;
        relays[0].resume();
        Ok(is_reached)
    }

    async fn rewrite_lease(&self, variant: usize) -> anyhow::Result<()> {
        let leases = self.fixture.leases();
        let lease = doc! { "_id": "relay" };
        match variant {
            0 => self.fixture.expire_lease().await,
            1 => {
                let usurped = doc! { "$inc": { "epoch": 7_i64 }, "$set": { "expires_at": bson::DateTime::MIN } };
                leases.update_one(lease, usurped).await?;
            }
            2 => {
                leases.delete_one(lease).await?;
            }
            _ => {
                let older = doc! { "$set": { "gseq": 0_i64, "js_seq": 0_i64 }, "$unset": { "token": "" } };
                leases.update_one(lease, older).await?;
                self.fixture.expire_lease().await;
            }
        }
        Ok(())
    }
}

/// One writer: the service's own writes, new products, and foreign forms.
async fn write(writer: Writer, mut ids: Vec<String>, plan: Plan, number: u64) {
    let mut random = StdRng::seed_from_u64(plan.seed.wrapping_mul(31).wrapping_add(number));
    for _ in 0..plan.writes {
        let id = ids.choose(&mut random).expect("there is a product").clone();
        // A write that failed, was refused or came second is not answered; what it did must hold all the same.
        match random.random_range(0..10) {
            0 => ids.push(writer.insert().await),
            1..=3 => drop(write_forms::write(&writer, &id, FORMS.choose(&mut random).expect("there are some")).await),
            count => drop(writer.try_update(&id, 1 + count % 3).await),
        }
        sleep(plan.pause.mul_f64(random.random::<f64>())).await;
    }
}
