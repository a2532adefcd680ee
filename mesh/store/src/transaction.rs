//! Writes of several documents that happen together or not at all, and an end for those of dead processes.
//!
//! A transaction collects its statements first and sends them when it commits. So mongod has it open for a few round trips
//! only, and there is one place where it is aborted. mongod keeps the transaction of a process that died before its commit
//! open for a minute, and nobody can write its documents meanwhile.

use crate::{
    Aggregate, Change, Database, Documents, Error, NewEvent, RequestKey, Versioned, WriteHint,
    group_commit::{Reply, Verb},
};
use bson::{Document, RawArrayBuf, RawDocumentBuf, doc};
use futures::TryStreamExt;
use mongodb::{Client, ClientSession, Collection, options::ReadConcern};
use serde::Serialize;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A transaction takes some milliseconds. An idle one that has been open for this time belongs to a dead process; should
/// the process come back after all, its commit is refused and the change decided anew.
const OPEN_MICROS: i64 = 3_000_000;

/// Pause between two searches for transactions of dead processes.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Writes to documents of several collections. Those of one collection and kind are sent as one command, in the order in
/// which the first of each was added.
#[must_use = "nothing is written before the commit"]
pub struct Transaction {
    database: Database,
    commands: Vec<Command>,
    /// Hints of the documents' events, to be sent once these are durable.
    hints: Vec<WriteHint>,
}

/// Writes of one kind to one collection.
struct Command {
    verb: Verb,
    collection: String,
    statements: Vec<RawDocumentBuf>,
}

impl Transaction {
    pub fn new(database: &Database) -> Self {
        Self { database: database.clone(), commands: Vec::new(), hints: Vec::new() }
    }

    /// Adds a new document with its first events; the commit is [`Error::Duplicate`] when the identity is taken.
    pub fn insert<T: Aggregate>(
        &mut self,
        documents: &Documents<T>,
        id: &str,
        state: T,
        events: Vec<NewEvent>,
    ) -> Result<Versioned<T>, Error> {
        let (document, written) = documents.first(id, state, events)?;
        self.add(Verb::Insert, T::COLLECTION, document);
        self.hints.extend(documents.hint(&written));
        Ok(written)
    }

    /// Adds `change` over `old`; the commit is [`Error::Conflict`] when `old` is no longer current.
    pub async fn update<T: Aggregate>(
        &mut self,
        documents: &Documents<T>,
        old: &Versioned<T>,
        change: Change<T>,
    ) -> Result<Versioned<T>, Error> {
        let statement = documents.statement(old, change).await?;
        self.add_update(documents, statement)
    }

    /// [`Transaction::update`] for a request, by which [`Versioned::has_answered`] knows its repeat.
    pub async fn update_once<T: Aggregate>(
        &mut self,
        documents: &Documents<T>,
        old: &Versioned<T>,
        change: Change<T>,
        request: Option<&RequestKey>,
    ) -> Result<Versioned<T>, Error> {
        let statement = documents.statement_of(old, change, request).await?;
        self.add_update(documents, statement)
    }

    fn add_update<T: Aggregate>(
        &mut self,
        documents: &Documents<T>,
        (filter, update, written): (Document, Document, Versioned<T>),
    ) -> Result<Versioned<T>, Error> {
        self.add(Verb::Update, T::COLLECTION, bson::serialize_to_raw_document_buf(&doc! { "q": filter, "u": update })?);
        self.hints.extend(documents.hint(&written));
        Ok(written)
    }

    /// Adds a new document that has no events.
    pub fn insert_raw(
        &mut self,
        collection: &Collection<impl Send + Sync>,
        document: &impl Serialize,
    ) -> Result<(), Error> {
        self.add(Verb::Insert, collection.name(), bson::serialize_to_raw_document_buf(document)?);
        Ok(())
    }

    /// Adds an update of a document that has no events; the commit is [`Error::Conflict`] when none matches `filter`.
    pub fn update_raw<T: Send + Sync>(
        &mut self,
        collection: &Collection<T>,
        filter: Document,
        update: Document,
    ) -> Result<(), Error> {
        let statement = bson::serialize_to_raw_document_buf(&doc! { "q": filter, "u": update })?;
        self.add(Verb::Update, collection.name(), statement);
        Ok(())
    }

    fn add(&mut self, verb: Verb, collection: &str, statement: RawDocumentBuf) {
        let same = |command: &&mut Command| command.verb == verb && command.collection == collection;
        match self.commands.iter_mut().find(same) {
            Some(command) => command.statements.push(statement),
            None => {
                self.commands.push(Command { verb, collection: collection.to_owned(), statements: vec![statement] })
            }
        }
    }

