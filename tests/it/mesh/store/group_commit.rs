//! Group commit: each write has its own outcome, also when the reply was lost.

use bson::{Document, RawDocumentBuf, doc, rawdoc};
use kit::Stores;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};
use store::{Error, GroupCommit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

fn document(id: &str) -> RawDocumentBuf {
    rawdoc! { "_id": id, "rev": 1_i64, "count": 0_i64 }
}

fn increment(rev: i64) -> Document {
    doc! { "$set": { "rev": rev + 1 }, "$inc": { "count": 1_i64 } }
}

async fn count(group: &GroupCommit, id: &str) -> (i64, i64) {
    let found = group.load(id).await.expect("mongod answers").expect("is there");
    (found.get_i64("rev").expect("a revision"), found.get_i64("count").expect("a count"))
}

async fn updates_sent(stores: &Stores) -> i64 {
    let status = stores.mongodb().database("admin").run_command(doc! { "serverStatus": 1 }).await;
    let status = status.expect("mongod answers");
    let metrics = status.get_document("metrics").and_then(|metrics| metrics.get_document("commands"));
    let update = metrics.and_then(|commands| commands.get_document("update")).expect("mongod counts commands");
    update.get_i64("total").expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_at_once_succeed_once_for_each_revision_and_share_commands() {
    let stores = Stores::start().await;
    let database = stores.db("products").await;
    let group = GroupCommit::new(&database, "counters");
    let ids: Vec<String> = (0..8).map(|index| format!("counter-{index}")).collect();
    for id in &ids {
        group.insert(document(id)).await.expect("a new document");
    }
    let before = updates_sent(&stores).await;
    let succeeded = AtomicU32::new(0);
    let writer = |index: usize| {
        let (group, id, succeeded) = (&group, &ids[index % ids.len()], &succeeded);
        async move {
            for _ in 0..20 {
                let (rev, _) = count(group, id).await;
                match group.update(id, rev, increment(rev)).await {
                    Ok(()) => drop(succeeded.fetch_add(1, Ordering::Relaxed)),
                    Err(Error::Conflict) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
    };
    futures::future::join_all((0..64).map(writer)).await;
    let mut counted = 0;
    for id in &ids {
        let (rev, count) = count(&group, id).await;
        assert_eq!(rev, count + 1, "each revision is one increment");
        counted += count;
    }
    assert_eq!(counted, i64::from(succeeded.load(Ordering::Relaxed)), "what was said to be written is written");
    let sent = updates_sent(&stores).await - before;
    assert!(sent < 64 * 20 / 2, "{sent} commands for 1,280 updates");
}

#[tokio::test]
async fn a_write_that_is_refused_does_not_fail_those_of_its_command() {
    let stores = Stores::start().await;
    let database = stores.db("products").await;
    let group = GroupCommit::new(&database, "counters");
    let insert = |id: &'static str| group.insert(document(id));
    let (first, known, other) = tokio::join!(insert("a"), insert("a"), insert("b"));
    assert!(first.is_ok() && matches!(known, Err(Error::Duplicate)) && other.is_ok(), "{first:?} {known:?} {other:?}");
    let update = |id: &'static str, rev| group.update(id, rev, increment(rev));
    // The first goes alone; the others are one command.
    let outcomes = tokio::join!(update("b", 1), update("a", 7), update("a", 1), update("a", 1), update("absent", 1));
    assert!(
        matches!(outcomes, (Ok(()), Err(Error::Conflict), Ok(()), Err(Error::Conflict), Err(Error::Conflict))),
        "{outcomes:?}"
    );
    assert_eq!((count(&group, "a").await, count(&group, "b").await), ((2, 1), (2, 1)));
}

#[tokio::test]
async fn a_write_whose_reply_is_lost_happens_once_and_is_told() {
    let stores = Stores::start().await;
    let cutter = Cutter::start(stores.mongodb_uri()).await;
    let database =
        store::connect(&cutter.uri, stores.db("products").await.name(), "test").await.expect("the URI is valid");
    let group = GroupCommit::new(&database, "counters");
    cutter.cut_next("documents");
    let (first, known) = tokio::join!(group.insert(document("a")), group.insert(document("a")));
    assert!(cutter.has_cut(), "the reply was not lost");
    assert!(first.is_ok() && matches!(known, Err(Error::Duplicate)), "{first:?} {known:?}");
    cutter.cut_next("updates");
    group.update("a", 1, increment(1)).await.expect("it has happened");
    assert!(cutter.has_cut(), "the reply was not lost");
    assert_eq!(count(&group, "a").await, (2, 1));
}

#[tokio::test]
async fn a_write_whose_reply_is_lost_before_others_wrote_is_unknown_and_never_a_conflict() {
    let stores = Stores::start().await;
    let cutter = Cutter::start(stores.mongodb_uri()).await;
    let database =
        store::connect(&cutter.uri, stores.db("products").await.name(), "test").await.expect("the URI is valid");
    let (group, others) = (GroupCommit::new(&database, "counters"), stores.db("products").await);
    group.insert(document("a")).await.expect("a new document");
    let others = GroupCommit::new(&others, "counters");
    cutter.cut_next("updates");
    cutter.hold_reconnects(true);
    let write = tokio::spawn(async move { group.update("a", 1, increment(1)).await });
    kit::eventually(std::time::Duration::from_secs(10), || async {
        anyhow::ensure!(cutter.has_cut(), "the reply has not been lost yet");
        Ok(())
    })
    .await;
    others.update("a", 2, increment(2)).await.expect("the next revision");
    cutter.hold_reconnects(false);
    let outcome = write.await.expect("it answers");
    assert!(matches!(outcome, Err(Error::Unknown)), "{outcome:?}");
    assert_eq!(count(&others, "a").await, (3, 2));
}

/// A way to mongod that can lose the reply to a command.
struct Cutter {
    uri: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// The command whose field has this name is the one.
    field: std::sync::Mutex<Option<&'static str>>,
    has_cut: AtomicBool,
    holds: AtomicBool,
    released: tokio::sync::Notify,
}

impl Cutter {
    async fn start(uri: &str) -> Self {
        let (login, rest) = uri.rsplit_once('@').expect("a URI with a login");
        let (address, _) = rest.split_once('/').expect("a URI with a path");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let own = listener.local_addr().expect("it is bound");
        let state = Arc::<State>::default();
        tokio::spawn(accept(listener, address.to_owned(), state.clone()));
        Self { uri: format!("{login}@{own}/?authSource=admin&directConnection=true"), state }
    }

    fn cut_next(&self, field: &'static str) {
        self.state.has_cut.store(false, Ordering::SeqCst);
        *self.state.field.lock().expect("no holder panics") = Some(field);
    }

    fn has_cut(&self) -> bool {
        self.state.has_cut.load(Ordering::SeqCst)
    }

    /// Whether what comes after a cut waits.
    fn hold_reconnects(&self, holds: bool) {
        self.state.holds.store(holds, Ordering::SeqCst);
        self.state.released.notify_waiters();
    }
}

impl State {
    fn takes(&self, sent: &[u8]) -> bool {
        let mut field = self.field.lock().expect("no holder panics");
        let is_it = field.is_some_and(|field| sent.windows(field.len()).any(|window| window == field.as_bytes()));
        if is_it {
            *field = None;
        }
        is_it
    }

    async fn pass(&self) {
        loop {
            let released = self.released.notified();
            if !(self.holds.load(Ordering::SeqCst) && self.has_cut.load(Ordering::SeqCst)) {
                return;
            }
            released.await;
        }
    }
}

async fn accept(listener: TcpListener, address: String, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(carry(client, address.clone(), state.clone()));
    }
}

async fn carry(mut client: TcpStream, address: String, state: Arc<State>) -> std::io::Result<()> {
    let mut server = TcpStream::connect(address).await?;
    let (mut sent, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            count = client.read(&mut sent) => {
                let count = count?;
                if count == 0 {
                    return Ok(());
                }
                state.pass().await;
                server.write_all(&sent[..count]).await?;
                if state.takes(&sent[..count]) {
                    let has_answered = server.read(&mut answered).await? > 0;
                    state.has_cut.store(has_answered, Ordering::SeqCst);
                    return Ok(()); // both ends close: the reply is lost
                }
            }
            count = server.read(&mut answered) => {
                let count = count?;
                if count == 0 {
                    return Ok(());
                }
                client.write_all(&answered[..count]).await?;
            }
        }
    }
}
