//! Accounts and tokens, as somebody meets them at the gateway, and what they leave in the database.

use anyhow::ensure;
use bson::{Document, doc};
use kit::shop::fields;
use kit::{Client, DEMO_PASSWORD, Reply, Stack, eventually, shared};
use serde_json::{Value, json};
use std::time::Duration;

fn address() -> String {
    format!("Users-{:016x}@Example.com", rand::random::<u64>())
}

fn registration(email: &str) -> Value {
    json!({ "email": email, "name": "Ada", "password": DEMO_PASSWORD })
}

fn path(user: &Value) -> String {
    format!("/v1/users/{}", user["userId"].as_str().unwrap())
}

fn reason(body: &Value) -> &str {
    let details = body["details"].as_array().map(Vec::as_slice).unwrap_or_default();
    details.iter().find_map(|detail| detail["reason"].as_str()).unwrap_or_default()
}

async fn password_grant(client: &Client, email: &str, password: &str) -> Reply {
    let body = json!({ "grant_type": "password", "username": email, "password": password });
    client.post("/oauth2/token", body).await
}

async fn refresh_grant(client: &Client, token: &Value) -> Reply {
    let body = json!({ "grant_type": "refresh_token", "refresh_token": token["refresh_token"] });
    client.post("/oauth2/token", body).await
}

/// The log of the users service about one account, once it ends with `last`.
pub async fn events(stack: &Stack, user: &Value, last: &str) -> Vec<Document> {
    let database = stack.connect().await.database("users");
    let id = user["userId"].as_str().unwrap();
    eventually(Duration::from_secs(10), || async {
        let found = kit::log(&database, doc! { "aid": id }).await?;
        let name = found.last().and_then(|event| event.get_str("name").ok());
        ensure!(name == Some(last), "the last event of {id} is {name:?}");
        Ok(found)
    })
    .await
}

#[tokio::test]
async fn anyone_registers_and_signs_in_with_any_case_of_the_address() {
    let stack = shared().await;
    let (anonymous, email) = (Client::anonymous(stack), address());
    let user = anonymous.post("/v1/users", registration(&email)).await.expect(201);
    assert_eq!(user["email"], email.as_str());
    assert_eq!(user["status"], "ACTIVE");
    assert_eq!(user["preferences"], json!({ "language": "en", "timezone": "UTC", "emailNotifications": true }));
    let token = password_grant(&anonymous, &email.to_uppercase(), DEMO_PASSWORD).await.expect(200);
    assert_eq!(token["token_type"], "Bearer");
    assert_eq!(token["expires_in"], 900);
    let me = anonymous.with_token(token["access_token"].as_str());
    assert_eq!(me.get(&path(&user)).await.expect(200), user);
}

#[tokio::test]
async fn bad_registrations_name_every_field_and_create_nothing() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    let body = json!({ "email": "nobody", "name": "", "password": "short" });
    let body = anonymous.post("/v1/users", body).await.expect(400);
    let text = body.to_string();
    assert!(["\"email\"", "\"name\"", "\"password\""].iter().all(|field| text.contains(field)), "{text}");
    assert!(!text.contains("short\""), "{text}");
}

#[tokio::test]
async fn an_address_is_taken_without_regard_to_case() {
    let stack = shared().await;
    let (anonymous, email) = (Client::anonymous(stack), address());
    anonymous.post("/v1/users", registration(&email)).await.expect(201);
    let refused = anonymous.post("/v1/users", registration(&email.to_lowercase())).await.expect(409);
    assert_eq!(reason(&refused), "EMAIL_TAKEN");
}

#[tokio::test]
async fn of_concurrent_registrations_of_one_address_one_wins() {
    let stack = shared().await;
    let (anonymous, email) = (Client::anonymous(stack), address());
    let body = || registration(&email);
    let all = tokio::join!(
        anonymous.post("/v1/users", body()),
        anonymous.post("/v1/users", body()),
        anonymous.post("/v1/users", body()),
    );
    let mut statuses = [all.0.status, all.1.status, all.2.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409]);
}

#[tokio::test]
async fn a_repeated_registration_answers_with_the_same_account_to_who_knows_the_password() {
    let stack = shared().await;
    let (anonymous, email, key) = (Client::anonymous(stack), address(), format!("{:x}", rand::random::<u64>()));
    let first = anonymous.post_with_key("/v1/users", registration(&email), &key).await.expect(201);
    let second = anonymous.post_with_key("/v1/users", registration(&email), &key).await;
    assert_eq!(second.body["userId"], first["userId"], "{second:?}");
    let mut other = registration(&email);
    other["password"] = json!("another password");
    let refused = anonymous.post_with_key("/v1/users", other, &key).await.expect(409);
    assert_eq!(reason(&refused), "IDEMPOTENCY_KEY_REUSED");
    let refused = anonymous.post_with_key("/v1/users", registration(&address()), &key).await.expect(409);
    assert_eq!(reason(&refused), "IDEMPOTENCY_KEY_REUSED");
}

