//! Orders through the gateway of a running system.

use futures::future::join_all;
use kit::shop::{TIMEOUT, draft, fields, id, order_with, place, product, reason, stock, with_shipment};
use kit::{Client, Stack, StackOptions, eventually, reply, shared};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn an_order_goes_through_stock_payment_and_shipping() {
    let stack = shared().await;
    let (customer, user) = Client::register(stack).await;
    let product = product(stack, 10).await;
    let order = place(&customer, &[(&product, 2)], "tok_visa").await;
    assert_eq!(order["state"], "CONFIRMED", "{order}");
    assert_eq!(order["paymentState"], "AUTHORIZED");
    assert_eq!(order["shipmentState"], "CREATED");
    assert_eq!(order["userId"], user["userId"]);
    assert_eq!(order["userSnapshot"]["name"], "Test Customer");
    assert_eq!(order["total"], json!({ "currencyCode": "EUR", "units": "25", "nanos": 0 }));
    assert_eq!(order["items"][0]["productSnapshot"]["name"], "Test product");
    let states: Vec<&Value> = order["history"].as_array().expect("a list").iter().map(|step| &step["to"]).collect();
    assert_eq!(states, ["PENDING", "CONFIRMED"]);
    assert_eq!(stock(stack, &product).await, [10, 0, 2, 8]);

    let staff = Client::staff(stack).await;
    let shipment = format!("/v1/shipments/{}", id(&order, "shipmentId"));
    assert_eq!(customer.get(&shipment).await.expect(200)["state"], "CREATED");
    staff.post(&format!("{shipment}:dispatch"), json!({})).await.expect(200);
    let shipped = order_with(&customer, &order, "state", "SHIPPED").await;
    assert_eq!(shipped["paymentState"], "CAPTURED");
    assert_eq!(stock(stack, &product).await, [8, 0, 0, 8]);
    let reservation = staff.get(&format!("/v1/reservations/{}", id(&order, "orderId"))).await.expect(200);
    assert_eq!((&reservation["state"], &reservation["lines"][0]["quantity"]), (&json!("SHIPPED"), &json!(2)));
    staff.post(&format!("{shipment}:deliver"), json!({})).await.expect(200);
    order_with(&customer, &order, "state", "DELIVERED").await;
    let payment = customer.get(&format!("/v1/payments/{}", id(&order, "paymentId"))).await.expect(200);
    assert_eq!(payment["capturedAmount"]["units"], "25");
}

#[tokio::test]
async fn an_order_whose_total_is_not_the_expected_one_is_refused_with_the_quote_of_now() {
    let stack = shared().await;
    let (customer, _) = Client::register(stack).await;
    let product = product(stack, 10).await;
    let mut draft = draft(&[(&product, 2)], "tok_visa");
    draft["expectedTotal"] = json!({ "currencyCode": "EUR", "units": "24", "nanos": 0 });
    let refused = customer.post("/v1/orders", draft.clone()).await;
    assert_eq!((refused.status, reason(&refused).as_str()), (400, "TOTAL_CHANGED"), "{refused:?}");
    let details = refused.body["details"].as_array().expect("details");
    let quote = details.iter().find(|detail| detail["@type"] == "type.googleapis.com/comptoir.orders.v1.OrderQuote");
    let quote = quote.expect("a quote");
    assert_eq!(quote["total"], json!({ "currencyCode": "EUR", "units": "25", "nanos": 0 }));
    assert_eq!(quote["items"][0]["productSnapshot"]["price"]["units"], "12");
    assert_eq!(stock(stack, &product).await, [10, 0, 0, 10]);
    draft["expectedTotal"] = quote["total"].clone();
    customer.post("/v1/orders?wait=20s", draft).await.expect(201);
}

#[tokio::test]
async fn an_order_to_an_address_that_does_not_exist_in_its_country_is_refused() {
    let stack = shared().await;
    let (customer, _) = Client::register(stack).await;
    let product = product(stack, 10).await;
    let mut draft = draft(&[(&product, 1)], "tok_visa");
    draft["shippingAddress"]["countryCode"] = json!("US");
    let refused = customer.post("/v1/orders", draft).await;
    assert_eq!(fields(&refused), ["shippingAddress.region"], "{refused:?}");
}

