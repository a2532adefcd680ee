//! Transactions over several documents: all of one is written, or nothing, and a conflict is decided anew.

use bson::{Document, doc};
use kit::Stores;
use mongodb::Collection;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU32, Ordering};
use store::{Aggregate, Change, Database, Documents, Error, NewEvent, Transaction, Versioned, transaction::retry};
use tokio::sync::broadcast::error::TryRecvError;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Account {
    balance: i64,
}

impl Aggregate for Account {
    const COLLECTION: &'static str = "accounts";
    const NOUN: &'static str = "account";
}

fn event() -> NewEvent {
    NewEvent { name: "changed".into(), r#type: "comptoir.test.v1.AccountChanged".into(), data: vec![7], actor: None }
}

fn change(balance: i64) -> Change<Account> {
    Change { state: Account { balance }, events: vec![event()] }
}

struct Bank {
    stores: Stores,
    database: Database,
    accounts: Documents<Account>,
    receipts: Collection<Document>,
}

impl Bank {
    async fn open() -> Self {
        let stores = Stores::start().await;
        let database = stores.db("products").await;
        let (accounts, receipts) = (Documents::new(&database), database.collection("receipts"));
        for id in ["a", "b"] {
            accounts.insert(id, Account { balance: 100 }, Vec::new()).await.expect("a new account");
        }
        receipts.insert_one(doc! { "_id": "taken", "state": "OPEN" }).await.expect("mongod answers");
        Self { stores, database, accounts, receipts }
    }

    async fn account(&self, id: &str) -> Versioned<Account> {
        self.accounts.load(id).await.expect("mongod answers").expect("is there")
    }

    async fn balances(&self) -> [i64; 2] {
        [self.account("a").await.state.balance, self.account("b").await.state.balance]
    }

    /// Transactions that mongod has open.
    async fn open_transactions(&self) -> i64 {
        let status = self.stores.mongodb().database("admin").run_command(doc! { "serverStatus": 1 }).await;
        let status = status.expect("mongod answers");
        status.get_document("transactions").and_then(|one| one.get_i64("currentOpen")).expect("mongod counts them")
    }
}

#[tokio::test]
async fn a_commit_writes_every_document_and_then_sends_the_hints_of_their_events() {
    let bank = Bank::open().await;
    let mut hints = bank.database.hints().subscribe();
    let (a, b) = (bank.account("a").await, bank.account("b").await);
    let mut transaction = Transaction::new(&bank.database);
    let a = transaction.update(&bank.accounts, &a, change(90)).await.expect("it fits");
    transaction.update(&bank.accounts, &b, Change { events: Vec::new(), ..change(110) }).await.expect("it fits");
    transaction.insert(&bank.accounts, "c", Account { balance: 0 }, vec![event()]).expect("it fits");
    transaction.insert_raw(&bank.receipts, &doc! { "_id": "new" }).expect("a document");
    let paid = doc! { "$set": { "state": "PAID" } };
    transaction.update_raw(&bank.receipts, doc! { "_id": "taken" }, paid).expect("an update");
    assert!(matches!(hints.try_recv(), Err(TryRecvError::Empty)), "the hint comes before the write");
    assert_eq!(bank.balances().await, [100, 100], "it is written before the commit");
    transaction.commit("test").await.expect("nobody else writes");
    assert_eq!(bank.balances().await, [90, 110]);
    assert_eq!(bank.account("c").await.rev, 1);
    assert_eq!(bank.account("a").await.rev, a.rev, "what is returned is what was written");
    let paid = bank.receipts.count_documents(doc! { "$or": [{ "_id": "new" }, { "state": "PAID" }] }).await;
    assert_eq!(paid.expect("mongod answers"), 2);
    let of = [hints.try_recv().expect("the update"), hints.try_recv().expect("the new one")];
    assert_eq!(
        of.map(|hint| (hint.id.clone(), hint.seq, hint.is_new)),
        [("a".into(), 1, false), ("c".into(), 1, true)]
    );
    assert!(matches!(hints.try_recv(), Err(TryRecvError::Empty)), "a write without events has a hint");
}

#[tokio::test]
async fn a_transaction_that_is_refused_writes_nothing_sends_no_hint_and_is_aborted() {
    let bank = Bank::open().await;
    let (stale, b) = (bank.account("a").await, bank.account("b").await);
    bank.accounts.save(&stale, change(100)).await.expect("it is current");
    let mut hints = bank.database.hints().subscribe();
    let both = doc! { "_id": "taken", "state": "PAID" };
    for refused in ["stale", "duplicate", "unmatched", "duplicate receipt", "not a receipt"] {
        let mut transaction = Transaction::new(&bank.database);
        transaction.update(&bank.accounts, &b, change(200)).await.expect("it fits");
        match refused {
            "stale" => drop(transaction.update(&bank.accounts, &stale, change(0)).await.expect("it fits")),
            "duplicate" => {
                drop(transaction.insert(&bank.accounts, "a", Account { balance: 0 }, vec![event()]).expect("it fits"));
            }
            "unmatched" => {
                transaction.update_raw(&bank.receipts, both.clone(), doc! { "$set": { "n": 1 } }).expect("an update")
            }
            "duplicate receipt" => transaction.insert_raw(&bank.receipts, &both).expect("a document"),
            _ => transaction
                .update_raw(&bank.receipts, doc! { "_id": "taken" }, doc! { "$inc": { "state": 1 } })
                .expect("an update"),
        }
        let error = transaction.commit("test").await.expect_err(refused);
        let is_right = match refused {
            "stale" | "unmatched" => matches!(error, Error::Conflict),
            "duplicate" | "duplicate receipt" => matches!(error, Error::Duplicate),
            _ => !error.is_conflict(),
        };
        assert!(is_right, "{refused}: {error:?}");
        assert_eq!(bank.open_transactions().await, 0, "{refused}: it is still open");
        assert_eq!(bank.balances().await, [100, 100], "{refused}: a part of it was written");
        assert!(matches!(hints.try_recv(), Err(TryRecvError::Empty)), "{refused}: it sent a hint");
    }
    bank.accounts.save(&b, change(200)).await.expect("nothing keeps the document");
}

#[tokio::test]
async fn a_document_that_an_open_transaction_has_written_is_a_conflict_for_another() {
    let bank = Bank::open().await;
    let mut session = bank.database.client().start_session().await.expect("a session");
    session.start_transaction().await.expect("it begins");
    let accounts = bank.accounts.collection();
    let touched = accounts.update_one(doc! { "_id": "a" }, doc! { "$inc": { "rev": 1_i64 } }).session(&mut session);
    touched.await.expect("nobody else writes");
    let mut transaction = Transaction::new(&bank.database);
    let a = bank.account("a").await;
    transaction.update(&bank.accounts, &a, change(0)).await.expect("it fits");
    let refused = transaction.commit("test").await;
    assert!(matches!(refused, Err(Error::Conflict)), "{refused:?}");
    session.abort_transaction().await.expect("it is open");
    bank.accounts.save(&a, change(1)).await.expect("both are gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn transfers_at_once_are_each_written_once_or_refused_as_conflicts() {
    const WRITERS: i64 = 12;
    let (bank, attempts) = (Bank::open().await, AtomicU32::new(0));
    let transfer = async || {
        attempts.fetch_add(1, Ordering::Relaxed);
        let (a, b) = (bank.account("a").await, bank.account("b").await);
        let mut transaction = Transaction::new(&bank.database);
        transaction.update(&bank.accounts, &a, change(a.state.balance - 1)).await?;
        transaction.update(&bank.accounts, &b, change(b.state.balance + 1)).await?;
        transaction.commit("test").await
    };
    let all = (0..WRITERS).map(|_| retry(100, Error::is_conflict, transfer));
    futures::future::try_join_all(all).await.expect("each has its turn");
    assert_eq!(bank.balances().await, [100 - WRITERS, 100 + WRITERS]);
    assert!(attempts.into_inner() > 12, "nobody was refused: they did not meet");
    assert_eq!(bank.open_transactions().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_decided_anew_up_to_a_bound_and_no_other_error_is() {
    let refuse = async |error: fn() -> Error, attempts: u32| {
        let count = AtomicU32::new(0);
        let refused = retry(attempts, Error::is_conflict, || async {
            count.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(error())
        });
        (refused.await.expect_err("it is refused"), count.into_inner())
    };
    assert!(matches!(refuse(|| Error::Conflict, 5).await, (Error::Conflict, 5)));
    assert!(matches!(refuse(|| Error::Duplicate, 1).await, (Error::Duplicate, 1)));
    assert!(matches!(refuse(|| Error::Unknown, 5).await, (Error::Unknown, 1)), "it may have happened");
}
