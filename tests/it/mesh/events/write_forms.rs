//! Events in every form that an update can have: the change stream tells of each write and the outbox is read once.

use super::{
    fixture::Fixture,
    writer::{Writer, event, fresh_name, product},
};
use anyhow::{Context, ensure};
use bson::{Binary, Bson, Document, doc, spec::BinarySubtype};
use contracts::id::Kind;
use mongodb::results::UpdateResult;

/// The forms, by the name of the operation.
pub const FORMS: [&str; 8] = [
    "$set of the array",
    "$set of a place",
    "$push",
    "pipeline",
    "replaceOne",
    "findAndModify",
    "bulk of two",
    "two updates in a transaction",
];

/// One more entry for the outbox.
fn entry(seq: i64, name: &str) -> Document {
    let event = event(name);
    let data = Binary { subtype: BinarySubtype::Generic, bytes: event.data };
    doc! {
        "id": Kind::Event.new_id(), "seq": seq, "type": event.r#type, "name": event.name,
        "at": store::now(), "trace": Bson::Null, "data": data,
    }
}

/// `$push` of one entry, as long as the document is at `seq - 1`.
fn push(id: &str, seq: i64, entry: Document) -> (Document, Document) {
    let update = doc! { "$push": { "outbox": entry }, "$set": { "seq": seq }, "$inc": { "rev": 1_i64 } };
    (doc! { "_id": id, "seq": seq - 1 }, update)
}

/// Writes an event, or two, to a product in one of [`FORMS`], with the raw driver. An error may have written or not;
/// a conflict with another writer is one.
pub async fn write(writer: &Writer, id: &str, form: &str) -> anyhow::Result<()> {
    let old = writer.collection().find_one(doc! { "_id": id }).await?.context("the product is not there")?;
    let seq = old.get_i64("seq")? + 1;
    let names = [fresh_name(), fresh_name()];
    let events = match form {
        "bulk of two" => bulk(writer, id, seq, &names).await?,
        "two updates in a transaction" => transaction(writer, id, seq, &names).await?,
        one => single(writer, old, one, entry(seq, &names[0])).await?,
    };
    ensure!(events > 0, "somebody else wrote {id} in between");
    writer.note(id, seq + events - 1, names.into_iter().take(usize::try_from(events)?).collect());
    Ok(())
}

/// One entry, by an update that matches only while the document is as it was read. The number of documents written.
async fn single(writer: &Writer, old: Document, form: &str, entry: Document) -> anyhow::Result<i64> {
    let collection = writer.collection();
    let (id, seq, mut outbox) = (old.get_str("_id")?, old.get_i64("seq")? + 1, old.get_array("outbox")?.clone());
    let same = doc! { "_id": id, "seq": seq - 1 };
    let update = match form {
        "$set of the array" => {
            outbox.push(entry.into());
            doc! { "$set": { "outbox": outbox, "seq": seq }, "$inc": { "rev": 1_i64 } }
        }
        "$set of a place" => {
            let place = format!("outbox.{}", outbox.len());
            doc! { "$set": { place: entry, "seq": seq }, "$inc": { "rev": 1_i64 } }
        }
        "$push" | "findAndModify" => push(id, seq, entry).1,
        "pipeline" => {
            let longer = doc! { "$concatArrays": ["$outbox", [{ "$literal": entry }]] };
            let set = doc! { "outbox": longer, "seq": { "$add": ["$seq", 1_i64] }, "rev": { "$add": ["$rev", 1_i64] } };
            return matched(collection.update_one(same, vec![doc! { "$set": set }]).await?);
        }
        "replaceOne" => {
            outbox.push(entry.into());
            let mut new = old.clone();
            new.extend(doc! { "outbox": outbox, "seq": seq, "rev": old.get_i64("rev")? + 1 });
            return matched(collection.replace_one(same, new).await?);
        }
        other => panic!("{other} is not a form"),
    };
    if form == "findAndModify" {
        return Ok(i64::from(collection.find_one_and_update(same, update).await?.is_some()));
    }
    matched(collection.update_one(same, update).await?)
}

fn matched(result: UpdateResult) -> anyhow::Result<i64> {
    Ok(i64::try_from(result.matched_count)?)
}

/// Two updates of one document in one command.
async fn bulk(writer: &Writer, id: &str, seq: i64, names: &[String; 2]) -> anyhow::Result<i64> {
    let statement = |(filter, update): (Document, Document)| doc! { "q": filter, "u": update };
    let (first, mut second) = (push(id, seq, entry(seq, &names[0])), push(id, seq + 1, entry(seq + 1, &names[1])));
    let eid = first.1.get_document("$push")?.get_document("outbox")?.get_str("id")?.to_owned();
    second.0.insert("outbox.id", eid); // else it could follow the event of somebody else
    let updates = vec![statement(first), statement(second)];
    let concern = doc! { "w": "majority", "j": true };
    let command = doc! { "update": writer.collection().name(), "updates": updates, "writeConcern": concern };
    let reply = writer.database().run_command(command).await?;
    ensure!(!reply.contains_key("writeErrors"), "the bulk failed: {reply}");
    Ok(reply.get_i32("n")?.into())
}

async fn transaction(writer: &Writer, id: &str, seq: i64, names: &[String; 2]) -> anyhow::Result<i64> {
    let mut session = writer.database().client().start_session().await?;
    session.start_transaction().await?;
    let mut count = 0;
    for (seq, name) in (seq..).zip(names) {
        let (filter, update) = push(id, seq, entry(seq, name));
        count += writer.collection().update_one(filter, update).session(&mut session).await?.matched_count;
    }
    if count == 2 {
        session.commit_transaction().await?;
        Ok(2)
    } else {
        session.abort_transaction().await?;
        Ok(0)
    }
}

#[tokio::test]
async fn each_form_of_update_is_heard_and_each_event_is_published_once() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    fixture.next_term(0).await;
    let id = fixture.writer.insert().await;
    fixture.settled().await;
    for form in FORMS {
        write(&fixture.writer, &id, form).await.unwrap_or_else(|error| panic!("{form}: {error:#}"));
        fixture.settled().await; // before the next one, which would be noticed for this one too
    }
    fixture.writer.update(&id, 2).await;
    fixture.settled().await;
    relay.kill().await;
}

#[tokio::test]
async fn each_form_of_insert_is_heard_and_each_event_is_published_once() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    fixture.next_term(0).await;
    let fresh = |name: &str| {
        let id = Kind::Product.new_id();
        let mut document = doc! { "_id": &id, "rev": 1_i64, "seq": 1_i64, "outbox": [entry(1, name)] };
        document.extend(bson::serialize_to_document(&product(&id)).expect("a product is a document"));
        (id, document)
    };
    let (name, second) = (fresh_name(), fresh_name());
    let (id, mut document) = fresh(&name);
    document.remove("_id");
    let upsert = fixture.writer.collection().update_one(doc! { "_id": &id }, doc! { "$set": document }).upsert(true);
    upsert.await.expect("mongod takes it");
    fixture.writer.note(&id, 1, vec![name.clone()]);
    fixture.settled().await;
    let (pair, documents): (Vec<_>, Vec<_>) = [fresh(&name), fresh(&second)].into_iter().unzip();
    fixture.writer.collection().insert_many(documents).await.expect("mongod takes them");
    for (id, name) in pair.iter().zip([name, second]) {
        fixture.writer.note(id, 1, vec![name]);
    }
    fixture.settled().await;
    relay.kill().await;
}