#[tokio::test]
async fn forty_orders_for_a_stock_of_25_give_25_confirmed_and_15_out_of_stock() {
    let stack = shared().await;
    let product = product(stack, 25).await;
    let (customer, _) = Client::register(stack).await;
    let line = [(product.as_str(), 1)];
    let orders = join_all((0..40).map(|_| place(&customer, &line, "tok_visa"))).await;
    let with = |state: &str| orders.iter().filter(|order| order["state"] == state).count();
    assert_eq!((with("CONFIRMED"), with("REJECTED")), (25, 15));
    let rejected = orders.iter().filter(|order| order["state"] == "REJECTED");
    assert!(rejected.clone().all(|order| order["reason"] == "OUT_OF_STOCK"), "{:?}", rejected.collect::<Vec<_>>());
    assert_eq!(stock(stack, &product).await, [25, 0, 25, 0]);
    let mongodb = stack.connect().await;
    let held = mongodb.database("inventory").collection::<bson::Document>("reservations");
    let held = held.count_documents(bson::doc! { "state": "Held", "lines.product_id": &product }).await;
    assert_eq!(held.expect("counts"), 0);
}

#[tokio::test]
async fn a_declined_card_rejects_the_order_and_releases_its_stock() {
    let stack = shared().await;
    let product = product(stack, 5).await;
    let (customer, _) = Client::register(stack).await;
    let order = place(&customer, &[(&product, 3)], "tok_declined").await;
    assert_eq!((&order["state"], &order["reason"]), (&json!("REJECTED"), &json!("CARD_DECLINED")), "{order}");
    assert_eq!(order["paymentState"], "DECLINED");
    assert_eq!(stock(stack, &product).await, [5, 0, 0, 5]);
    let order = place(&customer, &[(&product, 3)], "tok_insufficient_funds").await;
    assert_eq!((&order["state"], &order["reason"]), (&json!("REJECTED"), &json!("INSUFFICIENT_FUNDS")));
    assert_eq!(stock(stack, &product).await, [5, 0, 0, 5]);
}

#[tokio::test]
async fn a_lost_reply_of_the_provider_leaves_exactly_one_authorization() {
    let stack = shared().await;
    let product = product(stack, 5).await;
    let (customer, _) = Client::register(stack).await;
    let order = place(&customer, &[(&product, 1)], "tok_timeout").await;
    assert_eq!(order["state"], "CONFIRMED", "{order}");
    let payment = customer.get(&format!("/v1/payments/{}", id(&order, "paymentId"))).await.expect(200);
    let ledger = payment["ledger"].as_array().expect("a list");
    assert_eq!(ledger.iter().filter(|entry| entry["kind"] == "AUTHORIZATION").count(), 1, "{payment}");
    assert_eq!(payment["authorizedAmount"]["units"], "12");
}

