//! A bell that rings when a document changes: one change stream for all who wait in this process.
//!
//! It tells *that* something changed, never what; whoever hears it reads the document. When the stream breaks it is
//! opened anew and everyone is rung once reads show what was written before, so that nothing is missed.

use bson::{Document, doc};
use futures::StreamExt;
use mongodb::{Collection, error::Error, options::ReadConcern};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// With so many ids known, those that nobody waits for any more are forgotten.
const SWEEP_AT: usize = 1024;

/// Pause before a stream that broke is opened anew.
const PAUSE: Duration = Duration::from_millis(500);

type Ringers = Arc<Mutex<HashMap<String, watch::Sender<u64>>>>;

/// Rings for the documents of one collection.
#[derive(Clone)]
pub struct Bell {
    ringers: Ringers,
}

impl Bell {
    /// Starts to listen, until `shutdown`.
    pub fn start(collection: Collection<Document>, shutdown: CancellationToken) -> Self {
        let bell = Self { ringers: Arc::default() };
        let ringers = bell.ringers.clone();
        tokio::spawn(async move {
            shutdown.run_until_cancelled(listen(collection, ringers)).await;
        });
        bell
    }

    /// A receiver that changes whenever the document does. Subscribe first, then read.
    pub fn subscribe(&self, id: &str) -> watch::Receiver<u64> {
        let mut ringers = self.ringers.lock().expect("no holder panics");
        if ringers.len() >= SWEEP_AT {
            ringers.retain(|_, ringer| ringer.receiver_count() > 0);
        }
        ringers.entry(id.to_owned()).or_insert_with(|| watch::channel(0).0).subscribe()
    }
}

async fn listen(collection: Collection<Document>, ringers: Ringers) {
    loop {
        if let Err(error) = listen_once(&collection, &ringers).await {
            tracing::debug!(%error, "the bell's change stream has broken");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Opens the stream and rings until it ends.
async fn listen_once(collection: &Collection<Document>, ringers: &Ringers) -> Result<(), Error> {
    let pipeline = [doc! { "$project": { "documentKey": 1 } }];
    let mut stream = collection.watch().pipeline(pipeline).await?.with_type::<Document>();
    catch_up(collection).await?;
    ring_all(ringers);
    while let Some(change) = stream.next().await {
        // A drop has no key, and is followed by the end of the stream.
        if let Ok(id) = change?.get_document("documentKey").and_then(|key| key.get_str("_id")) {
            ring(ringers, id);
        }
    }
    Ok(())
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

fn ring(ringers: &Ringers, id: &str) {
    if let Some(ringer) = ringers.lock().expect("no holder panics").get(id) {
        ringer.send_modify(|count| *count += 1);
    }
}

fn ring_all(ringers: &Ringers) {
    for ringer in ringers.lock().expect("no holder panics").values() {
        ringer.send_modify(|count| *count += 1);
    }
}
