//! The rules of the contracts, which the gateway knows before it asks a service.

use super::{alone, before};
use kit::shop::{fields, reason};
use kit::{Client, shared};
use serde_json::{Value, json};

const CREATE_USER: &str = "/comptoir.users.v1.UserService/CreateUser";

fn user(email: &str) -> Value {
    json!({"email": email, "name": "Test Customer", "password": "a long password"})
}

#[tokio::test]
async fn what_breaks_a_rule_of_its_contract_is_refused_without_a_call_of_the_service() {
    let (gateway, _stop) = alone(|config| config).await;
    let client = Client::at(&gateway);
    let refused =
        client.post("/v1/users", json!({"email": "none", "name": "", "profile": {"bio": "x".repeat(2_001)}})).await;
    assert_eq!((refused.status, reason(&refused).as_str()), (400, "INVALID_FIELD"), "{refused:?}");
    assert_eq!(fields(&refused), ["email", "name", "password", "profile.bio"]);
    let page = client.get("/v1/products?pageSize=-1").await;
    assert_eq!((page.status, fields(&page)), (400, vec!["pageSize".to_owned()]));
    // What is right goes on to the service, which is not there.
    assert_eq!(client.post("/v1/users", user("customer@example.com")).await.status, 503);
    assert_eq!(client.get("/v1/products?pageSize=1").await.status, 503);
}

#[tokio::test]
async fn over_connect_a_violation_has_the_names_of_json_and_of_the_contract_in_protobuf() {
    let (gateway, _stop) = alone(|config| config).await;
    let client = Client::at(&gateway);
    let list = "/comptoir.products.v1.ProductService/ListProducts";
    let refused = client.post(list, json!({"pageSize": -1})).await;
    let field = |body: &Value| body["details"][1]["debug"]["fieldViolations"][0]["field"].clone();
    assert_eq!((refused.status, field(&refused.body)), (400, json!("pageSize")), "{refused:?}");
    let body = prost::Message::encode_to_vec(&contracts::products::v1::ListProductsRequest {
        page_size: -1,
        ..Default::default()
    });
    let request = client.request(reqwest::Method::POST, list).header("content-type", "application/proto").body(body);
    let refused = kit::reply(request).await;
    assert_eq!((refused.status, field(&refused.body)), (400, json!("page_size")), "{refused:?}");
    let right = client.post(CREATE_USER, user("customer@example.com")).await;
    assert_eq!(right.status, 503, "{right:?}");
}

#[tokio::test]
async fn the_gateway_and_the_service_refuse_alike() {
    use contracts::users::v1::{CreateUserRequest, user_service_client::UserServiceClient};
    let stack = shared().await;
    let (gateway, _stop) = before(stack, |config| config).await;
    let edge = Client::at(&gateway).post("/v1/users", json!({"email": "none", "name": "  ", "password": "x"})).await;
    let channel = rpc::Channel::new(stack.grpc("users"), None).expect("an address");
    let request = CreateUserRequest {
        email: "none".to_owned(),
        name: "  ".to_owned(),
        password: "x".to_owned(),
        ..Default::default()
    };
    let service = UserServiceClient::new(channel).create_user(request).await.expect_err("all of it is wrong");
    assert_eq!(edge.body["message"], service.message());
    assert_eq!(edge.status, 400);
}
