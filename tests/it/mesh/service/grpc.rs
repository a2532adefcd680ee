//! Every service over gRPC: reflection, health per service, deadlines, and refusal of callers it does not know.

use kit::{Client, Stack, shared};
use std::{process::Command, time::Duration};
use tonic::{Code, Request};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

pub fn grpcurl(stack: &Stack, service: &str, arguments: &[&str]) -> (bool, String) {
    let binary = std::env::var_os("GRPCURL_BIN").unwrap_or_else(|| "../.tools/grpcurl".into());
    let address = stack.grpc(service).trim_start_matches("http://").to_owned();
    let (options, rest): (Vec<&str>, Vec<&str>) = arguments.iter().partition(|argument| argument.starts_with('-'));
    let output = Command::new(&binary).arg("-plaintext").args(options).arg(address).args(rest).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}: run `make tools`", binary.display()));
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[tokio::test]
async fn grpcurl_lists_and_describes_every_service_through_reflection() {
    let stack = shared().await;
    for (name, service) in &topology::Topology::get().service {
        let (listed, services) = grpcurl(stack, name, &["list"]);
        assert!(listed, "{name}: {services}");
        let own: Vec<&str> = services.lines().filter(|line| line.starts_with(&service.proto)).collect();
        assert!(!own.is_empty(), "{name} lists {services}");
        for service in own {
            let (described, text) = grpcurl(stack, name, &["describe", service]);
            assert!(described && text.contains("rpc "), "{service}: {text}");
        }
    }
}

#[tokio::test]
async fn grpcurl_calls_a_public_rpc_through_reflection() {
    let stack = shared().await;
    let (called, text) = grpcurl(stack, "products", &["comptoir.products.v1.ProductService/ListProducts"]);
    assert!(called && text.contains("productId"), "{text}");
}

#[tokio::test]
async fn health_answers_for_each_grpc_service_and_for_no_other() {
    let stack = shared().await;
    let rules = rpc::Rules::from_descriptors(contracts::DESCRIPTORS).expect("the contracts");
    for (name, service) in &topology::Topology::get().service {
        let channel = rpc::Channel::new(stack.grpc(name), None).expect("an address");
        let mut health = HealthClient::new(channel);
        let prefix = format!("/{}.", service.proto);
        let mut names: Vec<String> = vec![String::new()];
        names.extend(
            rules
                .iter()
                .filter(|(path, _)| path.starts_with(&prefix))
                .filter_map(|(path, _)| path.split('/').nth(1).map(str::to_owned)),
        );
        for service in names {
            let reply = health.check(HealthCheckRequest { service: service.clone() }).await.expect("answers");
            assert_eq!(reply.into_inner().status(), ServingStatus::Serving, "{name} {service}");
        }
        let unknown = health.check(HealthCheckRequest { service: "nobody".into() }).await;
        assert_eq!(unknown.expect_err("unknown").code(), Code::NotFound);
    }
}

#[tokio::test]
async fn a_service_without_its_token_or_with_another_services_token_is_refused() {
    use contracts::inventory::v1::{HoldStockRequest, inventory_service_client::InventoryServiceClient};
    let stack = shared().await;
    let request = HoldStockRequest { reservation_id: "ord_1".into(), ..Default::default() };
    let anonymous = rpc::Channel::new(stack.grpc("inventory"), None).expect("an address");
    let refused = InventoryServiceClient::new(anonymous).hold_stock(request.clone()).await;
    assert_eq!(refused.expect_err("no token").code(), Code::Unauthenticated);
    let key = std::fs::read_to_string(stack.data().join("keys").join("shipping.pem")).expect("the key file");
    let shipping = rpc::Signer::new("shipping", &key).expect("a key");
    let channel = rpc::Channel::new(stack.grpc("inventory"), Some(shipping)).expect("an address");
    let refused = InventoryServiceClient::new(channel).hold_stock(request).await;
    assert_eq!(refused.expect_err("not an edge of the topology").code(), Code::PermissionDenied);
}

#[tokio::test]
async fn an_expired_deadline_is_deadline_exceeded_and_the_order_goes_on() {
    use contracts::orders::v1::{CreateOrderRequest, OrderDraft, order_service_client::OrderServiceClient};
    let stack = shared().await;
    let product = kit::shop::product(stack, 5).await;
    let (customer, _) = Client::register(stack).await;
    let draft = OrderDraft { payment_token: "tok_action_required".into(), ..kit::shop::order_draft(&product) };
    let wait = Some(prost_types::Duration { seconds: 20, nanos: 0 });
    let create = CreateOrderRequest { order: Some(draft.clone()), request_id: "deadline".into(), wait };
    let token = customer.token().expect("signed in").to_owned();
    let orders = |timeout| {
        let token = token.clone();
        let channel = rpc::Channel::new(stack.grpc("orders"), None).expect("an address").with_deadline(timeout);
        OrderServiceClient::with_interceptor(channel, move |mut request: Request<()>| {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("ascii"));
            Ok(request)
        })
    };
    let expired = orders(Duration::from_secs(2)).create_order(create.clone()).await;
    assert_eq!(expired.expect_err("the payer does not act in 2 s").code(), Code::DeadlineExceeded);
    let again = orders(Duration::from_secs(30)).create_order(CreateOrderRequest { wait: None, ..create }).await;
    let again = again.expect("the order was accepted").into_inner();
    let listed = customer.get("/v1/orders").await.expect(200);
    assert_eq!(listed["orders"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["orders"][0]["orderId"], again.order_id.as_str());
}

#[tokio::test]
async fn an_absent_peer_is_unavailable() {
    use contracts::orders::v1::{GetOrderRequest, order_service_client::OrderServiceClient};
    let nobody = rpc::Channel::new("http://127.0.0.1:9", None).expect("an address");
    let refused = OrderServiceClient::new(nobody).get_order(GetOrderRequest::default()).await;
    assert_eq!(refused.expect_err("nobody listens").code(), Code::Unavailable);
}

#[tokio::test]
async fn a_message_of_more_than_4_mib_is_refused() {
    use contracts::users::v1::{CreateUserRequest, user_service_client::UserServiceClient};
    let stack = shared().await;
    let channel = rpc::Channel::new(stack.grpc("users"), None).expect("an address");
    let name = "x".repeat(5 * 1024 * 1024);
    let refused = UserServiceClient::new(channel).create_user(CreateUserRequest { name, ..Default::default() }).await;
    assert_eq!(refused.expect_err("too large").code(), Code::OutOfRange);
}
