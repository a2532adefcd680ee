//! Events in: each becomes an entry.

use crate::{
    chain::{Chain, ENTRY_BYTES},
    domain::{Entry, hex},
    error::Error,
};
use ::store::Batcher;
use events::{Event, Handler, HandlerError};

pub struct Consumer(pub Batcher<Chain>);

#[tonic::async_trait]
impl Handler for Consumer {
    async fn apply(&self, event: &Event) -> Result<(), HandlerError> {
        let appended = self.0.submit(entry(event), ENTRY_BYTES).await.map_err(Error::from);
        Ok(appended.and_then(|appended| appended)?)
    }

    /// The place of the event in its aggregate is in the entry, and a unique index on it.
    fn stores_seq(&self) -> bool {
        true
    }

    /// What an operator has given up was published all the same.
    async fn skip(&self, event: &Event) -> Result<(), HandlerError> {
        self.apply(event).await
    }
}

/// The entry of an event, without a place.
fn entry(event: &Event) -> Entry {
    let actor = event.actor.as_deref().unwrap_or_default();
    let (role, id) = actor.split_once(':').unwrap_or((actor, ""));
    Entry {
        id: String::new(),
        event_id: event.id.clone(),
        service: event.service.clone(),
        aggregate: event.aggregate.clone(),
        aggregate_id: event.aggregate_id.clone(),
        seq: event.seq,
        event_type: event.r#type.clone(),
        name: event.name.clone(),
        event_at: event.at,
        actor: id.to_owned(),
        actor_role: role.to_owned(),
        data_digest: hex(&event.data),
        hash: String::new(),
    }
}
