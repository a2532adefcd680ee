//! Lists of large documents: a page ends where a message is full, and nobody is told that a size is their fault.

mod upstream;

use bson::{Binary, Bson, DateTime, Document, doc, spec::BinarySubtype};
use contracts::{
    events::v1::{ListDeadLettersRequest, ListEventsRequest, event_service_client::EventServiceClient},
    orderhistory::v1::{ListOrderHistoriesRequest, order_history_service_client::OrderHistoryServiceClient},
    orders::v1::{
        GetOrderDetailsRequest, ListOrdersRequest, ListSagasRequest, order_service_client::OrderServiceClient,
        saga_service_client::SagaServiceClient,
    },
    products::v1::{
        BatchGetProductsRequest, ListProductsRequest, Product, product_service_client::ProductServiceClient,
    },
};
use kit::shop::{id, place};
use kit::{Client, Stack, StackOptions, Stores};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use rpc::{Channel, server::MESSAGE_BYTES};
use serde_json::{Value, json};
use std::time::Duration;
use store::{Found, Pager};
use tonic::{Request, Status, service::interceptor::InterceptedService};

/// Orders beside the first, each as large as it.
const CLONES: usize = 60;

/// Lines of an order, which are products too.
const LINES: usize = 100;

/// A character of four bytes: texts are bounded in characters.
const WIDE: &str = "𝄞";

/// What a page told: its bytes, its entries, the token of the next.
type Page = (usize, Vec<String>, String);

/// Reads pages until the token is empty. All entries, and how many pages they took.
async fn walk(mut page: impl AsyncFnMut(String) -> Result<Page, Status>) -> (Vec<String>, usize) {
    let (mut all, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let (bytes, entries, next) = page(token).await.expect("a page fits");
        assert!(bytes <= MESSAGE_BYTES, "{bytes} bytes of {} entries", entries.len());
        assert!(!entries.is_empty() && pages < 200, "a page brings the list further");
        (all, token, pages) = ([all, entries].concat(), next, pages + 1);
        if token.is_empty() {
            return (all, pages);
        }
    }
}

type Bearer = InterceptedService<Channel, Box<dyn FnMut(Request<()>) -> Result<Request<()>, Status> + Send>>;

/// A channel with the token of a member of staff, and the limits that every gRPC client has.
async fn channel(stack: &Stack, service: &str) -> Bearer {
    let token = Client::staff(stack).await.token().expect("signed in").to_owned();
    let channel = Channel::new(stack.grpc(service), None).expect("an address").with_deadline(Duration::from_secs(60));
    let bearer = format!("Bearer {token}").parse::<tonic::metadata::AsciiMetadataValue>().expect("ASCII");
    let admit = move |mut request: Request<()>| {
        request.metadata_mut().insert("authorization", bearer.clone());
        Ok(request)
    };
    InterceptedService::new(channel, Box::new(admit))
}

/// Copies a document under other ids, its events left out.
async fn copy(stack: &Stack, service: &str, collection: &str, original: &str, change: impl Fn(&mut Document, usize)) {
    let collection = stack.db(service).collection::<Document>(collection);
    let original = collection.find_one(doc! { "_id": original }).await.expect("mongod").expect("the original is there");
    let copies = (0..CLONES).map(|number| {
        let mut copy = original.clone();
        if copy.contains_key("outbox") {
            copy.insert("outbox", Bson::Array(Vec::new()));
        }
        change(&mut copy, number);
        copy
    });
    collection.insert_many(copies.collect::<Vec<_>>()).await.expect("mongod");
}

/// Currencies beside the main one, as many as a product has prices in.
const CURRENCIES: &str = "USD GBP CHF CAD AUD NZD SEK NOK DKK PLN CZK HUF RON TRY ILS INR SGD THB PHP ZAR";

