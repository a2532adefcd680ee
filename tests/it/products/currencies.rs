//! Prices in several currencies: which there may be, since when they hold, and how they are found.

use super::search::{found, ids, pages, search, word};
use crate::orders::quotes::money;
use anyhow::{Context, ensure};
use bson::{DateTime, Document, doc};
use contracts::{
    money::{MOST_OF_A_PRICE, Money},
    products::v1::ProductUpdated,
};
use kit::shop::{TIMEOUT, fields, id};
use kit::{Client, Stack, StackOptions, eventually, shared};
use prost::Message;
use serde_json::{Value, json};

/// A new product with this main price and these others.
async fn add(staff: &Client, name: &str, price: &Value, others: &[Value]) -> Value {
    let sku = format!("TEST-{:016x}", rand::random::<u64>());
    staff
        .post("/v1/products", json!({ "name": name, "sku": sku, "price": price, "otherPrices": others }))
        .await
        .expect(201)
}

fn path(product: &Value) -> String {
    format!("/v1/products/{}", id(product, "productId"))
}

#[tokio::test]
async fn a_product_has_one_price_in_each_of_its_currencies_by_their_codes() {
    let stack = shared().await;
    let (staff, visitor) = (Client::staff(stack).await, Client::anonymous(stack));
    let (eur, usd, jpy) = (money("EUR", "12.50"), money("USD", "13.90"), money("JPY", "2100"));
    let made = add(&staff, "Lamp", &eur, &[usd.clone(), jpy.clone()]).await;
    assert_eq!(made["otherPrices"], json!([jpy, usd]));
    assert_eq!(visitor.get(&path(&made)).await.expect(200), made);
    staff.patch(&path(&made), json!({ "name": "Lamp 2" })).await.expect(200);
    let (masked, dearer) = (format!("{}?updateMask=otherPrices", path(&made)), money("USD", "15"));
    let changed = staff.patch(&masked, json!({ "otherPrices": [dearer] })).await.expect(200);
    assert_eq!((&changed["name"], &changed["otherPrices"]), (&json!("Lamp 2"), &json!([dearer])));
    let log = stack.db("products");
    let event = eventually(TIMEOUT, || async {
        let entries = kit::log(&log, doc! { "aid": id(&made, "productId"), "seq": 3_i64 }).await?;
        let entry = entries.into_iter().next().context("the third event is not in the log yet")?;
        Ok(ProductUpdated::decode(entry.get_binary_generic("data")?.as_slice())?)
    })
    .await;
    assert_eq!(event.changed_fields, ["other_prices"]);
    let told = event.product.expect("the product").other_prices;
    assert_eq!(told, [Money::parse("USD", "15").expect("money").to_wire()]);
    let swapped = json!({ "price": dearer, "otherPrices": [eur] });
    let swapped = staff.patch(&path(&made), swapped).await.expect(200);
    assert_eq!((&swapped["price"], &swapped["otherPrices"]), (&dearer, &json!([eur])));
    assert_eq!(staff.patch(&masked, json!({})).await.expect(200)["otherPrices"], json!([]));
}

#[tokio::test]
async fn a_second_price_in_a_currency_and_one_beyond_the_bounds_are_refused_by_place() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let made = add(&staff, "Lamp", &money("EUR", "12.50"), &[money("USD", "13.90")]).await;
    let usd = || money("USD", "1");
    let highest = Money::from_minor("JPY", MOST_OF_A_PRICE).expect("a price").amount;
    staff.patch(&path(&made), json!({ "otherPrices": [money("JPY", &highest.to_string())] })).await.expect(200);
    let many: Vec<Value> = contracts::money::currencies().map(|(code, _)| money(code, "1")).take(21).collect();
    for (others, field) in [
        (vec![usd(), money("EUR", "1")], "otherPrices[1]"),
        (vec![usd(), money("GBP", "1"), usd()], "otherPrices[2]"),
        (vec![money("USD", "-1")], "otherPrices[0]"),
        (vec![usd(), json!({ "currencyCode": "JPY", "units": "10000000000001" })], "otherPrices[1]"),
        (vec![usd(), json!({ "currencyCode": "JPY", "units": "1", "nanos": 500_000_000 })], "otherPrices[1]"),
        (vec![json!({ "currencyCode": "XXX", "units": "1" })], "otherPrices[0]"),
        (many, "otherPrices"),
    ] {
        let refused = staff.patch(&path(&made), json!({ "otherPrices": others })).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec![field.to_owned()]), "{others:?} {refused:?}");
    }
    let refused = staff.patch(&path(&made), json!({ "price": money("JPY", "1") })).await;
    assert_eq!((refused.status, fields(&refused)), (400, vec!["otherPrices[0]".to_owned()]), "{refused:?}");
}

