//! OAuth clients: how they prove who they are, what their tokens may do, and when these end.

use crate::users::revocation::{ADMITTED, Own, REFUSED, SECONDS, doors, settle};
use base64::{Engine, engine::general_purpose::STANDARD};
use bson::{Document, doc};
use futures::TryStreamExt;
use kit::shop::{TIMEOUT, reason};
use kit::{Client, Reply, Stack, reply, shared};
use reqwest::Method;
use rpc::Channel;
use serde_json::{Value, json};

/// A client and its secret.
struct Registered {
    id: String,
    secret: String,
}

impl Registered {
    fn of(issued: &Value) -> Self {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        Registered { id: text(&issued["client"]["clientId"]), secret: text(&issued["clientSecret"]) }
    }

    async fn new(admin: &Client, role: &str) -> Self {
        Self::of(&admin.post("/v1/clients", json!({ "name": "A test", "role": role })).await.expect(201))
    }

    fn path(&self, verb: &str) -> String {
        format!("/v1/clients/{}{verb}", self.id)
    }

    fn basic(&self) -> String {
        basic(&self.id, &self.secret)
    }

    /// Its token, by its secret.
    async fn sign_in(&self, anonymous: &Client) -> Client {
        let token = ask(anonymous, &[&self.basic()], GRANT).await.expect(200);
        anonymous.with_token(token["access_token"].as_str())
    }
}

/// A field of a form.
type Field<'a> = (&'a str, &'a str);

const GRANT: &[Field] = &[("grant_type", "client_credentials")];

/// The header of these two as they are.
fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

