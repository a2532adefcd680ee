//! MongoDB, as every service uses it: one document per aggregate, which carries its own outbox.
//!
//! A command loads a document, decides (pure code), and writes the new state together with its events in **one** update
//! guarded by the revision: `{_id, rev, seq, …state…, outbox: [{id, seq, type, name, at, trace, actor, data}]}`. There is no
//! moment at which state is durable and its event is not. `mesh/events` moves outbox entries to the log and the broker;
//! the writer trims what the log already has. Writes that come at the same time share a command (`group_commit`). Hints of
//! what was written stay within the process (`hints`). Several documents change together by a [`Transaction`].
//!
//! Invariants: every write is majority and journaled; `seq` is contiguous per aggregate; two writers of one revision
//! cannot both succeed; a full outbox refuses the write with [`Error::Backlog`], a change too large for any outbox, or
//! for the broker as far as it has told, with [`Error::TooLarge`], and nothing is changed.

mod batcher;
mod cache;
mod change_notifier;
mod connect;
mod documents;
mod error;
pub mod fields;
mod group_commit;
mod hints;
mod index;
pub mod log;
mod outbox;
pub mod page;
pub mod request_key;
pub mod secret;
mod signer;
pub mod transaction;

pub use batcher::{BatchWorker, Batcher};
pub use bson::DateTime as Time;
pub use cache::Cache;
pub use change_notifier::ChangeNotifier;
pub use connect::{Database, connect};
pub use documents::{Change, Documents, Erased, Versioned};
pub use error::{ChangeError, Error};
pub use group_commit::GroupCommit;
pub use hints::{HintSender, WriteHint};
pub use index::{Index, take_over};
pub use log::LOG;
pub use outbox::{EVENT_HEADERS_BYTES, EventLimit, NewEvent, Pending};
pub use page::{Found, Pager, READ_LIMIT, limit};
pub use request_key::RequestKey;
pub use signer::{InvalidToken, TokenSigner};
pub use transaction::Transaction;

/// The present. Domain code takes it as an argument.
pub fn now() -> Time {
    Time::now()
}

/// A state that lives in its own document. A write sets the fields that changed and unsets those that the new state no
/// longer has.
pub trait Aggregate: serde::Serialize + serde::de::DeserializeOwned + Clone + Send + Sync {
    /// Collection, plural: `orders`.
    const COLLECTION: &'static str;
    /// Noun of its events, singular: `order`.
    const NOUN: &'static str;

    /// Whether this state has been erased: then the requests that led to it are forgotten with it, because the digests of
    /// what they asked tell of it.
    fn is_erased(&self) -> bool {
        false
    }
}
