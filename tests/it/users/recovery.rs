//! Password reset and verification of an address, by the mails that a customer gets.

use super::{accounts::events, sign_in::users};
use anyhow::{Context, ensure};
use bson::{DateTime, Document, doc};
use contracts::users::v1::{ResetPasswordRequest, recovery_service_client::RecoveryServiceClient};
use kit::shop::{TIMEOUT, id};
use kit::{Client, DEMO_PASSWORD, Reply, Stack, eventually, shared};
use serde_json::{Value, json};

const NEW_PASSWORD: &str = "another long password";

async fn grant(email: &str, password: &str) -> Reply {
    let body = json!({ "grant_type": "password", "username": email, "password": password });
    Client::anonymous(shared().await).post("/oauth2/token", body).await
}

async fn refresh(token: &Value) -> Reply {
    let body = json!({ "grant_type": "refresh_token", "refresh_token": token["refresh_token"] });
    Client::anonymous(shared().await).post("/oauth2/token", body).await
}

async fn ask_reset(email: &str) -> Reply {
    Client::anonymous(shared().await).post("/v1/users:requestPasswordReset", json!({ "email": email })).await
}

async fn reset(token: &str, password: &str) -> Reply {
    let body = json!({ "token": token, "password": password });
    Client::anonymous(shared().await).post("/v1/users:resetPassword", body).await
}

async fn verify(token: &str) -> Reply {
    Client::anonymous(shared().await).post("/v1/users:verifyEmail", json!({ "token": token })).await
}

fn is_refused(reply: &Reply) {
    let reason = reply.body["details"].as_array().and_then(|all| all.iter().find_map(|one| one["reason"].as_str()));
    assert_eq!((reply.status, reason), (400, Some("TOKEN_INVALID")), "{reply:?}");
}

/// The tokens of the mails of this template to a user, oldest first, once there are as many.
async fn mailed(user: &Value, template: &str, count: usize) -> Vec<String> {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    eventually(TIMEOUT, || async {
        let path = format!("/v1/emails?userId={}&template={template}&state=SENT", id(user, "userId"));
        let page = staff.get(&path).await.expect(200);
        let mails = page["emails"].as_array().context("a list")?;
        ensure!(mails.len() == count, "{page}");
        mails.iter().rev().map(|mail| token_of(stack, user, mail)).collect()
    })
    .await
}

fn token_of(stack: &Stack, user: &Value, mail: &Value) -> anyhow::Result<String> {
    let path = stack.data().join("mail").join(format!("{}.eml", id(mail, "emailId")));
    // Quoted-printable (RFC 2045) breaks lines of more than 76 characters.
    let text = std::fs::read_to_string(path)?.replace("=\r\n", "");
    let token = text.lines().find(|line| line.starts_with(&format!("{}.", id(user, "userId"))));
    Ok(token.with_context(|| format!("no token in {text}"))?.to_owned())
}

/// Lets a minute be over since the last mail was asked for.
async fn outlive_the_pause(user: &Value) {
    let before = DateTime::from_millis(DateTime::now().timestamp_millis() - 60_001);
    let set = doc! { "asked.password_reset": before, "asked.email_verification": before };
    let users = shared().await.connect().await.database("users").collection::<Document>("users");
    let moved = users.update_one(doc! { "_id": id(user, "userId") }, doc! { "$set": set }).await;
    assert_eq!(moved.expect("root may").matched_count, 1);
}

