//! What staff see of sagas and do to them, through the gateway.

use crate::cli::verify::is_clean;
use anyhow::{Context, ensure};
use bson::{Document, doc};
use kit::shop::{TIMEOUT, draft, id, order_with, place, product, reason, stock};
use kit::{Client, Stack, StackOptions, all_but, eventually, shared};
use serde_json::{Value, json};

async fn dispatch(stack: &Stack, order: &Value) {
    let path = format!("/v1/shipments/{}:dispatch", id(order, "shipmentId"));
    Client::staff(stack).await.post(&path, json!({})).await.expect(200);
}

/// Changes a payment behind everybody's back.
pub async fn set_payment(stack: &Stack, order: &Value, state: &str) {
    let payments = stack.connect().await.database("payments").collection::<Document>("payments");
    let set = doc! { "$set": { "state": state } };
    let changed = payments.update_one(doc! { "_id": id(order, "paymentId") }, set).await.expect("mongod answers");
    assert_eq!(changed.matched_count, 1);
}

async fn saga_with(client: &Client, order: &Value, field: &str, value: &str) -> Value {
    let path = format!("/v1/orders/{}/saga", id(order, "orderId"));
    eventually(TIMEOUT, || async {
        let saga = client.get(&path).await.expect(200);
        ensure!(saga[field] == value, "{field} is {} in {saga}", saga[field]);
        Ok(saga)
    })
    .await
}

/// A confirmed order whose goods have left and whose payment cannot be taken.
pub async fn parked_order(stack: &Stack, customer: &Client, product: &str) -> Value {
    let order = place(customer, &[(product, 1)], "tok_visa").await;
    assert_eq!(order["state"], "CONFIRMED", "{order}");
    set_payment(stack, &order, "Voided").await;
    dispatch(stack, &order).await;
    saga_with(customer, &order, "state", "PARKED").await;
    order
}

/// Names of the events in the log of orders about one of them.
async fn events_of(stack: &Stack, order: &Value) -> Vec<String> {
    crate::payments::event_names(&stack.db("orders"), id(order, "orderId"), 0).await
}

#[tokio::test]
async fn an_order_shows_each_step_of_its_saga_to_its_owner_and_to_nobody_else() {
    let stack = shared().await;
    let product = product(stack, 5).await;
    let (customer, _) = Client::register(stack).await;
    let order = place(&customer, &[(&product, 1)], "tok_visa").await;
    let path = format!("/v1/orders/{}/saga", id(&order, "orderId"));
    let saga = customer.get(&path).await.expect(200);
    assert_eq!(
        (&saga["kind"], &saga["state"], &saga["version"]),
        (&json!("place_order"), &json!("COMPLETED"), &json!(2))
    );
    let steps = saga["steps"].as_array().expect("a list");
    let names: Vec<&Value> = steps.iter().map(|step| &step["name"]).collect();
    assert_eq!(names, ["hold_stock", "authorize_payment", "commit_stock", "create_shipment"]);
    for step in steps {
        assert_eq!((&step["progress"], &step["attempts"]), (&json!("DONE"), &json!(1)), "{step}");
        assert!(step["startTime"].is_string() && step["endTime"].is_string(), "{step}");
    }
    let history = order["history"].as_array().expect("a list");
    assert!(history.iter().all(|step| step["traceId"].as_str().is_some_and(|trace| trace.len() == 32)), "{history:?}");
    let (stranger, _) = Client::register(stack).await;
    assert_eq!(stranger.get(&path).await.status, 404);
    assert_eq!(customer.get("/v1/sagas").await.status, 403);
    assert_eq!(customer.get(&format!("/v1/sagas/{}", id(&order, "orderId"))).await.status, 403);
}

