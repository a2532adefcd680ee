//! `comptoir verify` with the users that its help asks for: they may read, and nothing else.

use crate::baskets::ordered;
use crate::orders::{coupons::coupon, sagas::operators::set_payment};
use crate::webhooks::an_endpoint;
use bson::{Document, doc};
use kit::shop::{self, id};
use kit::{Client, Stack, StackOptions, binary, eventually};
use serde_json::{Value, json};
use std::process::{Command, Output, Stdio};

const NAME: &str = "auditor";
const PASSWORD: &str = "reads-only";

/// A user with the role "read" on these services' databases; how to connect as them.
async fn mongodb_user(stack: &Stack, name: &str, services: &[&str]) -> String {
    let database = |service: &&str| topology::Topology::get().database(service).expect("it has a database");
    let role = |service: &&str| doc! { "role": "read", "db": database(service) };
    let roles: Vec<Document> = services.iter().map(role).collect();
    let create = doc! { "createUser": name, "pwd": PASSWORD, "roles": roles };
    stack.mongodb().database("admin").run_command(create).await.expect("root may");
    let uri = stack.state().mongodb_uri.clone();
    let (credentials, place) = uri.trim_start_matches("mongodb://").split_once('@').expect("root has a password");
    assert!(credentials.starts_with("root:"), "root connects as root");
    format!("mongodb://{name}:{PASSWORD}@{place}")
}

/// A user who may publish what the help names; the server reads its configuration again.
async fn nats_user(stack: &Stack) {
    let file = stack.data().join("nats.conf");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&file).expect("it is there")).expect("JSON");
    let requests = json!(["$JS.API.STREAM.INFO.*", "$JS.API.STREAM.MSG.GET.*"]);
    let permissions = json!({ "publish": { "allow": requests }, "subscribe": { "allow": ["_INBOX.>"] } });
    let user = json!({ "user": NAME, "password": PASSWORD, "permissions": permissions });
    config["authorization"]["users"].as_array_mut().expect("users").push(user);
    std::fs::write(&file, config.to_string()).expect("it can be written");
    let hup = Command::new("kill").arg("-HUP").arg(stack.state().pids["nats-server"].to_string()).status();
    assert!(hup.is_ok_and(|status| status.success()), "the server takes the signal");
    eventually(shop::TIMEOUT, || async {
        let options = async_nats::ConnectOptions::with_user_and_password(NAME.into(), PASSWORD.into());
        Ok(options.connect(&stack.state().nats_url).await?)
    })
    .await;
}

fn verify(stack: &Stack, mongodb_uri: &str) -> Output {
    let nats = ["--nats-url", &stack.state().nats_url, "--nats-user", NAME, "--nats-password", PASSWORD];
    let mut command = Command::new(binary());
    command.args(["verify", "--settle", "1", "--patience", "10", "--mongodb-uri", mongodb_uri]).args(nats);
    command.stdin(Stdio::null()).output().expect("the binary runs")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_who_may_only_read_are_enough_to_verify_a_system() {
    let stack = Stack::start(StackOptions::default()).await;
    let product = shop::product(&stack, 5).await;
    coupon(&stack, json!({ "percentage": "10" })).await;
    an_endpoint(&stack).await;
    super::variant(&stack).await;
    let (customer, _) = Client::register(&stack).await;
    let order = shop::place(&customer, &[(&product, 1)], "tok_visa").await;
    assert_eq!(order["state"], "CONFIRMED", "{order}");
    ordered(&customer, &[(&product, 1)]).await;
    let services: Vec<&str> = topology::Topology::get().stores().collect();
    let uri = mongodb_user(&stack, NAME, &services).await;
    nats_user(&stack).await;

    let reader = mongodb::Client::with_uri_str(&uri).await.expect("the URI is valid");
    let written = reader.database("orders").collection::<Document>("orders").insert_one(doc! { "_id": "x" }).await;
    assert!(written.is_err_and(|error| error.to_string().contains("not authorized")), "they may only read");
    let output = verify(&stack, &uri);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{table}{}", String::from_utf8_lossy(&output.stderr));
    let checked = |line: &str| line.split_whitespace().nth(1).is_some_and(|count| count != "0");
    assert_eq!(
        table.lines().skip(1).filter(|line| checked(line)).count(),
        super::INVARIANTS,
        "each is looked at: {table}"
    );

    set_payment(&stack, &order, "Voided").await;
    let output = verify(&stack, &uri);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(1) && table.contains(id(&order, "paymentId")), "{table}");
    set_payment(&stack, &order, "Authorized").await;

    let half = mongodb_user(&stack, "half-an-auditor", &services[1..]).await;
    let output = verify(&stack, &half);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(1) && error.contains("not authorized"),
        "what cannot be read is said: {error}"
    );
    stack.stop().await;
}
