//! A read model: its tables, what fills them, and why a rebuild of it may end.

use super::state::State;
use crate::{Color, Consumers, Error, EventSources, Handler, Nats, Settling, dead_letters, durable::present};
use ::rpc::status;
use async_nats::{datetime, jetstream::consumer::DeliverPolicy};
use bson::{Document, doc};
use mongodb::Database;
use std::sync::{Arc, Mutex};
use store::Time;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
/// A collection of a read model. Each document is a fold of its own events alone, in the order of each source.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name in copy A.
    pub collection: &'static str,
    /// The field that tells which events are in a document: a `seq`, or one for each aggregate that it is folded from.
    pub applied: &'static str,
    /// Further fields that depend on how a document came about and not on its events.
    pub bookkeeping: &'static [&'static str],
}

/// What a service tells of its read model.
pub trait Projection: Send + Sync + 'static {
    /// The collections that the events are folded into; there is one of each in both copies.
    fn tables(&self) -> &'static [Table];

    fn handler(&self, color: Color) -> Arc<dyn Handler>;
}

/// The read model of one service. Cheap to clone.
#[derive(Clone)]
pub struct ReadModel(pub(super) Arc<Parts>);

pub struct Parts {
    pub nats: Nats,
    pub database: Database,
    pub service: String,
    pub sources: Vec<String>,
    pub event_sources: EventSources,
    pub projection: Arc<dyn Projection>,
    pub shutdown: CancellationToken,
    /// The consumers of the copy in use, once there are any.
    pub current: Mutex<Option<Consumers>>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the log of {service} cannot be read: {}", .status.message())]
    Source { service: String, status: Status },
    /// The new model lacks events that the old one has.
    #[error(
        "the document {id} of {collection} lacks events in the new read model; look at the dead letters and the log"
    )]
    Behind { collection: &'static str, id: String },
    /// The streams could not be followed to their end.
    #[error("the events of {0} do not arrive")]
    Stalled(String),
    #[error("the caller left")]
    Left,
    #[error("the service is stopping")]
    Stopped,
    #[error(transparent)]
    Events(#[from] Error),
}

impl From<mongodb::error::Error> for Failure {
    fn from(error: mongodb::error::Error) -> Self {
        Self::Events(error.into())
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Source { .. } | Failure::Stalled(_) | Failure::Stopped => {
                status::unavailable("REBUILD_INTERRUPTED", failure.to_string())
            }
            Failure::Behind { .. } => status::precondition("REBUILD_BEHIND", failure.to_string()),
            Failure::Left => status::error(Code::Cancelled, "REBUILD_CANCELLED", failure.to_string()),
            Failure::Events(error) => error.into(),
        }
    }
}

impl ReadModel {
    /// The read model of these parts; [`ReadModel::run`] keeps it up to date.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    pub(crate) fn consumers(&self) -> Option<Consumers> {
        self.0.current.lock().expect("no holder panics").clone()
    }

    /// Removes the consumers of a copy and everything in it.
    pub(super) async fn clear(&self, color: Color) -> Result<(), Error> {
        for source in &self.0.sources {
            let (durable, stream) = (color.durable(&self.0.service), topology::stream(source));
            present(self.0.nats.jetstream.delete_consumer_from_stream(durable, stream).await)?;
        }
        let tables = self.0.projection.tables().iter().map(|table| table.collection);
        for name in tables.chain([dead_letters::COLLECTION]) {
            self.0.database.collection::<Document>(&color.collection(name)).delete_many(doc! {}).await?;
        }
        Ok(())
    }

    pub(super) fn consumers_of(
        &self,
        color: Color,
        handler: Arc<dyn Handler>,
        from: Option<Time>,
    ) -> Result<Consumers, Error> {
        let from = match from {
            None => DeliverPolicy::All,
            Some(time) => {
                let nanos = i128::from(time.timestamp_millis()) * 1_000_000;
                DeliverPolicy::ByStartTime { start_time: datetime::from_nanos(nanos).map_err(Error::nats)? }
            }
        };
        let settling = Settling { handler, event_sources: self.0.event_sources.clone(), from, color };
        let Parts { nats, database, service, sources, .. } = &*self.0;
        Ok(Consumers::new(nats.clone(), database, service, sources, settling))
    }

    pub(super) fn state(&self) -> State {
        State::new(&self.0.database)
    }
}
