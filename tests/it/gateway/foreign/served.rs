//! What is served of a descriptor set, to whom, and by which server.

use super::{
    Gateway, LIBRARY, compiled,
    library::{SERVICE, library},
    library_set,
};
use kit::{Client, Directory, binary, reply};
use reqwest::Method;
use serde_json::{Value, json};
use std::process::Command;

const BOOK: &str = "/v1/shelves/s1/books/b1";

/// Calls an RPC by its name, as Connect does.
async fn connect(client: &Client, method: &str, body: Value) -> kit::Reply {
    reply(client.request(Method::POST, &format!("/{SERVICE}/{method}")).json(&body)).await
}

#[tokio::test]
async fn a_service_of_others_is_served_over_json_from_its_descriptors() {
    let acme = library("acme").await;
    let gateway = Gateway::of_library(&acme.uri, &["--default-access", "public"]).await;
    let book = gateway.client().get(BOOK).await.expect(200);
    let shown = json!({"name": "shelves/s1/books/b1", "title": "of acme", "pages": "9007199254740993", "headers": {}});
    assert_eq!(book, shown);
    let added = gateway.client().post("/v1/shelves/s2/books", json!({"title": "New", "pages": 12})).await.expect(200);
    assert_eq!((&added["name"], &added["pages"]), (&json!("shelves/s2/books/new"), &json!("12")));
    let wrong = gateway.client().post("/v1/shelves/s2/books", json!({"colour": "red"})).await.expect(400);
    let violations = &wrong["details"][1]["fieldViolations"];
    assert_eq!(violations[0]["field"], "colour", "details are written out, whatever the descriptors have: {wrong}");
    let lost = gateway.client().get("/v1/shelves/s1/books/lost").await.expect(404);
    assert_eq!((&lost["message"], &lost["details"][0]["reason"]), (&json!("this book was lost"), &json!("LOST")));
}

#[tokio::test]
async fn a_service_of_others_is_called_by_its_name_over_grpc_grpc_web_and_connect() {
    let acme = library("acme").await;
    let gateway = Gateway::of_library(&acme.uri, &["--default-access", "public"]).await;
    for protocol in ["grpc", "grpcweb", "connect"] {
        let buf = std::env::var_os("BUF_BIN").unwrap_or_else(|| "../.tools/buf".into());
        let mut command = Command::new(buf);
        command.args(["curl", "--protocol", protocol, "--data", "{}", "--schema"]).arg(gateway.file());
        if protocol == "grpc" {
            command.arg("--http2-prior-knowledge");
        }
        command.arg(format!("{}/{SERVICE}/CountBooks", gateway.uri));
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it ends");
        let output = output.unwrap_or_else(|error| panic!("buf: {error}; mend: make tools"));
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && text.contains("\"count\": 3"), "{protocol}: {text}");
    }
    assert_eq!(connect(&gateway.client(), "CountBooks", json!({})).await.expect(200), json!({"count": 3}));
}

#[tokio::test]
async fn names_defaults_and_enum_numbers_of_replies_are_as_the_setting_says() {
    let acme = library("acme").await;
    let described = |text: String| {
        let text = text.replacen("string title = 2;", "string main_title = 2;\n  Cover of_cover = 5;", 1);
        text + "enum Cover {\n  COVER_UNSPECIFIED = 0;\n}\n"
    };
    let shown = async |output: &str| {
        let directory = Directory::new();
        let file = directory.0.join("library.binpb");
        std::fs::write(&file, library_set(&directory.0, described)).expect("the directory can be written");
        let file = file.display().to_string();
        let arguments = ["--descriptors", &file, "--upstream", &acme.uri, "--default-access", "public"];
        let gateway = Gateway::start(directory, &[&arguments[..], &["--json-output", output]].concat()).await;
        let client = gateway.client();
        let document = client.get("/openapi.json").await.expect(200);
        let schema = &document["components"]["schemas"]["acme.library.v1.Book"];
        let (book, named) = (client.get(BOOK).await.expect(200), json!({"name": "shelves/s1/books/b1"}));
        assert_eq!(connect(&client, "GetBook", named).await.expect(200), book, "{output}");
        // A faulty request is told in one form, which clients can rely on.
        let wrong = client.post("/v1/shelves/s2/books", json!({"colour": "red"})).await.expect(400);
        assert_eq!(wrong["details"][1]["fieldViolations"][0]["field"], "colour", "{output}: {wrong}");
        let members = schema["properties"].as_object().expect("members").keys().cloned();
        let members: Vec<String> = members.filter(|name| book.get(name).is_some()).collect();
        assert_eq!(members.len(), book.as_object().expect("members").len(), "{output}: {schema} {book}");
        json!([book["mainTitle"], book["main_title"], book["ofCover"], book["of_cover"]])
    };
    assert_eq!(shown("defaults").await, json!(["of acme", null, "COVER_UNSPECIFIED", null]));
    assert_eq!(shown("none").await, json!(["of acme", null, null, null]));
    assert_eq!(shown("defaults,proto-names,enum-numbers").await, json!([null, "of acme", null, 0]));
}

