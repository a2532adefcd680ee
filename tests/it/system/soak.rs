//! A day of a shop: every token, coupons, taxes of six countries, four currencies, cancellations, parcels and returns; and
//! at its end a statement whose sums agree in orders, in the ledger of payments and at the provider.
//!
//! `ORDERS=500` plays as many and prints the statement with `--nocapture`; a run of all tests plays fewer.

use crate::{
    chaos::{frame, payments::TOKENS},
    cli::{reconcile::reconcile, verify::verify},
    orders::{coupons::coupon, quotes::money},
};
use anyhow::ensure;
use bson::{Document, doc};
use contracts::money::Money;
use futures::TryStreamExt;
use kit::shop::{TIMEOUT, id, product_with, sagas_have_ended};
use kit::{Client, Reply, Stack, StackOptions, eventually};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

const CUSTOMERS: usize = 16;

/// How long all may take to come to an end.
const LIMIT: Duration = Duration::from_secs(180);

/// Where the customers are and what they pay with: currency, country, region, postal code.
const MARKETS: [[&str; 4]; 7] = [
    ["EUR", "FR", "", "75002"],
    ["EUR", "DE", "", "10115"],
    ["GBP", "GB", "", "SW1A 1AA"],
    ["JPY", "JP", "Tokyo", "100-0001"],
    ["USD", "US", "CA", "94043"],
    ["USD", "CA", "ON", "K1A 0B1"],
    ["KWD", "FR", "", "69003"],
];

/// A lamp, and tea that weighs something; their prices by currency.
const PRICES: [[&str; 3]; 5] = [
    ["EUR", "39.99", "4.75"],
    ["GBP", "34.99", "4.15"],
    ["JPY", "6480", "799"],
    ["USD", "44.50", "5.25"],
    ["KWD", "13.335", "1.625"],
];

/// What the columns of the statement are made of, in minor units.
type Sums = BTreeMap<&'static str, i128>;

struct Shop {
    stack: Stack,
    staff: Client,
    /// Lamp and tea by currency.
    shelf: BTreeMap<&'static str, [String; 2]>,
    coupon: String,
    begun: AtomicUsize,
    orders: usize,
}

impl Shop {
    async fn open(orders: usize) -> Self {
        let stack = Stack::start(StackOptions::default()).await;
        let (staff, mut shelf) = (Client::staff(&stack).await, BTreeMap::new());
        for [currency, lamp, tea] in PRICES {
            let lamp = json!({ "price": money(currency, lamp), "weightGrams": 1_200 });
            let tea = json!({ "price": money(currency, tea), "weightGrams": 100, "taxCategory": "FOOD" });
            let both = [product_with(&stack, 5_000, lamp).await, product_with(&stack, 5_000, tea).await];
            shelf.insert(currency, both);
        }
        let coupon = coupon(&stack, json!({ "percentage": "12.5" })).await;
        Self { stack, staff, shelf, coupon, begun: AtomicUsize::new(0), orders }
    }

    /// Sells until there are enough orders.
    async fn sell(&self) {
        let (customer, _) = Client::register(&self.stack).await;
        loop {
            let number = self.begun.fetch_add(1, Ordering::Relaxed);
            if number >= self.orders {
                return;
            }
            self.play(&customer, number).await;
        }
    }

    /// One order, by its number: token, market, coupon and fate.
    async fn play(&self, customer: &Client, number: usize) {
        let (token, [currency, country, region, postal_code]) =
            (TOKENS[number % TOKENS.len()], MARKETS[number / 3 % MARKETS.len()]);
        let [lamp, tea] = &self.shelf[currency];
        let coupon = if number % 4 == 1 { self.coupon.as_str() } else { "" };
        let items = json!([
            { "productId": lamp, "quantity": 1 + number % 2 }, { "productId": tea, "quantity": 1 + number % 5 },
        ]);
        let wanted = json!({ "items": items, "countryCode": country, "couponCode": coupon });
        let quote = customer.post("/v1/orders:quote", wanted).await.expect(200);
        let draft = json!({
            "items": items, "couponCode": coupon, "quoteId": quote["quoteId"], "paymentToken": token,
            "shippingAddress": { "name": "Customer", "line1": "1 Main Street", "city": "City", "region": region,
                "postalCode": postal_code, "countryCode": country },
        });
        let order = customer.post("/v1/orders?wait=30s", draft).await.expect(201);
        let order = self.ended(customer, order, number).await;
        assert_eq!(order["total"], quote["total"], "{order}");
        let path = format!("/v1/orders/{}", id(&order, "orderId"));
        match number / 2 % 5 {
            0 => drop(customer.post(&format!("{path}:cancel"), json!({})).await),
            _ if order["state"] != "CONFIRMED" => {}
            1 => {}
            fate => self.ship(customer, &path, [lamp, tea], fate).await,
        }
    }

