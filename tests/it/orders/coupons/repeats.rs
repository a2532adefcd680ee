//! Repeats of a request whose own order has used the coupon up.

use super::{coupon, uses, with_coupon};
use contracts::orders::v1::{
    CreateOrderRequest, ListOrdersRequest, OrderDraft, order_service_client::OrderServiceClient,
};
use futures::future::join_all;
use kit::{
    Client, eventually, shared,
    shop::{TIMEOUT, id, order_draft, product},
};
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};
use tonic::Request;

#[tokio::test]
async fn the_same_key_at_once_with_a_one_use_coupon_gives_the_same_order_to_all() {
    let stack = shared().await;
    let (customer, product) = (Client::register(stack).await.0, product(stack, 100).await);
    for round in 0..5 {
        let code = coupon(stack, json!({ "percentage": "10", "maxRedemptions": 1 })).await;
        let body = with_coupon(&product, &code, "tok_visa");
        let again = (0..20).map(|_| customer.post_with_key("/v1/orders?wait=25s", body.clone(), &code));
        let replies = join_all(again).await;
        let ids: BTreeSet<String> =
            replies.iter().map(|reply| format!("{} {}", reply.status, reply.body["orderId"])).collect();
        assert!(ids.len() == 1 && replies[0].status == 201, "round {round}: {ids:?}");
        assert_eq!(uses(stack, &code).await, (1, 1));
    }
}

/// The repeat sleeps between its look for an order of the key and its look at the coupon; meanwhile another replica takes
/// the first request.
#[tokio::test]
async fn a_repeat_that_finds_the_coupon_used_up_by_its_own_order_gets_that_order() {
    let stack = shared().await;
    let (customer, product) = (Client::register(stack).await.0, product(stack, 100).await);
    let code = coupon(stack, json!({ "percentage": "10", "maxRedemptions": 1 })).await;
    let address = kit::free_address();
    let more = [("COMPTOIR_LISTEN", address.as_str()), ("COMPTOIR_CRASH_AT", "orders.pricing:1:stop")];
    let replica = stack.serve_with("orders", &more);
    let token = customer.token().expect("signed in").to_owned();
    let channel = rpc::Channel::new(&format!("http://{address}"), None).expect("an address");
    let bearer = format!("Bearer {token}");
    let mut orders = OrderServiceClient::with_interceptor(
        channel.with_deadline(Duration::from_secs(60)),
        move |mut request: Request<()>| {
            request.metadata_mut().insert("authorization", bearer.parse().expect("ASCII"));
            Ok(request)
        },
    );
    eventually(TIMEOUT, || async { Ok(orders.clone().list_orders(ListOrdersRequest::default()).await?) }).await;
    let draft = OrderDraft { coupon_code: code.clone(), ..order_draft(&product) };
    let request = CreateOrderRequest { order: Some(draft), request_id: code.clone(), wait: None };
    let repeat = tokio::spawn(async move { orders.create_order(request).await });
    replica.paused(TIMEOUT).await.expect("it has found no order of this key");
    let body = with_coupon(&product, &code, "tok_visa");
    let first = customer.post_with_key("/v1/orders?wait=25s", body, &code).await.expect(201);
    assert_eq!((&first["state"], uses(stack, &code).await), (&json!("CONFIRMED"), (1, 1)));
    replica.resume();
    let repeated = repeat.await.expect("no panic").expect("it is the same request").into_inner();
    assert_eq!(repeated.order_id, id(&first, "orderId"));
    replica.stop(TIMEOUT).await.expect("it drains");
}
