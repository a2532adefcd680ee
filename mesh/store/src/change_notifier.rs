//! Notifications that a document has changed: one change stream for all subscribers in this process.
//!
//! A notification says *that* something changed, never what: the subscriber reads the document. The stream is open while
//! there are subscribers. Whenever it has been opened all of them are notified, as soon as reads show what was written
//! before, so that nothing is missed.

use bson::{Document, doc};
use mongodb::{Collection, error::Error, options::ReadConcern};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// At this number of ids, those without subscribers are forgotten.
const SWEEP_AT: usize = 1024;

/// Pause before a stream that broke is opened anew: without one, a stream that breaks at once would be opened in a loop.
const PAUSE: Duration = Duration::from_millis(500);

/// How long the stream stays open without subscribers: those that come one after the other share one stream.
const LINGER: Duration = Duration::from_secs(10);

/// Notifies of changes to the documents of one collection. Cheap to clone.
#[derive(Clone)]
pub struct ChangeNotifier(Arc<Inner>);

struct Inner {
    senders: Mutex<HashMap<String, watch::Sender<u64>>>,
    /// There is a new subscriber.
    wanted: Notify,
}

impl ChangeNotifier {
    /// Watches the collection until `shutdown`.
    pub fn start(collection: Collection<Document>, shutdown: CancellationToken) -> Self {
        let notifier = Self(Arc::new(Inner { senders: Mutex::default(), wanted: Notify::new() }));
        let inner = notifier.0.clone();
        tokio::spawn(async move {
            shutdown.run_until_cancelled(inner.watch(collection)).await;
        });
        notifier
    }

    /// A receiver that changes whenever the document does. Subscribe first, then read.
    pub fn subscribe(&self, id: &str) -> watch::Receiver<u64> {
        let mut senders = self.0.senders();
        if senders.len() >= SWEEP_AT {
            senders.retain(|_, sender| sender.receiver_count() > 0);
        }
        self.0.wanted.notify_one();
        senders.entry(id.to_owned()).or_insert_with(|| watch::channel(0).0).subscribe()
    }
}

impl Inner {
    fn senders(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<u64>>> {
        self.senders.lock().expect("no holder panics")
    }

    async fn watch(&self, collection: Collection<Document>) {
        loop {
            self.wanted.notified().await;
            while self.is_wanted() {
                if let Err(error) = self.watch_once(&collection).await {
                    tracing::debug!(%error, "the change stream of a notifier has broken");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn is_wanted(&self) -> bool {
        self.senders().values().any(|sender| sender.receiver_count() > 0)
    }

    /// Opens the stream and notifies until it breaks or there are no subscribers any more.
    async fn watch_once(&self, collection: &Collection<Document>) -> Result<(), Error> {
        let pipeline = [doc! { "$project": { "documentKey": 1 } }];
        let mut stream = collection.watch().pipeline(pipeline).await?.with_type::<Document>();
        // The stream is open before anybody reads: a write between the reading and the next change is in the stream.
        catch_up(collection).await?;
        self.notify_all();
        let mut wanted_at = Instant::now();
        while wanted_at.elapsed() < LINGER {
            if let Some(change) = stream.next_if_any().await? {
                // A drop has no key, and is followed by the end of the stream.
                if let Ok(id) = change.get_document("documentKey").and_then(|key| key.get_str("_id")) {
                    self.notify(id);
                }
            } else if !stream.is_alive() {
                return Ok(());
            }
            // The answer takes the lock of all subscribers, so the question is not asked for each change.
            if wanted_at.elapsed() > LINGER / 2 && self.is_wanted() {
                wanted_at = Instant::now();
            }
        }
        Ok(())
    }

    fn notify(&self, id: &str) {
        if let Some(sender) = self.senders().get(id) {
            sender.send_modify(|count| *count += 1);
        }
    }

    fn notify_all(&self) {
        for sender in self.senders().values() {
            sender.send_modify(|count| *count += 1);
        }
    }
}

/// Waits until majority reads show every write that was applied before: the stream tells only of later ones, and a
/// subscriber that is notified too early would read the past and not be notified again.
async fn catch_up(collection: &Collection<Document>) -> Result<(), Error> {
    let client = collection.client();
    let mut session = client.start_session().causal_consistency(true).await?;
    // The reply of any command takes the session to the present.
    client.database(&collection.namespace().db).run_command(doc! { "ping": 1 }).session(&mut session).await?;
    let any = collection.find_one(doc! {}).projection(doc! { "_id": 1 }).read_concern(ReadConcern::majority());
    any.session(&mut session).await.map(drop)
}
