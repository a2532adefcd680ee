//! What a caller brings to prove who they are: read in one way at the gateway and over gRPC, and looked at only where it matters.

use contracts::{
    products::v1::{ListProductsRequest, product_service_client::ProductServiceClient},
    users::v1::{
        CreateUserRequest, GetUserRequest, IssueTokenRequest, token_service_client::TokenServiceClient,
        user_service_client::UserServiceClient,
    },
};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use kit::{Client, DEMO_PASSWORD, Stack, reply, shared};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tonic::{Code, Request, Status};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

fn headers(values: &[&str]) -> HeaderMap {
    values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_str(value).expect("a header"))).collect()
}

fn request<T>(message: T, values: &[&str]) -> Request<T> {
    let mut request = Request::new(message);
    for value in values {
        request.metadata_mut().append("authorization", value.parse().expect("metadata"));
    }
    request
}

fn channel(stack: &Stack, service: &str) -> rpc::Channel {
    rpc::Channel::new(stack.grpc(service), None).expect("an address").with_deadline(kit::shop::TIMEOUT)
}

/// What `GetUser` answers to these `authorization` headers: the gateway, and the service itself.
async fn read(stack: &Stack, user_id: &str, values: &[&str]) -> (u16, Code) {
    let anonymous = Client::anonymous(stack);
    let over_http = anonymous.request(Method::GET, &format!("/v1/users/{user_id}")).headers(headers(values));
    let mut users = UserServiceClient::new(channel(stack, "users"));
    let over_grpc = users.get_user(request(GetUserRequest { user_id: user_id.into() }, values));
    (reply(over_http).await.status, over_grpc.await.map_or_else(|status| status.code(), |_| Code::Ok))
}

/// Tokens that nobody takes: expired, foreign, of no form, none, and two at once.
fn useless(stack: &Stack) -> Vec<Vec<String>> {
    let key = std::fs::read_to_string(stack.data().join("keys").join("user-tokens.pem")).expect("the key file");
    let signer = rpc::Signer::new(rpc::token::USER_TOKENS, &key).expect("a key");
    let expired = signer.user_token("usr_1", &["staff".to_owned()], Duration::ZERO).expect("signs");
    let foreign = rpc::Signer::new("somebody", &key).expect("a key").user_token("usr_1", &[], Duration::from_secs(60));
    let one = |value: String| vec![value];
    vec![
        one(format!("Bearer {expired}")),
        one(format!("bearer {}", foreign.expect("signs"))),
        one("Bearer not a token".to_owned()),
        one("Bearer".to_owned()),
        one("Basic dXNlcjpwYXNz".to_owned()),
        vec![format!("Bearer {expired}"), format!("Bearer {expired}")],
    ]
}

#[test]
fn the_scheme_is_read_in_any_case_and_the_blanks_around_a_token_do_not_count() {
    for value in
        ["Bearer a.b-c_d~e+f/g==", "bearer a.b-c_d~e+f/g==", "BEARER \t a.b-c_d~e+f/g==", " Bearer a.b-c_d~e+f/g== "]
    {
        assert_eq!(rpc::bearer::token(&headers(&[value])).expect("a token"), Some("a.b-c_d~e+f/g=="), "{value:?}");
    }
    for value in ["Basic dXNlcjpwYXNz", "Digest username=x", "Bearerx y", "token", ""] {
        assert_eq!(rpc::bearer::token(&headers(&[value])).expect("another scheme is no token"), None, "{value:?}");
    }
    assert_eq!(rpc::bearer::token(&headers(&[])).expect("no header"), None);
    for values in [
        &["Bearer"][..],
        &["Bearer  "],
        &["Bearer a b"],
        &["Bearer a, Bearer b"],
        &["Bearer =a"],
        &["Bearer ="],
        &["Bearer a", "Basic b"],
    ] {
        let refused = rpc::bearer::token(&headers(values)).expect_err("no token");
        assert_eq!(refused.code(), Code::Unauthenticated, "{values:?}");
    }
}

#[tokio::test]
async fn the_gateway_and_grpc_read_the_same_header_alike() {
    let stack = shared().await;
    let (me, user) = Client::register(stack).await;
    let (token, user_id) = (me.token().expect("signed in"), user["userId"].as_str().expect("an id"));
    for scheme in ["Bearer ", "bearer ", "BEARER ", "bEaReR   ", "Bearer \t"] {
        let value = format!("{scheme}{token}");
        assert_eq!(read(stack, user_id, &[&value]).await, (200, Code::Ok), "{scheme:?}");
    }
    let bearer = format!("Bearer {token}");
    for values in [&["Bearer"][..], &["Basic dXNlcjpwYXNz"], &[&bearer, &bearer], &[token], &["Bearer a b"]] {
        assert_eq!(read(stack, user_id, values).await, (401, Code::Unauthenticated), "{values:?}");
    }
}