    /// Writes all of it or nothing, and sends the hints of the events once they are durable. Tests kill the process at
    /// `label.writing`, `label.committing` and `label.committed`.
    pub async fn commit(self, label: &str) -> Result<(), Error> {
        if self.commands.is_empty() {
            return Ok(());
        }
        let mut session = self.database.client().start_session().await?;
        session.start_transaction().await?;
        crash_at(label, "writing");
        for command in self.commands {
            // The end of the transaction is awaited: a retry must not collide with the one that it replaces.
            if let Err(error) = command.send(&self.database, &mut session).await {
                if let Err(abort) = session.abort_transaction().await {
                    tracing::debug!(error = %abort, "a transaction could not be aborted; the server will end it");
                }
                return Err(error);
            }
        }
        crash_at(label, "committing");
        commit(&mut session).await?;
        crash_at(label, "committed");
        // Not before the commit: the relay believes a hint and does not read the document again.
        self.hints.into_iter().for_each(|hint| self.database.hints().send(hint));
        Ok(())
    }
}

impl Command {
    async fn send(self, database: &Database, session: &mut ClientSession) -> Result<(), Error> {
        let ([verb, list], expected) = (self.verb.names(), self.statements.len());
        let mut command = RawDocumentBuf::new();
        command.append(verb, self.collection);
        command.append(list, self.statements.into_iter().collect::<RawArrayBuf>());
        let reply = database.run_raw_command(command).session(session).await;
        let Reply { matched, errors } = Reply::parse(&reply.map_err(transient)?)?;
        match errors.into_values().next() {
            Some(code) => Err(Error::of_write(code)),
            None if matched < expected => Err(Error::Conflict),
            None => Ok(()),
        }
    }
}

/// Where a test kills this process: `shipping.split.committing`. Release builds have none of this.
fn crash_at(label: &str, moment: &str) {
    if cfg!(debug_assertions) {
        telemetry::crash_point(&format!("{label}.{moment}"));
    }
}

/// Does `once`, and again while `is_conflict` says that somebody else wrote in between: at most `attempts` times.
pub async fn retry<T, E, F: Future<Output = Result<T, E>>>(
    attempts: u32,
    is_conflict: impl Fn(&E) -> bool,
    mut once: impl FnMut() -> F,
) -> Result<T, E> {
    let mut attempt = 1;
    loop {
        match once().await {
            Err(error) if attempt < attempts && is_conflict(&error) => tokio::time::sleep(backoff(attempt)).await,
            done => return done,
        }
        attempt += 1;
    }
}

/// Pause before a change is decided anew, random so that those who collided do not collide again.
pub(crate) fn backoff(attempt: u32) -> Duration {
    Duration::from_micros(rand::random_range(0..=(1000_u64 << attempt.min(6))))
}

/// Commits; when the answer was lost, asks again: a commit can be repeated.
async fn commit(session: &mut ClientSession) -> Result<(), Error> {
    // A session may send its commit again. After the fourth lost answer the caller is told that the outcome is
    // unknown.
    for _ in 0..3 {
        match session.commit_transaction().await {
            Ok(()) => return Ok(()),
            Err(error) if error.contains_label(mongodb::error::UNKNOWN_TRANSACTION_COMMIT_RESULT) => {
                tracing::warn!(%error, "the answer to a commit was lost; committing again");
            }
            Err(error) => return Err(transient(error)),
        }
    }
    session.commit_transaction().await.map_err(transient)
}

/// A transaction that the server gave up can be decided anew: a conflict.
fn transient(error: mongodb::error::Error) -> Error {
    if error.contains_label(mongodb::error::TRANSIENT_TRANSACTION_ERROR) { Error::Conflict } else { error.into() }
}

/// Ends the transactions that dead processes have left open, again and again until `stop`.
pub async fn keep_ending_abandoned(client: Client, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
        end_abandoned(&client).await;
    }
}

/// Ends the transactions that dead processes of this service's own user have left open, which needs no privilege.
pub async fn end_abandoned(client: &Client) {
    match kill_abandoned(client).await {
        Ok(0) => {}
        Ok(ended) => tracing::warn!(ended, "transactions that a dead process had left open were ended"),
        Err(error) => tracing::debug!(%error, "transactions that a dead process may have left open were not found"),
    }
}

async fn kill_abandoned(client: &Client) -> Result<usize, Error> {
    let admin = client.database("admin");
    let stages = [
        doc! { "$currentOp": { "allUsers": false, "idleSessions": true } },
        doc! { "$match": { "type": "idleSession", "transaction.timeOpenMicros": { "$gte": OPEN_MICROS } } },
        doc! { "$project": { "id": "$lsid.id" } },
    ];
    let open = admin.aggregate(stages).read_concern(ReadConcern::local()).await?;
    let open: Vec<Document> = open.try_collect().await?;
    if !open.is_empty() {
        // By session: an idle transaction runs no operation that could be killed.
        admin.run_command(doc! { "killSessions": &open }).await?;
    }
    Ok(open.len())
}