#[tokio::test]
async fn a_template_that_wins_though_another_one_is_more_specific_behind_is_logged() {
    let acme = library("acme").await;
    let gateway = Gateway::of_library(&acme.uri, &["--default-access", "public"]).await;
    assert_eq!(gateway.count("wins over"), 0);
    let crossing = |text: String| {
        let rule = "{get: \"/v1/{name=shelves/*/books/*}\"}";
        let both = "{get: \"/v1/{name=shelves/*/books/*}\" additional_bindings {get: \"/v1/{name=shelves/lost/**}\"}}";
        text.replacen(rule, both, 1)
    };
    std::fs::write(gateway.file(), library_set(&gateway.directory.0, crossing)).expect("the directory can be written");
    gateway.hangup();
    gateway.logged("/v1/{name=shelves/lost/**} wins over /v1/{name=shelves/*/books/*}", 1).await;
}

#[test]
fn a_form_of_json_that_does_not_exist_is_refused_at_the_start() {
    for wrong in ["none,defaults", "camel"] {
        let mut command = Command::new(binary());
        command.args(["serve", "gateway", "--listen", "127.0.0.1:0", "--reflect", "http://127.0.0.1:1"]);
        let output = command.args(["--json-output", wrong]).output().expect("the binary starts");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains("json-output"), "{wrong}: {text}");
    }
}

#[tokio::test]
async fn an_rpc_without_a_rule_is_404_until_the_setting_says_who_may_call() {
    let acme = library("acme").await;
    let closed = Gateway::of_library(&acme.uri, &[]).await;
    assert_eq!(closed.client().get(BOOK).await.status, 404);
    assert_eq!(connect(&closed.client(), "GetBook", json!({})).await.status, 404);
    let warning = "7 of 7 RPCs are not served: their contracts do not say who may call; COMPTOIR_DEFAULT_ACCESS";
    assert_eq!(closed.count(warning), 1, "{}", closed.process.output());
    let open = Gateway::of_library(&acme.uri, &["--default-access", "public"]).await;
    assert_eq!(open.client().get(BOOK).await.status, 200);
    assert_eq!(open.count("are not served"), 0);
}

#[tokio::test]
async fn a_rule_in_a_contract_of_others_wins_over_the_setting() {
    let directory = Directory::new();
    let ruled = LIBRARY.replacen("import \"", "import \"comptoir/api/v1/access.proto\";\nimport \"", 1);
    let rule = "rpc CountBooks(CountBooksRequest) returns (CountBooksResponse) {\n\
        option (comptoir.api.v1.access) = {services: \"orders\"};\n}";
    let ruled = ruled.replace("rpc CountBooks(CountBooksRequest) returns (CountBooksResponse);", rule);
    let file = directory.0.join("ruled.binpb");
    std::fs::write(&file, compiled(&directory.0, "ruled", &ruled)).expect("it can be written");
    let acme = library("acme").await;
    let file = file.display().to_string();
    let arguments = ["--descriptors", &file, "--upstream", &acme.uri, "--default-access", "public"];
    let gateway = Gateway::start(directory, &arguments).await;
    assert_eq!(gateway.client().get(BOOK).await.status, 200);
    assert_eq!(connect(&gateway.client(), "CountBooks", json!({})).await.status, 404);
}

