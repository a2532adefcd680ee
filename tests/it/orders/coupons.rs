//! Coupons through the gateway of a running system: who may use one, how often, and who gives it back.

mod killed;
mod repeats;
mod staff;
pub mod uses;

use crate::{cli::verify::verify, orders::shipments::priced, payments::event_names};
use anyhow::ensure;
use bson::{Document, doc};
use futures::future::join_all;
use kit::shop::{TIMEOUT, draft, id, order_with, place_draft, product, reason, with_shipment};
use kit::{Client, Reply, Stack, StackOptions, eventually, shared};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Orders that are placed at once.
const CROWD: usize = 1_000;

/// A code that nobody else uses.
pub fn new_code() -> String {
    format!("TEST-{:016X}", rand::random::<u64>())
}

/// A new coupon with these fields; its code.
pub async fn coupon(stack: &Stack, fields: Value) -> String {
    let (staff, code) = (Client::staff(stack).await, new_code());
    let mut body = fields;
    body["code"] = json!(code);
    staff.post("/v1/coupons", body).await.expect(201);
    code
}

/// The coupon as staff see it.
pub async fn look(stack: &Stack, code: &str) -> Value {
    Client::staff(stack).await.get(&format!("/v1/coupons/{code}")).await.expect(200)
}

/// How many orders use a coupon: by its count, and by the redemptions that count.
pub async fn uses(stack: &Stack, code: &str) -> (i64, u64) {
    let count = look(stack, code).await["redemptionCount"].as_str().expect("a number").parse().expect("a number");
    let redemptions = stack.db("orders").collection::<Document>("redemptions");
    let counting = redemptions.count_documents(doc! { "code": code, "state": "Redeemed" });
    (count, counting.await.expect("mongod answers"))
}

/// An order for one unit with a coupon.
pub fn with_coupon(product: &str, code: &str, token: &str) -> Value {
    let mut body = draft(&[(product, 1)], token);
    body["couponCode"] = json!(code);
    body
}

/// Places an order and waits for its outcome, or for a refusal.
pub async fn buy(customer: &Client, product: &str, code: &str, token: &str) -> Reply {
    customer.post("/v1/orders?wait=30s", with_coupon(product, code, token)).await
}

/// How orders that were placed at once have ended: the state with the reason, or the reason of the refusal.
fn ends(replies: &[Reply]) -> BTreeMap<String, usize> {
    let mut ends = BTreeMap::new();
    for reply in replies {
        let end = match reply.status {
            201 => format!("{} {}", id(&reply.body, "state"), id(&reply.body, "reason")),
            400 => format!("refused {}", reason(reply)),
            _ => format!("{reply:?}"),
        };
        *ends.entry(end.trim().to_owned()).or_default() += 1;
    }
    ends
}

/// That an order got the coupon, or was refused it in one of the three ways.
fn got_or_exhausted(ends: &BTreeMap<String, usize>) -> (usize, usize) {
    let of = |end: &str| ends.get(end).copied().unwrap_or(0);
    let refused = of("refused COUPON_EXHAUSTED") + of("refused COUPON_HELD");
    (of("CONFIRMED"), of("REJECTED COUPON_EXHAUSTED") + refused)
}

