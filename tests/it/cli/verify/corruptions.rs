//! For each invariant a corruption of the stores that breaks it, which `comptoir verify` finds and names; of the audit
//! trail in `it::audit`.

mod fixture;

use async_nats::jetstream;
use bson::{DateTime, Document, doc};
use fixture::Fixture;
use kit::Client;
use kit::shop::{self, id};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_corruption_is_named_and_ends_with_exit_code_1() {
    let mut fixture = Fixture::open().await;
    let inventory = fixture.stack.serve_ready("inventory").await;
    fixture.seed().await;
    fixture.is_clean().await;
    stock(&fixture).await;
    groups(&fixture).await;
    orders(&fixture).await;
    coupons(&fixture).await;
    baskets(&fixture).await;
    money(&fixture).await;
    goods_and_rows(&fixture).await;
    facts(&fixture).await;
    emails(&fixture).await;
    deliveries(&fixture).await;
    erasures(&fixture).await;
    sequences(&fixture).await;
    fixture.is_clean().await;
    inventory.pause().await.expect("it can be stopped");
    reservations(&fixture).await;
    inventory.resume();
    // Last, for a stream cannot be mended.
    streams(&fixture).await;
}

async fn stock(fixture: &Fixture) {
    let (at, product) = (("inventory", "stock"), fixture.product.as_str());
    let ledger = "stock-is-its-movements";
    fixture.broken(at, product, doc! { "$inc": { "on_hand": 1 } }, (ledger, product, "on_hand +1")).await;
    let movement = doc! { "moves": { "$elemMatch": { "product_id": product, "kind": "BACKORDER_ON" } } };
    let allowed = Client::staff(&fixture.stack).await;
    allowed.post(&format!("/v1/stock/{product}:setBackorder"), json!({ "allowed": true })).await.expect(200);
    fixture.removed(("inventory", "movements"), movement, (ledger, product, "1 fewer")).await;
    allowed.post(&format!("/v1/stock/{product}:setBackorder"), json!({ "allowed": false })).await.expect(200);
    let promised = "stock-is-its-reservations";
    fixture.broken(at, product, doc! { "$inc": { "committed": -1 } }, (promised, product, "committed -1")).await;
    fixture.broken(at, product, doc! { "$set": { "on_hand": 0 } }, (promised, product, "more than there are")).await;
    let (at, known) = (("products", "products"), "availability-is-stock");
    let gone = doc! { "$set": { "stock.is_available": false } };
    fixture.broken(at, product, gone, (known, product, "not available after event")).await;
    fixture.broken(at, product, doc! { "$inc": { "stock.seq": 1 } }, (known, product, "available after event")).await;
    fixture.broken(at, product, doc! { "$unset": { "stock": "" } }, (known, product, "never stocked")).await;
}

async fn groups(fixture: &Fixture) {
    let (group, variant) = super::variant(&fixture.stack).await;
    let (at, name, group) = (("products", "product_groups"), "groups-count-their-variants", group.as_str());
    fixture.broken(at, group, doc! { "$inc": { "variant_count": 1 } }, (name, group, "a count of 2")).await;
    fixture.broken(at, group, doc! { "$set": { "varies_by": ["Size"] } }, (name, group, "Colour")).await;
    for (field, found) in [("group_id", "a count of 1"), ("options", "one with []")] {
        let without = doc! { "$unset": { field: "" } };
        fixture.broken(("products", "products"), &variant, without, (name, group, found)).await;
    }
}

async fn orders(fixture: &Fixture) {
    let (at, name, id) = (("orders", "orders"), "orders-end-or-live", fixture.of_order("_id"));
    fixture.broken(at, id, doc! { "$set": { "saga.status": "Running" } }, (name, id, "never wakes")).await;
    fixture.broken(at, id, doc! { "$set": { "saga.status": "Parked" } }, (name, id, "without a reason")).await;
    fixture.broken(at, id, doc! { "$set": { "state": "Pending" } }, (name, id, "its saga is Completed")).await;
    fixture.broken(at, id, doc! { "$set": { "state": "Lost" } }, (name, id, "is no state of an order")).await;
    fixture.broken(at, id, doc! { "$set": { "saga.status": "Odd" } }, (name, id, "is no status of a saga")).await;
}

