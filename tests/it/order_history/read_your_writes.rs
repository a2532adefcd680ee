//! What the history tells of how far it is behind, and that it shows what its reader has done.

use super::rebuild::Bearer;
use anyhow::ensure;
use async_nats::{datetime, jetstream::stream::Stream as Messages};
use contracts::orderhistory::v1::{
    GetOrderHistoryRequest, ListOrderHistoriesRequest, order_history_service_client::OrderHistoryServiceClient,
};
use kit::shop::{TIMEOUT, draft, fields, id, product, reason};
use kit::{Client, Reply, Stack, StackOptions, eventually, reply, shared};
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;
use tonic::{metadata::MetadataMap, service::interceptor::InterceptedService, transport::Channel};

const LAG: &str = "x-projection-lag-ms";

/// The lag that a reply over HTTP tells.
fn lag(reply: &Reply) -> u64 {
    let value = reply.headers.get(LAG).unwrap_or_else(|| panic!("no lag in {reply:?}"));
    value.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value:?} is no number"))
}

async fn list(client: &Client, parameters: &str) -> Reply {
    client.get(&format!("/v1/order-history?{parameters}")).await
}

fn ids(page: &Value) -> Vec<&str> {
    page["orderHistories"].as_array().expect("a list").iter().map(|entry| id(entry, "orderId")).collect()
}

/// The metadata of the error of a reply.
fn told<'a>(reply: &'a Reply, key: &str) -> &'a str {
    let details = reply.body["details"].as_array().into_iter().flatten();
    details.filter_map(|detail| detail["metadata"][key].as_str()).next().unwrap_or_default()
}

#[tokio::test]
async fn who_has_just_placed_an_order_sees_it_with_its_version() {
    let stack = shared().await;
    let (product, (customer, _)) = (product(stack, 9).await, Client::register(stack).await);
    for _ in 0..5 {
        let order = customer.post("/v1/orders", draft(&[(&product, 1)], "tok_visa")).await.expect(201);
        let (order_id, version) = (id(&order, "orderId"), id(&order, "version"));
        let page = list(&customer, &format!("minVersion={version}")).await.expect(200);
        assert_eq!(ids(&page).first(), Some(&order_id), "{version}: {page}");
    }
    let order = customer.post("/v1/orders?wait=25s", draft(&[(&product, 1)], "tok_visa")).await.expect(201);
    assert_eq!(order["state"], "CONFIRMED", "{order}");
    let path = format!("/v1/order-history/{}?minVersion={}", id(&order, "orderId"), id(&order, "version"));
    assert_eq!(customer.get(&path).await.expect(200)["state"], "CONFIRMED");
    let staff = list(&Client::staff(stack).await, &format!("minVersion={}", id(&order, "version"))).await.expect(200);
    assert!(ids(&staff).contains(&id(&order, "orderId")));
}

#[tokio::test]
async fn a_version_that_is_none_or_of_another_order_is_named() {
    let customer = Client::customer(shared().await).await;
    for path in ["?minVersion=7", "?minVersion=ord_1:0", "/ord_2?minVersion=ord_1:1"] {
        let refused = customer.get(&format!("/v1/order-history{path}")).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec!["minVersion".to_owned()]), "{path}");
    }
}

#[tokio::test]
async fn the_version_of_somebody_elses_order_is_as_far_as_that_of_none() {
    let stack = shared().await;
    let (product, customer) = (product(stack, 1).await, Client::customer(stack).await);
    let order = customer.post("/v1/orders", draft(&[(&product, 1)], "tok_visa")).await.expect(201);
    let order_id = id(&order, "orderId");
    customer.get(&format!("/v1/order-history/{order_id}?minVersion={order_id}:1")).await.expect(200);
    let (stranger, _) = Client::register(stack).await;
    for order_id in [order_id, "ord_absent"] {
        for path in [format!("/{order_id}"), String::new()] {
            let request = stranger.request(Method::GET, &format!("/v1/order-history{path}?minVersion={order_id}:1"));
            let refused = reply(request.header("x-request-timeout", "1s")).await;
            assert_eq!((refused.status, reason(&refused).as_str()), (409, "PROJECTION_BEHIND"), "{refused:?}");
            assert_eq!(told(&refused, "version"), format!("{order_id}:0"));
        }
    }
}

