//! Two tabs at one basket, repeats of a request, and fields that only the service sets.

use super::{Guest, basket, contents, items, path};
use futures::future::join_all;
use kit::shop::{id, product, reason};
use kit::{Client, reply, shared};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn of_two_tabs_that_change_what_they_have_seen_one_is_412() {
    let stack = shared().await;
    let (tea, lamp) = (product(stack, 1).await, product(stack, 1).await);
    let guest = Guest::with(&Client::anonymous(stack), &[]).await;
    let client = Client::anonymous(stack);
    let change = |product: &str| {
        let request = client.request(Method::PATCH, &guest.path()).header(super::TOKEN, &guest.token);
        let request = request.header("if-match", format!("\"{}\"", id(&guest.basket, "etag")));
        reply(request.json(&json!({ "items": items(&[(product, 1)]) })))
    };
    let (one, other) = tokio::join!(change(&tea), change(&lamp));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412], "{one:?} {other:?}");
    let won = if one.status == 200 { &tea } else { &lamp };
    assert_eq!(contents(&guest.get().await.expect(200)), [(won.clone(), 1)]);
    let stale = client.request(Method::DELETE, &guest.path()).header(super::TOKEN, &guest.token);
    assert_eq!(reply(stale.header("if-match", "\"1\"")).await.status, 412);
    let unseen = client.request(Method::PATCH, &guest.path()).header(super::TOKEN, &guest.token);
    let unseen = reply(unseen.header("if-none-match", "*").json(&json!({ "couponCode": "SUMMER" }))).await;
    assert_eq!(unseen.status, 412, "the gateway reads it with the token: {unseen:?}");
}

#[tokio::test]
async fn additions_at_once_all_count_and_a_repeat_under_its_key_does_not() {
    let stack = shared().await;
    let product = product(stack, 1).await;
    let customer = Client::register(stack).await.0;
    let own = basket(&customer, &[]).await;
    let (add, body) = (format!("{}:addItem", path(&own)), json!({ "item": { "productId": product, "quantity": 1 } }));
    for added in join_all((0..8).map(|_| customer.post(&add, body.clone()))).await {
        added.expect(200);
    }
    for _ in 0..3 {
        customer.post_with_key(&add, body.clone(), "once").await.expect(200);
    }
    assert_eq!(contents(&customer.get(&path(&own)).await.expect(200)), [(product.clone(), 9)]);
    let other = json!({ "item": { "productId": product, "quantity": 2 } });
    let reused = customer.post_with_key(&add, other, "once").await;
    assert_eq!((reused.status, reason(&reused).as_str()), (409, "IDEMPOTENCY_KEY_REUSED"));
    let made = customer.post_with_key("/v1/baskets", json!({}), "mine").await.expect(201);
    assert_eq!(customer.post_with_key("/v1/baskets", json!({}), "mine").await.expect(201), made);
    let nobody = Client::anonymous(stack);
    let made_by = |key| nobody.post_with_key("/v1/baskets", json!({}), key);
    let guests = [made_by("mine").await.expect(201), made_by("mine").await.expect(201)];
    assert_ne!(guests[0]["basketId"], guests[1]["basketId"], "a key is no way into the basket of another guest");
}

#[tokio::test]
async fn what_the_service_sets_is_set_by_no_request() {
    let stack = shared().await;
    let (customer, user) = Client::register(stack).await;
    let victim = Client::register(stack).await.1;
    let forged = json!({
        "basketId": "bsk_mine", "userId": victim["userId"], "state": "CHECKED_OUT", "orderId": "ord_1",
        "mergedInto": "bsk_1", "basketToken": "mine", "createTime": "2001-02-03T04:05:06Z",
        "updateTime": "2001-02-03T04:05:06Z", "expireTime": "2099-02-03T04:05:06Z", "countryCode": "FR",
    });
    let made = customer.post("/v1/baskets", forged.clone()).await.expect(201);
    let mut change = forged.clone();
    change["basketId"] = made["basketId"].clone();
    change["countryCode"] = json!("DE");
    let changed = customer.patch(&path(&made), change).await.expect(200);
    for (basket, country) in [(&made, "FR"), (&changed, "DE")] {
        assert_eq!((&basket["userId"], &basket["state"]), (&user["userId"], &json!("OPEN")), "{basket}");
        assert_eq!(basket["countryCode"], country);
        for field in ["basketId", "orderId", "mergedInto", "basketToken", "createTime", "updateTime", "expireTime"] {
            assert_ne!(basket[field], forged[field], "{field}");
        }
    }
}
