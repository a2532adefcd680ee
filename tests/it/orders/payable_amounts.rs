//! Amounts that the payment provider can take: told when an order is quoted or placed, and kept to afterwards.

use crate::{
    orders::quotes::money,
    saga::at,
    shipments::shares::{confirmed, parcels, run},
};
use ::orders::{Disposition, Extent, Order, RefundRequest, ReturnedUnits, SAGAS, State};
use anyhow::ensure;
use contracts::money::{Money, currencies};
use kit::shop::{draft, product_with, reason};
use kit::{Client, Process, Stack, StackOptions, eventually};
use payments::{Payable, Provider, Stripe};
use proptest::prelude::*;
use serde_json::{Value, json};
use settings::Secret;
use std::time::Duration;

fn stripe() -> Stripe {
    let secret = || Secret::new("secret".to_owned());
    Stripe::new("http://127.0.0.1:1", secret(), secret()).expect("a client")
}

#[test]
fn each_currency_has_a_step_and_bounds_that_agree_or_none_at_all() {
    let stripe = stripe();
    let mut refused = Vec::new();
    for (currency, _) in currencies() {
        let Some(Payable { step, least, most }) = stripe.payable(currency) else {
            refused.push(currency);
            continue;
        };
        assert!(step > 0 && least >= step && least < most, "{currency}");
        assert_eq!((least % step, most % step), (0, 0), "{currency}");
    }
    assert!(refused.contains(&"CLF") && refused.contains(&"XAD") && refused.len() == 17, "{refused:?}");
    for (currency, step, least, most) in [
        ("EUR", 1, 50, 99_999_999),
        ("GBP", 1, 30, 99_999_999),
        ("KWD", 10, 10, 99_999_990),
        ("BHD", 10, 10, 99_999_990),
        ("MGA", 100, 100, 9_999_999_900),
        ("JPY", 1, 50, 999_999_999_999),
        ("IDR", 1, 1, 999_999_999_999),
        ("ISK", 1, 1, 9_999_999_999),
        ("HUF", 1, 17_500, 999_999_999_999),
    ] {
        assert_eq!(stripe.payable(currency), Some(Payable { step, least, most }), "{currency}");
    }
}

/// Payments with Stripe behind it; what is told here needs no answer of Stripe.
fn payments_with_stripe(stack: &Stack) -> Process {
    stack.serve_with("payments", &[("COMPTOIR_PROVIDER", "stripe"), ("COMPTOIR_PROVIDER_URL", "http://127.0.0.1:1")])
}

async fn quote(customer: &Client, product: &str, quantity: i32) -> kit::Reply {
    let items = json!([{ "productId": product, "quantity": quantity }]);
    customer.post("/v1/orders:quote", json!({ "items": items, "countryCode": "FR" })).await
}

async fn priced(stack: &Stack, currency: &str, price: &str) -> String {
    product_with(stack, 10, json!({ "price": money(currency, price) })).await
}