async fn coupons(fixture: &Fixture) {
    let (at, name, code) = (("orders", "coupons"), "coupons-are-their-redemptions", fixture.coupon.as_str());
    fixture.broken(at, code, doc! { "$inc": { "redemption_count": 1_i64 } }, (name, code, "a count of 2")).await;
    fixture.removed(("orders", "redemptions"), doc! { "code": code }, (name, code, "a count of 1")).await;
    let order = fixture.of_order("_id");
    let given_up = doc! { "$set": { "saga.status": "Compensated" } };
    fixture.broken(("orders", "orders"), order, given_up, (name, code, "1 without such an order")).await;
}

async fn baskets(fixture: &Fixture) {
    let customer = Client::register(&fixture.stack).await.0;
    let lines = [(fixture.product.as_str(), 1)];
    let (basket, order) = crate::baskets::ordered(&customer, &lines).await;
    let ordered = id(&order, "orderId").to_owned();
    shop::with_shipment(&customer, order).await;
    let (at, name, id) = (("baskets", "baskets"), "baskets-are-their-orders", id(&basket, "basketId"));
    let another = fixture.of_order("_id");
    fixture.broken(at, id, doc! { "$set": { "order_id": another } }, (name, id, "under the key")).await;
    fixture.broken(at, id, doc! { "$set": { "order_id": "ord_absent" } }, (name, id, "no order")).await;
    fixture.broken(at, id, doc! { "$set": { "user_id": "usr_other" } }, (name, id, "an order of usr_")).await;
    fixture.broken(at, id, doc! { "$set": { "items.0.quantity": 2 } }, (name, id, ": 1}")).await;
    fixture.broken(at, id, doc! { "$set": { "state": "Open" } }, (name, id, "Open with the order")).await;
    let open = doc! { "$set": { "state": "Open" }, "$unset": { "order_id": true } };
    fixture.broken(at, id, open, (name, &ordered, "OPEN")).await;
    fixture.broken(at, id, doc! { "$set": { "checkout.id": "1" } }, (name, id, "CheckedOut")).await;
}

async fn reservations(fixture: &Fixture) {
    let (at, name) = (("inventory", "reservations"), "reservations-have-orders");
    let order = fixture.of_order("_id");
    let mut stray = fixture.collection(at.0, at.1).find_one(doc! { "_id": order }).await.expect("answers").expect("is");
    stray.insert("_id", "ord_nobody");
    fixture.added(at, stray, (name, "ord_nobody", "no order")).await;
    fixture.broken(at, order, doc! { "$set": { "state": "Released" } }, (name, order, "RELEASED")).await;
    fixture.removed(at, doc! { "_id": order }, (name, order, "no reservation")).await;
    let long_ago = DateTime::from_millis(DateTime::now().timestamp_millis() - 3_600_000);
    let ended = doc! { "$set": { "expires_at": long_ago, "updated_at": long_ago } };
    fixture.broken(at, &fixture.waiting, ended, (name, &fixture.waiting, "HELD, and its end was")).await;
}

async fn money(fixture: &Fixture) {
    let (payment, charge) = (fixture.of_order("payment_id"), format!("{}/authorize", fixture.of_order("payment_id")));
    let (at, name) = (("payments", "payments"), "payments-agree");
    fixture.broken(at, payment, doc! { "$set": { "state": "Voided" } }, (name, payment, "VOIDED")).await;
    let again = fixture.collection(at.0, at.1).find_one(doc! { "_id": payment }).await.expect("answers").expect("is");
    let entry = again.get_array("ledger").expect("a ledger")[0].clone();
    fixture.broken(at, payment, doc! { "$push": { "ledger": entry } }, (name, payment, "2 authorizations")).await;
    let mut second = again;
    second.insert("_id", "pay_second");
    fixture.added(at, second, (name, "pay_second", "another payment for the order")).await;
    fixture.removed(at, doc! { "_id": payment }, (name, fixture.of_order("_id"), "no payment")).await;
    ledgers(fixture).await;
    let (at, name) = (("sandbox-psp", "charges"), "charges-agree");
    let (taken, more) = (format!("{}/authorize", fixture.captured), doc! { "$inc": { "captured": 1_i64 } });
    fixture.broken(at, &taken, more, (name, &taken, "the provider has")).await;
    fixture.broken(at, &charge, doc! { "$set": { "status": "Captured" } }, (name, &charge, "CAPTURED")).await;
    let twice = doc! { "_id": "pay_ghost/authorize", "reference": "sbx_ghost", "status": "Authorized" };
    fixture.added(at, twice, (name, "pay_ghost/authorize", "no payment")).await;
    fixture.removed(at, doc! { "_id": &charge }, (name, payment, "no charge")).await;
}

