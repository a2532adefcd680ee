//! A bell that rings when a document changes: one change stream for all who wait in this process.
//!
//! It tells *that* something changed, never what; whoever hears it reads the document. When the stream breaks it is
//! opened anew and everyone is rung, so that nothing is missed.

use bson::{Document, doc};
use futures::StreamExt;
use mongodb::Collection;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// With so many ids known, those that nobody waits for any more are forgotten.
const SWEEP_AT: usize = 1024;

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
    let pipeline = [doc! { "$project": { "documentKey": 1 } }];
    loop {
        match collection.watch().pipeline(pipeline.clone()).await {
            Ok(stream) => {
                let mut stream = stream.with_type::<Document>();
                ring_all(&ringers);
                while let Some(Ok(change)) = stream.next().await {
                    let key = change.get_document("documentKey").and_then(|key| key.get_str("_id"));
                    if let Ok(id) = key {
                        ring(&ringers, id);
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "the bell's change stream cannot be opened"),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
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