/// An account whose address is verified, and whose password is set anew, by mails.
pub async fn an_account_that_recovers() {
    let (customer, user) = Client::register(shared().await).await;
    customer.post(&format!("/v1/users/{}:requestEmailVerification", id(&user, "userId")), json!({})).await.expect(200);
    verify(&mailed(&user, "EMAIL_VERIFICATION", 1).await[0]).await.expect(200);
    ask_reset(id(&user, "email")).await.expect(200);
    reset(&mailed(&user, "PASSWORD_RESET", 1).await[0], NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_mailed_token_sets_another_password_once_and_ends_all_tokens_of_before() {
    let (customer, user) = Client::register(shared().await).await;
    let email = id(&user, "email");
    let before = grant(email, DEMO_PASSWORD).await.expect(200);
    assert_eq!(ask_reset(&email.to_uppercase()).await.expect(200), json!({}));
    let token = mailed(&user, "PASSWORD_RESET", 1).await.remove(0);
    assert_eq!(reset(&token, "short").await.status, 400, "a password that is none uses no token up");
    reset(&token, NEW_PASSWORD).await.expect(200);
    is_refused(&reset(&token, "a third long password").await);
    assert_eq!(grant(email, DEMO_PASSWORD).await.status, 400);
    assert_eq!(refresh(&before).await.status, 400, "a refresh token of the password before");
    let path = format!("/v1/users/{}", id(&user, "userId"));
    eventually(TIMEOUT, || async {
        let reply = customer.get(&path).await;
        ensure!(reply.status == 401, "an access token of before: {reply:?}");
        Ok(())
    })
    .await;
    refresh(&grant(email, NEW_PASSWORD).await.expect(200)).await.expect(200);
    let again = Client::sign_in(shared().await, email, NEW_PASSWORD).await;
    assert_eq!(again.get(&path).await.expect(200)["emailVerified"], true, "who reads its mail has the address");
    let log = events(shared().await, &user, "tokens_revoked").await;
    let names: Vec<&str> = log.iter().map(|event| event.get_str("name").expect("a name")).collect();
    assert_eq!(names, ["created", "password_reset_requested", "password_reset", "email_verified", "tokens_revoked"]);
}

#[tokio::test]
async fn nobody_is_told_whether_an_address_has_an_account_and_a_locked_one_gets_no_mail() {
    let (_, user) = Client::register(shared().await).await;
    let staff = Client::staff(shared().await).await;
    let lock = format!("/v1/users/{}:lock", id(&user, "userId"));
    staff.post(&lock, json!({ "reason": "a test" })).await.expect(200);
    for email in [id(&user, "email"), "nobody-at-all@example.com"] {
        assert_eq!(ask_reset(email).await.expect(200), json!({}), "{email}");
    }
    let log = events(shared().await, &user, "tokens_revoked").await;
    assert!(log.iter().all(|event| event.get_str("name").ok() != Some("password_reset_requested")), "{log:?}");
}

#[tokio::test]
async fn an_account_is_sent_one_mail_a_minute_and_only_the_newest_token_works() {
    let (customer, user) = Client::register(shared().await).await;
    let email = id(&user, "email");
    for _ in 0..3 {
        ask_reset(email).await.expect(200);
    }
    mailed(&user, "PASSWORD_RESET", 1).await;
    outlive_the_pause(&user).await;
    ask_reset(email).await.expect(200);
    let [older, newer]: [String; 2] = mailed(&user, "PASSWORD_RESET", 2).await.try_into().expect("two");
    is_refused(&reset(&older, NEW_PASSWORD).await);
    is_refused(&verify(&newer).await);
    customer.post(&format!("/v1/users/{}:requestEmailVerification", id(&user, "userId")), json!({})).await.expect(200);
    let other = mailed(&user, "EMAIL_VERIFICATION", 1).await.remove(0);
    is_refused(&reset(&other, NEW_PASSWORD).await);
    let (account, _) = newer.split_once('.').expect("both parts");
    for guess in [account.to_owned(), format!("{account}."), format!("{account}.AAAA"), ".".to_owned(), "x".to_owned()]
    {
        is_refused(&reset(&guess, NEW_PASSWORD).await);
    }
    reset(&newer, NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_token_ends_with_its_time_with_a_lock_and_with_the_account() {
    for what in ["time", "lock", "account"] {
        let (customer, user) = Client::register(shared().await).await;
        ask_reset(id(&user, "email")).await.expect(200);
        let token = mailed(&user, "PASSWORD_RESET", 1).await.remove(0);
        let path = format!("/v1/users/{}", id(&user, "userId"));
        let staff = Client::staff(shared().await).await;
        match what {
            "time" => {
                let tokens = shared().await.connect().await.database("users").collection::<Document>("email_tokens");
                let this = doc! { "_id": format!("{}/password_reset", id(&user, "userId")) };
                let ended = tokens.update_one(this, doc! { "$set": { "expires_at": DateTime::now() } }).await;
                assert_eq!(ended.expect("root may").matched_count, 1);
            }
            "lock" => {
                staff.post(&format!("{path}:lock"), json!({ "reason": "a test" })).await.expect(200);
                staff.post(&format!("{path}:unlock"), json!({})).await.expect(200);
            }
            _ => drop(customer.delete(&path).await.expect(200)),
        }
        is_refused(&reset(&token, NEW_PASSWORD).await);
    }
}

#[tokio::test]
async fn an_address_is_verified_by_its_mail_and_then_no_other_is_sent() {
    let (customer, user) = Client::register(shared().await).await;
    let path = format!("/v1/users/{}", id(&user, "userId"));
    let (stranger, _) = Client::register(shared().await).await;
    assert_eq!(stranger.post(&format!("{path}:requestEmailVerification"), json!({})).await.status, 404);
    assert_eq!(customer.get(&path).await.expect(200)["emailVerified"], false);
    customer.post(&format!("{path}:requestEmailVerification"), json!({})).await.expect(200);
    let token = mailed(&user, "EMAIL_VERIFICATION", 1).await.remove(0);
    verify(&token).await.expect(200);
    assert_eq!(customer.get(&path).await.expect(200)["emailVerified"], true);
    is_refused(&verify(&token).await);
    outlive_the_pause(&user).await;
    customer.post(&format!("{path}:requestEmailVerification"), json!({})).await.expect(200);
    let log = events(shared().await, &user, "email_verified").await;
    let names: Vec<&str> = log.iter().map(|event| event.get_str("name").expect("a name")).collect();
    assert_eq!(names, ["created", "email_verification_requested", "email_verified"]);
}

#[tokio::test]
async fn a_kill_right_after_the_new_password_leaves_no_token_of_the_old_one() {
    let stack = shared().await;
    let (_, user) = Client::register(stack).await;
    let email = id(&user, "email");
    let before = grant(email, DEMO_PASSWORD).await.expect(200);
    let (dying, process) = users(stack, &[("COMPTOIR_CRASH_AT", "users.password.reset")]).await;
    ask_reset(email).await.expect(200);
    let token = mailed(&user, "PASSWORD_RESET", 1).await.remove(0);
    let request = ResetPasswordRequest { token: token.clone(), password: NEW_PASSWORD.to_owned() };
    RecoveryServiceClient::new(dying).reset_password(request).await.expect_err("the process dies");
    process.ended(TIMEOUT).await.expect("it has died");
    assert_eq!(refresh(&before).await.status, 400);
    assert_eq!(grant(email, DEMO_PASSWORD).await.status, 400);
    is_refused(&reset(&token, "a third long password").await);
    grant(email, NEW_PASSWORD).await.expect(200);
}