async fn ledgers(fixture: &Fixture) {
    let (at, captured) = (("payments", "payments"), fixture.captured.as_str());
    let entry = |kind: &str, amount: &str| {
        let amount = doc! { "currency": "EUR", "amount": amount.parse::<bson::Decimal128>().expect("a number") };
        let entry =
            doc! { "kind": kind, "amount": amount, "provider_reference": "", "key": kind, "at": DateTime::now() };
        doc! { "$push": { "ledger": entry } }
    };
    let name = "ledgers-are-sound";
    fixture.broken(at, captured, entry("Refund", "9999"), (name, captured, "more is refunded than was captured")).await;
    fixture.broken(at, captured, entry("Capture", "0.01"), (name, captured, "than was authorized")).await;
    fixture.broken(at, captured, entry("Refund", "0.01"), (name, captured, "does not fit the ledger")).await;
    let mut untold = entry("Refund", "0.01");
    untold.insert("$set", doc! { "state": "Refunded" });
    fixture.broken(at, captured, untold, (name, captured, "told were authorized")).await;
    let refunded = entry("Refund", "0.01");
    fixture.broken(at, captured, refunded, ("money-is-owed", captured, "captured and kept")).await;
}

async fn goods_and_rows(fixture: &Fixture) {
    let (order, shipment) = (fixture.of_order("_id"), fixture.of_order("shipment_id"));
    let (at, name) = (("shipping", "shipments"), "shipments-agree");
    fixture.broken(at, shipment, doc! { "$set": { "state": "Cancelled" } }, (name, shipment, "CANCELLED")).await;
    fixture.removed(at, doc! { "_id": shipment }, (name, order, "no shipment")).await;
    let more = doc! { "$set": { "lines.0.quantity": 3 } };
    fixture.broken(at, shipment, more, ("shipments-carry-orders", order, "in shipments")).await;
    let (at, name) = (("order-history", "order_history"), "history-is-orders");
    fixture.broken(at, order, doc! { "$set": { "order.state": 6 } }, (name, order, "state 6")).await;
    fixture.broken(at, order, doc! { "$set": { "order.reason": "WHY" } }, (name, order, "WHY")).await;
    let behind = doc! { "$set": { format!("applied.{order}"): 1_i64 } };
    fixture.broken(at, order, behind, (name, order, "after event 1")).await;
    fixture.removed(at, doc! { "_id": order }, (name, order, "no row")).await;
}

