//! docs/API.md: its ten calls, made in their order by a shell, answer what the page says.

use crate::system::documented::Reply;
use kit::{Client, Stack, StackOptions, root};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs};
use tokio::process::Command;

/// A section of the page: a command, what it answers, and which of that later commands use.
struct Call<'a> {
    title: &'a str,
    command: &'a str,
    reply: Reply<'a>,
    /// Name of a variable, and the path of its value in the reply.
    kept: Vec<(&'a str, &'a str)>,
}

fn calls(page: &str) -> Vec<Call<'_>> {
    let sections =
        page.split("\n## ").skip(1).filter(|section| section.starts_with(|first: char| first.is_ascii_digit()));
    sections.map(call).collect()
}

fn call(section: &str) -> Call<'_> {
    let title = section.lines().next().unwrap_or_default();
    let [command, reply] =
        ["sh", "http"].map(|kind| block(section, kind).unwrap_or_else(|| panic!("{title}: no {kind}")));
    let prose = section.split("```").next().unwrap_or_default();
    let words: Vec<&str> = prose.split_once("Keep").map_or("", |(_, after)| after).split('`').collect();
    // "Keep `path` as `$NAME` and `path` as `$NAME`."
    let names = words.iter().skip(1).step_by(2).collect::<Vec<_>>();
    let kept = names.chunks_exact(2).map(|pair| (pair[1].trim_start_matches('$'), *pair[0])).collect();
    Call { title, command, reply: Reply::parse(reply), kept }
}

/// The first block of this kind.
fn block<'a>(section: &'a str, kind: &str) -> Option<&'a str> {
    let (_, after) = section.split_once(&format!("```{kind}\n"))?;
    after.split_once("\n```").map(|(block, _)| block)
}

/// What the page says that staff have added.
async fn add_the_product(stack: &Stack) {
    let staff = Client::staff(stack).await;
    let blanket = json!({
        "name": "Picnic blanket", "description": "Wool above, waterproof below, 150 by 200 cm.", "sku": "PIC-0001",
        "price": { "currencyCode": "EUR", "units": "39", "nanos": 500_000_000 }, "weightGrams": 1200,
    });
    let product = staff.post("/v1/products", blanket).await.expect(201);
    let path = format!("/v1/stock/{}:adjust", product["productId"].as_str().expect("an id"));
    staff.post(&path, json!({ "delta": 40, "reason": "first delivery" })).await.expect(200);
}

async fn run(command: &str, variables: &BTreeMap<&str, String>) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).envs(variables).env("no_proxy", "127.0.0.1").kill_on_drop(true);
    let output = shell.output().await.expect("sh runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_ne!(output.status.code(), Some(127), "{errors}; mend: apt-get install -y curl");
    assert!(output.status.success(), "{command}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8").replace('\r', "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ten_calls_of_the_document_answer_what_it_says() {
    let page = fs::read_to_string(root().join("docs/API.md")).expect("docs/API.md is there");
    let calls = calls(&page);
    assert_eq!(calls.len(), 10, "{:?}", calls.iter().map(|call| call.title).collect::<Vec<_>>());
    let stack = Stack::start(StackOptions::default()).await;
    add_the_product(&stack).await;
    let mut variables = BTreeMap::from([("GATEWAY", stack.gateway().to_owned())]);
    for call in calls {
        let printed = run(call.command, &variables).await;
        let actual = Reply::parse(&printed);
        call.reply.must_fit(&actual).unwrap_or_else(|error| panic!("{}: {error}\n{printed}", call.title));
        for (name, path) in call.kept {
            let value: Value = serde_json::from_str(actual.body).expect("JSON");
            let value = value.pointer(&format!("/{}", path.replace('.', "/"))).and_then(Value::as_str);
            variables.insert(name, value.unwrap_or_else(|| panic!("{}: no {path}", call.title)).to_owned());
        }
    }
    stack.stop().await;
}
