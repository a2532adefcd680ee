//! Who guesses passwords: told to wait, per account and per address, without learning which accounts exist.

use crate::gateway::named::buf_curl;
use anyhow::ensure;
use contracts::users::v1::{
    CreateUserRequest, IssueTokenRequest, token_service_client::TokenServiceClient,
    user_service_client::UserServiceClient,
};
use kit::shop::{TIMEOUT, reason};
use kit::{Client, DEMO_PASSWORD, Process, Reply, Stack, Stores, eventually, reply, shared};
use reqwest::Method;
use rpc::{
    Channel,
    attempts::{Attempts, Rate},
};
use serde_json::json;
use std::time::{Duration, Instant};
use tonic::{Code, Status};
use tonic_types::StatusExt;

const MINUTE: Duration = Duration::from_secs(60);

/// A free address, and how a process is told to listen there.
pub fn free() -> String {
    kit::free_address()
}

/// Another process of users with these settings, once it answers.
pub async fn users(stack: &Stack, more: &[(&str, &str)]) -> (Channel, Process) {
    let address = free();
    let process = stack.serve_with("users", &[&[("COMPTOIR_LISTEN", address.as_str())], more].concat());
    (answering(&address).await, process)
}

/// A process of users with stores of its own and these settings, once it answers.
pub async fn stored_users(stores: &Stores, more: &[(&str, &str)]) -> (Channel, Process) {
    let address = free();
    let process = stores.serve("users", &[&[("COMPTOIR_LISTEN", address.as_str())], more].concat());
    (answering(&address).await, process)
}

/// A channel to the users service at an address, once it answers.
async fn answering(address: &str) -> Channel {
    let channel = Channel::new(&format!("http://{address}"), None).expect("an address").with_deadline(TIMEOUT);
    eventually(TIMEOUT, || async {
        let refused = TokenServiceClient::new(channel.clone()).issue_token(IssueTokenRequest::default()).await;
        let refused = refused.expect_err("there is no grant");
        ensure!(refused.code() == Code::InvalidArgument, "{refused:?}");
        Ok(())
    })
    .await;
    channel
}

/// Another gateway with these settings, once it answers.
async fn gateway(stack: &Stack, more: &[(&str, &str)]) -> (Client, Process) {
    let address = free();
    let process = stack.serve_with("gateway", &[&[("COMPTOIR_LISTEN", address.as_str())], more].concat());
    eventually(TIMEOUT, || async { Ok(tokio::net::TcpStream::connect(&address).await?) }).await;
    (Client::at(&format!("http://{address}")), process)
}

async fn sign_in(users: &Channel, username: &str, password: &str) -> Result<(), Status> {
    let (username, password) = (username.to_owned(), password.to_owned());
    let grant = IssueTokenRequest { grant_type: "password".into(), username, password, ..Default::default() };
    TokenServiceClient::new(users.clone()).issue_token(grant).await.map(drop)
}

/// What somebody who guesses learns: everything but the time.
fn refusal(answer: Result<(), Status>) -> (Code, String, String) {
    let status = answer.expect_err("it is refused");
    (status.code(), rpc::status::reason(&status), status.message().to_owned())
}

fn wait(answer: Result<(), Status>) -> Duration {
    let status = answer.expect_err("it is refused");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    status.get_details_retry_info().and_then(|info| info.retry_delay).expect("it tells how long to wait")
}

fn email() -> String {
    format!("guess-{:016x}@example.com", rand::random::<u64>())
}

async fn account(stack: &Stack) -> String {
    let email = email();
    let body = json!({ "email": email, "name": "Test", "password": DEMO_PASSWORD });
    Client::anonymous(stack).post("/v1/users", body).await.expect(201);
    email
}

async fn over_http(client: &Client, forwarded_for: &str, username: &str, password: &str) -> Reply {
    let body = json!({ "grant_type": "password", "username": username, "password": password });
    let request = client.request(Method::POST, "/oauth2/token").header("x-forwarded-for", forwarded_for);
    reply(request.json(&body)).await
}

#[test]
fn a_burst_of_failures_is_let_through_then_one_for_each_interval() {
    let (attempts, start) = (Attempts::new(Rate { burst: 3, interval: MINUTE }), Instant::now());
    for _ in 0..3 {
        attempts.check("a", start).expect("of the burst");
        attempts.count("a", start);
    }
    assert_eq!(attempts.check("a", start), Err(MINUTE));
    assert_eq!(attempts.check("a", start + MINUTE - Duration::from_secs(1)), Err(Duration::from_secs(1)));
    attempts.check("b", start).expect("another one has not failed");
    attempts.check("a", start + MINUTE).expect("one is forgotten");
    attempts.count("a", start + MINUTE);
    assert_eq!(attempts.check("a", start + MINUTE), Err(MINUTE));
    let later = start + MINUTE * 4;
    for _ in 0..3 {
        attempts.check("a", later).expect("all are forgotten");
        attempts.count("a", later);
    }
}

