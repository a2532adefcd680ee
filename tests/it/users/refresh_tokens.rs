//! Refresh tokens: two tabs that refresh at once stay signed in, and who uses an old token later signs everybody out.

use crate::users::sign_in::users;
use bson::{DateTime, Document, doc};
use contracts::users::v1::{IssueTokenRequest, token_service_client::TokenServiceClient};
use kit::shop::TIMEOUT;
use kit::{Client, DEMO_PASSWORD, Process, Stack, reply, shared};
use mongodb::Collection;
use reqwest::Method;
use rpc::Channel;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tonic::{Code, Status};

/// Exchanges a refresh token at a users process.
async fn refresh(users: &Channel, token: &str) -> Result<String, Status> {
    let refresh_token = token.to_owned();
    let grant = IssueTokenRequest { grant_type: "refresh_token".into(), refresh_token, ..Default::default() };
    Ok(TokenServiceClient::new(users.clone()).issue_token(grant).await?.into_inner().refresh_token)
}

fn shared_users(stack: &Stack) -> Channel {
    Channel::new(stack.grpc("users"), None).expect("an address").with_deadline(TIMEOUT)
}

/// A process whose grace is over in no test.
async fn patient_users(stack: &Stack) -> (Channel, Process) {
    users(stack, &[("COMPTOIR_REFRESH_GRACE_SECONDS", "300")]).await
}

#[track_caller]
fn is_refused(answer: Result<String, Status>) {
    let status = answer.expect_err("it is refused");
    assert_eq!((status.code(), rpc::status::reason(&status).as_str()), (Code::InvalidArgument, "invalid_grant"));
}

/// A new account: its id and two families of tokens.
async fn account(stack: &Stack) -> (String, [String; 2]) {
    let anonymous = Client::anonymous(stack);
    let email = format!("refresh-{:016x}@example.com", rand::random::<u64>());
    let body = json!({ "email": email, "name": "Test", "password": DEMO_PASSWORD });
    let user = anonymous.post("/v1/users", body).await.expect(201);
    let sign_in = async || {
        let body = json!({ "grant_type": "password", "username": email, "password": DEMO_PASSWORD });
        let token = anonymous.post("/oauth2/token", body).await.expect(200);
        token["refresh_token"].as_str().expect("a token").to_owned()
    };
    (user["userId"].as_str().expect("an id").to_owned(), [sign_in().await, sign_in().await])
}

async fn stored(stack: &Stack) -> Collection<Document> {
    stack.connect().await.database("users").collection("refresh_tokens")
}

/// Lets the grace of all used tokens of an account be over, as it would be by itself after 10 s.
async fn outlive_the_grace(stack: &Stack, user_id: &str) {
    let used = doc! { "user_id": user_id, "used_at": { "$ne": null } };
    let before = DateTime::from_millis(DateTime::now().timestamp_millis() - 10_001);
    let moved = stored(stack).await.update_many(used, doc! { "$set": { "used_at": before } }).await;
    assert!(moved.expect("mongod answers").matched_count > 0);
}

#[tokio::test]
async fn tabs_that_refresh_at_once_are_given_one_successor_and_stay_signed_in() {
    let stack = shared().await;
    let ((users, _process), (_, [token, _])) = (patient_users(stack).await, account(stack).await);
    let tabs = futures::future::join_all((0..8).map(|_| refresh(&users, &token))).await;
    let successors: BTreeSet<String> = tabs.into_iter().map(|tab| tab.expect("signed in")).collect();
    assert_eq!(successors.len(), 1, "{successors:?}");
    let successor = successors.first().expect("one");
    assert_ne!(successor, &token);
    let next = refresh(&users, successor).await.expect("the successor works");
    assert_eq!(&refresh(&users, &token).await.expect("a late tab"), successor);
    refresh(&users, &next).await.expect("and nobody was signed out");
}

#[tokio::test]
async fn a_token_that_is_used_again_after_the_grace_ends_its_family_alone() {
    let stack = shared().await;
    let (users, (user_id, [token, elsewhere])) = (shared_users(stack), account(stack).await);
    let successor = refresh(&users, &token).await.expect("its first use");
    outlive_the_grace(stack, &user_id).await;
    is_refused(refresh(&users, &token).await);
    is_refused(refresh(&users, &successor).await);
    refresh(&users, &elsewhere).await.expect("another sign-in is another family");
}

