//! `comptoir products import` and `export`, as somebody runs them who keeps a catalogue.

use kit::shop::id;
use kit::{Client, Stack, StackOptions, binary, shared};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

fn command(stack: &Stack, arguments: &[&str]) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(binary());
    command.arg("products").args(arguments).arg("--data").arg(stack.data());
    command.stdin(Stdio::null()).env_remove("COMPTOIR_TOKEN").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn run(stack: &Stack, arguments: &[&str]) -> Output {
    command(stack, arguments).output().await.expect("the binary runs")
}

/// A file of a test's own, with this text.
fn file(name: &str, text: &str) -> (kit::Directory, PathBuf) {
    let directory = kit::Directory::new();
    let path = directory.0.join(name);
    std::fs::write(&path, text).expect("it can be written");
    (directory, path)
}

/// The report of an import, whose exit code is that of what it says.
async fn import(stack: &Stack, file: &Path, more: &[&str]) -> (Value, String) {
    let output = run(stack, &[&["import", file.to_str().expect("UTF-8"), "--json"], more].concat()).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(output.status.code(), Some(i32::from(report["failed"] != 0)), "{report} {told}");
    (report, told)
}

fn counts(report: &Value) -> [u64; 4] {
    ["created", "updated", "unchanged", "failed"].map(|name| report[name].as_u64().expect("a count"))
}

fn unique() -> String {
    format!("{:012x}", rand::random::<u64>() >> 16)
}

async fn by_sku(stack: &Stack, sku: &str) -> Value {
    let found = Client::staff(stack).await.get(&format!("/v1/products:lookup?skus={sku}")).await.expect(200);
    let found = found["products"].as_array().cloned().unwrap_or_default();
    assert_eq!(found.len(), 1, "{sku}: {found:?}");
    found[0].clone()
}

/// The fields of a product that a file has.
fn told(product: &Value) -> Value {
    let mut told = product.clone();
    for field in ["productId", "createTime", "updateTime", "etag"] {
        told.as_object_mut().expect("a product").remove(field);
    }
    told
}

#[tokio::test]
async fn lines_make_and_change_products_and_those_that_are_refused_are_named() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let category = staff.post("/v1/categories", json!({ "name": format!("Lamps {}", unique()) })).await.expect(201);
    let (category, run) = (id(&category, "categoryId"), unique());
    let known = kit::shop::product(stack, 0).await;
    let known_sku = staff.get(&format!("/v1/products/{known}")).await.expect(200)["sku"].clone();
    let text = format!(
        "sku,name,description,price,currency,status,tax_category,weight_grams,category_ids,media,other_prices\n\
         A-{run},Lamp,\"Bright,\nand \"\"warm\"\"\",12.50,EUR,,FOOD,300,{category},\"https://example.com/a.jpg A lamp\nhttps://example.com/b.jpg\",13.9 usd; 1500 JPY;\n\
         {},Other name,,3,EUR,DRAFT,,,,,\n\
         B-{run},Lamp,,12.505,EUR,,,,,,\n\
         C-{run},,,1,EUR,,,,,,\n\
         D-{run},Lamp,,1,EUR,,,,cat_absent,,\n\
         E-{run},Lamp\n\
         a-{run},Lamp,,1,EUR,,,,,,\n\
         F-{run},Lamp,,1,EUR,SOLD,,,,,\n\
         ,Lamp,,1,EUR,,,,,,\n\
         G-{run},Lamp,,1,EUR,,,-1,,,\n\
         H-{run},Last,,1.00,EUR,ACTIVE,,0,,,\n\
         I-{run},Lamp,,1,EUR,,,,,,13 USD 5\n\
         K-{run},Lamp,,1,EUR,,,,,,1 EUR\n",
        known_sku.as_str().expect("a text"),
    );
    let (_directory, path) = file("catalogue.csv", &text);
    let (report, told_of) = import(stack, &path, &[]).await;
    assert_eq!(counts(&report), [2, 1, 0, 10], "{report}");
    let refused: Vec<(u64, &str)> = report["errors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|error| (error["line"].as_u64().expect("a number"), id(error, "message")))
        .collect();
    let parts = [
        (6, "price"),
        (7, "no name"),
        (8, "category_ids: there is no category \"cat_absent\""),
        (9, "it has 2 cells"),
        (10, "line 2 has this SKU, too"),
        (11, "SOLD"),
        (12, "no sku"),
        (13, "weight_grams"),
        (15, "other_prices"),
        (16, "other_prices[0]: is in EUR, the currency of the product's price"),
    ];
    for (line, part) in parts {
        let found = refused.iter().find(|(of, _)| *of == line);
        assert!(found.is_some_and(|(_, message)| message.contains(part)), "line {line}, {part}: {refused:?}");
        assert!(told_of.contains(&format!("catalogue.csv:{line}: ")), "{told_of}");
    }
    let lamp = by_sku(stack, &format!("a-{run}")).await;
    assert_eq!(
        told(&lamp),
        json!({
            "sku": format!("A-{run}"), "name": "Lamp", "description": "Bright,\nand \"warm\"", "status": "ACTIVE",
            "price": { "currencyCode": "EUR", "units": "12", "nanos": 500_000_000 }, "taxCategory": "FOOD",
            "weightGrams": 300, "categoryIds": [category],
            "otherPrices": [
                { "currencyCode": "JPY", "units": "1500", "nanos": 0 }, { "currencyCode": "USD", "units": "13", "nanos": 900_000_000 },
            ],
            "media": [
                { "uri": "https://example.com/a.jpg", "altText": "A lamp" }, { "uri": "https://example.com/b.jpg", "altText": "" },
            ],
            "groupId": "", "options": [],
        })
    );
    let changed = staff.get(&format!("/v1/products/{known}")).await.expect(200);
    assert_eq!((&changed["name"], &changed["status"]), (&json!("Other name"), &json!("DRAFT")), "{changed}");
    // Only the columns that there are.
    let (_directory, path) = file("prices.txt", &format!("price;currency;sku\n13;EUR;a-{run}\n"));
    let (report, _) = import(stack, &path, &["--format", "csv", "--delimiter", ";"]).await;
    assert_eq!(counts(&report), [0, 1, 0, 0], "{report}");
    let mut cheaper = told(&lamp);
    cheaper["price"] = json!({ "currencyCode": "EUR", "units": "13", "nanos": 0 });
    cheaper["sku"] = json!(format!("A-{run}"));
    assert_eq!(told(&by_sku(stack, &format!("A-{run}")).await), cheaper);
}

