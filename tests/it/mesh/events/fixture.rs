//! Stores with nobody on them, the products of a test, and relays as processes of their own.

use super::{TIMEOUT, invariants, writer::Writer};
use anyhow::ensure;
use async_nats::jetstream;
use bson::{DateTime, Document, doc};
use kit::{Process, Stores, eventually};
use std::time::Duration;
use store::Database;

/// The stream of the products.
pub const STREAM: &str = "EVT_PRODUCTS";

/// The smallest window of duplicates that the broker accepts.
pub const WINDOW: Duration = Duration::from_millis(100);

/// Stores, and what was written to the products' database.
pub struct Fixture {
    /// mongod and nats-server.
    pub stores: Stores,
    /// The products' database.
    pub db: Database,
    /// What was answered.
    pub writer: Writer,
}

impl Fixture {
    /// On fresh stores.
    pub async fn open() -> Self {
        Self::on(Stores::start().await).await
    }

    /// On these. The stream is there already, with a window of duplicates that is over before anything is published
    /// twice: nothing may rest on the broker's memory.
    pub async fn on(stores: Stores) -> Self {
        let db = stores.db("products").await;
        let nats = jetstream::new(stores.nats().await.expect("nats-server answers"));
        let config = jetstream::stream::Config {
            name: STREAM.to_owned(),
            subjects: vec![topology::subjects("products")],
            allow_atomic_publish: true,
            duplicate_window: WINDOW,
            ..Default::default()
        };
        nats.create_stream(config).await.expect("the operator may");
        Self { writer: Writer::new(&db), db, stores }
    }

    /// A relay: `comptoir serve products`.
    pub fn relay(&self) -> Process {
        self.stores.serve("products", &[])
    }

    /// A relay that is killed, or stopped, at `point`: `relay.appended:3`, `relay.appended:3:stop`.
    pub fn relay_until(&self, point: &str) -> Process {
        self.stores.serve("products", &[("COMPTOIR_CRASH_AT", point)])
    }

    /// Lets the lease run out at once, as it would by itself after 5 s; its holder does not know.
    pub async fn expire_lease(&self) {
        let past = doc! { "$set": { "expires_at": DateTime::MIN } };
        self.leases().update_one(doc! { "_id": "relay" }, past).await.expect("mongod answers");
    }

    /// When the lease runs out.
    pub async fn expiry(&self) -> Option<DateTime> {
        let lease = self.leases().find_one(doc! { "_id": "relay" }).await.expect("mongod answers");
        lease.and_then(|lease| lease.get_datetime("expires_at").ok().copied())
    }

    /// Number of terms so far.
    pub async fn epoch(&self) -> i64 {
        let lease = self.leases().find_one(doc! { "_id": "relay" }).await.expect("mongod answers");
        lease.and_then(|lease| lease.get_i64("epoch").ok()).unwrap_or(0)
    }

    /// Waits until a term after `epoch` has begun.
    pub async fn next_term(&self, epoch: i64) {
        eventually(TIMEOUT, || async {
            ensure!(self.epoch().await > epoch, "no relay has led since term {epoch}");
            Ok(())
        })
        .await;
    }

    /// Notes what was written over another connection.
    pub fn also(&self, other: &Writer) {
        for ((id, seq), name) in other.names() {
            self.writer.note(&id, seq, vec![name]);
        }
    }

    /// Waits until everything that was written is on the stream as it should be.
    pub async fn settled(&self) {
        eventually(TIMEOUT, || invariants::everything(self)).await;
    }

    /// Waits until everything that was written is in the log.
    pub async fn logged(&self) {
        eventually(TIMEOUT, || invariants::logged(self)).await;
    }

    /// Waits until the relay knows that everything in the log is on the stream: it has heard the broker's answer to the
    /// last of it.
    pub async fn acknowledged(&self) {
        eventually(TIMEOUT, || async {
            let log = i64::try_from(invariants::log(&self.db).await?.len())?;
            let lease = self.leases().find_one(doc! {}).await?.unwrap_or_default();
            let published = lease.get_i64("gseq").unwrap_or_default();
            ensure!(published == log, "the relay knows of {published} of {log} entries");
            Ok(())
        })
        .await;
    }

    /// The lease's collection.
    pub fn leases(&self) -> mongodb::Collection<Document> {
        self.db.collection("relay")
    }
}