#[tokio::test]
async fn goods_that_left_and_cannot_be_charged_wait_for_a_person_who_resumes() {
    let stack = shared().await;
    let product = product(stack, 5).await;
    let (customer, _) = Client::register(stack).await;
    let order = parked_order(stack, &customer, &product).await;
    let staff = Client::staff(stack).await;
    let path = format!("/v1/sagas/{}", id(&order, "orderId"));
    let saga = staff.get(&path).await.expect(200);
    assert_eq!((&saga["kind"], &saga["step"]), (&json!("dispatch_order"), &json!("capture_payment")));
    assert_eq!(saga["parkedReason"], "PAYMENT_NOT_AUTHORIZED");
    assert_eq!(customer.get(&format!("/v1/orders/{}", id(&order, "orderId"))).await.expect(200)["state"], "CONFIRMED");
    let cancel = customer.post(&format!("/v1/orders/{}:cancel", id(&order, "orderId")), json!({})).await;
    assert_eq!((cancel.status, reason(&cancel).as_str()), (400, "ORDER_NOT_CANCELLABLE"));

    let why = json!({ "reason": "test" });
    let impossible = [
        (format!("{path}:retry"), "SAGA_PARKED"),
        (format!("{path}:compensate"), "SAGA_PAST_PIVOT"),
        (format!("{path}:skip"), "SAGA_SKIP_NOT_ACKNOWLEDGED"),
    ];
    for (path, refusal) in impossible {
        let refused = staff.post(&path, why.clone()).await;
        assert_eq!((refused.status, reason(&refused).as_str()), (400, refusal), "{path}: {refused:?}");
    }
    let everything = json!({ "action": "RESUME", "filter": {}, "reason": "test", "maxCount": 10 });
    assert_eq!(staff.post("/v1/sagas:intervene", everything).await.status, 400, "a filter must narrow");
    let listed = staff.get("/v1/sagas?filter.state=PARKED&filter.step=capture_payment").await.expect(200);
    let listed: Vec<&Value> = listed["sagas"].as_array().expect("a list").iter().map(|saga| &saga["orderId"]).collect();
    assert!(listed.contains(&&order["orderId"]), "{listed:?}");
    assert_eq!(staff.post(&format!("{path}:resume"), json!({})).await.status, 400, "a reason is required");
    assert_eq!(customer.post(&format!("{path}:resume"), why.clone()).await.status, 403);

    set_payment(stack, &order, "Authorized").await;
    staff.post(&format!("{path}:resume"), json!({ "reason": "the payment was mended" })).await.expect(200);
    let shipped = order_with(&customer, &order, "state", "SHIPPED").await;
    assert_eq!(shipped["paymentState"], "CAPTURED");
    assert_eq!(stock(stack, &product).await, [4, 0, 0, 4]);
    let saga = staff.get(&path).await.expect(200);
    let done = &saga["interventions"][0];
    assert_eq!(
        (&done["action"], &done["step"], &done["reason"]),
        (&json!("RESUME"), &json!("capture_payment"), &json!("the payment was mended"))
    );
    assert!(
        done["actor"].as_str().is_some_and(|actor| actor.starts_with("usr_")) && done["time"].is_string(),
        "{done}"
    );
    let seen = customer.get(&format!("/v1/orders/{}/saga", id(&order, "orderId"))).await.expect(200);
    assert_eq!(seen["interventions"], json!([]), "who did what is between members of staff");
    let ended = staff.post(&format!("{path}:resume"), why).await;
    assert_eq!((ended.status, reason(&ended).as_str()), (400, "SAGA_ENDED"));
    eventually(TIMEOUT, || async {
        let names = events_of(stack, &order).await;
        for name in ["parked", "intervened", "shipped"] {
            ensure!(names.iter().filter(|known| *known == name).count() == 1, "{name} in {names:?}");
        }
        Ok(())
    })
    .await;
}