#[tokio::test]
async fn without_tokens_to_check_no_keys_are_needed_and_with_some_they_are() {
    let acme = library("acme").await;
    let public = Gateway::of_library(&acme.uri, &["--default-access", "public"]).await;
    let file = public.file().display().to_string();
    for access in ["user", "role:staff"] {
        let arguments =
            ["serve", "gateway", "--descriptors", &file, "--upstream", &acme.uri, "--default-access", access];
        let output = Command::new(binary()).args(arguments).env_clear().output().expect("the binary runs");
        let line = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{line}");
        assert!(line.contains("asks for a token") && line.contains("COMPTOIR_JWKS_FILE"), "{line}");
    }
    let keys = public.directory.0.join("keys.json");
    std::fs::write(&keys, r#"{"keys": []}"#).expect("it can be written");
    let keys = keys.display().to_string();
    let signed_in = Gateway::of_library(&acme.uri, &["--default-access", "user", "--jwks-file", &keys]).await;
    assert_eq!(signed_in.client().get(BOOK).await.status, 401);
}

#[tokio::test]
async fn an_upstream_of_a_package_serves_its_sub_packages_and_the_longest_name_wins() {
    let (all, acme, exact) = (library("all").await, library("acme").await, library("exact").await);
    let directory = Directory::new();
    let file = directory.0.join("library.binpb");
    std::fs::write(&file, super::library_set(&directory.0, |text| text)).expect("it can be written");
    let file = file.display().to_string();
    for (upstreams, title) in [
        (vec![all.uri.clone()], "of all"),
        (vec![all.uri.clone(), format!("acme={}", acme.uri)], "of acme"),
        (vec![format!("acme={},acme.library={}", acme.uri, exact.uri)], "of exact"),
        (vec![format!("acme.lib={}", exact.uri), all.uri.clone()], "of all"),
        (vec![format!("acme.library.v1={}", acme.uri), format!("{SERVICE}={}", exact.uri)], "of exact"),
    ] {
        let mut arguments = vec!["--descriptors", &file, "--default-access", "public"];
        arguments.extend(upstreams.iter().flat_map(|upstream| ["--upstream", upstream.as_str()]));
        let gateway = Gateway::start(Directory::new(), &arguments).await;
        assert_eq!(gateway.client().get(BOOK).await.expect(200)["title"], title, "{upstreams:?}");
    }
}

#[tokio::test]
async fn a_descriptor_set_that_cannot_be_served_ends_the_start_with_64_and_says_why() {
    let directory = Directory::new();
    let set = |text: String| super::library_set(&directory.0, |_| text);
    let twice =
        LIBRARY.replace("{get: \"/v1/{name=shelves/*/books/*}:watch\"}", "{get: \"/v1/{name=shelves/*/books/*}\"}");
    for (content, upstream, why) in [
        (b"no descriptors".to_vec(), "http://127.0.0.1:1", "this is no descriptor set"),
        (Vec::new(), "http://127.0.0.1:1", "the descriptors have no service"),
        (set(twice), "http://127.0.0.1:1", "both answer to GET"),
        (set(LIBRARY.to_owned()), "acme.shop=http://127.0.0.1:1", "package acme.library.v1 has no upstream"),
    ] {
        let file = directory.0.join("tried.binpb");
        std::fs::write(&file, content).expect("it can be written");
        let file = file.display().to_string();
        let arguments =
            ["serve", "gateway", "--default-access", "public", "--descriptors", &file, "--upstream", upstream];
        let output = Command::new(binary()).args(arguments).env_clear().output().expect("the binary runs");
        let line = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), line.lines().count()), (Some(64), 1), "{line}");
        assert!(line.contains(why) && line.contains("COMPTOIR_DESCRIPTORS"), "{why}: {line}");
    }
}

#[tokio::test]
async fn two_sets_written_into_one_file_are_served_together() {
    let directory = Directory::new();
    let museum = LIBRARY.replace("acme.library", "acme.museum").replace("/v1/", "/museum/");
    let sets = [super::library_set(&directory.0, |text| text), compiled(&directory.0, "museum", &museum)];
    let file = directory.0.join("both.binpb");
    std::fs::write(&file, sets.concat()).expect("it can be written");
    let (acme, file) = (library("acme").await, file.display().to_string());
    let arguments = ["--descriptors", &file, "--upstream", &acme.uri, "--default-access", "public"];
    let gateway = Gateway::start(directory, &arguments).await;
    assert_eq!(gateway.client().get(BOOK).await.status, 200);
    let paths = gateway.client().get("/openapi.json").await.expect(200)["paths"].clone();
    assert!(paths["/museum/shelves/{shelvesId}/books/{booksId}"]["get"].is_object(), "{paths}");
}

#[tokio::test]
async fn named_headers_go_along_and_no_others() {
    let acme = library("acme").await;
    let gateway =
        Gateway::of_library(&acme.uri, &["--default-access", "public", "--forward-headers", "X-Tenant"]).await;
    let request = gateway.client().request(Method::GET, BOOK).header("x-tenant", "t1").header("x-other", "o1");
    assert_eq!(reply(request).await.expect(200)["headers"], json!({"x-tenant": "t1"}));
    for wrong in ["connection", "grpc-timeout", "Authorization", "a b"] {
        let arguments = ["serve", "gateway", "--reflect", "http://127.0.0.1:1", "--forward-headers", wrong];
        let output = Command::new(binary()).args(arguments).env_clear().output().expect("the binary runs");
        let line = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(64) && line.contains("COMPTOIR_FORWARD_HEADERS"), "{wrong}: {line}");
    }
}

#[tokio::test]
async fn the_openapi_document_and_the_page_show_the_schema_of_others() {
    let acme = library("acme").await;
    let gateway = Gateway::of_library(&acme.uri, &["--default-access", "public"]).await;
    let document = gateway.client().get("/openapi.json").await.expect(200);
    assert_eq!((&document["info"]["title"], &document["info"]["version"]), (&json!("acme.library.v1"), &json!("v1")));
    assert!(document["info"].get("license").is_none(), "nobody knows it");
    let get = &document["paths"]["/v1/shelves/{shelvesId}/books/{booksId}"]["get"];
    assert_eq!((&get["summary"], &get["security"][0]), (&json!("Shows a book"), &json!({})));
    assert!(!document.to_string().contains("comptoir"), "{document}");
    let page = gateway.client().get("/docs").await;
    assert!(page.status == 200 && !page.body.as_str().expect("a page").contains("Comptoir"), "{page:?}");
}
