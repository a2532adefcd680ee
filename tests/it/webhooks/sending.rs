//! What is sent, how it is signed, and what becomes of a delivery that the receiver does not take at once.

use super::{Shop, endpoint_id, is_signed, receiver::Answer};
use crate::cli::verify::is_clean;
use bson::{DateTime, doc};
use kit::shop::id;
use serde_json::json;
use std::{collections::BTreeSet, iter::repeat_n};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_posted_as_json_and_signed_with_each_secret_until_it_ends() {
    let shop = Shop::open().await;
    let webhooks = shop.serve(&[]);
    shop.order().await;
    let endpoint = shop.endpoint(&["order.confirmed"]).await;
    let first = id(&endpoint, "secret").to_owned();
    let order = shop.order().await;
    shop.settled(&endpoint, &[("order.confirmed", "DELIVERED")]).await;
    let rotated = shop.call(&endpoint, "rotateSecret", json!({})).await;
    let second = id(&rotated, "secret").to_owned();
    assert_eq!((&rotated["endpoint"]["secretCount"], second == first), (&json!(2), false), "{rotated}");
    shop.order().await;
    shop.settled(&endpoint, &[("order.confirmed", "DELIVERED"); 2]).await;
    let third = shop.call(&endpoint, "rotateSecret", json!({ "overlap": "0s" })).await;
    let third = id(&third, "secret").to_owned();
    shop.order().await;
    let deliveries = shop.settled(&endpoint, &[("order.confirmed", "DELIVERED"); 3]).await;
    let taken = shop.receiver.taken();
    assert_eq!(taken.len(), 3, "the event before the registration is not sent: {taken:?}");
    for (taken, signed) in taken.iter().zip([[true, false, false], [true, true, false], [false, false, true]]) {
        assert_eq!([&first, &second, &third].map(|secret| is_signed(taken, secret)), signed, "{taken:?}");
    }
    let (body, delivery) = (taken[0].json(), &deliveries[0]);
    assert_eq!((&body["type"], &body["data"]["orderId"]), (&json!("order.confirmed"), &order["orderId"]));
    assert_eq!((&body["data"]["to"], body.as_object().map(serde_json::Map::len)), (&json!("CONFIRMED"), Some(3)));
    assert!(id(&body, "timestamp").ends_with('Z'), "{body}");
    assert_eq!((&delivery["aggregateId"], id(delivery, "eventId")), (&order["orderId"], &*taken[0].id));
    assert_eq!((&delivery["attempts"], &delivery["lastStatus"]), (&json!(1), &json!(200)), "{delivery}");
    is_clean(&shop.stack).await;
    shop.close(webhooks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_or_not_answered_is_sent_again_under_the_same_id() {
    let shop = Shop::open().await;
    let webhooks = shop.serve(&[("COMPTOIR_WEBHOOK_SECONDS", "1")]);
    let endpoint = shop.endpoint(&["order.confirmed"]).await;
    shop.receiver.answer("order.confirmed", [Answer::Status(500), Answer::Silence, Answer::Status(204)]);
    shop.order().await;
    let deliveries = shop.settled(&endpoint, &[("order.confirmed", "DELIVERED")]).await;
    assert_eq!((&deliveries[0]["attempts"], &deliveries[0]["lastStatus"]), (&json!(3), &json!(204)), "{deliveries:?}");
    let taken = shop.receiver.taken();
    let ids: Vec<&str> = taken.iter().map(|taken| &*taken.id).collect();
    assert_eq!(ids, [id(&deliveries[0], "eventId"); 3]);
    assert!(taken.iter().all(|taken| is_signed(taken, id(&endpoint, "secret"))));
    let listed = shop.admin.get(&format!("/v1/webhooks/endpoints/{}", endpoint_id(&endpoint))).await.expect(200);
    assert_eq!(listed.get("failingTime"), None, "the last attempt has not failed: {listed}");
    shop.close(webhooks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_an_aggregate_wait_for_one_that_fails_and_those_of_others_do_not() {
    let shop = Shop::open().await;
    let webhooks = shop.serve(&[]);
    let endpoint = shop.endpoint(&["order.created", "order.confirmed", "shipment.created"]).await;
    shop.receiver.answer("order.created", repeat_n(Answer::Status(503), 1000));
    shop.order().await;
    let seen = async |wanted: [(&str, &str); 3]| {
        kit::eventually(kit::shop::TIMEOUT, || async {
            let deliveries = shop.deliveries(&endpoint).await?;
            let part = |delivery| (id(delivery, "eventType"), id(delivery, "state"));
            let found: BTreeSet<_> = deliveries.iter().map(part).collect();
            anyhow::ensure!(found == wanted.into(), "{deliveries:?}");
            Ok(())
        })
        .await;
    };
    seen([("order.created", "PENDING"), ("order.confirmed", "PENDING"), ("shipment.created", "DELIVERED")]).await;
    let before = shop.receiver.taken();
    assert!(before.iter().all(|taken| taken.event_type() != "order.confirmed"), "it waits: {before:?}");
    shop.receiver.recover();
    seen(["order.created", "order.confirmed", "shipment.created"].map(|event_type| (event_type, "DELIVERED"))).await;
    let taken = shop.receiver.taken();
    let mut types: Vec<String> = taken.iter().map(super::Taken::event_type).collect();
    types.retain(|event_type| event_type.starts_with("order."));
    types.dedup();
    assert_eq!(types, ["order.created", "order.confirmed"]);
    is_clean(&shop.stack).await;
    shop.close(webhooks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_gone_or_fails_for_a_day_is_disabled_until_it_is_enabled() {
    let shop = Shop::open().await;
    let webhooks = shop.serve(&[]);
    let endpoint = shop.endpoint(&["order.confirmed"]).await;
    shop.receiver.answer("order.confirmed", [Answer::Status(410)]);
    shop.order().await;
    shop.failing(&endpoint, &[("PENDING", "REFUSED")]).await;
    let path = format!("/v1/webhooks/endpoints/{}", endpoint_id(&endpoint));
    let gone = shop.admin.get(&path).await.expect(200);
    assert_eq!((id(&gone, "state"), id(&gone, "reason")), ("DISABLED", "GONE"));
    shop.order().await;
    shop.failing(&endpoint, &[("PENDING", "REFUSED"), ("PENDING", "")]).await;
    assert_eq!(shop.receiver.taken().len(), 1, "nothing goes to an endpoint that is disabled");
    let enabled = shop.call(&endpoint, "enable", json!({})).await;
    assert_eq!((id(&enabled, "state"), id(&enabled, "reason")), ("ENABLED", ""));
    shop.settled(&endpoint, &[("order.confirmed", "DELIVERED"); 2]).await;
    let yesterday = DateTime::from_millis(DateTime::now().timestamp_millis() - 25 * 3_600_000);
    shop.change("endpoints", doc! { "_id": endpoint_id(&endpoint) }, doc! { "failing_since": yesterday }).await;
    shop.receiver.answer("order.confirmed", [Answer::Status(500)]);
    shop.order().await;
    shop.failing(&endpoint, &[("DELIVERED", ""), ("DELIVERED", ""), ("PENDING", "REFUSED")]).await;
    let failing = shop.admin.get(&path).await.expect(200);
    assert_eq!((id(&failing, "state"), id(&failing, "reason")), ("DISABLED", "FAILING"));
    shop.close(webhooks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_was_tried_for_a_day_has_failed_and_is_sent_again_on_demand() {
    let shop = Shop::open().await;
    let webhooks = shop.serve(&[]);
    let endpoint = shop.endpoint(&["order.confirmed"]).await;
    shop.receiver.answer("order.confirmed", repeat_n(Answer::Status(500), 1000));
    shop.order().await;
    let pending = shop.failing(&endpoint, &[("PENDING", "REFUSED")]).await;
    let delivery_id = id(&pending[0], "deliveryId");
    shop.change("deliveries", doc! { "_id": delivery_id }, doc! { "open_until": DateTime::now() }).await;
    let failed = shop.failing(&endpoint, &[("FAILED", "REFUSED")]).await;
    assert_eq!(failed[0].get("nextAttemptTime"), None, "{failed:?}");
    shop.receiver.recover();
    let path = format!("/v1/webhooks/deliveries/{delivery_id}:redeliver");
    assert_eq!(shop.admin.post(&path, json!({})).await.expect(200)["state"], "PENDING");
    let delivered = shop.settled(&endpoint, &[("order.confirmed", "DELIVERED")]).await;
    let before = shop.receiver.taken().len();
    shop.admin.post(&path, json!({})).await.expect(200);
    let more = json!(delivered[0]["attempts"].as_i64().expect("a number") + 1);
    let part = |delivery: &serde_json::Value| delivery["attempts"] == more && delivery["state"] == "DELIVERED";
    kit::eventually(kit::shop::TIMEOUT, || async {
        let deliveries = shop.deliveries(&endpoint).await?;
        anyhow::ensure!(deliveries.iter().all(part), "{deliveries:?}");
        Ok(())
    })
    .await;
    let taken = shop.receiver.taken();
    assert_eq!((taken.len(), taken.iter().all(|one| one.id == taken[0].id)), (before + 1, true));
    assert_eq!(shop.admin.post("/v1/webhooks/deliveries/whd_absent:redeliver", json!({})).await.status, 404);
    shop.close(webhooks).await;
}