/// What the largest products have in common: every field, as long as it may be.
async fn largest(staff: &Client) -> Value {
    let options: Vec<String> = (0..3).map(|number| format!("{number}{}", WIDE.repeat(31))).collect();
    let group = staff.post("/v1/product-groups", json!({ "name": "Largest", "variesBy": options })).await.expect(201);
    let mut categories = Vec::new();
    for number in 0..20 {
        let made = staff.post("/v1/categories", json!({ "name": format!("Largest {number}") })).await.expect(201);
        categories.push(id(&made, "categoryId").to_owned());
    }
    let price = |code: &str| json!({ "currencyCode": code, "units": "99999999999", "nanos": 990_000_000 });
    let uri = format!("https://a.example/{}", "x".repeat(301));
    let media = json!({ "uri": uri, "altText": WIDE.repeat(125) });
    let options = options.iter().map(|name| json!({ "name": name, "value": WIDE.repeat(61) }));
    json!({
        "name": WIDE.repeat(200), "description": WIDE.repeat(5000), "price": { "currencyCode": "EUR", "units": "10" },
        "taxCategory": "X".repeat(32), "weightGrams": 10, "categoryIds": categories, "media": vec![media; 20],
        "otherPrices": CURRENCIES.split(' ').map(price).collect::<Vec<_>>(),
        "groupId": id(&group, "groupId"), "options": options.collect::<Vec<_>>(),
    })
}

/// A system with an order of 100 lines of the largest products, and copies of it in every list.
async fn large_stack() -> (Stack, String, Vec<String>) {
    let stack = Stack::start(StackOptions::default()).await;
    let staff = Client::staff(&stack).await;
    let (mut body, mut products) = (largest(&staff).await, Vec::new());
    for number in 0..LINES {
        let unique = format!("{number:03}{}", WIDE.repeat(61));
        (body["sku"], body["options"][0]["value"]) = (json!(unique), json!(unique));
        let product = staff.post("/v1/products", body.clone()).await.expect(201);
        let product = id(&product, "productId").to_owned();
        staff.post(&format!("/v1/stock/{product}:adjust"), json!({ "delta": 5, "reason": "test" })).await.expect(200);
        products.push(product);
    }
    let lines: Vec<(&str, i32)> = products.iter().map(|product| (product.as_str(), 1)).collect();
    let customer = Client::customer(&stack).await;
    let order = place(&customer, &lines, "tok_visa").await;
    assert_eq!(order["state"], "CONFIRMED");
    let first = id(&order, "orderId").to_owned();
    let copied = |document: &mut Document, number: usize| {
        document.insert("_id", format!("ord_{number:032}"));
        document.insert("request_key", format!("copy-{number}"));
    };
    copy(&stack, "orders", "orders", &first, copied).await;
    (stack, first, products)
}