async fn facts(fixture: &Fixture) {
    let (at, name, order) = (("analytics", "facts"), "facts-are-orders", fixture.of_order("_id"));
    fixture.broken(at, order, doc! { "$set": { "state": 6 } }, (name, order, "state 6")).await;
    fixture.broken(at, order, doc! { "$set": { "seq": 1_i64 } }, (name, order, "after event 1")).await;
    fixture.broken(at, order, doc! { "$set": { "movements": [] } }, (name, order, "gross 0.00 EUR")).await;
    let more = doc! { "$set": { "order.lines.0.units": 3_i64 } };
    fixture.broken(at, order, more, (name, order, "3 × prd_")).await;
    let dearer =
        doc! { "$set": { "order.lines.0.gross.amount": "99.99".parse::<bson::Decimal128>().expect("a number") } };
    fixture.broken(at, order, dearer, (name, order, "for 99.99 EUR")).await;
    fixture.removed(at, doc! { "_id": order }, (name, order, "no fact")).await;
    let shipped = fixture.collection("orders", "orders").find_one(doc! { "payment_id": &fixture.captured }).await;
    let shipped = shipped.expect("mongod answers").expect("it is there");
    let shipped = shipped.get_str("_id").expect("an id");
    let twice = fixture.collection(at.0, at.1).find_one(doc! { "_id": shipped }).await.expect("answers").expect("is");
    let sale = twice.get_array("movements").expect("a list")[0].clone();
    let twice = doc! { "$push": { "movements": sale } };
    fixture.broken(at, shipped, twice, ("revenue-is-the-ledger", &fixture.captured, "net 50.00 EUR")).await;
    let mut stray = fixture.collection(at.0, at.1).find_one(doc! { "_id": order }).await.expect("answers").expect("is");
    stray.insert("_id", "ord_nobody");
    fixture.added(at, stray, (name, "ord_nobody", "a row")).await;
}

async fn emails(fixture: &Fixture) {
    let (at, name, order) = (("email", "emails"), "emails-are-their-events", fixture.of_order("_id"));
    fixture.removed(at, doc! { "event.aggregate_id": order }, (name, order, "the mails {}")).await;
    let found = fixture.collection(at.0, at.1).find_one(doc! { "event.aggregate_id": order }).await;
    let mut other = found.expect("mongod answers").expect("it is there");
    other.insert("_id", "eml_again");
    fixture.added(at, other.clone(), (name, order, "eml_again")).await;
    other.insert("event", doc! { "aggregate_id": "ord_nobody" });
    fixture.added(at, other, (name, "eml_again", "a mail")).await;
}

async fn deliveries(fixture: &Fixture) {
    let (at, name, order) = (("webhooks", "deliveries"), "deliveries-are-their-events", fixture.of_order("_id"));
    let of_order = doc! { "aggregate_id": order };
    fixture.removed(at, of_order.clone(), (name, order, "the deliveries {}")).await;
    let found = fixture.collection(at.0, at.1).find_one(of_order).await;
    let mut other = found.expect("mongod answers").expect("it is there");
    other.insert("_id", "whd_again");
    fixture.added(at, other.clone(), (name, order, "whd_again")).await;
    other.insert("aggregate_id", "ord_nobody");
    fixture.added(at, other, (name, "whd_again", "a delivery")).await;
}

async fn erasures(fixture: &Fixture) {
    let (at, name) = (("privacy", "erasures"), "erasures-end-or-live");
    let (customer, user) = Client::register(&fixture.stack).await;
    customer.delete(&format!("/v1/users/{}", id(&user, "userId"))).await.expect(200);
    let user = id(&user, "userId");
    crate::privacy::erasure_in(&fixture.stack, user, "COMPLETED").await;
    let left = doc! { "$set": { "addresses": [{ "line1": "1 Main Street" }] } };
    fixture.broken(("users", "users"), user, left, (name, user, "users keeps addresses")).await;
    fixture.removed(at, doc! { "_id": user }, (name, user, "no erasure of a deleted account")).await;
    let waiting = |saga: &str| doc! { "$set": { "state": "Waiting", "saga.status": saga } };
    fixture.broken(at, user, waiting("Parked"), (name, user, "is Parked")).await;
    fixture.broken(at, user, waiting("Running"), (name, user, "never wakes")).await;
    let kept = doc! { "$set": { "receipts.0.remaining": 1_i64 } };
    fixture.broken(at, user, kept, (name, user, "users keeps some")).await;
    let active = doc! { "$set": { "status": "Active" } };
    fixture.broken(("users", "users"), user, active, (name, user, "is not deleted")).await;
    let order = fixture.of_order("_id");
    let kept = [
        (("orders", "orders"), doc! { "_id": order }, "orders keeps kept"),
        (("shipping", "shipments"), doc! { "order_id": order }, "shipping keeps kept"),
        (("email", "emails"), doc! { "event.aggregate_id": order }, "email keeps kept"),
    ];
    for (at, of_order, expected) in kept {
        let found = fixture.collection(at.0, at.1).find_one(of_order).await;
        let mut other = found.expect("mongod answers").expect("it is there");
        let addressed = doc! { "to": "customer@example.com", "language": "en", "subject": "Your order" };
        other.extend(doc! { "_id": "kept", "user_id": user, "request_key": "kept", "addressed": addressed });
        fixture.added(at, other, (name, user, expected)).await;
    }
}

