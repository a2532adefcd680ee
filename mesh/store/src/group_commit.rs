//! Reads and writes of single documents, many to a command: one round trip and one sync of the journal for all of them.
//!
//! Each write has its own outcome. MongoDB says how many updates of a command found their revision but not which; so each
//! write leaves a random mark in its document, and when some did not match, the marks tell which. The same look makes a
//! command safe to repeat after its reply was lost.

use crate::{
    Error,
    batcher::{BatchWorker, Batcher},
};
use bson::{
    Bson, Document, RawArrayBuf, RawDocumentBuf, doc,
    raw::{CStr, cstr},
    rawdoc,
};
use futures::TryStreamExt;
use mongodb::{Collection, Database};
use std::{collections::HashMap, time::Duration};

/// Field of the mark; private to this file, and no part of any state.
pub(crate) const MARK: &CStr = cstr!("mark");

/// How often a command is sent when its reply is lost, as often as the driver's own retryable writes.
const ATTEMPTS: u32 = 2;

/// Longest wait for the majority.
const WRITE_TIMEOUT_MS: i32 = 10_000;

/// Reads and writes of single documents of one collection, shared with those at the same time. Cheap to clone.
#[derive(Clone)]
pub struct GroupCommit {
    inserts: Batcher<Writes>,
    updates: Batcher<Writes>,
    reads: Batcher<Reads>,
    is_deferred: bool,
}

impl GroupCommit {
    pub fn new(database: &Database, collection: &str) -> Self {
        let writes = |verb| {
            let (database, collection) = (database.clone(), database.collection(collection));
            Batcher::new(Writes { verb, database, collection })
        };
        let reads = Batcher::new(Reads(database.collection(collection)));
        Self { inserts: writes(Verb::Insert), updates: writes(Verb::Update), reads, is_deferred: false }
    }

    /// The same for writes that nobody waits for: each waits a little for others to go with.
    pub fn deferred(&self) -> Self {
        Self { is_deferred: true, ..self.clone() }
    }

    /// Writes a new document. [`Error::Duplicate`] when its `_id`, or another unique value, is taken.
    pub async fn insert(&self, mut document: RawDocumentBuf) -> Result<(), Error> {
        let id = document.get_str("_id").unwrap_or_default().to_owned();
        let mark = rand::random();
        document.append(MARK, mark);
        let bytes = document.as_bytes().len();
        self.submit(&self.inserts, Write { id, mark, rev: 0, body: document }, bytes).await
    }

    /// Applies operators to revision `rev` of a document; they must add one to `rev`. [`Error::Conflict`] when that is no
    /// longer the revision.
    pub async fn update(&self, id: &str, rev: i64, mut operators: Document) -> Result<(), Error> {
        let mark: i64 = rand::random();
        let set = operators.entry("$set".to_owned()).or_insert_with(|| doc! {}.into());
        set.as_document_mut().expect("$set has a document").insert(MARK.as_str(), mark);
        self.write_over(id, rev, mark, bson::serialize_to_raw_document_buf(&operators)?).await
    }

    /// Puts a whole document, whose `rev` is one more, in the place of revision `rev`. [`Error::Conflict`] when that is no
    /// longer the revision.
    pub async fn replace(&self, id: &str, rev: i64, mut document: RawDocumentBuf) -> Result<(), Error> {
        let mark = rand::random();
        document.append(MARK, mark);
        self.write_over(id, rev, mark, document).await
    }

    async fn write_over(&self, id: &str, rev: i64, mark: i64, update: RawDocumentBuf) -> Result<(), Error> {
        let body = rawdoc! { "q": { "_id": id, "rev": rev }, "u": update };
        let bytes = body.as_bytes().len();
        self.submit(&self.updates, Write { id: id.to_owned(), mark, rev, body }, bytes).await
    }

    async fn submit(&self, batcher: &Batcher<Writes>, write: Write, bytes: usize) -> Result<(), Error> {
        if self.is_deferred {
            batcher.submit_deferred(write, bytes).await?
        } else {
            batcher.submit(write, bytes).await?
        }
    }

    /// The document of this id.
    pub async fn load(&self, id: &str) -> Result<Option<RawDocumentBuf>, Error> {
        self.reads.submit(id.to_owned(), id.len()).await?
    }
}

