//! Events: from the outbox of a document to every consumer, whatever crashes in between.
//!
//! One relay per service holds a `lease`. `change_stream` tells which documents changed. `outboxes` reads their pending
//! events, unless this process has just written them itself (`hints`); `append` adds new ones to the `log` (collection
//! `events`, gap-free `gseq`). `publish` copies the log to the service's JetStream stream in atomic batches, each
//! conditional on the stream's last sequence, so that the stream is the log, entry for entry. `consume` reads streams. A
//! `lane` settles the events of an aggregate one after the other: an event is applied, with gaps filled from the
//! `event_sources`, or set aside in the `dead_letters`, where its aggregate alone waits. A `foreign` message is set aside
//! too, and holds up nothing. `rpc` lets operators see and move all of it. `rebuild` makes a read model anew in the idle
//! one of its two copies, blue and green (`color`), beside the one in use; `lag` tells its readers how far it is behind.
//!
//! What a crash does: before the append, the entry is still in the outbox and the resume token is older; after it, the
//! tail of the stream tells what to publish next. No step removes the last copy of an event. Two relays at once: the
//! unique places of the log and the expected sequence of the stream let one of them win each step; the other steps down.

mod append;
mod change_stream;
mod color;
mod connect;
mod consume;
mod dead_letters;
mod durable;
mod error;
mod event;
mod event_sources;
mod foreign;
mod gauges;
mod handler;
mod held;
mod hints;
mod lag;
mod lane;
mod lease;
mod letter;
mod log;
mod losses;
mod outboxes;
mod problems;
mod publish;
mod rebuild;
mod relay;
mod rpc;
mod source;
mod stored;

pub use color::Color;
pub use connect::{Nats, connect};
pub use consume::{Consumers, Settling};
pub use error::Error;
pub use event::Event;
pub use event_sources::EventSources;
pub use gauges::record as record_gauges;
pub use handler::{Handler, HandlerError};
pub use lag::ProjectionLag;
pub use rebuild::{InUse, Parts, Projection, ReadModel, Table};
pub use relay::Relay;
pub use rpc::{EventsRpc, Reads};
pub use source::Source;
pub use stored::{Stored, stored};