#[test]
fn what_fails_at_once_beyond_the_burst_is_paid_for_and_a_limit_of_0_is_none() {
    let (attempts, start) = (Attempts::new(Rate { burst: 3, interval: MINUTE }), Instant::now());
    for _ in 0..100 {
        attempts.count("a", start);
    }
    assert_eq!(attempts.check("a", start), Err(MINUTE * 4), "as if twice the burst had failed, and no more");
    let none = Attempts::new(Rate { burst: 0, interval: MINUTE });
    for _ in 0..100 {
        none.count("a", start);
        none.check("a", start).expect("there is no limit");
    }
}

#[test]
fn a_rate_is_written_as_failures_at_once_and_seconds_for_each() {
    assert_eq!("10/60".parse(), Ok(Rate { burst: 10, interval: MINUTE }));
    assert_eq!("0/1".parse(), Ok(Rate { burst: 0, interval: Duration::from_secs(1) }));
    for bad in ["", "10", "10/0", "/60", "10/60s", "-1/60", "10/60/1", "1000001/60", "10/86401"] {
        assert!(bad.parse::<Rate>().is_err(), "{bad:?}");
    }
}

#[test]
fn of_too_many_keys_who_is_clear_first_is_forgotten() {
    let (attempts, start) = (Attempts::new(Rate { burst: 1, interval: MINUTE }), Instant::now());
    for number in 0..65_537_u32 {
        attempts.count(&number.to_string(), start + Duration::from_millis(number.into()) / 100);
    }
    attempts.check("0", start).expect("it is forgotten");
    attempts.check("65536", start).expect_err("the newest is not");
}

#[tokio::test]
async fn who_guesses_at_an_account_is_told_to_wait_whether_it_exists_or_not() {
    let stack = shared().await;
    let settings = [("COMPTOIR_ACCOUNT_FAILURES", "3/3600")];
    let (users, _process) = users(stack, &settings).await;
    let (known, unknown, other) = (account(stack).await, email(), account(stack).await);
    for _ in 0..3 {
        let answer = refusal(sign_in(&users, &known, "a wrong password").await);
        assert_eq!((answer.0, answer.1.as_str()), (Code::InvalidArgument, "invalid_grant"));
        assert_eq!(refusal(sign_in(&users, &unknown, "a wrong password").await), answer);
    }
    let right = refusal(sign_in(&users, &known, DEMO_PASSWORD).await);
    assert_eq!((right.0, right.1.as_str()), (Code::ResourceExhausted, "TOO_MANY_ATTEMPTS"));
    assert_eq!(refusal(sign_in(&users, &unknown, DEMO_PASSWORD).await), right);
    assert_eq!(refusal(sign_in(&users, &known.to_uppercase(), "another").await), right, "an address has one spelling");
    let waits = [wait(sign_in(&users, &known, "x").await), wait(sign_in(&users, &unknown, "x").await)];
    assert!(waits.iter().all(|wait| (3_500..=3_600).contains(&wait.as_secs())), "{waits:?}");
    sign_in(&users, &other, DEMO_PASSWORD).await.expect("another account is none of theirs");
}

#[tokio::test]
async fn sign_ins_that_succeed_are_not_counted() {
    let stack = shared().await;
    let settings = [("COMPTOIR_ACCOUNT_FAILURES", "2/3600")];
    let (users, _process) = users(stack, &settings).await;
    let account = account(stack).await;
    for _ in 0..5 {
        sign_in(&users, &account, DEMO_PASSWORD).await.expect("the right password");
    }
    assert_eq!(refusal(sign_in(&users, &account, "wrong").await).1, "invalid_grant");
    sign_in(&users, &account, DEMO_PASSWORD).await.expect("one wrong password is not too many");
}

#[tokio::test]
async fn guesses_that_come_all_at_once_are_not_judged_beyond_the_limit() {
    let stack = shared().await;
    let settings = [("COMPTOIR_ACCOUNT_FAILURES", "3/3600")];
    let (users, _process) = users(stack, &settings).await;
    let account = account(stack).await;
    let guesses = futures::future::join_all((0..40).map(|_| sign_in(&users, &account, "wrong"))).await;
    let judged = guesses.into_iter().filter(|answer| refusal(answer.clone()).1 == "invalid_grant").count();
    assert!((3..=4).contains(&judged), "{judged} of 40: two are hashed at once");
    wait(sign_in(&users, &account, DEMO_PASSWORD).await);
}

