//! A bell that rings when a document changes: one change stream for all who wait in this process.
//!
//! It tells *that* something changed, never what; whoever hears it reads the document. The stream is open while somebody
//! waits. Whenever it is opened everyone is rung once reads show what was written before, so that nothing is missed.

use bson::{Document, doc};
use mongodb::{Collection, error::Error, options::ReadConcern};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// With so many ids known, those that nobody waits for any more are forgotten.
const SWEEP_AT: usize = 1024;

/// Pause before a stream that broke is opened anew.
const PAUSE: Duration = Duration::from_millis(500);

/// How long the stream stays open when nobody waits any more.
const LINGER: Duration = Duration::from_secs(10);

/// Rings for the documents of one collection. Cheap to clone.
#[derive(Clone)]
pub struct Bell(Arc<Inner>);

struct Inner {
    ringers: Mutex<HashMap<String, watch::Sender<u64>>>,
    /// Somebody has begun to wait.
    wanted: Notify,
}

impl Bell {
    /// Listens for those who wait, until `shutdown`.
    pub fn start(collection: Collection<Document>, shutdown: CancellationToken) -> Self {
        let bell = Self(Arc::new(Inner { ringers: Mutex::default(), wanted: Notify::new() }));
        let inner = bell.0.clone();
        tokio::spawn(async move {
            shutdown.run_until_cancelled(inner.listen(collection)).await;
        });
        bell
    }

    /// A receiver that changes whenever the document does. Subscribe first, then read.
    pub fn subscribe(&self, id: &str) -> watch::Receiver<u64> {
        let mut ringers = self.0.ringers();
        if ringers.len() >= SWEEP_AT {
            ringers.retain(|_, ringer| ringer.receiver_count() > 0);
        }
        self.0.wanted.notify_one();
        ringers.entry(id.to_owned()).or_insert_with(|| watch::channel(0).0).subscribe()
    }
}

impl Inner {
    fn ringers(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<u64>>> {
        self.ringers.lock().expect("no holder panics")
    }

    async fn listen(&self, collection: Collection<Document>) {
        loop {
            self.wanted.notified().await;
            while self.is_wanted() {
                if let Err(error) = self.listen_once(&collection).await {
                    tracing::debug!(%error, "the bell's change stream has broken");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn is_wanted(&self) -> bool {
        self.ringers().values().any(|ringer| ringer.receiver_count() > 0)
    }

    /// Opens the stream and rings until it breaks or nobody waits any more.
    async fn listen_once(&self, collection: &Collection<Document>) -> Result<(), Error> {
        let pipeline = [doc! { "$project": { "documentKey": 1 } }];
        let mut stream = collection.watch().pipeline(pipeline).await?.with_type::<Document>();
        catch_up(collection).await?;
        self.ring_all();
        let mut wanted_at = Instant::now();
        while wanted_at.elapsed() < LINGER {
            if let Some(change) = stream.next_if_any().await? {
                // A drop has no key, and is followed by the end of the stream.
                if let Ok(id) = change.get_document("documentKey").and_then(|key| key.get_str("_id")) {
                    self.ring(id);
                }
            } else if !stream.is_alive() {
                return Ok(());
            }
            if wanted_at.elapsed() > LINGER / 2 && self.is_wanted() {
                wanted_at = Instant::now();
            }
        }
        Ok(())
    }

    fn ring(&self, id: &str) {
        if let Some(ringer) = self.ringers().get(id) {
            ringer.send_modify(|count| *count += 1);
        }
    }

    fn ring_all(&self) {
        for ringer in self.ringers().values() {
            ringer.send_modify(|count| *count += 1);
        }
    }
}

/// Waits until majority reads show every write that was applied before: the stream tells only of later ones, and whoever
/// is rung too early would read the past and not be rung again.
async fn catch_up(collection: &Collection<Document>) -> Result<(), Error> {
    let client = collection.client();
    let mut session = client.start_session().causal_consistency(true).await?;
    // The reply of any command takes the session to the present.
    client.database(&collection.namespace().db).run_command(doc! { "ping": 1 }).session(&mut session).await?;
    let any = collection.find_one(doc! {}).projection(doc! { "_id": 1 }).read_concern(ReadConcern::majority());
    any.session(&mut session).await.map(drop)
}
