//! Another schema in the place of the one in use.

use super::{Gateway, library::library, library_set, replace};
use anyhow::ensure;
use futures::StreamExt;
use kit::{Directory, eventually};
use serde_json::Value;
use std::{
    os::unix::fs::symlink,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::task::JoinSet;

const OPEN: [&str; 2] = ["--default-access", "public"];
const BOOK: &str = "/v1/shelves/s1/books/b1";
const BOOK_V2: &str = "/v2/shelves/s1/books/b1";

const SERVING: &str = "\"message\":\"serving\"";
const REFUSED: &str = "the new descriptors are refused; the schema in use stays";

/// The library, whose book has a second path.
fn second(directory: &Directory) -> Vec<u8> {
    let more = |text: String| {
        let rule = "{get: \"/v1/{name=shelves/*/books/*}\"}";
        let both =
            "{get: \"/v1/{name=shelves/*/books/*}\" additional_bindings {get: \"/v2/{name=shelves/*/books/*}\"}}";
        text.replacen(rule, both, 1)
    };
    library_set(&directory.0, more)
}

fn first(directory: &Directory) -> Vec<u8> {
    library_set(&directory.0, |text| text)
}

/// Waits until `path` answers with `status`.
async fn answers(gateway: &Gateway, path: &str, status: u16) {
    eventually(super::WAIT, || async {
        let reply = gateway.client().get(path).await;
        ensure!(reply.status == status, "{reply:?}: {}", gateway.process.tail(5));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_changed_file_is_served_by_itself_and_an_unchanged_one_changes_nothing() {
    let acme = library("acme").await;
    let gateway = Gateway::of_library(&acme.uri, &OPEN).await;
    assert_eq!(gateway.client().get(BOOK_V2).await.status, 404);
    replace(&gateway.file(), &second(&gateway.directory));
    answers(&gateway, BOOK_V2, 200).await;
    let document = gateway.client().get("/openapi.json").await.expect(200);
    assert!(document["paths"]["/v2/shelves/{shelvesId}/books/{booksId}"].is_object(), "{document}");
    replace(&gateway.file(), &second(&gateway.directory));
    gateway.hangup();
    gateway.logged("the descriptors are those of the schema in use", 1).await;
    assert_eq!(gateway.count(SERVING), 2, "at the start and after the change");
}

#[tokio::test]
async fn a_file_whose_link_is_swapped_as_kubernetes_does_is_served() {
    let acme = library("acme").await;
    let directory = Directory::new();
    let at = |name: &str| directory.0.join(name);
    for (folder, content) in [("one", first(&directory)), ("two", second(&directory))] {
        std::fs::create_dir(at(folder)).expect("it can be made");
        std::fs::write(at(folder).join("set.binpb"), content).expect("it can be written");
    }
    symlink("one", at("..data")).expect("a link");
    symlink("..data/set.binpb", at("set.binpb")).expect("a link");
    let file = at("set.binpb").display().to_string();
    let arguments = ["--descriptors", &file, "--upstream", &acme.uri, OPEN[0], OPEN[1]];
    let gateway = Gateway::start(Directory::new(), &arguments).await;
    assert_eq!(gateway.client().get(BOOK_V2).await.status, 404);
    symlink("two", at("..data_tmp")).expect("a link");
    std::fs::rename(at("..data_tmp"), at("..data")).expect("it is swapped");
    answers(&gateway, BOOK_V2, 200).await;
}

#[tokio::test]
async fn at_sighup_the_file_is_read_again_at_once() {
    let acme = library("acme").await;
    let gateway = Gateway::of_library(&acme.uri, &OPEN).await;
    for round in 2..8 {
        let (content, status) =
            if round % 2 == 0 { (second(&gateway.directory), 200) } else { (first(&gateway.directory), 404) };
        replace(&gateway.file(), &content);
        gateway.hangup();
        gateway.logged(SERVING, round).await;
        assert_eq!(gateway.client().get(BOOK_V2).await.status, status, "{round}");
    }
}

#[tokio::test]
async fn no_request_fails_while_schemas_change_under_load() {
    let acme = library("acme").await;
    let gateway = Gateway::of_library(&acme.uri, &OPEN).await;
    let (is_over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut callers = JoinSet::new();
    for caller in 0..8 {
        let (client, is_over, answered) = (gateway.client(), is_over.clone(), answered.clone());
        let path = if caller == 0 { "/v1/shelves/s1/books/slow" } else { BOOK };
        callers.spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                let reply = client.get(path).await;
                assert_eq!(reply.status, 200, "{reply:?}");
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    for round in 2..22 {
        let content = if round % 2 == 0 { second(&gateway.directory) } else { first(&gateway.directory) };
        let before = answered.load(Ordering::Relaxed);
        replace(&gateway.file(), &content);
        // Each third change is found by the gateway itself.
        if round % 3 != 0 {
            gateway.hangup();
        }
        gateway.logged(SERVING, round).await;
        eventually(super::WAIT, || async {
            ensure!(answered.load(Ordering::Relaxed) > before + 16, "the callers go on");
            Ok(())
        })
        .await;
    }
    is_over.store(true, Ordering::Relaxed);
    while let Some(ended) = callers.join_next().await {
        ended.expect("no request failed");
    }
}

#[tokio::test]
async fn a_stream_under_way_goes_on_when_its_path_is_gone() {
    let acme = library("acme").await;
    let gateway = Gateway::of_library(&acme.uri, &OPEN).await;
    let watched = reqwest::get(format!("{}{BOOK}:watch", gateway.uri)).await.expect("it answers");
    let mut chunks = watched.bytes_stream();
    let mut text = String::new();
    let mut until = async |pages: u64| {
        let is_there = |text: &str| text.lines().any(|line| page(line) == Some(pages));
        while !is_there(&text) {
            let chunk = chunks.next().await.expect("it goes on").expect("it does not break");
            text += &String::from_utf8_lossy(&chunk);
        }
    };
    until(3).await;
    let without = library_set(&gateway.directory.0, |text| text.replace("/v1/{name=", "/v3/{name="));
    replace(&gateway.file(), &without);
    gateway.hangup();
    gateway.logged(SERVING, 2).await;
    assert_eq!(gateway.client().get(BOOK).await.status, 404);
    until(60).await;
}

/// The pages of the book in a line of a stream.
fn page(line: &str) -> Option<u64> {
    serde_json::from_str::<Value>(line).ok()?["pages"].as_str()?.parse().ok()
}

#[tokio::test]
async fn a_broken_schema_is_refused_with_one_line_and_the_one_before_stays() {
    let acme = library("acme").await;
    let gateway = Gateway::of_library(&acme.uri, &OPEN).await;
    let set = |from: &str, to: &str| library_set(&gateway.directory.0, |text| text.replace(from, to));
    let broken = [
        (b"no descriptors".to_vec(), "this is no descriptor set"),
        (Vec::new(), "the descriptors have no service"),
        (set("/books/*}:watch\"", "/books/*}\""), "both answer to GET /v1/{name=shelves/*/books/*}"),
        (set("/v1/{parent=", "/v1/{nobody="), "cannot be bound"),
        (set("package acme.library", "package acme.museum"), "package acme.museum.v1 has no upstream"),
    ];
    for (count, (content, why)) in (1..).zip(broken) {
        replace(&gateway.file(), &content);
        gateway.logged(REFUSED, count).await;
        assert_eq!(gateway.count(why), 1, "{why}: {}", gateway.process.tail(3));
        assert_eq!(gateway.client().get(BOOK).await.status, 200, "{why}");
    }
    let last = first(&gateway.directory);
    replace(&gateway.file(), &last);
    gateway.hangup();
    gateway.logged("the descriptors are those of the schema in use", 1).await;
    std::fs::remove_file(gateway.file()).expect("it is there");
    gateway.logged("the descriptors cannot be read; the schema in use stays", 1).await;
    replace(&gateway.file(), &second(&gateway.directory));
    answers(&gateway, BOOK_V2, 200).await;
    assert_eq!((gateway.count(REFUSED), gateway.count("cannot be read")), (5, 1), "each once, whatever the looks");
}