async fn form(client: &Client, path: &str, headers: &[&str], form: &[Field<'_>]) -> Reply {
    let request = client.request(Method::POST, path).form(form);
    reply(headers.iter().fold(request, |request, value| request.header("authorization", *value))).await
}

async fn ask(client: &Client, headers: &[&str], fields: &[Field<'_>]) -> Reply {
    form(client, "/oauth2/token", headers, fields).await
}

/// Every byte as `%XX`.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

async fn stored(stack: &Stack, id: &str) -> Document {
    let clients = stack.connect().await.database("users").collection::<Document>("clients");
    clients.find_one(doc! { "_id": id }).await.expect("mongod answers").expect("it is stored")
}

#[tokio::test]
async fn a_secret_is_shown_once_and_kept_as_a_digest() {
    let stack = shared().await;
    let (admin, staff) = (Client::admin(stack).await, Client::staff(stack).await);
    let client = Registered::new(&admin, "staff").await;
    assert_eq!((client.secret.len(), &client.id[..4]), (43, "cli_"));
    let listed = admin.get("/v1/clients?pageSize=200").await.expect(200);
    let own = listed["clients"].as_array().expect("a list").iter().find(|one| one["clientId"] == client.id.as_str());
    let own = own.expect("it is listed");
    assert_eq!((&own["name"], &own["role"], own.get("clientSecret")), (&json!("A test"), &json!("staff"), None));
    assert!(!listed.to_string().contains(&client.secret));
    assert!(!format!("{:?}", stored(stack, &client.id).await).contains(&client.secret));
    let events = stack.connect().await.database("users").collection::<Document>("events");
    let events: Vec<Document> =
        events.find(doc! {}).await.expect("mongod answers").try_collect().await.expect("documents");
    assert!(!format!("{events:?}").contains(&client.secret), "nor is it in an event");
    for (role, name) in [("customer", "A test"), ("boss", "A test"), ("", "A test"), ("staff", " ")] {
        admin.post("/v1/clients", json!({ "name": name, "role": role })).await.expect(400);
    }
    staff.post("/v1/clients", json!({ "name": "A test", "role": "support" })).await.expect(403);
    staff.delete(&client.path("")).await.expect(403);
    admin.delete("/v1/clients/cli_absent").await.expect(404);
    admin.post("/v1/clients/cli_absent:rotateSecret", json!({})).await.expect(404);
}

#[tokio::test]
async fn clients_come_in_pages_which_others_that_are_made_meanwhile_do_not_move() {
    let stack = shared().await;
    let admin = Client::admin(stack).await;
    let (mut made, mut found, mut token) = (Vec::new(), Vec::new(), String::new());
    for _ in 0..5 {
        made.push(Registered::new(&admin, "support").await.id);
    }
    loop {
        let page = admin.get(&format!("/v1/clients?pageSize=2&pageToken={token}")).await.expect(200);
        let clients = page["clients"].as_array().cloned().unwrap_or_default();
        assert!(clients.len() <= 2 && found.len() < 2_000, "{page}");
        found.extend(clients.iter().map(|client| client["clientId"].as_str().expect("an id").to_owned()));
        token = page["nextPageToken"].as_str().unwrap_or_default().to_owned();
        if token.is_empty() {
            break;
        }
        Registered::new(&admin, "support").await;
    }
    assert!(found.is_sorted_by(|a, b| a < b), "each of them once, by age: {found:?}");
    assert!(made.iter().all(|id| found.contains(id)), "{made:?} are not all in {found:?}");
    let wrong = admin.get("/v1/clients?pageToken=abc").await;
    assert_eq!((wrong.status, kit::shop::fields(&wrong)), (400, vec!["pageToken".to_owned()]), "{wrong:?}");
}

#[tokio::test]
async fn a_client_proves_who_it_is_by_basic_or_in_the_body() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    let client = Registered::new(&Client::admin(stack).await, "support").await;
    let (id, secret) = (client.id.as_str(), client.secret.as_str());
    let named = [GRANT, &[("client_id", id)]].concat();
    let in_body = [&named[..], &[("client_secret", secret)]].concat();
    let percent = basic(&encoded(id), &encoded(secret));
    let lower = client.basic().replacen("Basic ", "bASIC   ", 1);
    let scope = [GRANT, &[("scope", "read")]].concat();
    let ways: [(&[&str], &[Field]); 6] = [
        (&[&client.basic()], GRANT),
        (&[&client.basic()], &named),
        (&[&client.basic()], &scope),
        (&[&percent], GRANT),
        (&[&lower], GRANT),
        (&[], &in_body),
    ];
    for (headers, fields) in ways {
        let answer = ask(&anonymous, headers, fields).await;
        assert_eq!(answer.headers["cache-control"], "no-store");
        let token = answer.expect(200);
        assert_eq!((&token["token_type"], &token["expires_in"]), (&json!("Bearer"), &json!(900)));
        assert!(token.get("refresh_token").is_none(), "RFC 6749, section 4.4.3: {token}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_prove_who_it_is_is_told_so_with_a_challenge() {
    let stack = shared().await;
    let (anonymous, admin) = (Client::anonymous(stack), Client::admin(stack).await);
    let (client, other) = (Registered::new(&admin, "support").await, Registered::new(&admin, "support").await);
    let (id, secret) = (client.id.as_str(), client.secret.as_str());
    let plain = STANDARD.encode(format!("{id}:{secret}"));
    let wrong = [
        basic(id, "wrong"),
        basic(id, ""),
        basic(id, &other.secret),
        basic(id, &format!("{secret}+")),
        basic(id, &format!("{secret}%")),
        basic(id, &format!("{secret}%zz")),
        basic(id, &format!("{secret}%ff")),
        basic("", secret),
        basic("cli_absent", secret),
        basic("usr_absent", secret),
        format!("Basic {}", STANDARD.encode(id)),
        format!("Basic {id}:{secret}"),
        format!("Basic {}", plain.trim_end_matches('=').trim_end_matches('A').split_at(8).0),
        "Basic".to_owned(),
        "Basic =".to_owned(),
        format!("Bearer {plain}"),
        format!("Digest {plain}"),
    ];
    let refused = |answer: &Reply, what: &str| {
        let told = (answer.status, answer.body["error"].as_str(), answer.headers["www-authenticate"].as_bytes());
        assert_eq!(told, (401, Some("invalid_client"), &b"Basic realm=\"comptoir\""[..]), "{what}: {answer:?}");
    };
    for header in &wrong {
        refused(&ask(&anonymous, &[header], GRANT).await, header);
        if header.starts_with("Basic") {
            let revoked = form(&anonymous, "/oauth2/revoke", &[header], &[("token", "x")]).await;
            refused(&revoked, header);
            let password = [("grant_type", "password"), ("username", "customer@example.com"), ("password", "x")];
            refused(&ask(&anonymous, &[header], &password).await, header);
        }
    }
    for fields in [vec![], vec![("client_id", id)], vec![("client_id", id), ("client_secret", "wrong")]] {
        refused(&ask(&anonymous, &[], &[GRANT, &fields].concat()).await, &format!("{fields:?}"));
    }
    let header = client.basic();
    let both = [GRANT, &[("client_id", id), ("client_secret", secret)]].concat();
    let twice: [(&[&str], Vec<Field>); 5] = [
        (&[&header], both),
        (&[&header], [GRANT, &[("client_secret", secret)]].concat()),
        (&[&header], [GRANT, &[("client_id", &other.id)]].concat()),
        (&[&header, "Bearer x"], GRANT.to_vec()),
        (&[], [GRANT, &[("client_secret", secret)]].concat()),
    ];
    for (headers, fields) in twice {
        let answer = ask(&anonymous, headers, &fields).await;
        assert_eq!((answer.status, &answer.body["error"]), (400, &json!("invalid_request")), "{fields:?}");
    }
}

#[tokio::test]
async fn a_client_has_no_grant_of_users_and_ends_no_token_of_theirs() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    let client = Registered::new(&Client::admin(stack).await, "support").await;
    let header = client.basic();
    let user = [("grant_type", "password"), ("username", "customer@example.com"), ("password", kit::DEMO_PASSWORD)];
    let tokens = ask(&anonymous, &[], &user).await.expect(200);
    let held = tokens["refresh_token"].as_str().expect("a token");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", held)];
    for fields in [&user[..], &refresh] {
        let answer = ask(&anonymous, &[&header], fields).await;
        assert_eq!((answer.status, &answer.body["error"]), (400, &json!("unauthorized_client")));
    }
    let revoke = async |token: &str| form(&anonymous, "/oauth2/revoke", &[&header], &[("token", token)]).await;
    let answer = revoke(held).await;
    assert_eq!((answer.status, &answer.body["error"]), (400, &json!("invalid_grant")));
    revoke("unknown").await.expect(200);
    ask(&anonymous, &[], &refresh).await.expect(200);
}

#[tokio::test]
async fn a_client_is_never_taken_for_a_user() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    let client = Registered::new(&Client::admin(stack).await, "admin").await;
    let program = client.sign_in(&anonymous).await;
    let refused = program.post("/v1/orders", json!({})).await;
    assert_eq!((refused.status, reason(&refused).as_str()), (403, "FORBIDDEN"), "orders are of users");
    program.get(&format!("/v1/users/{}", client.id)).await.expect(404);
    // For its role it acts for all.
    let (_, user) = Client::register(stack).await;
    let path = format!("/v1/users/{}", user["userId"].as_str().expect("an id"));
    assert_eq!(program.get(&path).await.expect(200)["email"], user["email"]);
    program.post(&format!("{path}:lock"), json!({ "reason": "a test" })).await.expect(200);
    program.get("/v1/orders").await.expect(200);
    let guest = program.post("/v1/baskets", json!({})).await.expect(201);
    assert!(!guest["basketToken"].as_str().expect("a text").is_empty(), "a basket is a guest's: {guest}");
}

#[tokio::test]
async fn the_tokens_of_a_client_end_within_seconds_with_it_or_its_secret() {
    let stack = shared().await;
    let (anonymous, admin) = (Client::anonymous(stack), Client::admin(stack).await);
    let orders = Channel::new(stack.grpc("orders"), None).expect("an address").with_deadline(TIMEOUT);
    let (client, other) = (Registered::new(&admin, "support").await, Registered::new(&admin, "support").await);
    let (before, bystander) = (client.sign_in(&anonymous).await, other.sign_in(&anonymous).await);
    assert_eq!(doors(&before, &orders).await, ADMITTED);

    let rotated = Registered::of(&admin.post(&client.path(":rotateSecret"), json!({})).await.expect(200));
    assert_eq!(rotated.id, client.id);
    ask(&anonymous, &[&client.basic()], GRANT).await.expect(401);
    settle(REFUSED, SECONDS, (&before, &orders)).await;
    let after = rotated.sign_in(&anonymous).await;
    assert_eq!(doors(&after, &orders).await, ADMITTED, "those of the new secret count at once");

    for _ in 0..2 {
        admin.delete(&client.path("")).await.expect(200);
    }
    ask(&anonymous, &[&rotated.basic()], GRANT).await.expect(401);
    settle(REFUSED, SECONDS, (&after, &orders)).await;
    admin.post(&client.path(":rotateSecret"), json!({})).await.expect(404);
    let listed = admin.get("/v1/clients?pageSize=200").await.expect(200);
    assert!(!listed.to_string().contains(&client.id), "{listed}");
    assert_eq!(doors(&bystander, &orders).await, ADMITTED, "another client is none of theirs");
}

#[tokio::test]
async fn without_the_broker_a_deleted_client_makes_itself_no_other_one() {
    let own = Own::new().await;
    let (_users, _gateway) = (own.start("users"), own.start("gateway"));
    own.register().await;
    let root = own.signed("usr_root", &["admin"]);
    let (gone, rotated) = (Registered::new(&root, "admin").await, Registered::new(&root, "admin").await);
    let programs =
        [gone.sign_in(&Client::at(own.stores.gateway())).await, rotated.sign_in(&root.with_token(None)).await];
    own.stores.kill_nats().await;
    root.delete(&gone.path("")).await.expect(200);
    root.post(&rotated.path(":rotateSecret"), json!({})).await.expect(200);
    for program in &programs {
        let refused = [
            program.post("/v1/clients", json!({ "name": "A test", "role": "admin" })).await,
            program.post(&rotated.path(":rotateSecret"), json!({})).await,
            program.delete(&rotated.path("")).await,
        ];
        for answer in &refused {
            assert_eq!((answer.status, reason(answer).as_str()), (401, "UNAUTHENTICATED"), "{answer:?}");
        }
        program.get("/v1/clients").await.expect(200); // so it was not the gate that refused them
    }
}
