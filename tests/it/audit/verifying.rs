//! What somebody who can write to the database does to the trail, and what the verification says of it.

use super::{entries_of, is_that_of_the_logs, stored};
use crate::cli::verify::verify;
use bson::{Bson, Document, doc, oid::ObjectId};
use kit::shop::{TIMEOUT, id, place, product, sagas_have_ended};
use kit::{Client, Stack, StackOptions};
use mongodb::Collection;
use serde_json::Value;

/// A quiet system with a trail.
struct Trail {
    stack: Stack,
    admin: Client,
    entries: Collection<Document>,
    days: Collection<Document>,
    anchor: Collection<Document>,
}

impl Trail {
    async fn open() -> Self {
        let stack = Stack::start(StackOptions::default()).await;
        let product = product(&stack, 10).await;
        let customer = Client::register(&stack).await.0;
        let order = place(&customer, &[(&product, 1)], "tok_visa").await;
        entries_of(&stack, "orders", id(&order, "orderId"), 2).await;
        sagas_have_ended(&stack, TIMEOUT).await;
        is_that_of_the_logs(&stack).await;
        let of = |name: &str| stack.db("audit").collection(name);
        let (entries, days, anchor) = (of("entries"), of("days"), of("anchor"));
        let admin = Client::admin(&stack).await;
        Self { stack, admin, entries, days, anchor }
    }

    async fn verify(&self, query: &str) -> Value {
        self.admin.get(&format!("/v1/audit/entries:verify?{query}")).await.expect(200)
    }

    /// The faults of all days: what, and of which entry or day.
    async fn faults(&self) -> Vec<(String, String)> {
        let verified = self.verify("startDate=2000-01-01").await;
        let days = verified["days"].as_array().cloned().unwrap_or_default();
        let faults = days.iter().flat_map(|day| day["faults"].as_array().cloned().unwrap_or_default());
        faults.map(|fault| (id(&fault, "kind").to_owned(), id(&fault, "entryId").to_owned())).collect()
    }

    async fn finds(&self, wanted: &[(&str, &str)], what: &str) {
        let wanted: Vec<_> = wanted.iter().map(|(kind, of)| ((*kind).to_owned(), (*of).to_owned())).collect();
        assert_eq!(self.faults().await, wanted, "{what}");
    }

    /// Replaces an entry, looks, and puts it back.
    async fn replaced(&self, entry: &Document, other: Document, wanted: &[(&str, &str)]) {
        let id = doc! { "_id": text(entry, "_id") };
        self.entries.replace_one(id.clone(), &other).await.expect("root may");
        self.finds(wanted, &other.to_string()).await;
        assert_eq!(self.admin.get("/v1/audit/entries?pageSize=200").await.status, 200, "{other}");
        self.entries.replace_one(id, entry).await.expect("root may");
    }

    /// Adds a document, looks, and removes it.
    async fn added(&self, to: &Collection<Document>, document: Document, wanted: &[(&str, &str)]) {
        to.insert_one(&document).await.expect("root may");
        self.finds(wanted, &document.to_string()).await;
        to.delete_one(doc! { "_id": document.get("_id") }).await.expect("root may");
    }
}

fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get_str(name).expect("a text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_a_removed_and_an_inserted_entry_are_found() {
    let trail = Trail::open().await;
    let all = stored(&trail.stack).await;
    assert!(all.len() > 10, "{all:?}");
    trail.finds(&[], "nobody has touched it").await;
    changed(&trail, &all).await;
    let place = |number: usize| text(&all[number], "_id");
    for number in [0, 4, all.len() - 1] {
        trail.entries.delete_one(doc! { "_id": place(number) }).await.expect("root may");
        trail.finds(&[("REMOVED", place(number))], "an entry less").await;
        trail.entries.insert_one(&all[number]).await.expect("root may");
    }
    inserted(&trail, &all).await;
    trail.finds(&[], "all is as it was").await;
    is_that_of_the_logs(&trail.stack).await;
    trail.stack.stop().await;
}

async fn changed(trail: &Trail, all: &[Document]) {
    let (entry, place) = (&all[3], text(&all[3], "_id"));
    let changes = [
        doc! { "actor": "usr_other" },
        doc! { "actor_role": "customer" },
        doc! { "event_at": bson::DateTime::from_millis(0) },
        // What could not be read, and what no hash covers.
        doc! { "seq": "first" },
        doc! { "event_at": Bson::Null },
        doc! { "approved_by": "usr_other" },
    ];
    for change in changes {
        let mut other = entry.clone();
        other.extend(change);
        trail.replaced(entry, other, &[("CHANGED", place)]).await;
    }
    let next = text(&all[4], "_id");
    trail.replaced(entry, doc! { "_id": place }, &[("CHANGED", place), ("CHANGED", next)]).await;
}

