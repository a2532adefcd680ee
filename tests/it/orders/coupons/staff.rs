//! What staff do with coupons.

use super::{coupon, look, new_code};
use crate::payments::event_names;
use kit::shop::{fields, reason};
use kit::{Client, shared};
use serde_json::{Value, json};

#[tokio::test]
async fn staff_make_read_list_and_disable_coupons_and_nobody_else_does() {
    let stack = shared().await;
    let (staff, customer) = (Client::staff(stack).await, Client::customer(stack).await);
    let body = json!({
        "code": new_code(), "percentage": "12.50", "maxRedemptions": 5, "maxRedemptionsPerUser": 1,
        "minimumSubtotal": { "currencyCode": "EUR", "units": "20" },
        "startTime": "2025-01-01T00:00:00Z", "expireTime": "2999-01-01T00:00:00Z",
    });
    let (code, key) = (body["code"].as_str().expect("text").to_owned(), format!("{:016x}", rand::random::<u64>()));
    let made = staff.post_with_key("/v1/coupons", body.clone(), &key).await.expect(201);
    assert_eq!((&made["percentage"], &made["redemptionCount"]), (&json!("12.5"), &json!("0")), "{made}");
    assert_eq!((&made["state"], &made["minimumSubtotal"]["units"]), (&json!("ACTIVE"), &json!("20")), "{made}");
    assert_eq!(staff.post_with_key("/v1/coupons", body.clone(), &key).await.expect(201), made, "the same request");
    let again = staff.post("/v1/coupons", body.clone()).await;
    assert_eq!((again.status, reason(&again).as_str()), (409, "COUPON_EXISTS"), "{again:?}");
    assert_eq!(look(stack, &code).await, made);
    let path = format!("/v1/coupons/{code}:disable");
    let stale = staff.post(&path, json!({ "etag": "77" })).await;
    assert_eq!(reason(&stale), "STALE_ETAG", "{stale:?}");
    let ended = staff.post(&path, json!({ "etag": made["etag"] })).await.expect(200);
    assert_eq!(ended["state"], "DISABLED");
    assert_eq!(staff.post(&path, json!({ "etag": made["etag"] })).await.expect(200), ended, "a repeat has no effect");
    assert_eq!(event_names(&stack.db("orders"), &code, 2).await, ["created", "disabled"]);
    for refused in [
        customer.post("/v1/coupons", body).await,
        customer.get("/v1/coupons").await,
        customer.get(&format!("/v1/coupons/{code}")).await,
        customer.post(&path, json!({})).await,
    ] {
        assert_eq!(refused.status, 403, "{refused:?}");
    }
    assert_eq!(staff.get("/v1/coupons/NONE").await.status, 404);
    assert_eq!(staff.post("/v1/coupons/NONE:disable", json!({})).await.status, 404);
}

#[tokio::test]
async fn a_list_of_coupons_goes_through_all_of_them_page_by_page() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(coupon(stack, json!({ "percentage": "1" })).await);
    }
    let (mut token, mut seen) = (String::new(), Vec::new());
    loop {
        let page = staff.get(&format!("/v1/coupons?pageSize=3&pageToken={token}")).await.expect(200);
        let coupons = page["coupons"].as_array().expect("a list");
        assert!(coupons.len() <= 3);
        seen.extend(coupons.iter().map(|coupon| coupon["code"].as_str().expect("text").to_owned()));
        match page["nextPageToken"].as_str() {
            Some(next) if !next.is_empty() => next.clone_into(&mut token),
            _ => break,
        }
    }
    assert!(made.iter().all(|code| seen.contains(code)), "{seen:?}");
    assert!(seen.is_sorted(), "{seen:?}");
    assert_eq!(staff.get("/v1/coupons?pageToken=Zm9yZ2Vk").await.status, 400);
}

#[tokio::test]
async fn a_coupon_that_cannot_be_is_refused_with_the_field_at_fault() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let euros = |units: &str| json!({ "currencyCode": "EUR", "units": units });
    for (more, field) in [
        (json!({}), "amount"),
        (json!({ "percentage": "10", "amount": euros("1") }), "amount"),
        (json!({ "amount": euros("0") }), "amount"),
        (json!({ "amount": euros("-1") }), "amount"),
        (json!({ "amount": { "currencyCode": "EUR", "nanos": 1 } }), "amount"),
        (json!({ "percentage": "0" }), "percentage"),
        (json!({ "percentage": "100.01" }), "percentage"),
        (json!({ "percentage": "1.005" }), "percentage"),
        (json!({ "percentage": "-1" }), "percentage"),
        (json!({ "percentage": "1", "maxRedemptions": -1 }), "maxRedemptions"),
        (json!({ "percentage": "1", "maxRedemptionsPerUser": -1 }), "maxRedemptionsPerUser"),
        (json!({ "percentage": "1", "minimumSubtotal": euros("0") }), "minimumSubtotal"),
        (
            json!({ "amount": euros("1"), "minimumSubtotal": { "currencyCode": "USD", "units": "9" } }),
            "minimumSubtotal",
        ),
        (
            json!({ "percentage": "1", "startTime": "2030-01-01T00:00:00Z", "expireTime": "2030-01-01T00:00:00Z" }),
            "expireTime",
        ),
        (json!({ "percentage": "1", "code": "lo_wer" }), "code"),
        (json!({ "percentage": "1", "code": "AB" }), "code"),
    ] {
        let mut body = json!({ "code": new_code() });
        let (Value::Object(body_fields), Value::Object(more)) = (&mut body, more) else { unreachable!() };
        body_fields.extend(more);
        let refused = staff.post("/v1/coupons", body.clone()).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec![field.to_owned()]), "{body}: {refused:?}");
    }
}