    /// The order once it is CONFIRMED or REJECTED; half of the payers who must act approve.
    async fn ended(&self, customer: &Client, order: Value, number: usize) -> Value {
        let path = format!("/v1/orders/{}", id(&order, "orderId"));
        eventually(LIMIT, || async {
            let order = customer.get(&path).await.expect(200);
            if order["paymentState"] == "ACTION_REQUIRED" && order["state"] == "PENDING" {
                let action = format!("/v1/payments/{}:completeAction", id(&order, "paymentId"));
                customer.post(&action, json!({ "approve": number.is_multiple_of(2) })).await;
            }
            ensure!(order["state"] != "PENDING", "{order}");
            Ok(order)
        })
        .await
    }

    /// Sends the goods, in one parcel or in two; some come back.
    async fn ship(&self, customer: &Client, path: &str, [lamp, tea]: [&String; 2], fate: usize) {
        let order = self.with(customer, path, "shipmentState", "CREATED").await;
        let shipment = id(&order, "shipmentId");
        let mut parcels = vec![shipment.to_owned()];
        if fate == 3 {
            let lines = json!([{ "productId": tea, "quantity": 1 }]);
            let split = json!({ "lines": lines, "requestId": "second-parcel" });
            let reply = self.staff.post(&format!("/v1/shipments/{shipment}:split"), split).await.expect(200);
            parcels.push(id(&reply["splitOff"], "shipmentId").to_owned());
        }
        for parcel in parcels {
            self.staff.post(&format!("/v1/shipments/{parcel}:dispatch"), json!({})).await.expect(200);
        }
        self.with(customer, path, "state", "SHIPPED").await;
        let back =
            |product: &str| json!({ "items": [{ "productId": product, "quantity": 1, "disposition": "RESTOCK" }] });
        let refund = async |body: Value| -> Reply { self.staff.post(&format!("{path}:refund"), body).await };
        if fate == 4 {
            // A charge-back may have frozen the order; then there is nothing to give back.
            refund(back(tea)).await;
            refund(back(lamp)).await;
            refund(json!({})).await;
        } else if fate == 2 {
            refund(back(tea)).await;
        }
    }

    async fn with(&self, customer: &Client, path: &str, field: &str, value: &str) -> Value {
        eventually(TIMEOUT, || async {
            let order = customer.get(path).await.expect(200);
            ensure!(order[field] == value, "{field} is {} in {order}", order[field]);
            Ok(order)
        })
        .await
    }

    /// Waits until every saga has ended and every charge-back is known.
    async fn close(&self) {
        sagas_have_ended(&self.stack, LIMIT).await;
        eventually(LIMIT, || async {
            let output = reconcile(&self.stack, &[]).await;
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
            Ok(())
        })
        .await;
    }

    async fn all(&self, database: &str, collection: &str) -> Vec<Document> {
        let found =
            self.stack.db(database).collection::<Document>(collection).find(doc! {}).await.expect("mongod answers");
        found.try_collect().await.expect("documents")
    }

    /// The statement: by currency, what was ordered, and what became of the money according to three of them.
    async fn statement(&self) -> BTreeMap<String, Sums> {
        let mut statement: BTreeMap<String, Sums> = BTreeMap::new();
        let mut book = |money: &Money, column: &'static str| {
            *statement.entry(money.currency.clone()).or_default().entry(column).or_default() += money.minor();
        };
        for order in self.all("orders", "orders").await {
            let amounts = order.get_document("amounts").expect("every order has them");
            for column in ["subtotal", "discount", "shipping", "tax", "included_tax", "total"] {
                book(&stored(amounts, column), column);
            }
            if matches!(order.get_str("state"), Ok("Rejected" | "Cancelled")) {
                book(&stored(&order, "total"), "ended");
                continue;
            }
            let total = stored(&order, "total");
            let captures: Vec<Money> = captures(&order);
            if captures.is_empty() {
                book(&total, "to ship");
            }
            captures.iter().for_each(|amount| book(amount, "owed"));
            for refund in order.get_array("refunds").into_iter().flatten().filter_map(|one| one.as_document()) {
                if matches!(refund.get_str("progress"), Ok("Done")) {
                    book(&stored(refund, "amount"), "given back");
                }
            }
        }
        for payment in self.all("payments", "payments").await {
            for entry in payment.get_array("ledger").into_iter().flatten().filter_map(|one| one.as_document()) {
                match entry.get_str("kind") {
                    Ok("Capture") => book(&stored(entry, "amount"), "captured"),
                    Ok("Refund") => book(&stored(entry, "amount"), "refunded"),
                    Ok("ChargeBack") => book(&stored(entry, "amount"), "charged back"),
                    _ => {}
                }
            }
        }
        for charge in self.all("sandbox-psp", "charges").await {
            let currency = stored(&charge, "amount").currency;
            for (field, column) in [
                ("captured", "provider captured"),
                ("refunded", "provider refunded"),
                ("charged_back", "provider charged back"),
            ] {
                let minor = charge.get_i64(field).expect("minor units");
                book(&Money::from_minor(&currency, minor.into()).expect("money"), column);
            }
        }
        statement
    }

    /// How many orders ended in each state and for which reason.
    async fn ends(&self) -> BTreeMap<String, usize> {
        let mut ends = BTreeMap::new();
        for order in self.all("orders", "orders").await {
            let text = |field: &str| order.get_str(field).unwrap_or_default().to_owned();
            *ends.entry(format!("{} {}", text("state"), text("reason")).trim().to_owned()).or_default() += 1;
        }
        ends
    }
}