/// The ids of a list that has the first order and its copies, newest first.
fn expected(first: &str) -> Vec<String> {
    let copies = (0..CLONES).rev().map(|number| format!("ord_{number:032}"));
    [first.to_owned()].into_iter().chain(copies).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_orders_of_100_lines_come_in_pages_that_fit_over_grpc_and_over_http() {
    let (stack, first, _) = large_stack().await;
    let mut orders = OrderServiceClient::new(channel(&stack, "orders").await);
    for page_size in [50, 200] {
        let (found, pages) = walk(async |page_token| {
            let reply = orders
                .list_orders(ListOrdersRequest { page_size, page_token, user_id: String::new() })
                .await?
                .into_inner();
            let ids = reply.orders.iter().map(|order| order.order_id.clone()).collect();
            Ok((reply.encoded_len(), ids, reply.next_page_token))
        })
        .await;
        assert_eq!(found, expected(&first));
        assert!(pages > 1, "they do not fit one page");
    }
    let staff = Client::staff(&stack).await;
    let over_http = async |list: &str, field: &str| {
        let (mut all, mut token) = (Vec::new(), String::new());
        loop {
            let page = staff.get(&format!("/v1/{list}?pageSize=200&pageToken={token}")).await.expect(200);
            let entries = page[field].as_array().expect("a list").clone();
            all.extend(entries.iter().map(|entry| id(entry, "orderId").to_owned()));
            token = id(&page, "nextPageToken").to_owned();
            if token.is_empty() {
                return all;
            }
        }
    };
    assert_eq!(over_http("orders", "orders").await, expected(&first));
    let interventions = (0..100).map(|number| {
        doc! { "action": "RETRY", "step": "hold_stock", "actor": "usr_1", "reason": format!("{number}{}", WIDE.repeat(490)),
        "at": DateTime::now() }
    });
    let set = doc! { "$set": { "saga.interventions": interventions.collect::<Vec<_>>() } };
    stack.db("orders").collection::<Document>("orders").update_many(doc! {}, set).await.expect("mongod");
    let mut sagas = SagaServiceClient::new(channel(&stack, "orders").await);
    let (found, pages) = walk(async |page_token| {
        let request = ListSagasRequest { page_size: 200, page_token, ..Default::default() };
        let reply = sagas.list_sagas(request).await?.into_inner();
        let ids = reply.sagas.iter().map(|saga| saga.order_id.clone()).collect();
        Ok((reply.encoded_len(), ids, reply.next_page_token))
    })
    .await;
    assert_eq!(found, expected(&first));
    assert!(pages > 3, "sagas with 100 interventions are 200 KB each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn products_histories_letters_and_events_come_in_pages_that_fit() {
    let (stack, first, products) = large_stack().await;
    let sku = |document: &mut Document, number: usize| {
        document.insert("_id", format!("prd_{number:032}"));
        document.insert("sku", format!("copy-{number}"));
        document.insert("sku_key", format!("copy-{number}"));
        document.remove("variant_key");
        document.insert("request_key", format!("copy-{number}"));
    };
    copy(&stack, "products", "products", &products[0], sku).await;
    copy(&stack, "products", "products", &products[0], |document, number| sku(document, number + CLONES)).await;
    let mut catalogue = ProductServiceClient::new(channel(&stack, "products").await);
    let (found, pages) = walk(async |page_token| {
        let reply = catalogue.list_products(ListProductsRequest { page_size: 200, page_token }).await?.into_inner();
        let ids = reply.products.iter().map(|product| product.product_id.clone()).collect();
        Ok((reply.encoded_len(), ids, reply.next_page_token))
    })
    .await;
    assert!(products.iter().all(|product| found.contains(product)) && found.len() >= 2 * CLONES + LINES);
    assert!(found.is_sorted_by(|a, b| a > b) && pages > 1, "{pages} pages");
    let request = BatchGetProductsRequest { product_ids: products.clone() };
    let batch = catalogue.batch_get_products(request).await.expect("100 of the largest fit").into_inner();
    assert_eq!(batch.products.len(), LINES);
    every_field_is_set(&batch.products[0]);
    histories(&stack, &first).await;
    letters(&stack).await;
    let mut events = EventServiceClient::new(channel(&stack, "products").await);
    let (mut after_log_sequence, mut created) = (0, 0);
    loop {
        let request = ListEventsRequest { after_log_sequence, page_size: 1000, ..Default::default() };
        let reply = events.list_events(request).await.expect("a page fits").into_inner();
        assert!(reply.encoded_len() <= MESSAGE_BYTES);
        created += reply.events.iter().filter(|event| event.name == "created").count();
        let Some(last) = reply.events.last() else { break };
        after_log_sequence = last.log_sequence;
    }
    assert!(created >= LINES, "{created} products were created");
}

/// A field that was added since would have to be in the largest product as well.
fn every_field_is_set(product: &Product) {
    let pool = DescriptorPool::decode(contracts::DESCRIPTORS).expect("the contracts");
    let contract = pool.get_message_by_name("comptoir.products.v1.Product").expect("it is there");
    let decoded = DynamicMessage::decode(contract.clone(), product.encode_to_vec().as_slice()).expect("a product");
    let missing: Vec<_> = contract.fields().filter(|field| !decoded.has_field(field)).collect();
    assert!(missing.is_empty(), "the largest product has no {missing:?}");
}

async fn histories(stack: &Stack, first: &str) {
    let rows = stack.db("order-history").collection::<Document>("order_history");
    kit::eventually(Duration::from_secs(30), || async {
        let row = rows.find_one(doc! { "_id": first, "order": { "$ne": null } }).await?;
        anyhow::ensure!(row.is_some(), "the order is not in the read model");
        Ok(())
    })
    .await;
    let copied = |document: &mut Document, number: usize| drop(document.insert("_id", format!("ord_{number:032}")));
    copy(stack, "order-history", "order_history", first, copied).await;
    let mut history = OrderHistoryServiceClient::new(channel(stack, "order-history").await);
    let (found, pages) = walk(async |page_token| {
        let request = ListOrderHistoriesRequest { page_size: 200, page_token, ..Default::default() };
        let reply = history.list_order_histories(request).await?.into_inner();
        let ids = reply.order_histories.iter().map(|entry| entry.order_id.clone()).collect();
        Ok((reply.encoded_len(), ids, reply.next_page_token))
    })
    .await;
    assert_eq!(found, expected(first));
    assert!(pages > 1);
}

async fn letters(stack: &Stack) {
    let letters = (0..CLONES).map(|number| {
        doc! {
            "_id": format!("evt_{number:032}"), "service": "orders", "aggregate": "order",
            "aggregate_id": format!("ord_{number:032}"), "seq": 1_i64, "log_sequence": 1_i64,
            "type": "comptoir.orders.v1.OrderCreated", "name": "created", "at": DateTime::now(),
            "trace": Bson::Null, "data": Binary { subtype: BinarySubtype::Generic, bytes: vec![b'x'; 200 * 1024] },
            "reason": "a test", "attempts": 1, "parked_at": DateTime::now(), "next_attempt_at": Bson::Null,
        }
    });
    let collection = stack.db("order-history").collection::<Document>("dead_letters");
    collection.insert_many(letters.collect::<Vec<_>>()).await.expect("mongod");
    let mut events = EventServiceClient::new(channel(stack, "order-history").await);
    let (found, pages) = walk(async |page_token| {
        let request = ListDeadLettersRequest { page_size: 200, page_token };
        let reply = events.list_dead_letters(request).await?.into_inner();
        let ids = reply.dead_letters.iter().filter_map(|letter| Some(letter.event.as_ref()?.id.clone())).collect();
        Ok((reply.encoded_len(), ids, reply.next_page_token))
    })
    .await;
    assert_eq!(found, (0..CLONES).map(|number| format!("evt_{number:032}")).collect::<Vec<_>>());
    assert!(pages > 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_details_of_the_largest_order_fit_with_all_of_its_products() {
    let (stack, first, _) = large_stack().await;
    let mut orders = OrderServiceClient::new(channel(&stack, "orders").await);
    let request = GetOrderDetailsRequest { order_id: first.clone() };
    let details = orders.get_order_details(request).await.expect("they fit").into_inner();
    assert_eq!((details.products.len(), details.unavailable), (LINES, Vec::<String>::new()));
    let over_http = Client::customer(&stack).await.get(&format!("/v1/orders/{first}/details")).await.expect(200);
    assert_eq!(over_http["products"].as_array().map(Vec::len), Some(LINES));
    assert_eq!(over_http["unavailable"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn a_page_is_not_read_further_than_it_has_bytes() {
    let stores = Stores::start().await;
    let database = stores.db("orders").await;
    // Sizes in KiB, the limit, and how many are read: as many as fit 2 MiB, and at least one.
    let cases: [(&[usize], i64, usize); 6] = [
        (&[200; 50], 49, 10),
        (&[3 * 1024, 1, 1], 10, 1),
        (&[1, 3 * 1024, 1], 10, 1),
        (&[1; 10], 10, 10),
        (&[1; 11], 10, 10),
        (&[], 10, 0),
    ];
    for (number, (sizes, limit, expected)) in cases.into_iter().enumerate() {
        let collection = database.collection::<Document>(&format!("pages_{number}"));
        let documents =
            sizes.iter().enumerate().map(|(id, kib)| doc! { "_id": id as i64, "text": "x".repeat(kib * 1024) });
        if !sizes.is_empty() {
            collection.insert_many(documents.collect::<Vec<_>>()).await.expect("mongod");
        }
        let cursor = collection.find(doc! {}).sort(doc! { "_id": 1 }).limit(limit + 1).await.expect("mongod");
        let found = store::page::read(cursor, limit).await.expect("mongod");
        assert_eq!((found.entries.len(), found.is_last), (expected, expected == sizes.len()), "case {number}");
    }
}

#[test]
fn a_page_ends_where_its_messages_fill_a_reply_and_goes_on_behind_it() {
    let pager = Pager::new("secret", "test");
    let product = |number: usize, kib: usize| Product {
        product_id: number.to_string(),
        description: "x".repeat(kib * 1024),
        ..Default::default()
    };
    // Sizes in KiB, how many of them make the page.
    let cases: [(&[usize], usize); 5] =
        [(&[900, 900, 900], 2), (&[3000, 1], 1), (&[1, 3000], 1), (&[1, 1, 1], 3), (&[5000], 1)];
    for (sizes, expected) in cases {
        let entries = sizes.iter().enumerate().map(|(number, kib)| product(number, *kib)).collect();
        let found = Found { entries, is_last: true };
        let (page, token) = pager.page("scope", found, |product| (product.product_id.clone(), product));
        assert_eq!(page.len(), expected, "{sizes:?}");
        let after = pager.after("scope", &token).expect("its own token");
        let last = (expected < sizes.len()).then(|| (expected - 1).to_string());
        assert_eq!(after, last, "{sizes:?} goes on behind the last one that was sent");
    }
}