#[tokio::test]
async fn a_search_in_a_currency_compares_sorts_and_counts_the_prices_in_it() {
    let stack = shared().await;
    let (staff, visitor, mark) = (Client::staff(stack).await, Client::anonymous(stack), word());
    let mut added = Vec::new();
    for (eur, usd) in [("10", "30"), ("20", "20"), ("30", "9.99"), ("40", "20"), ("5", "500")] {
        let made = add(&staff, &mark, &money("EUR", eur), &[money("USD", usd)]).await;
        added.push(id(&made, "productId").to_owned());
    }
    let dollars = add(&staff, &mark, &money("USD", "25"), &[]).await;
    added.push(id(&dollars, "productId").to_owned());
    let euros = add(&staff, &mark, &money("EUR", "1"), &[money("GBP", "1")]).await;
    let of = |places: &[usize]| places.iter().map(|place| added[*place].clone()).collect::<Vec<_>>();
    for (filter, order_by, places) in [
        ("currency = USD AND price < 50", "price", &[2, 1, 3, 5, 0][..]),
        ("currency = USD AND price < 50", "price desc", &[0, 5, 3, 1, 2]),
        ("currency = USD AND price >= 20 AND price <= 25", "price", &[1, 3, 5]),
        ("currency = USD AND price > 20 AND price < 30", "", &[5]),
        ("currency = USD AND price = 9.99", "name", &[2]),
        ("currency = USD", "price", &[2, 1, 3, 5, 0, 4]),
        ("currency = EUR AND price > 9", "price", &[0, 1, 2, 3]),
    ] {
        let query = [("query", mark.as_str()), ("filter", filter), ("orderBy", order_by)];
        assert_eq!(pages(&visitor, &query).await, of(places), "{filter}, {order_by}");
    }
    assert_eq!(
        found(&visitor, &[("query", &mark), ("filter", "currency = GBP")]).await,
        [id(&euros, "productId").to_owned()]
    );
    let bands = async |filter: &str| {
        let facets = search(&visitor, &[("query", &mark), ("filter", filter)]).await.expect(200)["facets"].clone();
        let bands = facets["prices"].as_array().cloned().unwrap_or_default();
        let shown = |band: &Value| {
            format!("{} {}: {}", id(&band["atLeast"], "currencyCode"), band["atLeast"]["units"], band["count"])
        };
        bands.iter().map(shown).collect::<Vec<_>>()
    };
    assert_eq!(
        bands("currency = USD AND price < 50").await,
        [r#"USD "5": 1"#, r#"USD "20": 4"#],
        "in the currency of the filter"
    );
    let main = ["EUR \"1\": 1", "EUR \"5\": 1", "EUR \"10\": 1", "EUR \"20\": 3", "USD \"20\": 1"];
    assert_eq!(bands("").await, main, "main prices without one");
    let refused = search(&visitor, &[("filter", "currency = XXX")]).await;
    assert_eq!((refused.status, fields(&refused)), (400, vec!["filter".to_owned()]), "{refused:?}");
    // Another price in it moves the product.
    staff
        .patch(&format!("/v1/products/{}", added[2]), json!({ "otherPrices": [money("USD", "49")] }))
        .await
        .expect(200);
    let query = [("query", mark.as_str()), ("filter", "currency = USD AND price < 50"), ("orderBy", "price")];
    assert_eq!(found(&visitor, &query).await, of(&[1, 3, 5, 0, 2]));
    staff.patch(&format!("/v1/products/{}?updateMask=otherPrices", added[2]), json!({})).await.expect(200);
    assert_eq!(found(&visitor, &query).await, of(&[1, 3, 5, 0]));
}

/// Products of an own system, each of another price in USD.
const PRODUCTS: i64 = 2_000;

/// How many documents mongod has examined for the last page of a search, and by which plan.
async fn examined(stack: &Stack) -> anyhow::Result<(i64, String)> {
    let profile = stack.db("products").collection::<Document>("system.profile");
    // Not the looks of the relay for what it has not published.
    let pages = doc! { "command.find": "products", "command.sort": { "$nin": [null, { "_id": 1 }] } };
    let found = profile.find_one(pages).sort(doc! { "ts": -1 }).await?.context("no search was profiled")?;
    let count = found.get_i32("docsExamined").map(i64::from).or_else(|_| found.get_i64("docsExamined"))?;
    Ok((count, found.get_str("planSummary")?.to_owned()))
}

#[tokio::test]
async fn a_page_in_the_order_of_prices_in_a_currency_examines_few_products() {
    let stack = Stack::start(StackOptions::default()).await;
    let (staff, visitor) = (Client::staff(&stack).await, Client::anonymous(&stack));
    let made = add(&staff, "Lamp", &money("EUR", "1"), &[money("USD", "1")]).await;
    let products = stack.db("products").collection::<Document>("products");
    let one = products.find_one(doc! { "_id": id(&made, "productId") }).await.expect("mongod").expect("it is there");
    let many = (0..PRODUCTS).map(|number| {
        let (mut product, name) = (one.clone(), format!("prd_{number:032}"));
        let keys = doc! { "EUR": format!("000000000000100{name}"), "USD": format!("{:015}{name}", 1_000 + number) };
        product.extend(doc! { "_id": &name, "sku": &name, "sku_key": &name, "request_key": &name, "price_keys": keys });
        product
    });
    products.insert_many(many).await.expect("mongod");
    stack.db("products").run_command(doc! { "profile": 2 }).await.expect("root may");
    let mut wrong = Vec::new();
    for (filter, order_by) in [
        ("currency = USD", "price"),
        ("currency = USD", "price desc"),
        ("currency = USD AND price > 12", "price"),
        ("currency = USD AND price > 12 AND price < 25", "price desc"),
    ] {
        let first = [("filter", filter), ("orderBy", order_by), ("pageSize", "20")];
        let page = search(&visitor, &first).await.expect(200);
        assert_eq!(ids(&page).len(), 20, "{page}");
        let mut looks = vec![examined(&stack).await.expect("a profile")];
        let next = [&first[..], &[("pageToken", id(&page, "nextPageToken"))]].concat();
        search(&visitor, &next).await.expect(200);
        looks.push(examined(&stack).await.expect("a profile"));
        wrong.extend(looks.into_iter().filter(|(count, _)| *count > 40).map(|look| (filter, order_by, look)));
    }
    let narrow = [("filter", "currency = USD AND price >= 12 AND price < 12.10"), ("orderBy", "name")];
    assert_eq!(found(&visitor, &narrow).await.len(), 10);
    let look = examined(&stack).await.expect("a profile");
    wrong.extend((look.0 > 40).then_some((narrow[0].1, "name", look)));
    assert!(wrong.is_empty(), "more than 40 products examined: {wrong:#?}");
    stack.stop().await;
}

#[tokio::test]
async fn the_history_of_prices_has_those_in_each_currency() {
    let stack = shared().await;
    let (staff, visitor) = (Client::staff(stack).await, Client::anonymous(stack));
    let (eur, usd) = (|text: &str| money("EUR", text), |text: &str| money("USD", text));
    let made = add(&staff, "Lamp", &eur("10"), &[usd("12")]).await;
    let history = async |query: &str| visitor.get(&format!("{}/prices{query}", path(&made))).await.expect(200);
    let start = |price: Value, from: &Value, until: &Value| match until {
        Value::Null => json!({ "price": price, "startTime": from["updateTime"] }),
        until => json!({ "price": price, "startTime": from["updateTime"], "endTime": until["updateTime"] }),
    };
    let none = Value::Null;
    let first = history("?currencyCode=usd").await;
    assert_eq!(first["prices"], json!([start(usd("12"), &made, &none)]));
    assert_eq!(first["lowestPriorPrice"], none, "{first}");
    let second = staff.patch(&path(&made), json!({ "otherPrices": [usd("15")] })).await.expect(200);
    let third = staff.patch(&path(&made), json!({ "otherPrices": [usd("11")] })).await.expect(200);
    let reduced = history("?currencyCode=USD").await;
    let spans = [start(usd("11"), &third, &none), start(usd("15"), &second, &third), start(usd("12"), &made, &second)];
    assert_eq!((&reduced["prices"], &reduced["lowestPriorPrice"]), (&json!(spans), &usd("12")));
    for main in ["", "?currencyCode=EUR"] {
        assert_eq!(history(main).await["prices"], json!([start(eur("10"), &made, &none)]), "{main}");
    }
    assert_eq!(history("?currencyCode=JPY").await["prices"], json!([]));
    // It goes on as the main price, and that in EUR ends.
    let swapped = staff.patch(&path(&made), json!({ "price": usd("11"), "otherPrices": [] })).await.expect(200);
    assert_eq!(history("?currencyCode=USD").await["prices"], json!(spans));
    let ended = history("?currencyCode=EUR").await;
    assert_eq!((&ended["prices"], &ended["lowestPriorPrice"]), (&json!([start(eur("10"), &made, &swapped)]), &none));
    // What a draft is to cost is offered to nobody.
    let draft = json!({ "status": "DRAFT", "otherPrices": [eur("1")] });
    staff.patch(&path(&made), draft).await.expect(200);
    let unpublished = staff.get(&format!("{}/prices?currencyCode=EUR", path(&made))).await.expect(200);
    assert_eq!(unpublished["prices"], ended["prices"]);
    let refused = visitor.get(&format!("{}/prices?currencyCode=EURO", path(&made))).await;
    assert_eq!((refused.status, fields(&refused)), (400, vec!["currencyCode".to_owned()]), "{refused:?}");
}

#[tokio::test]
async fn products_whose_prices_an_earlier_release_wrote_are_found_after_the_next_start() {
    let stack = shared().await;
    let (staff, visitor, mark) = (Client::staff(stack).await, Client::anonymous(stack), word());
    let (never, stale) =
        (add(&staff, &mark, &money("EUR", "5"), &[]).await, add(&staff, &mark, &money("EUR", "5"), &[]).await);
    let products = stack.db("products").collection::<Document>("products");
    let write = async |product: &Value, update: Document| {
        products.update_one(doc! { "_id": id(product, "productId") }, update).await.expect("mongod");
    };
    write(&never, doc! { "$unset": { "price_keys": "", "price_keys_at": "", "other_prices": "", "other_spans": "" } })
        .await;
    let price = doc! { "currency": "EUR", "amount": "7.00".parse::<bson::Decimal128>().expect("a number") };
    write(&stale, doc! { "$set": { "price": price, "updated_at": DateTime::now() } }).await;
    assert_eq!(visitor.get(&path(&never)).await.expect(200)["otherPrices"], json!([]), "it has none");
    let parameters = [("query", mark.as_str()), ("filter", "currency = EUR AND price >= 5"), ("orderBy", "price desc")];
    let address = kit::free_address();
    let replica = stack.serve_with("products", &[("COMPTOIR_LISTEN", &address)]);
    eventually(TIMEOUT, || async {
        let found = found(&visitor, &parameters).await;
        ensure!(found == [id(&stale, "productId"), id(&never, "productId")], "{found:?}\n{}", replica.tail(5));
        Ok(())
    })
    .await;
}
