//! A read model that is built anew: beside the one in use, without downtime, equal to the fold of the logs.

mod dead_letters;
mod load;
mod rows;

use anyhow::ensure;
use bson::{Document, doc};
use contracts::{
    events::v1::{
        RebuildProgress, RebuildProjectionRequest, event_service_client::EventServiceClient, rebuild_progress::Phase,
    },
    orderhistory::v1::{GetOrderHistoryRequest, order_history_service_client::OrderHistoryServiceClient},
};
use futures::TryStreamExt;
use kit::shop::{TIMEOUT, id, place, product};
use kit::{Client, Process, Stack, StackOptions, eventually};
use rows::{count, rows_are_the_fold_of_the_logs, suffix};
use serde_json::Value;
use std::time::Duration;
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

/// Adds a token to each call.
#[derive(Clone)]
pub struct Bearer(pub MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// The event service of a service, as staff.
pub async fn event_service(stack: &Stack, service: &str) -> EventServiceClient<InterceptedService<Channel, Bearer>> {
    EventServiceClient::new(staff_channel(stack, stack.grpc(service)).await)
}

async fn staff_channel(stack: &Stack, address: &str) -> InterceptedService<Channel, Bearer> {
    let staff = Client::staff(stack).await;
    let header = format!("Bearer {}", staff.token().expect("staff has a token")).parse().expect("a token is ASCII");
    let endpoint = Channel::from_shared(address.to_owned()).expect("an address");
    InterceptedService::new(endpoint.connect_lazy(), Bearer(header))
}

/// Rebuilds the history; the last report.
async fn rebuild(stack: &Stack) -> Result<RebuildProgress, Status> {
    let mut service = event_service(stack, "order-history").await;
    let mut reports = service.rebuild_projection(RebuildProjectionRequest {}).await?.into_inner();
    let mut last = RebuildProgress::default();
    while let Some(report) = reports.message().await? {
        assert!(report.applied >= last.applied, "{last:?}, then {report:?}");
        last = report;
    }
    assert_eq!(last.phase(), Phase::Done, "{last:?}");
    Ok(last)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_repairs_a_row_that_was_changed_by_hand() {
    let mut stack = Stack::start(StackOptions::default()).await;
    let product = product(&stack, 10).await;
    let customer = Client::customer(&stack).await;
    let order = place(&customer, &[(&product, 2)], "tok_visa").await;
    rows_are_the_fold_of_the_logs(&stack).await;
    let path = format!("/v1/order-history/{}", id(&order, "orderId"));
    let rows = stack.db("order-history").collection::<Document>("order_history");
    let lie = doc! { "$set": { "order.reason": "CHANGED_BY_HAND" } };
    rows.update_one(doc! { "_id": id(&order, "orderId") }, lie).await.expect("updates");
    assert_eq!(customer.get(&path).await.expect(200)["reason"], "CHANGED_BY_HAND");
    let done = rebuild(&stack).await.expect("rebuilds");
    assert_ne!(done.old_hash, done.new_hash, "{done:?}");
    assert_eq!(customer.get(&path).await.expect(200)["reason"], "");
    rows_are_the_fold_of_the_logs(&stack).await;
    let again = rebuild(&stack).await.expect("rebuilds");
    assert_eq!((&again.old_hash, &again.new_hash), (&done.new_hash, &done.new_hash));
    // The consumers of the slot in use go on after a restart.
    rebuild(&stack).await.expect("rebuilds");
    stack.stop().await;
    stack.restart().await;
    let customer = Client::customer(&stack).await;
    place(&customer, &[(&product, 1)], "tok_visa").await;
    rows_are_the_fold_of_the_logs(&stack).await;
    assert_eq!(suffix(&stack).await, "_b");
    stack.stop().await;
}

#[tokio::test]
async fn a_second_rebuild_at_once_is_refused_and_an_abandoned_one_changes_nothing() {
    let stack = Stack::start(StackOptions::default()).await;
    let mut service = event_service(&stack, "order-history").await;
    let first = service.rebuild_projection(RebuildProjectionRequest {}).await.expect("begins").into_inner();
    let refused = rebuild(&stack).await.expect_err("the first one is running");
    assert_eq!((refused.code(), rpc::status::reason(&refused).as_str()), (Code::FailedPrecondition, "REBUILD_RUNNING"));
    drop(first);
    let done = eventually(TIMEOUT, || async { Ok(rebuild(&stack).await?) }).await;
    assert_eq!(done.old_hash, done.new_hash);
    assert_eq!(suffix(&stack).await, "_b", "the one that was left did not switch");
    let mut orders = event_service(&stack, "orders").await;
    let refused = orders.rebuild_projection(RebuildProjectionRequest {}).await.expect_err("has no read model");
    assert_eq!(refused.code(), Code::Unimplemented);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_before_the_switch_keeps_the_old_model_and_one_after_it_the_new_model() {
    let stack = stack_without_history().await;
    let product = product(&stack, 10).await;
    let customer = Client::customer(&stack).await;
    place(&customer, &[(&product, 1)], "tok_visa").await;
    for (label, expected) in [("rebuild.switching", ""), ("rebuild.switched", "_b")] {
        let crashing = stack.serve_with("order-history", &[("COMPTOIR_CRASH_AT", label)]);
        rows_are_the_fold_of_the_logs(&stack).await;
        let crashed = eventually(TIMEOUT, || async {
            let failed = rebuild(&stack).await.expect_err("the process dies in it");
            let reason = rpc::status::reason(&failed);
            // It is not up yet, or the lease of the one that died has not run out.
            ensure!(crashing.ended(Duration::ZERO).await.is_ok(), "{reason}: {failed}");
            Ok(failed)
        })
        .await;
        assert_eq!(suffix(&stack).await, expected, "{label}: {crashed}");
        let idle = if expected.is_empty() { "order_history_b" } else { "order_history" };
        assert!(count(&stack, idle).await > 0, "{label} left something to clean up");
        let calm = stack.serve("order-history");
        rows_are_the_fold_of_the_logs(&stack).await;
        eventually(TIMEOUT, || async {
            let left = count(&stack, idle).await;
            ensure!(left == 0, "{left} rows in {idle}");
            Ok(())
        })
        .await;
        calm.stop(TIMEOUT).await.expect("order-history drains");
    }
    let calm = stack.serve("order-history");
    let done = eventually(TIMEOUT, || async { Ok(rebuild(&stack).await?) }).await;
    assert_eq!(done.old_hash, done.new_hash);
    assert_eq!(suffix(&stack).await, "");
    calm.stop(TIMEOUT).await.expect("order-history drains");
}

/// A stack in which order-history does not run; the gateway does.
async fn stack_without_history() -> Stack {
    let services = topology::Topology::get().service.keys().filter(|name| *name != "order-history").cloned();
    let services = services.chain(["gateway".to_owned()]).collect();
    Stack::start(StackOptions { services: Some(services), ..Default::default() }).await
}

/// A second replica, at an address of its own.
fn replica(stack: &Stack) -> (Process, String) {
    let address = kit::free_address();
    let process = stack.serve_with("order-history", &[("COMPTOIR_LISTEN", &address)]);
    (process, format!("http://{address}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_replica_follows_a_switch_and_nobody_fills_the_old_slot() {
    let stack = stack_without_history().await;
    let first = stack.serve("order-history");
    let (second, address) = replica(&stack);
    let product = product(&stack, 10).await;
    let customer = Client::customer(&stack).await;
    let order = place(&customer, &[(&product, 1)], "tok_visa").await;
    rows_are_the_fold_of_the_logs(&stack).await;
    let rows = stack.db("order-history").collection::<Document>("order_history");
    let lie = doc! { "$set": { "order.reason": "CHANGED_BY_HAND" } };
    rows.update_one(doc! { "_id": id(&order, "orderId") }, lie).await.expect("updates");
    let second_history = OrderHistoryServiceClient::new(staff_channel(&stack, &address).await);
    let reason = |order: &Value| {
        let (mut service, order_id) = (second_history.clone(), id(order, "orderId").to_owned());
        async move {
            let entry = service.get_order_history(GetOrderHistoryRequest { order_id, ..Default::default() }).await?;
            anyhow::Ok(entry.into_inner().reason)
        }
    };
    assert_eq!(eventually(TIMEOUT, || reason(&order)).await, "CHANGED_BY_HAND");
    let done = eventually(TIMEOUT, || async { Ok(rebuild(&stack).await?) }).await;
    assert_ne!(done.old_hash, done.new_hash);
    assert_eq!(reason(&order).await.expect("is there"), "", "the replica reads the new model");
    first.kill().await; // the second one fills the new slot alone
    let order = place(&customer, &[(&product, 1)], "tok_visa").await;
    rows_are_the_fold_of_the_logs(&stack).await;
    assert_eq!(reason(&order).await.expect("is there"), "");
    assert_eq!(count(&stack, "order_history").await, 0, "nobody fills the old slot");
    let nats = async_nats::jetstream::new(stack.nats().await);
    for source in &topology::Topology::get().service["order-history"].consumes {
        let stream = nats.get_stream(topology::stream(source)).await.expect("is there");
        let names: Vec<String> = stream.consumer_names().try_collect().await.expect("answers");
        let ours: Vec<&String> = names.iter().filter(|name| name.starts_with("order-history")).collect();
        assert_eq!(ours, ["order-history-b"], "{source}");
    }
    second.stop(TIMEOUT).await.expect("order-history drains");
}