/// The stream of orders, as an operator.
async fn orders(stack: &Stack) -> Messages {
    async_nats::jetstream::new(stack.nats().await).get_stream("EVT_ORDERS").await.expect("it is there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_paused_consumer_a_version_is_refused_with_how_far_the_history_is() {
    let stack = Stack::start(StackOptions::default()).await;
    let (product, customer) = (product(&stack, 9).await, Client::customer(&stack).await);
    eventually(TIMEOUT, || async {
        let lag = lag(&list(&customer, "").await);
        ensure!(lag == 0, "{lag} ms behind");
        Ok(())
    })
    .await;
    let stream = orders(&stack).await;
    let until = datetime::now() + Duration::from_secs(3600);
    assert!(stream.pause_consumer("order-history", until).await.expect("it is there").paused);
    let order = customer.post("/v1/orders", draft(&[(&product, 1)], "tok_visa")).await.expect(201);
    let (order_id, version) = (id(&order, "orderId"), id(&order, "version"));
    let first = eventually(TIMEOUT, || async {
        let reply = list(&customer, "").await;
        ensure!(lag(&reply) > 0, "nothing is behind: {reply:?}");
        Ok(reply)
    })
    .await;
    assert!(!ids(&first.body).contains(&order_id), "the consumer is paused");
    let began = std::time::Instant::now();
    let refused = list(&customer, &format!("minVersion={version}")).await;
    assert_eq!((refused.status, reason(&refused).as_str()), (409, "PROJECTION_BEHIND"), "{refused:?}");
    assert!(began.elapsed() >= Duration::from_millis(1800), "it waited {:?}", began.elapsed());
    let far = format!("{order_id}:0");
    assert_eq!((told(&refused, "min_version"), told(&refused, "version")), (version, far.as_str()));
    assert!(refused.headers.contains_key("retry-after"), "{refused:?}");
    let second = list(&customer, "").await;
    assert!(lag(&second) >= lag(&first) + 1500, "{} ms, then {} ms", lag(&first), lag(&second));
    stream.resume_consumer("order-history").await.expect("it is there");
    let page = eventually(TIMEOUT, || async {
        let reply = list(&customer, &format!("minVersion={version}")).await;
        ensure!(reply.status == 200, "{reply:?}");
        Ok(reply.body)
    })
    .await;
    assert!(ids(&page).contains(&order_id), "{page}");
    eventually(TIMEOUT, || async {
        let lag = lag(&list(&customer, "").await);
        ensure!(lag == 0, "{lag} ms behind");
        Ok(())
    })
    .await;
    stack.stop().await;
}

#[tokio::test]
async fn replies_tell_the_lag_over_grpc_and_connect_too() {
    let stack = shared().await;
    let (product, customer) = (product(stack, 1).await, Client::customer(stack).await);
    let order = customer.post("/v1/orders", draft(&[(&product, 1)], "tok_visa")).await.expect(201);
    let (order_id, min_version) = (id(&order, "orderId").to_owned(), id(&order, "version").to_owned());
    let has_lag = |metadata: &MetadataMap| {
        let value = metadata.get(LAG).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<u64>().ok());
        assert!(value.is_some(), "{metadata:?}");
    };
    for address in [stack.grpc("order-history"), stack.gateway()] {
        let mut history = history(&customer, address);
        let request = GetOrderHistoryRequest { order_id: order_id.clone(), min_version: min_version.clone() };
        has_lag(history.get_order_history(request).await.expect("the entry").metadata());
        let request = ListOrderHistoriesRequest::default();
        has_lag(history.list_order_histories(request).await.expect("a page").metadata());
    }
    let entry = customer.get(&format!("/v1/order-history/{order_id}")).await;
    assert_eq!((entry.status, lag(&entry) < 60_000), (200, true), "{entry:?}");
    let method = "/comptoir.orderhistory.v1.OrderHistoryService/ListOrderHistories";
    let connect = customer.post(method, serde_json::json!({})).await;
    assert_eq!((connect.status, lag(&connect) < 60_000), (200, true), "{connect:?}");
}

/// The history as this customer calls it.
fn history(customer: &Client, address: &str) -> OrderHistoryServiceClient<InterceptedService<Channel, Bearer>> {
    let token = format!("Bearer {}", customer.token().expect("signed in")).parse().expect("a token is ASCII");
    let endpoint = Channel::from_shared(address.to_owned()).expect("an address");
    OrderHistoryServiceClient::new(InterceptedService::new(endpoint.connect_lazy(), Bearer(token)))
}
