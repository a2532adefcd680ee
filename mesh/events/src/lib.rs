//! Events: from the outbox of a document to every consumer, whatever crashes in between.
//!
//! One relay per service holds a `lease`. A change stream is its `doorbell`: it tells which documents changed. `archive`
//! reads their pending outboxes and appends what is new to the `log` (collection `events`, gap-free `gseq`). `publish`
//! copies the log to the service's JetStream stream in atomic batches, each conditional on the stream's last sequence, so
//! that the stream is the log, entry for entry. `consume` reads streams in order per aggregate.
//!
//! What a crash does: before the append, the entry is still in the outbox and the resume token is older; after it, the
//! tail of the stream tells what to publish next. No step removes the last copy of an event. Two relays at once: the
//! unique indexes of the log and the expected sequence of the stream let one of them win each step; the other steps down.

mod archive;
mod connect;
mod consume;
mod doorbell;
mod error;
mod event;
mod lease;
mod log;
mod publish;
mod relay;

pub use connect::{Nats, connect};
pub use consume::{Handler, HandlerError, start as consume};
pub use error::Error;
pub use event::Event;
pub use relay::{Relay, Source};