fn stored(document: &Document, field: &str) -> Money {
    let money = document.get_document(field).unwrap_or_else(|_| panic!("{field} in {document}"));
    let amount = money.get("amount").expect("an amount").to_string();
    Money::parse(money.get_str("currency").expect("a currency"), amount.trim_matches('"')).expect("money")
}

/// What the shipments of an order have captured.
fn captures(order: &Document) -> Vec<Money> {
    let shipments = order.get_array("shipments").into_iter().flatten().filter_map(|one| one.as_document());
    shipments.filter_map(|one| one.get_document("capture").ok()).map(|capture| stored(capture, "amount")).collect()
}

fn print(statement: &BTreeMap<String, Sums>, ends: &BTreeMap<String, usize>) {
    println!("\nThe day, {} orders", ends.values().sum::<usize>());
    for (end, count) in ends {
        println!("  {count:>5}  {end}");
    }
    const ROWS: [(&str, &str); 16] = [
        ("subtotal", "lines"),
        ("discount", "− discount"),
        ("shipping", "+ shipping"),
        ("tax", "+ tax"),
        ("total", "= ordered"),
        ("included_tax", "  tax inside of it"),
        ("ended", "rejected, cancelled"),
        ("to ship", "not shipped yet"),
        ("owed", "owed for shipments"),
        ("captured", "captured: ledger"),
        ("provider captured", "captured: provider"),
        ("given back", "given back: orders"),
        ("refunded", "refunded: ledger"),
        ("provider refunded", "refunded: provider"),
        ("charged back", "charged back: ledger"),
        ("provider charged back", "charged back: provider"),
    ];
    print!("{:24}", "");
    statement.keys().for_each(|currency| print!("{currency:>14}"));
    println!();
    for (column, name) in ROWS {
        print!("  {name:22}");
        for (currency, sums) in statement {
            let money = Money::from_minor(currency, sums.get(column).copied().unwrap_or(0)).expect("money");
            print!("{:>14}", money.to_string().trim_end_matches(currency).trim_end());
        }
        println!();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_days_statement_has_the_same_sums_in_orders_ledger_and_provider() {
    let orders = usize::try_from(frame::number("ORDERS").unwrap_or(105)).expect("small");
    let shop = Shop::open(orders).await;
    futures::future::join_all((0..CUSTOMERS).map(|_| shop.sell())).await;
    shop.close().await;
    let (statement, ends) = (shop.statement().await, shop.ends().await);
    print(&statement, &ends);
    assert_eq!(ends.values().sum::<usize>(), orders);
    assert_eq!(statement.len(), PRICES.len(), "every currency was paid with");
    for (currency, sums) in &statement {
        let of = |column: &str| sums.get(column).copied().unwrap_or(0);
        assert_eq!(of("subtotal") - of("discount") + of("shipping") + of("tax"), of("total"), "{currency}");
        assert_eq!(of("ended") + of("to ship") + of("owed"), of("total"), "{currency}");
        assert_eq!([of("captured"), of("provider captured")], [of("owed"); 2], "{currency}");
        assert_eq!([of("refunded"), of("provider refunded")], [of("given back"); 2], "{currency}");
        assert_eq!(of("charged back"), of("provider charged back"), "{currency}");
        assert!(of("discount") > 0 && of("shipping") > 0 && of("refunded") > 0, "{currency}: {sums:?}");
    }
    let (reconciled, verified) = (reconcile(&shop.stack, &[]).await, verify(&shop.stack, &[]).await);
    for output in [reconciled, verified] {
        println!("\n{}", String::from_utf8_lossy(&output.stdout));
        assert!(output.status.success(), "{output:?}");
    }
    shop.stack.stop().await;
}
