//! Uses of coupons against a real mongod, from several replicas at once.

use super::new_code;
use crate::orders::stored::{euros, order};
use ::orders::{Coupons, Order};
use bson::{Document, deserialize_from_document as read, doc};
use contracts::id::Kind;
use futures::future::join_all;
use kit::{Stores, shared};
use rpc::status::reason;
use tonic::Status;

/// Coupons as replicas of orders have them: each with a connection of its own.
async fn replicas(count: usize, uri: &str) -> Vec<Coupons> {
    let connect = |_| store::connect(uri, "orders", "test");
    let databases = join_all((0..count).map(connect)).await;
    databases.into_iter().map(|database| Coupons::new(&database.expect("the URI is valid"))).collect()
}

/// A coupon that `max_redemptions` orders may use.
async fn limited(coupons: &Coupons, max_redemptions: i32) -> String {
    with_limits(coupons, max_redemptions, 0).await
}

/// A coupon of 10 % with both limits; 0 is none.
async fn with_limits(coupons: &Coupons, max_redemptions: i32, max_redemptions_per_user: i32) -> String {
    let code = new_code();
    let terms = doc! {
        "benefit": { "Percentage": 1_000 }, "max_redemptions": max_redemptions,
        "max_redemptions_per_user": max_redemptions_per_user,
    };
    coupons.create(&code, read(terms).expect("they can be read"), None).await.expect("it is new");
    code
}

/// An order of ten euros with a coupon.
fn placed(code: &str) -> Order {
    let item = doc! {
        "product_id": "prd_1", "quantity": 1, "name": "Product", "sku": "SKU", "price": euros("10.00"),
        "amount": euros("10.00"),
    };
    let discount = doc! { "code": code, "amount": euros("1.00") };
    let (items, discount) = (vec![read(item).expect("a line")], Some(read(discount).expect("a discount")));
    Order { items, discount, ..order() }
}

async fn count(coupons: &Coupons, code: &str) -> i64 {
    coupons.get(code).await.expect("it is there").state.redemption_count
}

fn refusal(result: Result<(), impl Into<Status>>) -> String {
    reason(&result.expect_err("it is refused").into())
}

async fn transactions(stores: &Stores) -> i64 {
    let status = stores.mongodb().database("admin").run_command(doc! { "serverStatus": 1 }).await.expect("it answers");
    status.get_document("transactions").expect("a section").get_i64("totalStarted").expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_uses_of_a_one_use_coupon_take_two_transactions_at_most() {
    let stores = Stores::start().await;
    let replicas = replicas(2, stores.mongodb_uri()).await;
    stores.db("orders").await.create_collection("redemptions").await.expect("root may");
    let code = limited(&replicas[0], 1).await;
    let (order, before) = (placed(&code), transactions(&stores).await);
    let uses = (0..1_000).map(|number: usize| {
        let (coupons, order, id) = (replicas[number % 2].clone(), order.clone(), Kind::Order.new_id());
        tokio::spawn(async move { coupons.redeem(&id, &order).await })
    });
    let results: Vec<_> = join_all(uses).await.into_iter().map(|result| result.expect("no panic")).collect();
    let (done, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), refused.len()), (1, 999));
    assert!(refused.into_iter().all(|result| refusal(result) == "COUPON_EXHAUSTED"));
    let started = transactions(&stores).await - before;
    println!("1000 uses of a one-use coupon by two replicas: 1 done, 999 refused, {started} transactions");
    assert!((1..=2).contains(&started), "{started} transactions");
    assert_eq!(count(&replicas[0], &code).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_forty_is_reached_exactly_by_four_replicas_at_once() {
    let replicas = replicas(4, &shared().await.state().mongodb_uri).await;
    let code = limited(&replicas[0], 40).await;
    let order = placed(&code);
    let uses = (0..120).map(|number: usize| {
        let (coupons, order, id) = (replicas[number % 4].clone(), order.clone(), Kind::Order.new_id());
        tokio::spawn(async move {
            loop {
                let result = coupons.redeem(&id, &order).await.map_err(Status::from);
                // What a saga does: somebody else was faster, or events wait to be published.
                if !result.as_ref().is_err_and(|status| ["CONFLICT", "EVENT_BACKLOG"].contains(&&*reason(status))) {
                    return result;
                }
            }
        })
    });
    let results: Vec<_> = join_all(uses).await.into_iter().map(|result| result.expect("no panic")).collect();
    let (done, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), refused.len()), (40, 80));
    assert!(refused.into_iter().all(|result| refusal(result) == "COUPON_EXHAUSTED"));
    assert_eq!(count(&replicas[0], &code).await, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_of_one_user_at_once_use_a_coupon_as_often_as_one_user_may() {
    let coupons = replicas(1, &shared().await.state().mongodb_uri).await.remove(0);
    let code = with_limits(&coupons, 0, 2).await;
    let (order, ids) = (placed(&code), [(); 20].map(|()| Kind::Order.new_id()));
    let results = join_all(ids.iter().map(|id| coupons.redeem(id, &order))).await;
    let (done, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), refused.len()), (2, 18));
    assert!(refused.into_iter().all(|result| refusal(result) == "COUPON_USER_LIMIT"));
    assert_eq!(count(&coupons, &code).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_redeems_and_releases_again_and_again_counts_once() {
    let replicas = replicas(2, &shared().await.state().mongodb_uri).await;
    let coupons = &replicas[0];
    let (code, id) = (limited(coupons, 2).await, Kind::Order.new_id());
    let order = placed(&code);
    let again = || join_all((0..20).map(|number: usize| replicas[number % 2].redeem(&id, &order)));
    assert!(again().await.iter().all(Result::is_ok));
    assert_eq!(count(coupons, &code).await, 1);
    let other = Kind::Order.new_id();
    coupons.redeem(&other, &order).await.expect("two may");
    let back = join_all((0..20).map(|number: usize| replicas[number % 2].release(&id, &order))).await;
    assert!(back.iter().all(Result::is_ok), "{back:?}");
    assert_eq!(count(coupons, &code).await, 1, "the other order's use stays");
    assert!(again().await.into_iter().all(|result| refusal(result) == "COUPON_RELEASED"));
    assert_eq!(count(coupons, &code).await, 1);
}

#[tokio::test]
async fn a_redemption_that_arrives_after_its_release_does_nothing() {
    let stack = shared().await;
    let coupons = replicas(1, &stack.state().mongodb_uri).await.remove(0);
    let (code, id) = (limited(&coupons, 1).await, Kind::Order.new_id());
    let order = placed(&code);
    coupons.release(&id, &order).await.expect("a mark");
    assert_eq!(refusal(coupons.redeem(&id, &order).await), "COUPON_RELEASED");
    coupons.release(&id, &order).await.expect("the same");
    let found = coupons.get(&code).await.expect("it is there");
    assert_eq!((found.rev, found.state.redemption_count), (1, 0), "the coupon was never written");
    let redemptions = stack.db("orders").collection::<Document>("redemptions");
    let mark = redemptions.find_one(doc! { "_id": &id }).await.expect("it answers").expect("the mark");
    assert_eq!(mark.get_str("state").expect("text"), "Released");
    coupons.redeem(&Kind::Order.new_id(), &order).await.expect("another order may");
}