async fn sequences(fixture: &Fixture) {
    let (order, name) = (fixture.of_order("_id"), "sequences-are-whole");
    let subject = format!("orders/order/{order}");
    let counted = doc! { "$inc": { "seq": 1_i64 } };
    fixture.broken(("orders", "orders"), order, counted, (name, &subject, "is nowhere")).await;
    let log = fixture.collection("orders", "events");
    let first = doc! { "aid": order, "seq": 1_i64 };
    let pulled = doc! { "$pull": { "entries": &first } };
    let its_segment = doc! { "entries": { "$elemMatch": &first } };
    let whole = log.find_one_and_update(its_segment, pulled).await.expect("root may").expect("is there");
    let subjects: Vec<String> =
        fixture.check(name).await.iter().filter_map(|each| each["subject"].as_str().map(str::to_owned)).collect();
    assert_eq!(subjects, ["orders/events", &subject], "the log has a gap, and so has the aggregate");
    log.replace_one(doc! { "_id": whole.get("_id") }, whole).await.expect("root may");
}

async fn streams(fixture: &Fixture) {
    let (order, name) = (fixture.of_order("_id"), "streams-are-logs");
    let nats = jetstream::new(fixture.stack.nats().await);
    let database = fixture.stack.connect().await.database("orders");
    let logged = kit::log(&database, doc! { "aid": order, "seq": 1_i64 }).await.expect("mongod answers").remove(0);
    let place = logged.get_i64("_id").expect("a place");
    fixture.renumbered(&logged, (name, &format!("orders/log#{place}"), order)).await;
    let stream = nats.get_stream("EVT_ORDERS").await.expect("the stream is there");
    let sequence = u64::try_from(place).expect("from 1");
    stream.delete_message(sequence).await.expect("the operator may");
    fixture.finds(name, &format!("orders/log#{place}"), "it is not there").await;
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("ce-logsequence", "999999");
    headers.insert("ce-id", "evt_foreign");
    let foreign = nats.publish_with_headers("evt.orders.order.created.ord_foreign", headers.clone(), "".into());
    let place = foreign.await.expect("the operator may").await.expect("it is stored").sequence;
    let subjects: Vec<Value> = fixture.check(name).await.iter().map(|each| each["subject"].clone()).collect();
    assert!(
        !subjects.contains(&json!(format!("orders/stream#{place}"))),
        "a foreign message is no entry: {subjects:?}"
    );
    headers.insert("Nats-Expected-Last-Sequence", place.to_string()); // as a relay says it
    let foreign = nats.publish_with_headers("evt.orders.order.created.ord_foreign", headers, "".into());
    let sequence = foreign.await.expect("the operator may").await.expect("it is stored").sequence;
    let subjects: Vec<Value> = fixture.check(name).await.iter().map(|each| each["subject"].clone()).collect();
    assert!(subjects.contains(&json!(format!("orders/stream#{sequence}"))), "{subjects:?}");
}

impl Fixture {
    /// Gives an entry of the log another `seq`, checks, and puts its segment back.
    async fn renumbered(&self, entry: &Document, expect: (&str, &str, &str)) {
        let log = self.collection("orders", "events");
        let its_segment = doc! { "entries.eid": entry.get_str("eid").expect("an id") };
        let other = doc! { "$set": { "entries.$.seq": 77_i64 } };
        let before = log.find_one_and_update(its_segment, other).await.expect("root may").expect("it is there");
        self.finds(expect.0, expect.1, expect.2).await;
        log.replace_one(doc! { "_id": before.get("_id") }, before).await.expect("root may");
    }
}