/// Has the saga wait so long for its next attempt that nobody but an operator can end it here.
async fn pause_for_an_hour(stack: &Stack, order: &Value) {
    let orders = stack.db("orders").collection::<bson::Document>("orders");
    let an_hour = bson::DateTime::from_millis(store::now().timestamp_millis() + 3_600_000);
    let order = doc! { "_id": id(order, "orderId") };
    eventually(TIMEOUT, || async {
        let found = orders.find_one(order.clone()).await?.context("the order is there")?;
        if found.get_document("saga")?.get_datetime("wake_at")? == &an_hour {
            return Ok(());
        }
        // An attempt that is under way writes over it.
        orders.update_one(order.clone(), doc! { "$set": { "saga.wake_at": an_hour } }).await?;
        anyhow::bail!("not yet seen to stay")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_makes_the_call_of_a_failing_step_at_once() {
    let services = ["users", "products", "inventory", "orders", "shipping", "order-history", "gateway"];
    let services = Some(services.map(str::to_owned).to_vec());
    let stack = Stack::start(StackOptions { services, ..Default::default() }).await;
    let payments = stack.serve("payments");
    let product = product(&stack, 5).await;
    let (customer, _) = Client::register(&stack).await;
    let order = place(&customer, &[(&product, 1)], "tok_visa").await;
    assert_eq!(order["state"], "CONFIRMED", "{order}");
    payments.kill().await;
    dispatch(&stack, &order).await;
    let saga = saga_with(&customer, &order, "kind", "dispatch_order").await;
    assert_eq!(saga["state"], "RUNNING");
    let failing = eventually(TIMEOUT, || async {
        let saga = customer.get(&format!("/v1/orders/{}/saga", id(&order, "orderId"))).await.expect(200);
        ensure!(saga["steps"][0]["failures"].as_i64() >= Some(8), "{saga}");
        Ok(saga)
    })
    .await;
    assert!(failing["steps"][0]["error"].as_str().is_some_and(|error| error.contains("Unavailable")), "{failing}");
    pause_for_an_hour(&stack, &order).await;
    let _payments = stack.serve("payments");
    let staff = Client::staff(&stack).await;
    eventually(TIMEOUT, || async {
        let payment = customer.get(&format!("/v1/payments/{}", id(&order, "paymentId"))).await;
        ensure!(payment.status == 200, "{payment:?}");
        Ok(())
    })
    .await;
    let path = format!("/v1/sagas/{}:retry", id(&order, "orderId"));
    staff.post(&path, json!({ "reason": "it is back" })).await.expect(200);
    assert_eq!(order_with(&customer, &order, "state", "SHIPPED").await["paymentState"], "CAPTURED");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compensated_saga_undoes_its_steps_and_rejects_the_order() {
    let services = Some(all_but(&["payments"]));
    let stack = Stack::start(StackOptions { services, ..Default::default() }).await;
    let product = product(&stack, 5).await;
    let (customer, _) = Client::register(&stack).await;
    let order = customer.post("/v1/orders", draft(&[(&product, 2)], "tok_visa")).await.expect(201);
    saga_with(&customer, &order, "step", "authorize_payment").await;
    assert_eq!(stock(&stack, &product).await, [5, 2, 0, 3]);
    let path = format!("/v1/sagas/{}", id(&order, "orderId"));
    let staff = Client::staff(&stack).await;
    let why = json!({ "reason": "the provider is closed" });
    let turned = staff.post(&format!("{path}:compensate"), why.clone()).await.expect(200);
    assert_eq!((&turned["state"], &turned["step"]), (&json!("COMPENSATING"), &json!("authorize_payment")));
    assert_eq!(
        (&turned["interventions"][0]["action"], &turned["interventions"][0]["reason"]),
        (&json!("COMPENSATE"), &why["reason"])
    );
    let again = staff.post(&format!("{path}:compensate"), why).await;
    assert_eq!((again.status, reason(&again).as_str()), (400, "SAGA_GOING_BACK"));
    assert_eq!(stock(&stack, &product).await, [5, 2, 0, 3], "the payment may exist; it is undone before the hold");

    let payments = stack.serve("payments");
    let rejected = order_with(&customer, &order, "state", "REJECTED").await;
    assert_eq!((&rejected["reason"], &rejected["paymentState"]), (&json!("COMPENSATED_BY_OPERATOR"), &json!("VOIDED")));
    assert_eq!(stock(&stack, &product).await, [5, 0, 0, 5]);
    assert_eq!(staff.get(&path).await.expect(200)["state"], "COMPENSATED");
    is_clean(&stack).await;
    payments.stop(TIMEOUT).await.expect("it drains");
    stack.stop().await;
}

#[tokio::test]
async fn a_skipped_step_makes_no_call_and_the_saga_goes_on_behind_it() {
    let stack = shared().await;
    let product = product(stack, 5).await;
    let (customer, _) = Client::register(stack).await;
    let order = parked_order(stack, &customer, &product).await;
    let path = format!("/v1/sagas/{}", id(&order, "orderId"));
    let body = json!({ "reason": "the customer has paid in cash", "acknowledgeEffect": true });
    let staff = Client::staff(stack).await;
    staff.post(&format!("{path}:skip"), body.clone()).await.expect(200);
    let shipped = order_with(&customer, &order, "state", "SHIPPED").await;
    assert_eq!(shipped["paymentState"], "AUTHORIZED", "the last that orders has heard of the payment");
    let payment = customer.get(&format!("/v1/payments/{}", id(&order, "paymentId"))).await.expect(200);
    let kinds: Vec<&Value> = payment["ledger"].as_array().expect("a list").iter().map(|entry| &entry["kind"]).collect();
    assert_eq!((&payment["state"], kinds), (&json!("VOIDED"), vec![&json!("AUTHORIZATION")]), "nothing was captured");
    let saga = staff.get(&path).await.expect(200);
    assert_eq!((&saga["state"], &saga["steps"][0]["progress"]), (&json!("COMPLETED"), &json!("SKIPPED")), "{saga}");
    assert_eq!(
        (&saga["interventions"][0]["action"], &saga["interventions"][0]["step"]),
        (&json!("SKIP"), &json!("capture_payment"))
    );
}

#[tokio::test]
async fn a_saga_of_a_version_that_this_build_does_not_know_is_parked() {
    let stack = shared().await;
    let product = product(stack, 5).await;
    let (customer, _) = Client::register(stack).await;
    let order = place(&customer, &[(&product, 1)], "tok_visa").await;
    assert_eq!(order["state"], "CONFIRMED", "{order}");
    let long_ago = bson::DateTime::from_millis(bson::DateTime::now().timestamp_millis() - 600_000);
    let set = doc! {
        "saga.version": 99, "saga.status": "Running", "saga.step": 2, "saga.peer": "inventory", "saga.wake_at": long_ago,
    };
    let orders = stack.connect().await.database("orders").collection::<Document>("orders");
    orders.update_one(doc! { "_id": id(&order, "orderId") }, doc! { "$set": set }).await.expect("mongod answers");
    let parked = saga_with(&customer, &order, "state", "PARKED").await;
    let why = parked["parkedReason"].as_str().expect("a reason");
    assert!(why.contains("place_order version 99"), "{why}");
    let staff = Client::staff(stack).await;
    let path = format!("/v1/sagas/{}:resume", id(&order, "orderId"));
    let refused = staff.post(&path, json!({ "reason": "test" })).await;
    assert_eq!((refused.status, reason(&refused).as_str()), (400, "SAGA_DEFINITION_UNKNOWN"));
    assert_eq!(stock(stack, &product).await, [5, 0, 1, 4]);
}