#[tokio::test]
async fn lines_are_counted_as_an_editor_counts_them_and_an_open_quote_swallows_nothing() {
    let stack = shared().await;
    let run = unique();
    let text =
        format!("sku,name,price,currency\n\nP-{run},Lamp,x,EUR\n\n\nQ-{run},\"La\nmp\",x,EUR\nR-{run},Lamp,x,EUR");
    for text in [text.clone(), text.replace('\n', "\r\n"), format!("\u{feff}{text}\n")] {
        let (_directory, path) = file("catalogue.csv", &text);
        let (report, _) = import(stack, &path, &[]).await;
        let lines: Vec<u64> =
            report["errors"].as_array().expect("a list").iter().map(|error| error["line"].as_u64().unwrap()).collect();
        assert_eq!(lines, [3, 6, 8], "{report}");
    }
    let text = format!("sku,price,currency,name\nS-{run},5,EUR,\"Lamp\nT-{run},5,EUR,Lamp\n");
    let (_directory, path) = file("catalogue.csv", &text);
    let (report, told_of) = import(stack, &path, &[]).await;
    assert_eq!(counts(&report), [0, 0, 0, 1], "{report}");
    assert!(told_of.contains("csv:2: ") && told_of.contains("a quote is not closed"), "{told_of}");
}

#[tokio::test]
async fn lines_of_json_say_what_they_mention_and_no_more() {
    let stack = shared().await;
    let run = unique();
    let (_directory, path) = file(
        "catalogue.ndjson",
        &format!(
            "{{\"sku\":\"J-{run}\",\"name\":\"Lamp\",\"price\":{{\"currencyCode\":\"EUR\",\"units\":5}},\"description\":\"Old\"}}\n\n\
             {{\"sku\":\"K-{run}\",\"colour\":\"red\"}}\nnothing\n{{\"sku\":\"L-{run}\",\"name\":\"Lamp\"}}\n"
        ),
    );
    let (report, told_of) = import(stack, &path, &[]).await;
    assert_eq!(counts(&report), [1, 0, 0, 3], "{report}");
    assert!(told_of.contains("ndjson:3: ") && told_of.contains("there is no field \"colour\""), "{told_of}");
    assert!(told_of.contains("ndjson:4: it is no JSON object"), "{told_of}");
    assert!(told_of.contains("for a new one it has no price"), "{told_of}");
    let long = "a".repeat(3 << 20);
    let text = format!(
        "{{\"sku\":\"j-{run}\",\"name\":\"Lamp 2\",\"status\":null}}\n{{\"sku\":\"{long}\"}}\n{{\"sku\":\"M-{run}\",\"status\":0}}"
    );
    let (_directory, path) = file("more.ndjson", &text);
    let (report, told_of) = import(stack, &path, &[]).await;
    assert_eq!(counts(&report), [0, 1, 0, 2], "{report}");
    assert!(told_of.contains("ndjson:2: it is longer than 1048576 bytes"), "{told_of}");
    assert!(told_of.contains("ndjson:3: status: must be"), "{told_of}");
    let product = by_sku(stack, &format!("J-{run}")).await;
    assert_eq!((&product["name"], &product["description"]), (&json!("Lamp 2"), &json!("Old")), "{product}");
}