#[tokio::test]
async fn a_repeated_registration_is_no_way_around_the_limit() {
    let stack = shared().await;
    let settings = [("COMPTOIR_ACCOUNT_FAILURES", "3/3600")];
    let (users, _process) = users(stack, &settings).await;
    let (email, request_id) = (email(), format!("{:016x}", rand::random::<u64>()));
    let register = async |password: &str| {
        let (email, request_id, password) = (email.clone(), request_id.clone(), password.to_owned());
        let request = CreateUserRequest { email, name: "Test".into(), password, request_id, ..Default::default() };
        UserServiceClient::new(users.clone()).create_user(request).await.map(drop)
    };
    register(DEMO_PASSWORD).await.expect("a new account");
    register(DEMO_PASSWORD).await.expect("its repeat");
    for _ in 0..3 {
        assert_eq!(refusal(register("a wrong password").await).1, "IDEMPOTENCY_KEY_REUSED");
    }
    wait(register("a wrong password").await);
    wait(sign_in(&users, &email, DEMO_PASSWORD).await);
}

#[tokio::test]
async fn an_address_that_fails_at_many_accounts_is_told_to_wait_by_the_gateway() {
    let stack = shared().await;
    let settings = [("COMPTOIR_ADDRESS_FAILURES", "3/3600")];
    let (client, _process) = gateway(stack, &settings).await;
    let account = account(stack).await;
    for number in 0..3 {
        over_http(&client, "198.51.100.9", &account, DEMO_PASSWORD).await.expect(200);
        let wrong = over_http(&client, &format!("198.51.100.{number}"), &email(), "a wrong password").await;
        assert_eq!(wrong.expect(400)["error"], "invalid_grant");
    }
    let refused = over_http(&client, "198.51.100.4", &account, DEMO_PASSWORD).await;
    let seconds: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((3_500..=3_600).contains(&seconds), "{seconds}");
    assert_eq!(refused.expect(429)["error"], "temporarily_unavailable", "nobody may say where they come from");
    client.get("/v1/products").await.expect(200);
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_address_is_counted_by_itself() {
    let stack = shared().await;
    let settings = [("COMPTOIR_ADDRESS_FAILURES", "2/3600"), ("COMPTOIR_TRUSTED_PROXIES", "127.0.0.0/8,::1")];
    let (client, _process) = gateway(stack, &settings).await;
    let account = account(stack).await;
    for forged in ["", "192.0.2.1, ", "192.0.2.2, "] {
        let wrong = over_http(&client, &format!("{forged}198.51.100.1"), &email(), "a wrong password").await;
        let expected = if forged == "192.0.2.2, " { 429 } else { 400 };
        assert_eq!(wrong.status, expected, "{forged:?}: {wrong:?}");
    }
    over_http(&client, "198.51.100.2", &account, DEMO_PASSWORD).await.expect(200);
    for network in ["2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:3:4:5:6"] {
        let wrong = over_http(&client, network, &email(), "a wrong password").await;
        let expected = if network.ends_with("5:6") { 429 } else { 400 };
        assert_eq!(wrong.status, expected, "{network}: one subscriber has all of it");
    }
    over_http(&client, "2001:db8:1:3::1", &account, DEMO_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_hundred_wrong_passwords_are_stopped_and_the_right_one_does_not_work_either() {
    let stack = shared().await;
    let (anonymous, account) = (Client::anonymous(stack), account(stack).await);
    let mut last = None;
    for _ in 0..100 {
        let answer = over_http(&anonymous, "", &account, "a wrong password").await;
        let is_limited = answer.status == 429;
        last = Some(answer);
        if is_limited {
            break;
        }
    }
    let last = last.expect("an answer");
    assert_eq!(last.status, 429, "{last:?}");
    let right = over_http(&anonymous, "", &account, DEMO_PASSWORD).await;
    assert_eq!((right.status, reason(&right).as_str()), (429, ""), "an error of RFC 6749: {right:?}");
    let seconds: u64 = right.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_failed_sign_in_counts_in_every_protocol() {
    let stack = shared().await;
    let (client, _process) = gateway(stack, &[("COMPTOIR_ADDRESS_FAILURES", "3/3600")]).await;
    let message = json!({"grant_type": "password", "username": email(), "password": "a wrong password"});
    let rpc = "/comptoir.users.v1.TokenService/IssueToken";
    for protocol in ["grpc", "grpcweb", "connect"] {
        let (_, text) = buf_curl(client.gateway(), protocol, None, rpc, &message);
        assert!(text.contains("the username or the password is wrong"), "{protocol}: {text}");
    }
    for protocol in ["grpc", "grpcweb", "connect"] {
        let (_, text) = buf_curl(client.gateway(), protocol, None, rpc, &message);
        assert!(text.contains("resource_exhausted"), "{protocol}: {text}");
    }
    over_http(&client, "198.51.100.7", &account(stack).await, DEMO_PASSWORD).await.expect(429);
}
