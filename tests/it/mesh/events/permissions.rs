//! Each service has a user of its own in both stores.

use async_nats::jetstream;
use bson::{Document, doc};
use kit::Client;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_service_can_open_no_database_and_no_subject_but_its_own() {
    let stack = kit::shared().await;
    let variables = stack.variables_of("products").expect("the variables of products");
    let own = mongodb::Client::with_uri_str(&variables["COMPTOIR_MONGODB_URI"]).await.expect("connects");
    own.database("products").collection::<Document>("products").find_one(doc! {}).await.expect("its own opens");
    let refused = own.database("orders").collection::<Document>("orders").find_one(doc! {}).await;
    assert!(refused.expect_err("orders must be closed").to_string().contains("not authorized"));
    let login = async_nats::ConnectOptions::with_user_and_password(
        "products".into(),
        variables["COMPTOIR_NATS_PASSWORD"].clone(),
    );
    let nats =
        login.custom_inbox_prefix("_INBOX_products").connect(&variables["COMPTOIR_NATS_URL"]).await.expect("connects");
    let request = async_nats::Request::new().payload("x".into()).timeout(Some(Duration::from_secs(2)));
    let refused = nats.send_request("evt.orders.order.created.ord_1", request).await;
    assert!(refused.is_err(), "products must not publish the events of orders");
    let state = jetstream::new(stack.nats().await).get_stream("EVT_ORDERS").await.expect("is there");
    assert!(state.get_last_raw_message_by_subject("evt.orders.order.created.ord_1").await.is_err());
    let customer = Client::customer(stack).await;
    customer.post("/v1/orders", json!({})).await.expect(400);
}