async fn inserted(trail: &Trail, all: &[Document]) {
    let (day, last) = (&text(&all[0], "_id")[..10], all.len());
    let like = |place: Bson| {
        let mut other = all[3].clone();
        other.extend(doc! { "_id": place, "aggregate_id": "prd_other" });
        other
    };
    let behind = format!("{day}/{:012}", last + 7);
    let places = ["2001-01-01/000000000001", &behind, &format!("{day}/000000000003x"), &format!("{day}x"), "zzz", "!"];
    for place in places {
        trail.added(&trail.entries, like(place.into()), &[("INSERTED", place)]).await;
    }
    for place in [Bson::from(7), ObjectId::from_bytes([7; 12]).into(), doc! { "day": day }.into()] {
        let told = place.to_string();
        trail.added(&trail.entries, like(place), &[("INSERTED", &told)]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_that_is_removed_shortened_or_made_up_is_found() {
    let trail = Trail::open().await;
    let all = stored(&trail.stack).await;
    let day = trail.days.find_one(doc! {}).await.expect("mongod answers").expect("a day");
    let date = text(&day, "_id").to_owned();
    // The newest day is gone without a trace of its own.
    trail.days.delete_many(doc! {}).await.expect("root may");
    trail.entries.delete_many(doc! {}).await.expect("root may");
    trail.finds(&[("REMOVED", &date)], "no day").await;
    assert_eq!(trail.verify("").await["days"][0]["faults"][0]["kind"], "REMOVED", "also by default");
    // Of what is left there is one entry less, and the day agrees.
    let (kept, end) = all.split_at(all.len() - 1);
    trail.entries.insert_many(kept).await.expect("root may");
    let mut shorter = day.clone();
    shorter.extend(doc! { "count": kept.len() as i64, "hash": text(&kept[kept.len() - 1], "hash") });
    trail.days.insert_one(&shorter).await.expect("root may");
    trail.finds(&[("CHANGED", &date)], "a day that ends before").await;
    trail.days.replace_one(doc! {}, &day).await.expect("root may");
    trail.entries.insert_many(end).await.expect("root may");
    trail.finds(&[], "all is as it was").await;
    let anchor = trail.anchor.find_one_and_delete(doc! {}).await.expect("root may").expect("an anchor");
    trail.finds(&[("REMOVED", &date)], "no anchor").await;
    trail.anchor.insert_one(doc! { "_id": "newest", "head": "none" }).await.expect("root may");
    trail.finds(&[("REMOVED", &date)], "no anchor that could be read").await;
    trail.anchor.replace_one(doc! {}, &anchor).await.expect("root may");
    let made_up = doc! { "_id": "2999-01-01", "count": 0_i64, "start": "", "hash": "" };
    trail.added(&trail.days, made_up, &[("CHANGED", "2999-01-01"), ("INSERTED", "2999-01-01")]).await;
    // A day whose head is no head.
    trail.days.update_one(doc! {}, doc! { "$set": { "count": "many" } }).await.expect("root may");
    trail.finds(&[("CHANGED", &date), ("REMOVED", &date)], "a day that cannot be read").await;
    trail.days.replace_one(doc! {}, &day).await.expect("root may");
    is_that_of_the_logs(&trail.stack).await;
    trail.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trail_whose_newest_day_was_removed_goes_on_and_the_fault_stays() {
    let trail = Trail::open().await;
    let count = stored(&trail.stack).await.len();
    let date = text(&stored(&trail.stack).await[0], "_id")[..10].to_owned();
    trail.days.delete_many(doc! {}).await.expect("root may");
    trail.entries.delete_many(doc! {}).await.expect("root may");
    let added = product(&trail.stack, 0).await;
    entries_of(&trail.stack, "products", &added, 1).await;
    let faults = trail.faults().await;
    assert_eq!(faults, [("REMOVED".to_owned(), format!("{date}/000000000001"))], "{count} entries were there");
    trail.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trail_whose_anchor_was_changed_goes_on_from_its_newest_day() {
    let trail = Trail::open().await;
    let heads =
        [doc! { "_id": "newest", "head": "none" }, doc! { "_id": "newest", "more": 1 }, doc! { "_id": "newest" }];
    for anchor in heads {
        trail.anchor.replace_one(doc! {}, &anchor).await.expect("root may");
        let added = product(&trail.stack, 0).await;
        entries_of(&trail.stack, "products", &added, 1).await;
        trail.finds(&[], &anchor.to_string()).await;
    }
    is_that_of_the_logs(&trail.stack).await;
    trail.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_put_at_places_yet_to_come_are_passed_over_and_named() {
    let trail = Trail::open().await;
    let all = stored(&trail.stack).await;
    let day = &text(&all[0], "_id")[..10];
    let mut wanted = Vec::new();
    for (ahead, field) in [(1, "aggregate_id"), (2, "aggregate_id"), (4, "stranger")] {
        let mut other = all[3].clone();
        let place = format!("{day}/{:012}", all.len() + ahead);
        other.extend(
            doc! { "_id": &place, "aggregate_id": format!("prd_other{ahead}"), field: format!("other{ahead}") },
        );
        trail.entries.insert_one(&other).await.expect("root may");
        wanted.push(("INSERTED".to_owned(), place));
    }
    for _ in 0..2 {
        let added = product(&trail.stack, 0).await;
        entries_of(&trail.stack, "products", &added, 1).await;
    }
    assert_eq!(trail.faults().await, wanted);
    trail.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_of_more_days_than_are_looked_at_says_where_to_go_on() {
    let trail = Trail::open().await;
    let date = |number: u32| format!("19{:02}-{:02}-{:02}", number / 336, number / 28 % 12 + 1, number % 28 + 1);
    let days: Vec<Document> =
        (0..401).map(|number| doc! { "_id": date(number), "count": 0_i64, "start": "", "hash": "" }).collect();
    trail.days.insert_many(days).await.expect("root may");
    let first = trail.verify("startDate=1900-01-01&endDate=2000-01-01").await;
    assert_eq!(first["days"].as_array().map(Vec::len), Some(400));
    assert_eq!(first["nextStartDate"], *date(400));
    let rest = trail.verify(&format!("startDate={}&endDate=2000-01-01", date(400))).await;
    assert_eq!((rest["days"].as_array().map(Vec::len), id(&rest, "nextStartDate")), (Some(1), ""));
    trail.stack.stop().await;
}

/// The subjects of the violations that `comptoir verify` finds.
async fn violations(stack: &Stack) -> Vec<String> {
    let arguments = ["--json", "--only", "audit-is-the-logs", "--settle", "1", "--patience", "5"];
    let output = verify(stack, &arguments).await;
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let found = report["invariants"][0]["violations"].as_array().expect("a list");
    assert_eq!(output.status.code(), Some(i32::from(!found.is_empty())), "{report}");
    found.iter().map(|violation| id(violation, "subject").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comptoir_verify_names_an_event_without_its_entry_and_an_entry_without_its_event() {
    let trail = Trail::open().await;
    let of_order = doc! { "service": "orders", "aggregate": "order", "seq": 1_i64 };
    let entry = trail.entries.find_one(of_order.clone()).await.expect("mongod answers").expect("an entry");
    let place = format!("audit/{}", text(&entry, "_id"));
    let event = format!("orders/order/{}#1", text(&entry, "aggregate_id"));
    assert_eq!(violations(&trail.stack).await, Vec::<String>::new());
    for field in ["actor", "event_id", "data_digest", "name"] {
        let other = doc! { "$set": { field: "other" } };
        trail.entries.update_one(of_order.clone(), other).await.expect("root may");
        assert_eq!(violations(&trail.stack).await, [&*place, &*event], "{field}");
        trail.entries.replace_one(doc! { "_id": text(&entry, "_id") }, &entry).await.expect("root may");
    }
    trail.entries.delete_one(of_order).await.expect("root may");
    assert_eq!(violations(&trail.stack).await, [&*place, &*event]);
    trail.entries.insert_one(&entry).await.expect("root may");
    let mut stray = entry.clone();
    stray.extend(doc! { "_id": "2001-01-01/000000000001", "aggregate_id": "ord_nobody" });
    trail.entries.insert_one(stray).await.expect("root may");
    assert_eq!(violations(&trail.stack).await, ["audit/2001-01-01/000000000001"]);
    trail.stack.stop().await;
}
