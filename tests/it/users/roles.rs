//! Roles and locks: who gives and takes them, and what follows for the account.

use crate::users::{accounts::events, sign_in::stored_users};
use bson::{Bson, Document, doc};
use contracts::users::v1::{CreateUserRequest, user_service_client::UserServiceClient};
use kit::shop::{TIMEOUT, reason};
use kit::{Client, DEMO_PASSWORD, Reply, Stores, shared};
use serde_json::{Value, json};

fn path(user: &Value, verb: &str) -> String {
    format!("/v1/users/{}{verb}", user["userId"].as_str().expect("an id"))
}

async fn sign_in(user: &Value) -> Reply {
    let stack = shared().await;
    let body = json!({ "grant_type": "password", "username": user["email"], "password": DEMO_PASSWORD });
    Client::anonymous(stack).post("/oauth2/token", body).await
}

async fn set_roles(by: &Client, user: &Value, roles: &[&str]) -> Reply {
    by.post(&path(user, ":setRoles"), json!({ "roles": roles })).await
}

#[tokio::test]
async fn an_admin_gives_and_takes_roles_and_the_next_token_has_them() {
    let stack = shared().await;
    let (admin, (_, user)) = (Client::admin(stack).await, Client::register(stack).await);
    let given = set_roles(&admin, &user, &["staff", "support", "staff"]).await.expect(200);
    assert_eq!(given["roles"], json!(["support", "staff"]), "in their order, each once");
    let signed_in = |token: Value| Client::anonymous(stack).with_token(token["access_token"].as_str());
    signed_in(sign_in(&user).await.expect(200)).get("/v1/coupons").await.expect(200);
    let same = set_roles(&admin, &user, &["support", "staff"]).await.expect(200);
    assert_eq!(same["etag"], given["etag"], "what is so already is no change");
    let stale = json!({ "roles": [], "etag": user["etag"] });
    assert_eq!(reason(&admin.post(&path(&user, ":setRoles"), stale).await), "STALE_ETAG");
    assert_eq!(set_roles(&admin, &user, &[]).await.expect(200)["roles"], json!([]));
    signed_in(sign_in(&user).await.expect(200)).get("/v1/coupons").await.expect(403);
    let log = events(stack, &user, "tokens_revoked").await;
    let names: Vec<&str> = log.iter().filter_map(|event| event.get_str("name").ok()).collect();
    assert_eq!(names, ["created", "roles_changed", "roles_changed", "tokens_revoked"], "who loses a role loses tokens");
}

#[tokio::test]
async fn what_is_no_role_is_refused_and_changes_nothing() {
    let stack = shared().await;
    let (admin, (_, user)) = (Client::admin(stack).await, Client::register(stack).await);
    for role in ["emperor", "customer", "", "staff admin"] {
        let refused = set_roles(&admin, &user, &["staff", role]).await;
        assert_eq!(refused.status, 400, "{role:?}: {refused:?}");
    }
    assert_eq!(admin.get(&path(&user, "")).await.expect(200), user);
}

#[tokio::test]
async fn an_admin_keeps_their_own_role_and_nobody_locks_themselves_out() {
    let stack = shared().await;
    let (admin, (_, user)) = (Client::admin(stack).await, Client::register(stack).await);
    let other = set_roles(&admin, &user, &["admin"]).await.expect(200);
    let token = sign_in(&user).await.expect(200);
    let other_admin = admin.with_token(token["access_token"].as_str());
    for roles in [&[][..], &["staff"]] {
        assert_eq!(reason(&set_roles(&other_admin, &user, roles).await), "OWN_ACCOUNT");
    }
    let lock = other_admin.post(&path(&user, ":lock"), json!({ "reason": "a test" })).await;
    assert_eq!(reason(&lock), "OWN_ACCOUNT");
    assert_eq!(reason(&other_admin.post(&path(&user, ":unlock"), json!({})).await), "OWN_ACCOUNT");
    assert_eq!(admin.get(&path(&user, "")).await.expect(200), other);
    set_roles(&admin, &user, &[]).await.expect(200);
}

