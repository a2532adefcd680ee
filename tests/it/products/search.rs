//! The search: what is found, in which order, page by page, and how it is counted.

use anyhow::ensure;
use bson::{Document, doc};
use futures::future::join_all;
use kit::shop::{TIMEOUT, fields, id, reason};
use kit::{Client, Reply, eventually, shared};
use serde_json::{Value, json};

/// A word that no other product has.
pub fn word() -> String {
    format!("zq{:012x}", rand::random::<u64>() >> 16)
}

pub fn euro(cents: i64) -> Value {
    json!({ "currencyCode": "EUR", "units": (cents / 100).to_string(), "nanos": cents % 100 * 10_000_000 })
}

/// A new product with these fields; its id.
pub async fn add(staff: &Client, name: &str, more: Value) -> String {
    let mut body = json!({ "name": name, "sku": format!("TEST-{:016x}", rand::random::<u64>()), "price": euro(500) });
    for (field, value) in more.as_object().expect("an object") {
        body[field] = value.clone();
    }
    id(&staff.post("/v1/products", body).await.expect(201), "productId").to_owned()
}

pub async fn search(client: &Client, parameters: &[(&str, &str)]) -> Reply {
    let request = client.request(reqwest::Method::GET, "/v1/products:search");
    kit::reply(request.query(parameters)).await
}

/// The identifiers of a page.
pub fn ids(reply: &Value) -> Vec<String> {
    reply["products"].as_array().expect("a page").iter().map(|found| id(found, "productId").to_owned()).collect()
}

pub async fn found(client: &Client, parameters: &[(&str, &str)]) -> Vec<String> {
    ids(&search(client, parameters).await.expect(200))
}

/// All pages of two products each.
pub async fn pages(client: &Client, parameters: &[(&str, &str)]) -> Vec<String> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let mut parameters = parameters.to_vec();
        parameters.extend([("pageSize", "2"), ("pageToken", &token)]);
        let page = search(client, &parameters).await.expect(200);
        assert_eq!(page["facets"].is_object(), token.is_empty(), "the first page alone counts: {page}");
        all.extend(ids(&page));
        token = id(&page, "nextPageToken").to_owned();
        if token.is_empty() {
            return all;
        }
    }
}

#[tokio::test]
async fn a_product_is_found_by_the_beginnings_of_its_words_as_they_are_now() {
    let stack = shared().await;
    let (staff, visitor, mark) = (Client::staff(stack).await, Client::anonymous(stack), word());
    let more = json!({ "sku": format!("AB-{mark}/7"), "description": "Aus weißem Käse, für die Straße" });
    let product = add(&staff, &format!("Crème Brûlée {mark}"), more).await;
    for words in ["CREME", "brulee cre", "kas stras", "käse weissem"] {
        assert_eq!(
            found(&visitor, &[("query", &format!("{} {words}", &mark[..13]))]).await,
            [product.as_str()],
            "{words}"
        );
    }
    assert_eq!(found(&visitor, &[("query", &format!("ab{mark}7"))]).await, [product.as_str()], "the SKU in one word");
    for words in ["rulee", "tarte"] {
        assert!(found(&visitor, &[("query", &format!("{mark} {words}"))]).await.is_empty(), "{words}");
    }
    staff.patch(&format!("/v1/products/{product}"), json!({ "name": format!("Tarte {mark}") })).await.expect(200);
    assert_eq!(found(&visitor, &[("query", &format!("{mark} tarte"))]).await, [product.as_str()]);
    assert!(found(&visitor, &[("query", &format!("{mark} brulee"))]).await.is_empty(), "the old name");
}

#[tokio::test]
async fn pages_have_each_product_once_in_the_order_that_is_asked_for() {
    let stack = shared().await;
    let (staff, visitor, mark) = (Client::staff(stack).await, Client::anonymous(stack), word());
    let mut added = Vec::new();
    for (name, cents) in [("Éclair", 300), ("apple", 100), ("Zebra", 200), ("banana", 200), ("BANANA", 200)] {
        added.push(add(&staff, &format!("{name} {mark}"), json!({ "price": euro(cents) })).await);
    }
    let order = |places: [usize; 5]| places.map(|place| added[place].clone()).to_vec();
    for (order_by, places) in [
        ("", [4, 3, 2, 1, 0]),
        ("create_time", [0, 1, 2, 3, 4]),
        ("price", [1, 2, 3, 4, 0]),
        ("price desc", [0, 4, 3, 2, 1]),
        ("name", [1, 3, 4, 0, 2]),
        ("name desc", [2, 0, 4, 3, 1]),
    ] {
        assert_eq!(pages(&visitor, &[("query", &mark), ("orderBy", order_by)]).await, order(places), "{order_by}");
    }
    let first = search(&visitor, &[("query", &mark), ("orderBy", "name"), ("pageSize", "2")]).await.expect(200);
    let token = id(&first, "nextPageToken");
    let by = |order, query| [("query", query), ("orderBy", order), ("pageToken", token)];
    for (client, parameters) in
        [(&visitor, by("price", &*mark)), (&visitor, by("name", "banana")), (&staff, by("name", &mark))]
    {
        let refused = search(client, &parameters).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec!["pageToken".to_owned()]), "{refused:?}");
    }
    assert_eq!(search(&visitor, &by("name", &mark)).await.status, 200);
}

