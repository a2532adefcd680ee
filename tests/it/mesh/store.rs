//! mesh/store: documents, transactions and what groups their writes, on a real mongod.

mod batcher;
mod change_notifier;
mod documents;
mod erasure;
mod group_commit;
mod revisions;
mod transactions;