#[tokio::test]
async fn an_ancestor_ends_the_family_although_the_newest_token_is_in_its_grace() {
    let stack = shared().await;
    let (users, (user_id, [first, _])) = (shared_users(stack), account(stack).await);
    let second = refresh(&users, &first).await.expect("its first use");
    outlive_the_grace(stack, &user_id).await;
    let third = refresh(&users, &second).await.expect("its first use");
    is_refused(refresh(&users, &first).await);
    is_refused(refresh(&users, &second).await);
    is_refused(refresh(&users, &third).await);
}

#[tokio::test]
async fn two_replicas_answer_one_token_with_the_same_successor() {
    let stack = shared().await;
    let (_, [token, again]) = account(stack).await;
    let ((one, _one), (other, _other)) = (patient_users(stack).await, patient_users(stack).await);
    let (here, there) = tokio::join!(refresh(&one, &token), refresh(&other, &token));
    assert_eq!(here.expect("signed in"), there.expect("signed in"));
    let here = refresh(&one, &again).await.expect("signed in");
    assert_eq!(refresh(&other, &again).await.expect("a moment later"), here);
}

#[tokio::test]
async fn without_a_grace_the_second_use_ends_the_family_at_once() {
    let stack = shared().await;
    let (users, _process) = users(stack, &[("COMPTOIR_REFRESH_GRACE_SECONDS", "0")]).await;
    let (_, [token, _]) = account(stack).await;
    let successor = refresh(&users, &token).await.expect("its first use");
    is_refused(refresh(&users, &token).await);
    is_refused(refresh(&users, &successor).await);
}

#[tokio::test]
async fn a_token_that_an_older_version_has_used_has_no_successor_and_ends_its_family() {
    let stack = shared().await;
    let (users, (user_id, [token, _])) = (shared_users(stack), account(stack).await);
    let successor = refresh(&users, &token).await.expect("its first use");
    let older = doc! { "$unset": { "salt": "" } };
    stored(stack).await.update_many(doc! { "user_id": user_id }, older).await.expect("mongod answers");
    is_refused(refresh(&users, &token).await);
    is_refused(refresh(&users, &successor).await);
}

#[tokio::test]
async fn a_reader_of_the_database_finds_no_token_and_nothing_that_is_one() {
    let stack = shared().await;
    let (users, (user_id, [token, _])) = (shared_users(stack), account(stack).await);
    let successor = refresh(&users, &token).await.expect("its first use");
    let mut found = stored(stack).await.find(doc! { "user_id": user_id }).await.expect("mongod answers");
    let (mut text, mut values) = (String::new(), Vec::new());
    while found.advance().await.expect("mongod answers") {
        let document = found.deserialize_current().expect("a document");
        text.push_str(&document.to_string());
        values.extend(document.values().filter_map(|value| value.as_str().map(str::to_owned)));
    }
    assert!(!text.contains(&token) && !text.contains(&successor), "{text}");
    assert!(values.len() >= 9, "three tokens have at least an id, a family and an account: {values:?}");
    for value in values {
        is_refused(refresh(&users, &value).await);
    }
    refresh(&users, &successor).await.expect("who tries them signs nobody out");
}

#[tokio::test]
async fn a_crash_between_a_token_and_its_successor_leaves_the_customer_signed_in() {
    let stack = shared().await;
    let ((here, _process), (_, [token, _])) = (patient_users(stack).await, account(stack).await);
    let (dying, process) = users(stack, &[("COMPTOIR_CRASH_AT", "users.refresh.used")]).await;
    refresh(&dying, &token).await.expect_err("the process dies before it answers");
    process.ended(TIMEOUT).await.expect("it is dead");
    let successor = refresh(&here, &token).await.expect("the repeat is given what the first would have been");
    let next = refresh(&here, &successor).await.expect("it is stored");
    refresh(&here, &next).await.expect("signed in");
}