#[tokio::test]
async fn variants_are_imported_with_their_options_and_exported_as_they_were() {
    let stack = shared().await;
    let (staff, run) = (Client::staff(stack).await, unique());
    let group = json!({ "name": "Shirt", "variesBy": ["Colour", "Size"] });
    let group = staff.post("/v1/product-groups", group).await.expect(201);
    let group = id(&group, "groupId");
    let head = "sku,name,price,currency,group_id,options";
    let text = format!(
        "{head}\nV-{run},Shirt,5,EUR,{group},\"Size=M\nColour=Red = warm\"\nW-{run},Shirt,5,EUR,{group},Size=M\n"
    );
    let (directory, path) = file("catalogue.csv", &text);
    let (report, told_of) = import(stack, &path, &[]).await;
    assert_eq!(counts(&report), [1, 0, 0, 1], "{report}");
    assert!(told_of.contains("have a value for each of Colour, Size"), "{told_of}");
    let made = by_sku(stack, &format!("V-{run}")).await;
    let expected = json!([{ "name": "Colour", "value": "Red = warm" }, { "name": "Size", "value": "M" }]);
    assert_eq!((&made["groupId"], &made["options"]), (&json!(group), &expected), "{made}");
    for name in ["all.csv", "all.ndjson"] {
        let exported = directory.0.join(name);
        let output = self::run(stack, &["export", exported.to_str().expect("UTF-8")]).await;
        assert!(output.status.success(), "{output:?}");
        let all = std::fs::read_to_string(&exported).expect("it was written");
        let row =
            if name == "all.csv" { format!("{group},\"Colour=Red = warm\nSize=M\"") } else { expected.to_string() };
        assert!(all.contains(&row), "{name} has no {row}");
    }
}