async fn is_sound(stack: &Stack) {
    let output = verify(stack, &[]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_parallel_redemptions_of_a_one_use_coupon_give_exactly_one() {
    let stack = Stack::start(StackOptions::default()).await;
    let (customer, product) = (Client::register(&stack).await.0, product(&stack, 2_000).await);
    let code = coupon(&stack, json!({ "percentage": "10", "maxRedemptions": 1 })).await;
    let began = std::time::Instant::now();
    let replies = join_all((0..CROWD).map(|_| buy(&customer, &product, &code, "tok_visa"))).await;
    let ends = ends(&replies);
    println!("{CROWD} orders with a one-use coupon at once, in {:.1?}: {ends:?}", began.elapsed());
    assert_eq!(got_or_exhausted(&ends), (1, CROWD - 1), "{ends:?}");
    assert_eq!(uses(&stack, &code).await, (1, 1));
    assert_eq!(event_names(&stack.db("orders"), &code, 2).await, ["created", "redeemed"]);
    is_sound(&stack).await;
    stack.stop().await;
}

#[tokio::test]
async fn a_limit_of_seven_gives_exactly_seven_of_sixty_orders_the_coupon() {
    let stack = shared().await;
    let (customer, product) = (Client::register(stack).await.0, product(stack, 100).await);
    let code = coupon(stack, json!({ "percentage": "10", "maxRedemptions": 7 })).await;
    let replies = join_all((0..60).map(|_| buy(&customer, &product, &code, "tok_visa"))).await;
    assert_eq!(got_or_exhausted(&ends(&replies)), (7, 53), "{:?}", ends(&replies));
    assert_eq!(uses(stack, &code).await, (7, 7));
}

#[tokio::test]
async fn a_limit_per_user_counts_the_orders_of_each_user_by_itself() {
    let stack = shared().await;
    let (one, other, product) =
        (Client::register(stack).await.0, Client::register(stack).await.0, product(stack, 100).await);
    let code = coupon(stack, json!({ "percentage": "10", "maxRedemptionsPerUser": 2 })).await;
    let replies = join_all((0..12).map(|_| buy(&one, &product, &code, "tok_visa"))).await;
    let ends = ends(&replies);
    let of = |end: &str| ends.get(end).copied().unwrap_or(0);
    let refused = of("REJECTED COUPON_USER_LIMIT") + of("refused COUPON_USER_LIMIT") + of("refused COUPON_HELD");
    assert_eq!((of("CONFIRMED"), refused), (2, 10), "{ends:?}");
    assert_eq!(buy(&other, &product, &code, "tok_visa").await.expect(201)["state"], "CONFIRMED");
    assert_eq!(uses(stack, &code).await, (3, 3));
}

#[tokio::test]
async fn a_discount_is_computed_once_and_what_is_left_is_paid() {
    let stack = shared().await;
    let (customer, product) = (Client::register(stack).await.0, product(stack, 10).await);
    let staff = Client::staff(stack).await;
    let code = coupon(stack, json!({ "percentage": "25" })).await;
    // A quarter of 12.50 is 3.125: half-even to 3.12.
    let mut body = with_coupon(&product, &code, "tok_visa");
    body["expectedTotal"] = json!({ "currencyCode": "EUR", "units": "9", "nanos": 380_000_000 });
    let order = place_draft(&customer, body).await;
    assert_eq!(order["state"], "CONFIRMED", "{order}");
    assert_eq!(order["couponCode"], json!(code));
    assert_eq!(order["discount"], json!({ "currencyCode": "EUR", "units": "3", "nanos": 120_000_000 }));
    assert_eq!(order["total"], json!({ "currencyCode": "EUR", "units": "9", "nanos": 380_000_000 }));
    let payment = customer.get(&format!("/v1/payments/{}", id(&order, "paymentId"))).await.expect(200);
    assert_eq!(payment["authorizedAmount"], order["total"]);
    staff.post(&format!("/v1/coupons/{code}:disable"), json!({})).await.expect(200);
    let shipment = format!("/v1/shipments/{}:dispatch", id(&order, "shipmentId"));
    staff.post(&shipment, json!({})).await.expect(200);
    let shipped = order_with(&customer, &order, "state", "SHIPPED").await;
    assert_eq!((&shipped["discount"], &shipped["total"]), (&order["discount"], &order["total"]));
    let payment = customer.get(&format!("/v1/payments/{}", id(&order, "paymentId"))).await.expect(200);
    assert_eq!(payment["capturedAmount"], order["total"]);
}

#[tokio::test]
async fn a_refused_order_gives_its_redemption_back_to_the_next() {
    let stack = shared().await;
    let (customer, product) = (Client::register(stack).await.0, product(stack, 1).await);
    let amount = json!({ "currencyCode": "EUR", "units": "2", "nanos": 500_000_000 });
    let code = coupon(stack, json!({ "amount": amount, "maxRedemptions": 1 })).await;
    let declined = buy(&customer, &product, &code, "tok_declined").await.expect(201);
    assert_eq!((&declined["state"], &declined["reason"]), (&json!("REJECTED"), &json!("CARD_DECLINED")));
    assert_eq!(uses(stack, &code).await, (0, 0));
    let confirmed = buy(&customer, &product, &code, "tok_visa").await.expect(201);
    assert_eq!((&confirmed["state"], &confirmed["total"]["units"]), (&json!("CONFIRMED"), &json!("10")));
    assert_eq!(uses(stack, &code).await, (1, 1));
    let names = event_names(&stack.db("orders"), &code, 4).await;
    assert_eq!(names, ["created", "redeemed", "released", "redeemed"]);
    // Stock is refused after the coupon was counted.
    let other = coupon(stack, json!({ "amount": amount })).await;
    let rejected = buy(&customer, &product, &other, "tok_visa").await.expect(201);
    assert_eq!((&rejected["state"], &rejected["reason"]), (&json!("REJECTED"), &json!("OUT_OF_STOCK")));
    assert_eq!(uses(stack, &other).await, (0, 0));
}

#[tokio::test]
async fn a_cancellation_before_anything_has_left_gives_the_coupon_back() {
    let stack = shared().await;
    let (customer, product) = (Client::register(stack).await.0, product(stack, 10).await);
    let code = coupon(stack, json!({ "percentage": "10" })).await;
    let body = with_coupon(&product, &code, "tok_action_required");
    let waiting = customer.post("/v1/orders", body).await.expect(201);
    order_with(&customer, &waiting, "paymentState", "ACTION_REQUIRED").await;
    assert_eq!(uses(stack, &code).await, (1, 1));
    let cancel = |order: &Value| format!("/v1/orders/{}:cancel", id(order, "orderId"));
    customer.post(&cancel(&waiting), json!({})).await.expect(200);
    order_with(&customer, &waiting, "state", "CANCELLED").await;
    assert_eq!(uses(stack, &code).await, (0, 0));
    let staff = Client::staff(stack).await;
    let code = coupon(stack, json!({ "percentage": "10", "maxRedemptions": 1 })).await;
    for is_stopped in [false, true] {
        let confirmed = with_shipment(&customer, buy(&customer, &product, &code, "tok_visa").await.expect(201)).await;
        assert_eq!(confirmed["state"], "CONFIRMED", "{confirmed}");
        assert_eq!(uses(stack, &code).await, (1, 1));
        if is_stopped {
            staff.post(&format!("/v1/shipments/{}:stop", id(&confirmed, "shipmentId")), json!({})).await.expect(200);
        } else {
            customer.post(&cancel(&confirmed), json!({})).await.expect(200);
        }
        order_with(&customer, &confirmed, "state", "CANCELLED").await;
        assert_eq!(uses(stack, &code).await, (0, 0));
    }
    // What has left has used its coupon, also when all of it comes back.
    let shipped = with_shipment(&customer, buy(&customer, &product, &code, "tok_visa").await.expect(201)).await;
    staff.post(&format!("/v1/shipments/{}:dispatch", id(&shipped, "shipmentId")), json!({})).await.expect(200);
    order_with(&customer, &shipped, "state", "SHIPPED").await;
    staff.post(&format!("/v1/orders/{}:refund", id(&shipped, "orderId")), json!({})).await.expect(200);
    order_with(&customer, &shipped, "paymentState", "REFUNDED").await;
    assert_eq!(uses(stack, &code).await, (1, 1));
}

#[tokio::test]
async fn while_an_order_waits_for_its_payer_the_refusal_names_it_to_its_own_user_alone() {
    let stack = shared().await;
    let (customer, other) = (Client::register(stack).await.0, Client::register(stack).await.0);
    let product = product(stack, 10).await;
    let once = coupon(stack, json!({ "percentage": "10", "maxRedemptions": 1 })).await;
    let once_each = coupon(stack, json!({ "percentage": "10", "maxRedemptionsPerUser": 1 })).await;
    for (code, to_others) in [(&once, "COUPON_EXHAUSTED"), (&once_each, "")] {
        let body = with_coupon(&product, code, "tok_action_required");
        let waiting = customer.post("/v1/orders", body).await.expect(201);
        order_with(&customer, &waiting, "paymentState", "ACTION_REQUIRED").await;
        let quote =
            json!({ "items": [{ "productId": product, "quantity": 1 }], "countryCode": "FR", "couponCode": code });
        for refused in
            [buy(&customer, &product, code, "tok_visa").await, customer.post("/v1/orders:quote", quote.clone()).await]
        {
            assert_eq!((refused.status, reason(&refused).as_str()), (400, "COUPON_HELD"), "{refused:?}");
            let details = refused.body["details"].as_array().expect("details");
            let named = details.iter().find_map(|detail| detail["metadata"]["order_id"].as_str());
            assert_eq!(named, Some(id(&waiting, "orderId")), "{refused:?}");
        }
        let others = other.post("/v1/orders:quote", quote.clone()).await;
        assert!(!format!("{:?}", others.body).contains(id(&waiting, "orderId")), "{others:?}");
        assert_eq!(reason(&others), to_others, "{others:?}");
        // Once it is paid, the coupon is simply used.
        let action = format!(
            "/v1/payments/{}:completeAction",
            id(&order_with(&customer, &waiting, "paymentState", "ACTION_REQUIRED").await, "paymentId")
        );
        customer.post(&action, json!({ "approve": true })).await.expect(200);
        order_with(&customer, &waiting, "state", "CONFIRMED").await;
        let refused = customer.post("/v1/orders:quote", quote).await;
        let used = if to_others.is_empty() { "COUPON_USER_LIMIT" } else { "COUPON_EXHAUSTED" };
        assert_eq!(reason(&refused), used, "{refused:?}");
    }
}

#[tokio::test]
async fn a_coupon_that_cannot_be_used_is_refused_with_its_reason_and_nothing_changes() {
    let stack = shared().await;
    let (customer, staff) = (Client::register(stack).await.0, Client::staff(stack).await);
    let (product, yen) = (product(stack, 10).await, priced(stack, "JPY", "500", 0).await);
    let euros = |units: &str| json!({ "currencyCode": "EUR", "units": units });
    let disabled = coupon(stack, json!({ "percentage": "10" })).await;
    staff.post(&format!("/v1/coupons/{disabled}:disable"), json!({})).await.expect(200);
    let past = json!({ "percentage": "10", "expireTime": "2020-01-01T00:00:00Z" });
    let future = json!({ "percentage": "10", "startTime": "2999-01-01T00:00:00Z" });
    let (expired, early) = (coupon(stack, past).await, coupon(stack, future).await);
    let least = coupon(stack, json!({ "percentage": "10", "minimumSubtotal": euros("13") })).await;
    let amount = coupon(stack, json!({ "amount": euros("1") })).await;
    for (product, code, why) in [
        (&product, "NO-SUCH-COUPON", "COUPON_UNKNOWN"),
        (&product, disabled.as_str(), "COUPON_DISABLED"),
        (&product, &expired, "COUPON_EXPIRED"),
        (&product, &early, "COUPON_NOT_STARTED"),
        (&product, &least, "COUPON_MINIMUM"),
        (&yen, &least, "COUPON_CURRENCY"),
        (&yen, &amount, "COUPON_CURRENCY"),
    ] {
        let refused = buy(&customer, product, code, "tok_visa").await;
        assert_eq!((refused.status, reason(&refused).as_str()), (400, why), "{code}: {refused:?}");
    }
    for code in [&disabled, &expired, &early, &least, &amount] {
        assert_eq!(uses(stack, code).await, (0, 0));
    }
    assert_eq!(customer.get("/v1/orders").await.expect(200)["orders"], json!([]));
    let covered = coupon(stack, json!({ "amount": euros("50") })).await;
    let nothing = buy(&customer, &product, &covered, "tok_visa").await.expect(201);
    assert_eq!(nothing["state"], "CONFIRMED", "what is left to pay is nothing: {nothing}");
    let malformed = buy(&customer, &product, "no", "tok_visa").await;
    assert_eq!(kit::shop::fields(&malformed), ["couponCode"], "{malformed:?}");
}

/// The customer's only order, once it is `state` for `why`.
pub async fn only_order(customer: &Client, state: &str, why: &str) -> Value {
    eventually(TIMEOUT, || async {
        let orders = customer.get("/v1/orders").await.expect(200)["orders"].clone();
        let order = &orders[0];
        ensure!(order["state"] == state && order["reason"] == why && orders[1].is_null(), "{orders}");
        Ok(order.clone())
    })
    .await
}