#[tokio::test]
async fn a_revoked_token_ends_its_family_alone_whichever_of_it_is_named() {
    let stack = shared().await;
    let (users, (_, [token, elsewhere])) = (shared_users(stack), account(stack).await);
    let successor = refresh(&users, &token).await.expect("its first use");
    let form = [("token", token.as_str()), ("token_type_hint", "refresh_token")];
    let request = || Client::anonymous(stack).request(Method::POST, "/oauth2/revoke").form(&form);
    for _ in 0..2 {
        let revoked = reply(request()).await;
        assert_eq!(revoked.headers.get("cache-control").map(|value| value.as_bytes()), Some(&b"no-store"[..]));
        revoked.expect(200);
    }
    is_refused(refresh(&users, &successor).await);
    is_refused(refresh(&users, &token).await);
    refresh(&users, &elsewhere).await.expect("another sign-in goes on");
}

#[tokio::test]
async fn revoking_tells_nothing_of_unknown_tokens_and_refuses_access_tokens() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    let revoke = async |body: Value| anonymous.post("/oauth2/revoke", body).await;
    revoke(json!({ "token": "unknown" })).await.expect(200);
    let (me, _) = Client::register(stack).await;
    for (body, error) in [
        (json!({}), "invalid_request"),
        (json!({ "token": "x".repeat(8193) }), "invalid_request"),
        (json!({ "token": me.token() }), "unsupported_token_type"),
    ] {
        assert_eq!(revoke(body).await.expect(400)["error"], error);
    }
    me.get("/v1/orders").await.expect(200);
}

/// Locks or unlocks an account, under a key of the request.
async fn set_lock(stack: &Stack, user_id: &str, verb: &str, key: &str) {
    let body = if verb == "lock" { json!({ "reason": "a test" }) } else { json!({}) };
    let support = Client::support(stack).await;
    support.post_with_key(&format!("/v1/users/{user_id}:{verb}"), body, key).await.expect(200);
}

#[tokio::test]
async fn an_unlock_ends_the_tokens_that_a_lock_left_and_a_repeated_lock_no_newer_ones() {
    let stack = shared().await;
    let (users, (user_id, [token, _])) = (shared_users(stack), account(stack).await);
    let (stored, of) = (stored(stack).await, doc! { "user_id": &user_id });
    let left = stored.find_one(of.clone()).await.expect("mongod answers").expect("a token");
    let key = format!("{:016x}", rand::random::<u64>());
    set_lock(stack, &user_id, "lock", &key).await;
    assert_eq!(stored.count_documents(of.clone()).await.expect("mongod answers"), 0);
    stored.insert_one(&left).await.expect("as if the process had died before it deleted them");
    set_lock(stack, &user_id, "unlock", &format!("{key}-unlock")).await;
    is_refused(refresh(&users, &token).await);
    assert_eq!(stored.count_documents(of.clone()).await.expect("mongod answers"), 0);
    stored.insert_one(&left).await.expect("as if it were of a sign-in after the unlock");
    set_lock(stack, &user_id, "lock", &key).await;
    assert_eq!(stored.count_documents(of).await.expect("mongod answers"), 1, "the repeat locks nobody");
}

#[tokio::test]
async fn sign_ins_under_way_at_a_lock_leave_no_refresh_token() {
    let stack = shared().await;
    let support = Client::support(stack).await;
    for _ in 0..5 {
        let (_, user) = Client::register(stack).await;
        let id = user["userId"].as_str().expect("an id");
        let grant = json!({ "grant_type": "password", "username": user["email"], "password": DEMO_PASSWORD });
        let anonymous = Client::anonymous(stack);
        let sign_ins = futures::future::join_all((0..4).map(|_| anonymous.post("/oauth2/token", grant.clone())));
        let path = format!("/v1/users/{id}:lock");
        let (sign_ins, locked) = tokio::join!(sign_ins, support.post(&path, json!({ "reason": "a test" })));
        locked.expect(200);
        for refused in sign_ins.iter().filter(|answer| answer.status == 400) {
            assert!(refused.body.to_string().contains("locked"), "{refused:?}");
        }
        let left = stored(stack).await.count_documents(doc! { "user_id": id }).await.expect("mongod answers");
        assert_eq!(left, 0);
    }
}
