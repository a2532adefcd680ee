//! Orders and lines that cost nothing: no payment, no call to payments, and all the rest as ever.

use crate::orders::{
    coupons::{coupon, uses, with_coupon},
    refunds::settled,
    sagas::lost_replies,
    shipments::{act, is_sound, priced, split},
};
use bson::{Document, doc};
use kit::shop::{TIMEOUT, draft, fields, id, order_with, place, place_draft, product_with, reason, stock};
use kit::{Client, Stack, StackOptions, eventually};
use serde_json::{Value, json};

async fn gift(stack: &Stack, units: i32) -> String {
    product_with(stack, units, json!({ "price": { "currencyCode": "EUR", "units": "0" } })).await
}

/// An order without a means of payment, once its saga has ended.
async fn take(customer: &Client, lines: &[(&str, i32)], coupon: &str) -> Value {
    let mut body = draft(lines, "");
    body["couponCode"] = json!(coupon);
    body.as_object_mut().expect("an object").remove("paymentToken");
    place_draft(customer, body).await
}

/// How many payments there are for an order, and charges at the provider for its payment.
async fn payments(stack: &Stack, order: &Value) -> u64 {
    let payments = stack.db("payments").collection::<Document>("payments");
    payments.count_documents(doc! { "order_id": id(order, "orderId") }).await.expect("mongod answers")
}

async fn give_back(staff: &Client, customer: &Client, order: &Value, items: Value) -> Value {
    let path = format!("/v1/orders/{}:refund", id(order, "orderId"));
    staff.post(&path, json!({ "items": items })).await.expect(200);
    settled(customer, order).await
}