#[tokio::test]
async fn only_admins_grant_roles() {
    let stack = shared().await;
    let mut body = registration(&address());
    body["roles"] = json!(["staff"]);
    let (customer, _) = Client::register(stack).await;
    for caller in [Client::anonymous(stack), customer, Client::support(stack).await, Client::staff(stack).await] {
        let refused = caller.post("/v1/users", body.clone()).await.expect(403);
        assert_eq!(reason(&refused), "FORBIDDEN");
    }
    let admin = Client::admin(stack).await;
    assert_eq!(admin.post("/v1/users", body.clone()).await.expect(201)["roles"], json!(["staff"]));
    body["email"] = json!(address());
    body["roles"] = json!(["emperor"]);
    admin.post("/v1/users", body).await.expect(400);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_are_refused_alike() {
    let stack = shared().await;
    let (anonymous, email) = (Client::anonymous(stack), address());
    anonymous.post("/v1/users", registration(&email)).await.expect(201);
    let wrong = password_grant(&anonymous, &email, "not the password").await.expect(400);
    let unknown = password_grant(&anonymous, &address(), DEMO_PASSWORD).await.expect(400);
    assert_eq!(wrong["error"], "invalid_grant");
    assert_eq!(wrong, unknown);
}

#[tokio::test]
async fn malformed_token_requests_are_refused_as_rfc_6749_says() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    for (body, error) in [
        (json!({}), "invalid_request"),
        (json!({ "grant_type": "password", "username": "a@example.com" }), "invalid_request"),
        (json!({ "grant_type": "refresh_token" }), "invalid_request"),
        (json!({ "grant_type": "refresh_token", "refresh_token": "x".repeat(257) }), "invalid_request"),
        (json!({ "grant_type": "authorization_code" }), "unsupported_grant_type"),
        (json!({ "grant_type": "refresh_token", "refresh_token": "unknown" }), "invalid_grant"),
    ] {
        let refused = anonymous.post("/oauth2/token", body.clone()).await.expect(400);
        assert_eq!(refused["error"], error, "{body}");
    }
    let unknown = anonymous.post("/oauth2/token", json!({ "grant_type": "client_credentials" })).await.expect(401);
    assert_eq!(unknown["error"], "invalid_client");
}

#[tokio::test]
async fn refresh_tokens_are_stored_as_their_hash() {
    let stack = shared().await;
    let (anonymous, email) = (Client::anonymous(stack), address());
    let user = anonymous.post("/v1/users", registration(&email)).await.expect(201);
    let token = password_grant(&anonymous, &email, DEMO_PASSWORD).await.expect(200);
    let tokens = stack.connect().await.database("users").collection::<Document>("refresh_tokens");
    let stored = tokens.find_one(doc! { "user_id": user["userId"].as_str().unwrap() }).await.unwrap().unwrap();
    assert!(!stored.to_string().contains(token["refresh_token"].as_str().unwrap()), "{stored}");
}

#[tokio::test]
async fn a_patch_changes_what_it_mentions_and_tells_which_fields() {
    let stack = shared().await;
    let (me, user) = Client::register(stack).await;
    let body = json!({
        "profile": { "bio": "Likes teapots" },
        "preferences": { "language": "fr", "emailNotifications": false },
        "etag": user["etag"],
    });
    let changed = me.patch(&path(&user), body).await.expect(200);
    assert_eq!(changed["profile"], json!({ "avatar": "", "bio": "Likes teapots", "location": "" }));
    assert_eq!(changed["preferences"], json!({ "language": "fr", "timezone": "UTC", "emailNotifications": false }));
    assert_eq!(changed["name"], user["name"]);
    assert_ne!(changed["etag"], user["etag"]);
    let log = events(stack, &user, "updated").await;
    let event = log.last().unwrap().get_binary_generic("data").unwrap().clone();
    let event: contracts::users::v1::UserUpdated = prost::Message::decode(event.as_slice()).unwrap();
    assert_eq!(event.changed_fields, ["profile.bio", "preferences.language", "preferences.email_notifications"]);
    assert_eq!((event.language.as_str(), event.email_notifications), ("fr", false));
}

#[tokio::test]
async fn a_patch_without_a_change_makes_no_version_and_no_event() {
    let stack = shared().await;
    let (me, user) = Client::register(stack).await;
    let same = me.patch(&path(&user), json!({ "name": user["name"] })).await.expect(200);
    assert_eq!(same, user);
    assert_eq!(events(stack, &user, "created").await.len(), 1);
}

#[tokio::test]
async fn fields_that_the_service_sets_and_empty_names_cannot_be_patched() {
    let stack = shared().await;
    let (me, user) = Client::register(stack).await;
    for (field, body) in [("roles", json!({ "roles": ["staff"] })), ("email", json!({ "email": "x@example.com" }))] {
        let refused = me.patch(&path(&user), body).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec![field.to_owned()]), "{refused:?}");
    }
    let ignored = json!({ "status": "DELETED", "createTime": "2020-01-01T00:00:00Z" });
    assert_eq!(me.patch(&path(&user), ignored).await.expect(200), user);
    me.patch(&path(&user), json!({ "name": " " })).await.expect(400);
    assert_eq!(me.get(&path(&user)).await.expect(200), user);
}

