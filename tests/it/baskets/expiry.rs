//! A basket that nobody touches is gone, and each change puts that off.

use super::{Guest, TOKEN, basket, path};
use anyhow::{Context as _, ensure};
use bson::{DateTime, Document, doc};
use kit::shop::{id, product};
use kit::{Client, Stack, StackOptions, eventually, shared};
use serde_json::{Value, json};
use std::time::Duration;

/// Moves the end of a basket, as if so many seconds had passed.
async fn passed(stack: &Stack, basket: &Value, seconds: i64) {
    let baskets = stack.connect().await.database("baskets").collection::<Document>("baskets");
    let id = doc! { "_id": id(basket, "basketId") };
    let stored = baskets.find_one(id.clone()).await.expect("mongod answers").expect("it is there");
    let end = stored.get_datetime("expires_at").expect("it ends").timestamp_millis() - seconds * 1000;
    let moved = doc! { "$set": { "expires_at": DateTime::from_millis(end) } };
    baskets.update_one(id, moved).await.expect("root may");
}

const DAYS: i64 = 24 * 60 * 60;

/// Baskets looks for what has expired each 10 s.
const LOOKS: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_expired_basket_is_there_for_nobody_and_a_change_puts_the_end_off() {
    let stack = shared().await;
    let (customer, product) = (Client::register(stack).await.0, product(stack, 1).await);
    let own = basket(&customer, &[(&product, 1)]).await;
    let guest = Guest::with(&Client::anonymous(stack), &[]).await;
    passed(stack, &own, 29 * DAYS).await;
    let changed = customer.patch(&path(&own), json!({ "couponCode": "SUMMER" })).await.expect(200);
    passed(stack, &own, 29 * DAYS).await;
    let again = customer.patch(&path(&own), json!({ "couponCode": "SUMMER" })).await.expect(200);
    assert!(again["expireTime"].as_str() >= changed["expireTime"].as_str(), "what changes nothing puts it off too");
    assert_eq!(again["updateTime"], changed["updateTime"]);
    // Whatever has expired is hidden before it is removed.
    for basket in [&own, &guest.basket] {
        passed(stack, basket, 31 * DAYS).await;
    }
    assert_eq!(guest.get().await.status, 404);
    for reply in [
        customer.get(&path(&own)).await,
        customer.patch(&path(&own), json!({ "couponCode": "WINTER" })).await,
        customer.post(&format!("{}:checkout", path(&own)), super::checkout("tok_visa")).await,
    ] {
        assert_eq!(reply.status, 404, "{reply:?}");
    }
    assert_eq!(guest.merge(&customer, json!({})).await.status, 404);
    assert_eq!(customer.get("/v1/baskets").await.expect(200)["baskets"], json!([]));
    let staff = Client::staff(stack).await.request(reqwest::Method::GET, &guest.path()).header(TOKEN, &guest.token);
    assert_eq!(kit::reply(staff).await.status, 404);
}

#[tokio::test]
async fn a_basket_that_has_expired_is_removed_and_that_is_no_alarm() {
    let variables = [("COMPTOIR_LOG".to_owned(), "info,comptoir_events=debug".to_owned())].into();
    let stack = Stack::start(StackOptions { variables, ..StackOptions::default() }).await;
    let baskets = stack.mongodb().database("baskets").collection::<Document>("baskets");
    let customer = Client::register(&stack).await.0;
    let own = basket(&customer, &[]).await;
    passed(&stack, &own, 31 * DAYS).await;
    eventually(LOOKS, || async {
        let found = baskets.find_one(doc! { "_id": id(&own, "basketId") }).await?;
        ensure!(found.is_none(), "{found:?}");
        Ok(())
    })
    .await;
    eventually(LOOKS, || async {
        let log = std::fs::read_to_string(stack.data().join("comptoir.log"))?;
        let line = log.lines().find(|line| line.contains(&format!("delete of baskets {}", id(&own, "basketId"))));
        ensure!(line.context("the relay has not seen it")?.contains("whose events are in the log"), "{line:?}");
        Ok(())
    })
    .await;
}