#[tokio::test]
async fn a_useless_credential_is_refused_where_one_is_needed_and_ignored_where_none_is() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    for values in useless(stack) {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        assert_eq!(read(stack, "usr_1", &values).await, (401, Code::Unauthenticated), "{values:?}");
        let listed = reply(anonymous.request(Method::GET, "/v1/products").headers(headers(&values))).await;
        assert_eq!(listed.status, 200, "{values:?}: {listed:?}");
        let mut products = ProductServiceClient::new(channel(stack, "products"));
        products.list_products(request(ListProductsRequest::default(), &values)).await.expect("it is public");
        for service in ["users", "orders"] {
            let mut health = HealthClient::new(channel(stack, service));
            health.check(request(HealthCheckRequest::default(), &values)).await.expect("health is for everybody");
        }
    }
    let (listed, text) =
        crate::mesh::service::grpc::grpcurl(stack, "orders", &["-H=authorization: Basic dXNlcjpwYXNz", "list"]);
    assert!(listed && text.contains("OrderService"), "{text}");
}

#[tokio::test]
async fn an_app_that_sends_its_old_token_everywhere_registers_signs_in_and_refreshes() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    // Not with Basic, which is the authentication of a client at the endpoints of OAuth.
    for values in useless(stack).into_iter().filter(|values| !values[0].starts_with("Basic")) {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let post = async |path: &str, body: Value| {
            reply(anonymous.request(Method::POST, path).headers(headers(&values)).json(&body)).await
        };
        let email = format!("stale-{:016x}@example.com", rand::random::<u64>());
        let account = json!({ "email": email, "name": "Test", "password": DEMO_PASSWORD });
        post("/v1/users", account).await.expect(201);
        let sign_in = json!({ "grant_type": "password", "username": email, "password": DEMO_PASSWORD });
        let token = post("/oauth2/token", sign_in).await.expect(200);
        let refresh = json!({ "grant_type": "refresh_token", "refresh_token": token["refresh_token"] });
        post("/oauth2/token", refresh).await.expect(200);
        let (username, password) = (email, DEMO_PASSWORD.to_owned());
        let grant = IssueTokenRequest { grant_type: "password".into(), username, password, ..Default::default() };
        let mut tokens = TokenServiceClient::new(channel(stack, "users"));
        tokens.issue_token(request(grant, &values)).await.expect("signs in over gRPC too");
    }
}

#[tokio::test]
async fn who_grants_roles_with_a_token_that_has_ended_is_told_so() {
    let stack = shared().await;
    let email = || format!("role-{:016x}@example.com", rand::random::<u64>());
    let expired = useless(stack).swap_remove(0).swap_remove(0);
    let body = json!({ "email": email(), "name": "Test", "password": DEMO_PASSWORD, "roles": ["staff"] });
    let request_to = Client::anonymous(stack).request(Method::POST, "/v1/users").json(&body);
    assert_eq!(reply(request_to.headers(headers(&[&expired]))).await.status, 401);
    let granted = |values: &'static [&'static str], token: Option<String>| async move {
        let (name, password, roles) = ("Test".into(), DEMO_PASSWORD.into(), vec!["staff".to_owned()]);
        let message = CreateUserRequest { email: email(), name, password, roles, ..Default::default() };
        let mut call = request(message, values);
        if let Some(token) = token {
            call.metadata_mut().insert("authorization", token.parse().expect("metadata"));
        }
        let made: Result<_, Status> = UserServiceClient::new(channel(stack, "users")).create_user(call).await;
        made.map_or_else(|status| status.code(), |_| Code::Ok)
    };
    assert_eq!(granted(&[], Some(expired)).await, Code::Unauthenticated);
    assert_eq!(granted(&[], None).await, Code::PermissionDenied);
    assert_eq!(granted(&["Basic dXNlcjpwYXNz"], None).await, Code::PermissionDenied);
    let admin = Client::admin(stack).await;
    let token = admin.token().map(|token| format!("bearer {token}"));
    assert_eq!(granted(&[], token).await, Code::Ok);
}