#[tokio::test]
async fn a_search_is_narrowed_by_category_price_and_status_and_counts_what_it_finds() {
    let stack = shared().await;
    let (staff, visitor, mark) = (Client::staff(stack).await, Client::anonymous(stack), word());
    let category = async |name: &str, parent: &str| {
        let made = staff.post("/v1/categories", json!({ "name": name, "parentId": parent })).await.expect(201);
        id(&made, "categoryId").to_owned()
    };
    let home = category("Home", "").await;
    let kitchen = category("Kitchen", &home).await;
    let add = async |cents: i64, category: &str, status: &str| {
        let more = json!({ "price": euro(cents), "categoryIds": [category], "status": status });
        add(&staff, &mark, more).await
    };
    let (pan, sofa) = (add(1_999, &kitchen, "ACTIVE").await, add(50_000, &home, "ACTIVE").await);
    let (archived, draft) = (add(100, &kitchen, "ARCHIVED").await, add(100, &kitchen, "DRAFT").await);
    let filtered = async |client: &Client, filter: &str| {
        let mut found = found(client, &[("query", &mark), ("filter", filter)]).await;
        found.sort();
        found
    };
    for (filter, expected) in [
        ("", vec![&pan, &sofa]),
        (&*format!("category = {home}"), vec![&pan, &sofa]),
        (&*format!("category = \"{kitchen}\""), vec![&pan]),
        ("currency = EUR AND price >= 19.99 AND price < 500", vec![&pan]),
        ("currency = EUR AND price > 19.99 AND price <= 500", vec![&sofa]),
        ("currency = USD", vec![]),
        ("status = ARCHIVED", vec![&archived]),
    ] {
        assert_eq!(filtered(&visitor, filter).await.iter().collect::<Vec<_>>(), expected, "{filter}");
    }
    assert_eq!(filtered(&staff, "").await, [&pan, &sofa, &archived, &draft].map(Clone::clone));
    assert_eq!(filtered(&staff, "status = DRAFT").await, [draft.as_str()]);
    let facets = search(&visitor, &[("query", &mark)]).await.expect(200)["facets"].clone();
    let expected = [(&home, json!(["Home"]), 2), (&kitchen, json!(["Home", "Kitchen"]), 1)];
    let expected = expected.map(|(id, path, count)| json!({ "categoryId": id, "path": path, "count": count }));
    assert_eq!(facets["categories"], json!(expected));
    let bands: Vec<_> = facets["prices"]
        .as_array()
        .expect("bands")
        .iter()
        .map(|band| (&band["atLeast"]["units"], &band["below"]["units"], &band["count"]))
        .collect();
    assert_eq!(
        bands,
        [(&json!("10"), &json!("20"), &json!(1)), (&json!("500"), &json!("1000"), &json!(1))],
        "{facets}"
    );
    assert_eq!(facets["isPartial"], false);
}

#[tokio::test]
async fn what_is_no_search_is_refused_and_operators_stay_texts() {
    let stack = shared().await;
    let visitor = Client::anonymous(stack);
    let (long, many) = ("a".repeat(201), "a b c d e f g h i j k");
    for (name, value, field) in [
        ("query", &*long, "query"),
        ("query", many, "query"),
        ("filter", "$where = 1", "filter"),
        ("filter", r#"{"$gt": ""}"#, "filter"),
        ("filter", "category = cat_absent", "filter"),
        ("filter", "status = DRAFT", "filter"),
        ("orderBy", "$natural", "orderBy"),
        ("pageToken", "x", "pageToken"),
    ] {
        let refused = search(&visitor, &[(name, value)]).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec![field.to_owned()]), "{name}={value}: {refused:?}");
    }
    let mark = word();
    for query in [format!("{mark} {{\"$gt\": \"\"}}"), format!("{mark} $where"), format!("{mark}.*")] {
        assert!(found(&visitor, &[("query", &query)]).await.is_empty(), "{query}");
    }
    for parameter in ["query[$ne]", "filter[$gt]", "$where"] {
        let refused = search(&visitor, &[(parameter, "x")]).await;
        assert_eq!((refused.status, reason(&refused).is_empty()), (400, false), "{parameter}: {refused:?}");
    }
}

#[tokio::test]
async fn products_of_before_are_found_after_the_next_start() {
    let stack = shared().await;
    let (staff, visitor, mark) = (Client::staff(stack).await, Client::anonymous(stack), word());
    let added = join_all((0..3).map(|number| add(&staff, if number == 0 { "Other" } else { &mark }, json!({})))).await;
    let products = stack.db("products").collection::<Document>("products");
    let older = doc! { "$unset": { "words": "", "name_key": "" } };
    products.update_many(doc! { "_id": { "$in": &added } }, older).await.expect("mongod answers");
    assert!(found(&visitor, &[("query", &mark)]).await.is_empty(), "it has no words");
    let address = kit::free_address();
    let replica = stack.serve_with("products", &[("COMPTOIR_LISTEN", &address)]);
    eventually(TIMEOUT, || async {
        let found = found(&visitor, &[("query", &mark), ("orderBy", "name")]).await;
        ensure!(found.len() == 2, "{found:?}\n{}", replica.tail(5));
        Ok(())
    })
    .await;
}