#[tokio::test]
async fn a_stale_etag_is_refused() {
    let stack = shared().await;
    let (me, user) = Client::register(stack).await;
    me.patch(&path(&user), json!({ "name": "First", "etag": user["etag"] })).await.expect(200);
    let refused = me.patch(&path(&user), json!({ "name": "Second", "etag": user["etag"] })).await.expect(409);
    assert_eq!(reason(&refused), "STALE_ETAG");
    assert_eq!(me.get(&path(&user)).await.expect(200)["name"], "First");
}

#[tokio::test]
async fn somebody_elses_account_is_not_found_like_an_absent_one() {
    let stack = shared().await;
    let ((me, _), (_, other)) = (Client::register(stack).await, Client::register(stack).await);
    for path in [path(&other), "/v1/users/usr_absent".to_owned()] {
        assert_eq!(reason(&me.get(&path).await.expect(404)), "NOT_FOUND");
        assert_eq!(reason(&me.patch(&path, json!({ "name": "Mine" })).await.expect(404)), "NOT_FOUND");
        assert_eq!(reason(&me.delete(&path).await.expect(404)), "NOT_FOUND");
        Client::anonymous(stack).get(&path).await.expect(401);
    }
    assert_eq!(Client::staff(stack).await.get(&path(&other)).await.expect(200), other);
}

#[tokio::test]
async fn deletion_erases_the_person_ends_their_tokens_and_can_be_repeated() {
    let stack = shared().await;
    let (anonymous, email) = (Client::anonymous(stack), address());
    let user = anonymous.post("/v1/users", registration(&email)).await.expect(201);
    let token = password_grant(&anonymous, &email, DEMO_PASSWORD).await.expect(200);
    let me = anonymous.with_token(token["access_token"].as_str());
    let refused = me.delete(&format!("{}?etag=99", path(&user))).await.expect(409);
    assert_eq!(reason(&refused), "STALE_ETAG");
    let staff = Client::staff(stack).await;
    for caller in [&me, &staff] {
        caller.delete(&path(&user)).await.expect(200);
    }
    let erased = staff.get(&path(&user)).await.expect(200);
    assert_eq!(erased["status"], "DELETED");
    assert_eq!((&erased["email"], &erased["name"]), (&json!(""), &json!("")));
    assert_eq!(erased["profile"], json!({ "avatar": "", "bio": "", "location": "" }));
    assert_eq!(reason(&staff.patch(&path(&user), json!({ "name": "Back" })).await.expect(400)), "USER_DELETED");
    refresh_grant(&anonymous, &token).await.expect(400);
    password_grant(&anonymous, &email, DEMO_PASSWORD).await.expect(400);

    let names: Vec<String> = events(stack, &user, "tokens_revoked")
        .await
        .iter()
        .map(|event| event.get_str("name").unwrap().to_owned())
        .collect();
    assert_eq!(names, ["created", "deleted", "tokens_revoked"]);
    let database = stack.connect().await.database("users");
    let id = user["userId"].as_str().unwrap();
    let stored = database.collection::<Document>("users").find_one(doc! { "_id": id }).await.unwrap().unwrap();
    let text = stored.to_string().to_lowercase();
    assert!(!text.contains(&email.to_lowercase()) && !text.contains("argon2"), "{text}");
    let tokens = database.collection::<Document>("refresh_tokens");
    assert_eq!(tokens.count_documents(doc! { "user_id": id }).await.unwrap(), 0);
    anonymous.post("/v1/users", registration(&email)).await.expect(201);
}

#[tokio::test]
async fn neither_replies_nor_events_hold_a_hash_a_password_or_personal_data() {
    let stack = shared().await;
    let (anonymous, email) = (Client::anonymous(stack), address());
    let mut body = registration(&email);
    body["name"] = json!("Unmistakable Name");
    let user = anonymous.post("/v1/users", body).await.expect(201);
    let token = password_grant(&anonymous, &email, DEMO_PASSWORD).await.expect(200);
    let me = anonymous.with_token(token["access_token"].as_str());
    let patched = me.patch(&path(&user), json!({ "profile": { "bio": "Unmistakable bio" } })).await.expect(200);
    for reply in [&user, &patched, &me.get(&path(&user)).await.expect(200)] {
        let text = reply.to_string();
        assert!(!text.contains("argon2") && !text.to_lowercase().contains("password"), "{text}");
    }
    for event in events(stack, &user, "updated").await {
        let data = String::from_utf8_lossy(event.get_binary_generic("data").unwrap()).to_lowercase();
        for secret in ["argon2", DEMO_PASSWORD, &email.to_lowercase(), "unmistakable"] {
            assert!(!data.contains(secret), "{secret} is in {data:?}");
        }
    }
}
