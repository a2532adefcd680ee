//! `comptoir check`, as `helm test` runs it: through the gateway alone, with a customer's account or the key for user
//! tokens; and `comptoir secrets`, which makes what an installation is given.

use comptoir::dev::seed;
use kit::shop::product;
use kit::{Client, DEMO_PASSWORD, Stack, binary, shared};
use serde_json::Value;
use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, path::Path, process::Output};
use topology::Topology;

async fn comptoir(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = tokio::process::Command::new(binary());
    command.args(arguments).envs(variables.iter().copied()).kill_on_drop(true);
    command.output().await.expect("the binary runs")
}

async fn check(stack: &Stack, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    comptoir(&[&["check", "--gateway", stack.gateway()], arguments].concat(), variables).await
}

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn names(report: &Value) -> Vec<&str> {
    let steps = report["steps"].as_array().expect("steps");
    steps.iter().map(|step| step["name"].as_str().expect("a name")).collect()
}

fn detail<'a>(report: &'a Value, name: &str) -> &'a str {
    let steps = report["steps"].as_array().expect("steps");
    steps.iter().find(|step| step["name"] == name).and_then(|step| step["detail"].as_str()).expect("the step was taken")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_s_account_is_enough_to_check_and_the_order_ends_cancelled() {
    let stack = shared().await;
    let id = product(stack, 3).await;
    let account = [("COMPTOIR_CHECK_USERNAME", seed::CUSTOMER), ("COMPTOIR_CHECK_PASSWORD", DEMO_PASSWORD)];
    let output = check(stack, &["--json", "--product", &id], &account).await;
    let report = json(&output);
    assert!(output.status.success() && report["ok"] == true, "{report}");
    assert_eq!(names(&report), ["ready", "sign in", "product", "order", "cancel"]);
    let path = format!("/v1/orders/{}", detail(&report, "order"));
    assert_eq!(Client::customer(stack).await.get(&path).await.expect(200)["state"], "CANCELLED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_key_for_user_tokens_it_makes_what_it_needs_and_may_run_again() {
    let stack = shared().await;
    let key = stack.state().user_token_key_file.display().to_string();
    let mut products = BTreeSet::new();
    for _ in 0..2 {
        let output = check(stack, &["--json", "--user-token-key-file", &key], &[]).await;
        assert!(output.status.success(), "{output:?}");
        products.insert(detail(&json(&output), "product").to_owned());
    }
    assert_eq!(products.len(), 1, "each check made a product: {products:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_step_that_fails_is_named_and_the_exit_code_is_1() {
    let stack = shared().await;
    let cases = [
        ("tok_visa", "wrong-password", "sign in", "invalid_grant"),
        ("tok_declined", DEMO_PASSWORD, "order", "REJECTED"),
    ];
    for (token, password, step, why) in cases {
        let arguments = ["--username", seed::CUSTOMER, "--password", password, "--payment-token", token];
        let output = check(stack, &arguments, &[]).await;
        let (table, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let last = table.lines().last().expect("a table");
        assert!(last.starts_with(step) && last.contains("failed") && last.contains(why), "{table}");
        assert!(error.starts_with(&format!("comptoir: {step}: ")), "{error}");
    }
    let nowhere = comptoir(&["check", "--gateway", "http://127.0.0.1:1"], &[]).await;
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("ready"), "{nowhere:?}");
}

#[tokio::test]
async fn secrets_are_made_once_for_every_service_and_only_their_owner_reads_them() {
    let directory = std::env::temp_dir().join(format!("comptoir-secrets-{}", std::process::id()));
    let output = directory.display().to_string();
    let mut made = Vec::new();
    for _ in 0..2 {
        let done = comptoir(&["secrets", "--output", &output], &[]).await;
        assert!(done.status.success(), "{done:?}");
        made.push(["keys", "mongodb", "nats", "payment-provider"].map(|secret| files(&directory.join(secret))));
    }
    fs::remove_dir_all(&directory).expect("what was written can be removed");
    assert_eq!(made[0], made[1], "the second run changed something");
    let services: Vec<&str> = Topology::get().service.keys().map(String::as_str).collect();
    let expected = |more: &[&str]| services.iter().chain(more).map(ToString::to_string).collect::<BTreeSet<_>>();
    let [keys, mongodb, nats, provider] = &made[0];
    let pem: BTreeSet<String> = keys.keys().map(|name| name.trim_end_matches(".pem").to_owned()).collect();
    assert_eq!(pem, expected(&["jwks.json", "user-tokens"]));
    assert_eq!(mongodb.keys().cloned().collect::<BTreeSet<_>>(), expected(&["root", "keyfile", "sandbox-psp"]));
    assert_eq!(nats.keys().cloned().collect::<BTreeSet<_>>(), expected(&["operator", "route", "gateway"]));
    assert!(provider.keys().eq(["COMPTOIR_PROVIDER_KEY", "COMPTOIR_WEBHOOK_SECRET"]), "{:?}", provider.keys());
}

/// The files of a directory with what is in them.
fn files(directory: &Path) -> std::collections::BTreeMap<String, String> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let read = |entry: fs::DirEntry| {
        let mode = entry.metadata().expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
        (entry.file_name().to_string_lossy().into_owned(), fs::read_to_string(entry.path()).expect("text"))
    };
    entries.map(|entry| read(entry.expect("an entry"))).collect()
}