struct Reads(Collection<RawDocumentBuf>);

impl Reads {
    async fn find(&self, ids: &[String]) -> Result<HashMap<String, RawDocumentBuf>, mongodb::error::Error> {
        let batch_size = u32::try_from(ids.len()).unwrap_or(u32::MAX).saturating_add(1);
        let found = self.0.find(doc! { "_id": { "$in": ids } }).batch_size(batch_size).await?;
        let found: Vec<RawDocumentBuf> = found.try_collect().await?;
        let by_id = |document: RawDocumentBuf| Some((document.get_str("_id").ok()?.to_owned(), document));
        Ok(found.into_iter().filter_map(by_id).collect())
    }
}

impl BatchWorker for Reads {
    type Request = String;
    type Outcome = Result<Option<RawDocumentBuf>, Error>;
    // Reads wait for no journal, so their batches may begin closer together than those of writes.
    const MIN_INTERVAL: Duration = Duration::from_millis(3);

    async fn run(&self, ids: Vec<String>) -> Vec<Self::Outcome> {
        match self.find(&ids).await {
            Ok(found) => ids.iter().map(|id| Ok(found.get(id).cloned())).collect(),
            Err(error) => ids.iter().map(|_| Err(Error::Database(error.clone()))).collect(),
        }
    }
}

struct Writes {
    verb: Verb,
    database: Database,
    collection: Collection<Document>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Insert,
    Update,
}

impl Verb {
    /// Name of the command, and of its list of statements.
    pub fn names(self) -> [&'static CStr; 2] {
        match self {
            Verb::Insert => [cstr!("insert"), cstr!("documents")],
            Verb::Update => [cstr!("update"), cstr!("updates")],
        }
    }
}

struct Write {
    id: String,
    mark: i64,
    /// Revision that an update expects.
    rev: i64,
    /// The document of an insert, the statement of an update.
    body: RawDocumentBuf,
}

/// What the server said of one command.
pub(crate) struct Reply {
    /// Writes that found their document.
    pub matched: usize,
    /// Code of each write that was refused, by its place.
    pub errors: HashMap<usize, i32>,
}

impl BatchWorker for Writes {
    type Request = Write;
    type Outcome = Result<(), Error>;
    // A majority write that is journaled takes some milliseconds anyway: under load 8 ms add little to it, and
    // otherwise nothing, because the first write after a pause goes at once.
    const MIN_INTERVAL: Duration = Duration::from_millis(8);

    async fn run(&self, writes: Vec<Write>) -> Vec<Self::Outcome> {
        match self.outcomes(&writes).await {
            Ok(outcomes) => outcomes,
            Err(error) => writes.iter().map(|_| Err(Error::Database(error.clone()))).collect(),
        }
    }
}

impl Writes {
    async fn outcomes(&self, writes: &[Write]) -> Result<Vec<Result<(), Error>>, mongodb::error::Error> {
        let (reply, is_repeated) = self.send(writes).await?;
        if reply.errors.is_empty() && reply.matched == writes.len() {
            return Ok(writes.iter().map(|_| Ok(())).collect());
        }
        // An insert that was sent once is refused by somebody else's document; else the marks tell whose it is.
        let is_clear = !is_repeated && (self.verb == Verb::Insert || reply.matched == 0);
        let found = if is_clear { HashMap::new() } else { self.marks(writes).await? };
        let now = |write: &Write| found.get(&write.id).copied();
        let is_ours = |write: &Write| now(write).is_some_and(|(_, mark)| mark == write.mark);
        // When all that matched are found, the others are certain.
        let is_certain = !is_repeated && writes.iter().filter(|write| is_ours(write)).count() == reply.matched;
        let outcome = |(index, write): (usize, &Write)| match (reply.errors.get(&index), self.verb) {
            _ if is_ours(write) => Ok(()),
            (Some(&code), _) => Err(Error::of_write(code)),
            (None, Verb::Insert) => Ok(()),
            (None, Verb::Update) if is_certain => Err(Error::Conflict),
            (None, Verb::Update) => Err(write.unmatched(now(write))),
        };
        Ok(writes.iter().enumerate().map(outcome).collect())
    }