/// Plays the payer; repeats as the reply says while the provider has not answered in time.
async fn complete_action(customer: &Client, order: &Value, approve: bool) {
    let action = format!("/v1/payments/{}:completeAction", id(order, "paymentId"));
    eventually(TIMEOUT, || async {
        let reply = customer.post(&action, json!({ "approve": approve })).await;
        anyhow::ensure!(reply.status == 200, "{reply:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_order_waits_for_the_payer_and_ends_when_the_payer_acts() {
    let stack = shared().await;
    let product = product(stack, 5).await;
    let (customer, _) = Client::register(stack).await;
    for (approve, state) in [(true, "CONFIRMED"), (false, "REJECTED")] {
        let order = customer.post("/v1/orders", draft(&[(&product, 1)], "tok_action_required")).await.expect(201);
        assert_eq!(order["state"], "PENDING");
        let waiting = order_with(&customer, &order, "paymentState", "ACTION_REQUIRED").await;
        complete_action(&customer, &waiting, approve).await;
        order_with(&customer, &order, "state", state).await;
    }
    eventually(TIMEOUT, || async {
        let counters = stock(stack, &product).await;
        anyhow::ensure!(counters == [5, 0, 1, 4], "stock is {counters:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_same_idempotency_key_gives_the_same_order() {
    let stack = shared().await;
    let product = product(stack, 5).await;
    let (customer, _) = Client::register(stack).await;
    let body = draft(&[(&product, 1)], "tok_visa");
    let orders = join_all((0..8).map(|_| customer.post_with_key("/v1/orders?wait=25s", body.clone(), "key-1"))).await;
    let orders: Vec<Value> = orders.into_iter().map(|reply| reply.expect(201)).collect();
    assert!(orders.iter().all(|order| order["orderId"] == orders[0]["orderId"]), "{orders:?}");
    with_shipment(&customer, orders[0].clone()).await;
    assert_eq!(stock(stack, &product).await, [5, 0, 1, 4]);
}

#[tokio::test]
async fn a_confirmed_order_can_be_cancelled_and_gives_everything_back() {
    let stack = shared().await;
    let product = product(stack, 5).await;
    let (customer, _) = Client::register(stack).await;
    let order = place(&customer, &[(&product, 2)], "tok_visa").await;
    let path = format!("/v1/orders/{}:cancel", id(&order, "orderId"));
    let cancelling = customer.post(&path, json!({ "reason": "changed my mind" })).await.expect(200);
    assert!(["CANCELLING", "CANCELLED"].contains(&id(&cancelling, "state")), "{cancelling}");
    let cancelled = order_with(&customer, &order, "state", "CANCELLED").await;
    assert_eq!((&cancelled["paymentState"], &cancelled["shipmentState"]), (&json!("VOIDED"), &json!("CANCELLED")));
    assert_eq!(cancelled["reason"], "changed my mind");
    let database = stack.connect().await.database("orders");
    let of_order = bson::doc! { "aid": id(&order, "orderId") };
    for entry in kit::log(&database, of_order).await.expect("mongod answers") {
        let data = entry.get_binary_generic("data").expect("an entry has data");
        assert!(!String::from_utf8_lossy(data).contains("my mind"), "the customer's words travel in an event");
    }
    assert_eq!(stock(stack, &product).await, [5, 0, 0, 5]);
    assert_eq!(customer.post(&path, json!({})).await.expect(200)["state"], "CANCELLED");
}

#[tokio::test]
async fn an_order_can_be_cancelled_at_any_moment_before_it_ships() {
    let stack = shared().await;
    let product = product(stack, 50).await;
    let (customer, _) = Client::register(stack).await;
    let cancel = |delay_ms: u64| {
        let (customer, product) = (customer.clone(), product.clone());
        async move {
            let order = customer.post("/v1/orders", draft(&[(&product, 1)], "tok_visa")).await.expect(201);
            tokio::time::sleep(Duration::from_millis(delay_ms)).await; // the moment under test
            let path = format!("/v1/orders/{}:cancel", id(&order, "orderId"));
            customer.post(&path, json!({ "reason": "early" })).await.expect(200);
            let ended = order_with(&customer, &order, "state", "CANCELLED").await;
            assert!(["STATE_UNSPECIFIED", "VOIDED"].contains(&id(&ended, "paymentState")), "{ended}");
        }
    };
    join_all((0..30).map(|index| cancel(index * 4))).await;
    assert_eq!(stock(stack, &product).await, [50, 0, 0, 50]);
}

#[tokio::test]
async fn an_order_that_has_shipped_cannot_be_cancelled() {
    let stack = shared().await;
    let product = product(stack, 5).await;
    let (customer, _) = Client::register(stack).await;
    let order = place(&customer, &[(&product, 1)], "tok_visa").await;
    let staff = Client::staff(stack).await;
    staff.post(&format!("/v1/shipments/{}:dispatch", id(&order, "shipmentId")), json!({})).await.expect(200);
    order_with(&customer, &order, "state", "SHIPPED").await;
    let refused = customer.post(&format!("/v1/orders/{}:cancel", id(&order, "orderId")), json!({})).await;
    assert_eq!((refused.status, reason(&refused).as_str()), (400, "ORDER_NOT_CANCELLABLE"));
}

#[tokio::test]
async fn details_join_the_order_with_all_that_it_refers_to() {
    let stack = shared().await;
    let (first, second) = (product(stack, 5).await, product(stack, 5).await);
    let (customer, user) = Client::register(stack).await;
    let order = place(&customer, &[(&second, 1), (&first, 2), (&second, 1)], "tok_visa").await;
    let details = customer.get(&format!("/v1/orders/{}/details", id(&order, "orderId"))).await.expect(200);
    assert_eq!(details["order"]["orderId"], order["orderId"]);
    assert_eq!(details["user"]["email"], user["email"]);
    let products: Vec<&Value> =
        details["products"].as_array().expect("a list").iter().map(|product| &product["productId"]).collect();
    assert_eq!(products, [&second, &first]);
    assert_eq!(details["payment"]["state"], "AUTHORIZED");
    assert_eq!(details["shipment"]["state"], "CREATED");
    assert_eq!(details["unavailable"], json!([]));
}

#[tokio::test]
async fn a_watch_sends_every_state_as_ndjson_and_as_server_sent_events() {
    let stack = shared().await;
    let product = product(stack, 5).await;
    let (customer, _) = Client::register(stack).await;
    for accept in ["application/x-ndjson", "text/event-stream"] {
        let order = customer.post("/v1/orders", draft(&[(&product, 1)], "tok_visa")).await.expect(201);
        let path = format!("/v1/orders/{}:watch", id(&order, "orderId"));
        let request = customer.request(Method::GET, &path).header("accept", accept);
        let mut stream = request.send().await.expect("the gateway answers");
        assert_eq!(stream.status(), 200);
        assert!(stream.headers()["content-type"].to_str().expect("text").starts_with(accept));
        let mut text = String::new();
        while !text.contains("\"CONFIRMED\"") {
            let chunk = tokio::time::timeout(TIMEOUT, stream.chunk()).await.expect("a change arrives in time");
            text.push_str(&String::from_utf8_lossy(&chunk.expect("the stream is whole").expect("it goes on")));
        }
        let prefix = if accept == "text/event-stream" { "data: " } else { "" };
        let lines = text.lines().filter_map(|line| line.strip_prefix(prefix)).filter(|line| line.starts_with('{'));
        let orders: Vec<Value> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
        assert!(orders.iter().all(|message| message["orderId"] == order["orderId"]), "{text}");
    }
}

#[tokio::test]
async fn lists_are_paged_newest_first_and_belong_to_the_caller() {
    let stack = shared().await;
    let product = product(stack, 10).await;
    let (customer, _) = Client::register(stack).await;
    let mut placed = Vec::new();
    for _ in 0..5 {
        placed.insert(0, place(&customer, &[(&product, 1)], "tok_visa").await["orderId"].clone());
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = customer.get(&format!("/v1/orders?pageSize=2&pageToken={token}")).await.expect(200);
        let orders = page["orders"].as_array().expect("a list").clone();
        assert!(orders.len() <= 2);
        seen.extend(orders.iter().map(|order| order["orderId"].clone()));
        token = id(&page, "nextPageToken").to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, placed);
    let (other, _) = Client::register(stack).await;
    assert_eq!(other.get("/v1/orders").await.expect(200), json!({ "orders": [], "nextPageToken": "" }));
    let forged = customer.get("/v1/orders?pageToken=Zm9yZ2Vk").await;
    assert_eq!((forged.status, fields(&forged)), (400, vec!["pageToken".to_owned()]));
}

#[tokio::test]
async fn somebody_elses_order_does_not_exist() {
    let stack = shared().await;
    let product = product(stack, 5).await;
    let (owner, _) = Client::register(stack).await;
    let order = place(&owner, &[(&product, 1)], "tok_visa").await;
    let (stranger, _) = Client::register(stack).await;
    let path = format!("/v1/orders/{}", id(&order, "orderId"));
    let absent = stranger.get(&path.replace(&path[path.len() - 4..], "0000")).await;
    for path in [path.clone(), format!("{path}/details"), format!("{path}:watch")] {
        let refused = stranger.get(&path).await;
        assert_eq!((refused.status, reason(&refused)), (absent.status, reason(&absent)), "{path}");
    }
    assert_eq!(stranger.post(&format!("{path}:cancel"), json!({})).await.status, 404);
    for path in [("payments", "paymentId"), ("shipments", "shipmentId")] {
        assert_eq!(stranger.get(&format!("/v1/{}/{}", path.0, id(&order, path.1))).await.status, 404);
    }
    assert_eq!(owner.get(&path).await.expect(200)["state"], "CONFIRMED");
}

#[tokio::test]
async fn health_and_readiness_answer_without_a_token() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    assert_eq!(anonymous.get("/healthz").await.status, 200);
    assert_eq!(anonymous.get("/readyz").await.status, 200);
    let unknown = reply(anonymous.request(Method::GET, "/v1/nowhere")).await;
    assert_eq!((unknown.status, &unknown.body["code"]), (404, &json!(5)));
}

#[tokio::test]
async fn a_hold_that_ran_out_gives_its_stock_back_and_a_late_approval_is_voided() {
    let stack = Stack::start(StackOptions { hold_seconds: Some(6), ..Default::default() }).await;
    let product = product(&stack, 5).await;
    let (customer, _) = Client::register(&stack).await;
    let order = customer.post("/v1/orders", draft(&[(&product, 2)], "tok_action_required")).await.expect(201);
    let waiting = order_with(&customer, &order, "paymentState", "ACTION_REQUIRED").await;
    assert_eq!(stock(&stack, &product).await, [5, 2, 0, 3]);
    eventually(TIMEOUT, || async {
        let counters = stock(&stack, &product).await;
        anyhow::ensure!(counters == [5, 0, 0, 5], "stock is {counters:?}");
        Ok(())
    })
    .await;
    complete_action(&customer, &waiting, true).await;
    let rejected = order_with(&customer, &order, "state", "REJECTED").await;
    assert_eq!((&rejected["reason"], &rejected["paymentState"]), (&json!("HOLD_EXPIRED"), &json!("VOIDED")));
    stack.stop().await;
}