fn units(product: &str, quantity: i32) -> Value {
    json!({ "productId": product, "quantity": quantity, "disposition": "RESTOCK" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_of_free_articles_ends_in_every_way_without_a_payment() {
    let stack = Stack::start(StackOptions::default()).await;
    let (customer, staff) = (Client::register(&stack).await.0, Client::staff(&stack).await);
    let gift = gift(&stack, 10).await;
    let order = take(&customer, &[(&gift, 3)], "").await;
    assert_eq!((&order["state"], &order["paymentId"]), (&json!("CONFIRMED"), &json!("")), "{order}");
    act(&staff, id(&order, "shipmentId"), "dispatch").await;
    order_with(&customer, &order, "state", "SHIPPED").await;
    act(&staff, id(&order, "shipmentId"), "deliver").await;
    let delivered = order_with(&customer, &order, "state", "DELIVERED").await;
    let returned = give_back(&staff, &customer, &delivered, json!([units(&gift, 2)])).await;
    assert_eq!(returned["refunds"][0]["state"], "DONE", "{returned}");
    assert_eq!(stock(&stack, &gift).await, [9, 0, 0, 9]);
    let rest = staff.post(&format!("/v1/orders/{}:refund", id(&order, "orderId")), json!({})).await;
    assert_eq!(reason(&rest), "REFUND_EXCEEDS_CAPTURE", "there is no money to give back");

    let cancelled = take(&customer, &[(&gift, 4)], "").await;
    customer.post(&format!("/v1/orders/{}:cancel", id(&cancelled, "orderId")), json!({})).await.expect(200);
    order_with(&customer, &cancelled, "state", "CANCELLED").await;
    assert_eq!(stock(&stack, &gift).await, [9, 0, 0, 9]);

    let too_many = take(&customer, &[(&gift, 10)], "").await;
    assert_eq!((&too_many["state"], &too_many["reason"]), (&json!("REJECTED"), &json!("OUT_OF_STOCK")));

    // In two shipments, of which one is stopped.
    let parted = take(&customer, &[(&gift, 5)], "").await;
    let first = id(&parted, "shipmentId").to_owned();
    let off = split(&staff, &first, &[(&gift, 2)]).await;
    act(&staff, &off, "stop").await;
    act(&staff, &first, "dispatch").await;
    order_with(&customer, &parted, "state", "SHIPPED").await;
    eventually(TIMEOUT, || async {
        let stock = stock(&stack, &gift).await;
        anyhow::ensure!(stock == [6, 0, 0, 6], "{stock:?}");
        Ok(())
    })
    .await;
    for order in [&order, &cancelled, &too_many, &parted] {
        assert_eq!(payments(&stack, order).await, 0, "{order}");
    }
    is_sound(&stack).await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coupon_that_leaves_nothing_to_pay_confirms_and_is_given_back_like_any_other() {
    let stack = Stack::start(StackOptions::default()).await;
    let customer = Client::register(&stack).await.0;
    let product = priced(&stack, "EUR", "12", 500_000_000).await;
    let off = json!({ "amount": { "currencyCode": "EUR", "units": "50" }, "maxRedemptions": 1 });
    for terms in [json!({ "percentage": "100", "maxRedemptions": 1 }), off] {
        let code = coupon(&stack, terms).await;
        let order = take(&customer, &[(&product, 1)], &code).await;
        let total = json!({ "currencyCode": "EUR", "units": "0", "nanos": 0 });
        assert_eq!((&order["state"], &order["total"]), (&json!("CONFIRMED"), &total), "{order}");
        assert_eq!((uses(&stack, &code).await, payments(&stack, &order).await), ((1, 1), 0));
        customer.post(&format!("/v1/orders/{}:cancel", id(&order, "orderId")), json!({})).await.expect(200);
        order_with(&customer, &order, "state", "CANCELLED").await;
        assert_eq!((uses(&stack, &code).await, payments(&stack, &order).await), ((0, 0), 0));
        // What cannot be had gives the coupon back too; and a card that is not needed is not asked.
        let rejected = take(&customer, &[(&product, 1), (&gift(&stack, 0).await, 1)], &code).await;
        assert_eq!(rejected["state"], "REJECTED", "{rejected}");
        assert_eq!(uses(&stack, &code).await, (0, 0));
        let body = with_coupon(&product, &code, "tok_declined");
        assert_eq!(customer.post("/v1/orders?wait=25s", body).await.expect(201)["state"], "CONFIRMED");
        assert_eq!(uses(&stack, &code).await, (1, 1));
    }
    is_sound(&stack).await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn free_units_come_back_with_amount_0_before_and_after_those_that_were_paid() {
    let stack = Stack::start(StackOptions::default()).await;
    let (customer, staff) = (Client::register(&stack).await.0, Client::staff(&stack).await);
    let (paid, gift) = (priced(&stack, "EUR", "3", 330_000_000).await, gift(&stack, 10).await);
    let order = place(&customer, &[(&paid, 2), (&gift, 3)], "tok_visa").await;
    act(&staff, id(&order, "shipmentId"), "dispatch").await;
    let order = order_with(&customer, &order, "state", "SHIPPED").await;
    let state =
        async || customer.get(&format!("/v1/payments/{}", id(&order, "paymentId"))).await.expect(200)["state"].clone();
    for (items, after) in [
        (json!([units(&gift, 1)]), "CAPTURED"),
        (json!([units(&paid, 2)]), "REFUNDED"),
        (json!([units(&gift, 1)]), "REFUNDED"),
        (json!([units(&gift, 1)]), "REFUNDED"),
    ] {
        let returned = give_back(&staff, &customer, &order, items).await;
        let refunds = returned["refunds"].as_array().expect("a list");
        assert!(refunds.iter().all(|refund| refund["state"] == "DONE"), "{returned}");
        assert_eq!(state().await, after, "{returned}");
    }
    assert_eq!(stock(&stack, &gift).await, [10, 0, 0, 10]);
    let path = format!("/v1/orders/{}:refund", id(&order, "orderId"));
    let more = staff.post(&path, json!({ "items": [units(&gift, 1)] })).await;
    assert_eq!(reason(&more), "RETURN_EXCEEDS_ORDER");
    let nothing = json!({ "amount": { "currencyCode": "EUR", "units": "0" } });
    assert_eq!(staff.post(&path, nothing).await.status, 400, "nothing is no refund");
    is_sound(&stack).await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_free_part_that_leaves_while_the_paid_one_is_stopped_is_shipped_and_not_charged() {
    let stack = Stack::start(StackOptions::default()).await;
    let (customer, staff) = (Client::register(&stack).await.0, Client::staff(&stack).await);
    let (paid, gift) = (priced(&stack, "EUR", "3", 330_000_000).await, gift(&stack, 10).await);
    let order = place(&customer, &[(&paid, 1), (&gift, 1)], "tok_visa").await;
    let first = id(&order, "shipmentId").to_owned();
    let off = split(&staff, &first, &[(&gift, 1)]).await;
    act(&staff, &off, "dispatch").await;
    act(&staff, &first, "stop").await;
    let shipped = order_with(&customer, &order, "state", "SHIPPED").await;
    let payment = customer.get(&format!("/v1/payments/{}", id(&order, "paymentId"))).await.expect(200);
    assert_eq!(payment["state"], "VOIDED", "{payment}");
    let returned = give_back(&staff, &customer, &shipped, json!([units(&gift, 1)])).await;
    assert_eq!(returned["refunds"][0]["state"], "DONE", "{returned}");
    is_sound(&stack).await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn free_orders_survive_a_kill_and_a_shop_that_takes_none_says_so() {
    let stack = lost_replies::stack().await;
    let mut process = lost_replies::orders(&stack, "").await;
    let gift = gift(&stack, 20).await;
    for label in ["saga.commit_stock.do.calling", "saga.commit_stock.do.called", "saga.commit_stock.do.recorded"] {
        process.stop(TIMEOUT).await.expect("it drains");
        process = lost_replies::orders(&stack, label).await;
        let customer = Client::register(&stack).await.0;
        drop(lost_replies::send(&customer, &gift, ""));
        process.ended(TIMEOUT).await.unwrap_or_else(|error| panic!("{label}: {error:#}"));
        process = lost_replies::orders(&stack, "").await;
        crate::orders::coupons::only_order(&customer, "CONFIRMED", "").await;
    }
    assert_eq!(stock(&stack, &gift).await, [20, 0, 3, 17]);
    process.stop(TIMEOUT).await.expect("it drains");

    let process = stack.serve_with("orders", &[("COMPTOIR_FREE_ORDERS", "refuse")]);
    lost_replies::answers(&stack).await;
    let customer = Client::register(&stack).await.0;
    let items = json!([{ "productId": gift, "quantity": 1 }]);
    let quote = customer.post("/v1/orders:quote", json!({ "items": items, "countryCode": "FR" })).await;
    let order = customer.post("/v1/orders", draft(&[(&gift, 1)], "tok_visa")).await;
    for refused in [quote, order] {
        assert_eq!((refused.status, reason(&refused).as_str()), (400, "NOTHING_TO_PAY"), "{refused:?}");
    }
    let paid = priced(&stack, "EUR", "3", 0).await;
    let missing = customer.post("/v1/orders", draft(&[(&paid, 1)], "")).await;
    assert_eq!((missing.status, fields(&missing)), (400, vec!["paymentToken".to_owned()]), "{missing:?}");
    assert_eq!(customer.get("/v1/orders").await.expect(200)["orders"], json!([]));
    is_sound(&stack).await;
    process.stop(TIMEOUT).await.expect("it drains");
    stack.stop().await;
}