#[tokio::test]
async fn a_dry_run_tells_what_would_be_done_and_writes_nothing() {
    let stack = shared().await;
    let run = unique();
    let text = format!("sku,name,price,currency\nN-{run},Lamp,5,EUR\nO-{run},,5,EUR\n");
    let (_directory, path) = file("catalogue.csv", &text);
    assert_eq!(counts(&import(stack, &path, &["--dry-run"]).await.0), [1, 0, 0, 1]);
    let absent = Client::staff(stack).await.get(&format!("/v1/products:lookup?skus=N-{run}")).await.expect(200);
    assert_eq!(absent, json!({ "products": [] }));
    assert_eq!(counts(&import(stack, &path, &[]).await.0), [1, 0, 0, 1]);
    let other = text.replace("Lamp", "Lantern");
    std::fs::write(&path, other).expect("it can be written");
    assert_eq!(counts(&import(stack, &path, &["--dry-run"]).await.0), [0, 1, 0, 1]);
    assert_eq!(by_sku(stack, &format!("N-{run}")).await["name"], "Lamp");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_refused_as_a_whole_before_anything_is_written() {
    let stack = shared().await;
    let run = unique();
    for (name, text, why) in [
        ("a.csv", "sku,name,colour\n".to_owned(), "there is no column \"colour\""),
        ("a.csv", "name,price,currency\n".to_owned(), "there is no column \"sku\""),
        ("a.csv", "sku,name,price\n".to_owned(), "need each other"),
        ("a.csv", "sku,name,name\n".to_owned(), "there are two columns \"name\""),
        ("a.xlsx", "sku\n".to_owned(), "--format"),
        ("a.csv", format!("sku,name\n{run},\"{}\n", "a".repeat(3 << 20)), "is a quote not closed?"),
    ] {
        let (_directory, path) = file(name, &text);
        let output = self::run(stack, &["import", path.to_str().expect("UTF-8")]).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && error.contains(why), "{why}: {error}");
    }
    let output = self::run(stack, &["import", "absent.csv"]).await;
    assert!(String::from_utf8_lossy(&output.stderr).contains("open absent.csv"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_exported_is_imported_without_a_change_and_makes_the_same_shop_elsewhere() {
    let stack = Stack::start(StackOptions::default()).await;
    let staff = Client::staff(&stack).await;
    let price = |code: &str, units: &str| json!({ "currencyCode": code, "units": units });
    let odd = json!({
        "sku": "=1+1;\"x\",y", "name": "Lampe d'été, 2 × 3", "description": "One\n\nTwo; \"three\"", "price": price("JPY", "120"),
        "status": "DRAFT", "weightGrams": 7, "otherPrices": [price("KWD", "1"), price("USD", "2")],
        "media": [{ "uri": "https://example.com/a", "altText": "Une lampe, \"vue\" de côté" }],
    });
    staff.post("/v1/products", odd.clone()).await.expect(201);
    let archived = staff.post("/v1/products", json!({ "sku": "OLD", "name": "Old", "price": price("EUR", "0") })).await;
    let archived = archived.expect(201);
    staff
        .patch(&format!("/v1/products/{}", id(&archived, "productId")), json!({ "status": "ARCHIVED" }))
        .await
        .expect(200);
    let page = staff.get("/v1/products?pageSize=200").await.expect(200);
    let all: BTreeSet<String> =
        page["products"].as_array().expect("a page").iter().map(|product| told(product).to_string()).collect();
    let directory = kit::Directory::new();
    let elsewhere = Stack::start(StackOptions::default()).await;
    for (name, more) in [("all.csv", &[][..]), ("all.ndjson", &[]), ("all.csv", &["--delimiter", ";"])] {
        let path = directory.0.join(name);
        let exported = run(&stack, &[&["export", path.to_str().expect("UTF-8")], more].concat()).await;
        assert!(exported.status.success(), "{exported:?}");
        let (report, told_of) = import(&stack, &path, more).await;
        assert_eq!(counts(&report), [0, 0, all.len() as u64, 0], "{name}: {report} {told_of}");
        let (report, told_of) = import(&elsewhere, &path, more).await;
        assert_eq!(report["failed"], 0, "{name}: {report} {told_of}");
        for product in page["products"].as_array().expect("a page") {
            let sku = id(product, "sku");
            let lookup = Client::staff(&elsewhere).await;
            let query: String = sku.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let found = lookup.get(&format!("/v1/products:lookup?skus={query}")).await.expect(200);
            assert_eq!(told(&found["products"][0]), told(product), "{name}");
        }
    }
    assert!(!directory.0.join("all.csv.part").exists());
    let printed = run(&stack, &["export", "--format", "ndjson"]).await;
    let lines = String::from_utf8(printed.stdout).expect("UTF-8");
    let printed: BTreeSet<String> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON").to_string()).collect();
    assert_eq!(printed, all);
    elsewhere.stop().await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_killed_is_begun_again_and_makes_nothing_twice() {
    const LINES: u64 = 2_000;
    let stack = Stack::start(StackOptions::default()).await;
    let lines: String = (0..LINES).map(|number| format!("IMP-{number},Product {number},{number}.50,EUR\n")).collect();
    let (_directory, path) = file("catalogue.csv", &format!("sku,name,price,currency\n{lines}"));
    let mut first = command(&stack, &["import", path.to_str().expect("UTF-8")]).spawn().expect("the binary runs");
    let products = stack.db("products").collection::<bson::Document>("products");
    let imported =
        || async { products.count_documents(bson::doc! { "sku": { "$regex": "^IMP-" } }).await.expect("answers") };
    kit::eventually(kit::shop::TIMEOUT, || async {
        let count = imported().await;
        anyhow::ensure!(count > 200, "{count}");
        Ok(())
    })
    .await;
    first.kill().await.expect("it is killed");
    let before = imported().await;
    assert!(before < LINES, "it was done before it was killed");
    let (report, _) = import(&stack, &path, &[]).await;
    let [created, updated, unchanged, failed] = counts(&report);
    assert_eq!((updated, failed, created + unchanged), (0, 0, LINES), "{report}");
    assert!(unchanged >= before, "{before} were there: {report}");
    assert_eq!(imported().await, LINES);
    assert_eq!(counts(&import(&stack, &path, &[]).await.0), [0, 0, LINES, 0]);
    let again = bson::doc! { "sku": { "$regex": "^IMP-" }, "seq": { "$ne": 1_i64 } };
    assert_eq!(products.count_documents(again).await.expect("answers"), 0, "each product has one event");
    stack.stop().await;
}