    /// Sends the command, again when it was not answered. Says whether it was sent more than once.
    async fn send(&self, writes: &[Write]) -> Result<(Reply, bool), mongodb::error::Error> {
        let mut attempt = 1;
        loop {
            // A repeat sends the same marks: when the first attempt was carried out after all, they tell that its
            // writes are these.
            match self.database.run_raw_command(self.command(writes)).await.and_then(|reply| Reply::parse(&reply)) {
                Ok(reply) => return Ok((reply, attempt > 1)),
                Err(error) if attempt < ATTEMPTS && may_be_repeated(&error) => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn command(&self, writes: &[Write]) -> RawDocumentBuf {
        let [verb, list] = self.verb.names();
        let bodies: RawArrayBuf = writes.iter().map(|write| write.body.clone()).collect();
        let mut command = RawDocumentBuf::new();
        command.append(verb, self.collection.name());
        // A write that is refused must not keep those behind it, which belong to other requests, from being tried.
        command.append(cstr!("ordered"), false);
        let concern = rawdoc! { "w": "majority", "j": true, "wtimeout": WRITE_TIMEOUT_MS };
        command.append(cstr!("writeConcern"), concern);
        command.append(list, bodies);
        command
    }

    /// Revision and mark of these documents as they are now.
    async fn marks(&self, writes: &[Write]) -> Result<HashMap<String, (i64, i64)>, mongodb::error::Error> {
        let ids: Vec<&str> = writes.iter().map(|write| write.id.as_str()).collect();
        let find = self.collection.find(doc! { "_id": { "$in": ids } }).projection(doc! { "rev": 1, MARK.as_str(): 1 });
        let found: Vec<Document> = find.await?.try_collect().await?;
        let entry = |document: Document| {
            let (rev, mark) = (document.get_i64("rev").unwrap_or(0), document.get_i64(MARK.as_str()).unwrap_or(0));
            Some((document.get_str("_id").ok()?.to_owned(), (rev, mark)))
        };
        Ok(found.into_iter().filter_map(entry).collect())
    }
}

impl Write {
    /// Why an update matched nothing, when its document now has this revision and somebody else's mark.
    fn unmatched(&self, now: Option<(i64, i64)>) -> Error {
        match now {
            // Gone, or the revision that this one would have made is not reached, or is somebody else's.
            None => Error::Conflict,
            Some((rev, _)) if rev <= self.rev + 1 => Error::Conflict,
            // Others have written since: this one may have come before them.
            Some(_) => Error::Unknown,
        }
    }
}

impl Reply {
    /// Reads the reply to a command of writes.
    pub fn parse(reply: &Document) -> Result<Self, mongodb::error::Error> {
        // The writes are on the primary and may still be rolled back: for their callers the outcome is unknown, never
        // a success.
        if let Ok(concern) = reply.get_document("writeConcernError") {
            return Err(mongodb::error::Error::custom(format!("the write is not durable: {concern}")));
        }
        let number = |document: &Document, key| match document.get(key) {
            Some(Bson::Int32(number)) => *number,
            Some(Bson::Int64(number)) => i32::try_from(*number).unwrap_or(i32::MAX),
            _ => 0,
        };
        let mut errors = HashMap::new();
        for error in reply.get_array("writeErrors").into_iter().flatten().filter_map(Bson::as_document) {
            errors.insert(usize::try_from(number(error, "index")).unwrap_or(usize::MAX), number(error, "code"));
        }
        Ok(Self { matched: usize::try_from(number(reply, "n")).unwrap_or(0), errors })
    }
}

/// Codes by which a server tells that it is not, or no longer, the primary: not-writable-primary and shutdown errors of
/// the Server Discovery and Monitoring specification, and those of a broken way to it of Retryable Writes.
const TRY_ANOTHER: [i32; 12] = [6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436];

/// Whether the same command may be answered when it is sent again.
fn may_be_repeated(error: &mongodb::error::Error) -> bool {
    use mongodb::error::ErrorKind;
    match error.kind.as_ref() {
        ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } => true,
        ErrorKind::Command(command) => TRY_ANOTHER.contains(&command.code),
        _ => false,
    }
}