/// The metadata of an error.
fn metadata(reply: &kit::Reply, field: &str) -> Value {
    let details = reply.body["details"].as_array().cloned().unwrap_or_default();
    details.iter().map(|detail| detail["metadata"][field].clone()).find(|value| !value.is_null()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stripe_cannot_take_is_refused_when_it_is_quoted_or_ordered() {
    let stack = Stack::start(StackOptions::without(&["payments"])).await;
    let process = payments_with_stripe(&stack);
    let customer = Client::register(&stack).await.0;
    let dinar = priced(&stack, "KWD", "1.234").await;
    eventually(Duration::from_secs(30), || async {
        let refused = quote(&customer, &dinar, 1).await;
        ensure!(reason(&refused) == "AMOUNT_NOT_PAYABLE", "{refused:?}");
        Ok(())
    })
    .await;
    for (currency, price, quantity, why) in [
        ("KWD", "1.234", 1, "AMOUNT_NOT_PAYABLE"),
        ("KWD", "1.234", 5, ""),
        ("TND", "0.005", 1, "AMOUNT_NOT_PAYABLE"),
        ("MGA", "0.50", 1, "AMOUNT_NOT_PAYABLE"),
        ("MGA", "0.50", 2, ""),
        ("EUR", "0.49", 1, "AMOUNT_NOT_PAYABLE"),
        ("EUR", "0.49", 2, ""),
        ("USD", "999999.99", 1, ""),
        ("USD", "1000000", 1, "AMOUNT_NOT_PAYABLE"),
        ("IDR", "1000000000.01", 1, ""),
        ("CLF", "1", 1, "CURRENCY_NOT_PAYABLE"),
        ("JPY", "0", 1, ""),
    ] {
        let product = priced(&stack, currency, price).await;
        let quoted = quote(&customer, &product, quantity).await;
        assert_eq!(
            if quoted.status == 200 { String::new() } else { reason(&quoted) },
            why,
            "{quantity} at {price} {currency}"
        );
        if !why.is_empty() {
            let ordered = customer.post("/v1/orders", draft(&[(&product, quantity)], "pm_card_visa")).await;
            assert_eq!((ordered.status, reason(&ordered).as_str()), (400, why), "{ordered:?}");
        }
    }
    let refused = quote(&customer, &dinar, 1).await;
    let told = ["total", "step", "minimum", "maximum"].map(|field| metadata(&refused, field));
    assert_eq!(told, ["1.234 KWD", "0.010 KWD", "0.010 KWD", "99999.990 KWD"].map(Value::from), "{refused:?}");
    assert_eq!(customer.get("/v1/orders").await.expect(200)["orders"], json!([]));
    drop(process);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_payments_is_silent_orders_are_quoted_all_the_same() {
    let stack = Stack::start(StackOptions::without(&["payments"])).await;
    let customer = Client::register(&stack).await.0;
    let dinar = priced(&stack, "KWD", "1.234").await;
    for _ in 0..3 {
        quote(&customer, &dinar, 1).await.expect(200);
    }
    let process = payments_with_stripe(&stack);
    eventually(Duration::from_secs(60), || async {
        let refused = quote(&customer, &dinar, 1).await;
        ensure!(reason(&refused) == "AMOUNT_NOT_PAYABLE", "{refused:?}");
        Ok(())
    })
    .await;
    drop(process);
    stack.stop().await;
}

/// A confirmed order whose total is a multiple of 10, and must be captured in such.
fn coarse(lines: &[(i32, i64)]) -> Order {
    let order = confirmed("KWD", lines, 0);
    let total = order.total.floor_to(10).and_then(|total| total.add(&Money::from_minor("KWD", 10)?)).expect("money");
    Order { total, step: Some(10), ..order }
}

fn wish(id: &str, extent: Extent) -> RefundRequest {
    let (request_id, digest, reason) = (String::new(), String::new(), String::new());
    RefundRequest { id: id.to_owned(), request_id, digest, extent, reason, actor: "usr_staff".to_owned() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn captures_of_shipments_are_amounts_that_the_provider_takes_and_sum_to_the_total(
        lines in prop::collection::vec((1..12_i32, 0..40_000_i64), 1..4),
        splits in prop::collection::vec(any::<u8>(), 0..10),
    ) {
        let (mut order, mut captured) = (coarse(&lines), Vec::new());
        for parcel in &mut parcels(&lines, &splits, 0) {
            while let Some(told) = parcel.news.pop_front() {
                order = order.apply_shipments(SAGAS, told, at(1)).expect("legal").unwrap_or(order);
            }
        }
        order = run(order, &mut captured);
        prop_assert!(captured.iter().all(|(_, amount)| amount % 10 == 0), "{:?}", &captured);
        prop_assert_eq!(captured.iter().map(|(_, amount)| amount).sum::<i128>(), order.total.minor());
        prop_assert_eq!(order.state, State::Shipped);
    }

    #[test]
    fn refunds_of_units_are_amounts_that_the_provider_takes_and_the_rest_is_not_lost(
        parts in prop::collection::vec(1..20_i32, 1..8), price in 1..10_000_i64,
    ) {
        let quantity = parts.iter().sum();
        let mut order = Order { state: State::Delivered, ..coarse(&[(quantity, price)]) };
        for (index, part) in parts.iter().enumerate() {
            let (product_id, quantity, disposition) = ("prd_0".to_owned(), *part, Disposition::Scrap);
            let units = Extent::Units(vec![ReturnedUnits { product_id, quantity, disposition }]);
            order = order.refund(SAGAS, wish(&format!("rfd_{index}"), units), at(1)).expect("units are left").expect("a new refund");
        }
        let given: i128 = order.refunds.iter().map(|refund| refund.amount.minor()).sum();
        prop_assert!(order.refunds.iter().all(|refund| refund.amount.is_multiple_of(10)));
        prop_assert!(given <= order.total.minor() && order.total.minor() - given <= 20);
        let fine = Money::from_minor("KWD", 5).expect("money");
        prop_assert!(order.refund(SAGAS, wish("rfd_fine", Extent::Amount(fine)), at(2)).is_err());
        if given < order.total.minor() {
            order = order.refund(SAGAS, wish("rfd_rest", Extent::Rest), at(2)).expect("some is left").expect("a new refund");
            let all: i128 = order.refunds.iter().map(|refund| refund.amount.minor()).sum();
            prop_assert_eq!(all, order.total.minor());
        }
    }
}