#[tokio::test]
async fn a_locked_account_cannot_sign_in_until_support_unlocks_it() {
    let stack = shared().await;
    let (support, (_, user)) = (Client::support(stack).await, Client::register(stack).await);
    let token = sign_in(&user).await.expect(200);
    support.post(&path(&user, ":lock"), json!({})).await.expect(400);
    let locked = support.post(&path(&user, ":lock"), json!({ "reason": "a stolen card" })).await.expect(200);
    assert_eq!((&locked["status"], &locked["lockReason"]), (&json!("LOCKED"), &json!("a stolen card")));
    let again = support.post(&path(&user, ":lock"), json!({ "reason": "another" })).await.expect(200);
    assert_eq!(again, locked, "the first reason stays");
    let refused = sign_in(&user).await.expect(400);
    assert_eq!(refused["error"], "invalid_grant");
    assert!(refused["error_description"].as_str().is_some_and(|text| text.contains("locked")), "{refused}");
    let wrong = json!({ "grant_type": "password", "username": user["email"], "password": "a wrong password" });
    let wrong = Client::anonymous(stack).post("/oauth2/token", wrong).await.expect(400);
    assert!(!wrong.to_string().contains("locked"), "who guesses does not learn it: {wrong}");
    let refresh = json!({ "grant_type": "refresh_token", "refresh_token": token["refresh_token"] });
    Client::anonymous(stack).post("/oauth2/token", refresh.clone()).await.expect(400);
    let unlocked = support.post(&path(&user, ":unlock"), json!({})).await.expect(200);
    assert_eq!((&unlocked["status"], &unlocked["lockReason"]), (&json!("ACTIVE"), &json!("")));
    assert_eq!(support.post(&path(&user, ":unlock"), json!({})).await.expect(200), unlocked);
    sign_in(&user).await.expect(200);
    Client::anonymous(stack).post("/oauth2/token", refresh).await.expect(400);
    let log = events(stack, &user, "unlocked").await;
    let names: Vec<&str> = log.iter().filter_map(|event| event.get_str("name").ok()).collect();
    assert_eq!(names, ["created", "locked", "tokens_revoked", "unlocked"]);
    assert!(!format!("{log:?}").contains("stolen"), "events carry no reason");
}

#[tokio::test]
async fn who_has_a_role_is_neither_locked_nor_deleted_by_one_below() {
    let stack = shared().await;
    let (support, staff, admin) =
        (Client::support(stack).await, Client::staff(stack).await, Client::admin(stack).await);
    let (_, user) = Client::register(stack).await;
    set_roles(&admin, &user, &["admin"]).await.expect(200);
    let reason_of = json!({ "reason": "a test" });
    for by in [&support, &staff] {
        assert_eq!(reason(&by.post(&path(&user, ":lock"), reason_of.clone()).await), "FORBIDDEN");
        assert_eq!(reason(&by.post(&path(&user, ":unlock"), json!({})).await), "FORBIDDEN");
    }
    assert_eq!(reason(&staff.delete(&path(&user, "")).await), "FORBIDDEN");
    admin.post(&path(&user, ":lock"), reason_of).await.expect(200);
    admin.delete(&path(&user, "")).await.expect(200);
    let gone = set_roles(&admin, &user, &["staff"]).await;
    assert_eq!(reason(&gone), "USER_DELETED");
}

#[tokio::test]
async fn support_sees_orders_of_all_and_changes_none() {
    let stack = shared().await;
    let (support, (owner, _)) = (Client::support(stack).await, Client::register(stack).await);
    let product = kit::shop::product(stack, 1).await;
    let order = kit::shop::place(&owner, &[(&product, 1)], "tok_visa").await;
    let id = order["orderId"].as_str().expect("an id");
    assert_eq!(support.get(&format!("/v1/orders/{id}")).await.expect(200)["orderId"], id);
    let listed = support.get("/v1/orders?pageSize=1").await.expect(200);
    assert_eq!(listed["orders"].as_array().map(Vec::len), Some(1), "{listed}");
    let cancelled = support.post(&format!("/v1/orders/{id}:cancel"), json!({})).await;
    assert_eq!(cancelled.status, 404, "a customer's own right is nobody else's: {cancelled:?}");
    support.post(&format!("/v1/orders/{id}:refund"), json!({ "reason": "x" })).await.expect(403);
}

/// A new account in a system of its own; its id.
async fn registered(stores: &Stores, name: &str, settings: &[(&str, &str)]) -> String {
    let (channel, process) = stored_users(stores, settings).await;
    let (email, name, password) = (format!("{name}@example.com"), name.to_owned(), DEMO_PASSWORD.to_owned());
    let request = CreateUserRequest { email, name, password, ..Default::default() };
    let user = UserServiceClient::new(channel).create_user(request).await.expect("it registers").into_inner();
    process.stop(TIMEOUT).await.expect("it stops");
    user.user_id
}

#[tokio::test]
async fn the_first_admin_is_the_account_of_the_setting_and_only_where_there_is_none() {
    let stores = Stores::start().await;
    let first = registered(&stores, "first", &[]).await;
    let accounts = stores.db("users").await.collection::<Document>("users");
    let roles = async |id: &str| {
        let found = accounts.find_one(doc! { "_id": id }).await.expect("mongod answers").expect("the account");
        found.get_array("roles").expect("a list").clone()
    };
    let second = registered(&stores, "second", &[("COMPTOIR_FIRST_ADMIN", "usr_absent")]).await;
    assert_eq!(roles(&first).await, [], "an account that does not exist is logged, and stops nobody");
    registered(&stores, "third", &[("COMPTOIR_FIRST_ADMIN", &first)]).await;
    assert_eq!(roles(&first).await, [Bson::from("admin")]);
    registered(&stores, "fourth", &[("COMPTOIR_FIRST_ADMIN", &second)]).await;
    assert_eq!(roles(&second).await, [], "there is an admin, who gives roles");
}
