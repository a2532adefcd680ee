//! Whether the texts have the order of the prices, and a filter the texts that it should.

use crate::{
    domain::{Draft, Product, Status},
    search::{
        filter::parse,
        price_key::{keyed, range},
    },
};
use ::store::Time;
use bson::doc;
use contracts::money::{MOST_OF_A_PRICE, Money};

fn product(prices: &[Money]) -> Product {
    let (price, other_prices) = prices.split_first().expect("one price");
    let draft = Draft {
        name: "Lamp".to_owned(),
        description: String::new(),
        sku: "LAMP".to_owned(),
        price: price.clone(),
        other_prices: other_prices.to_vec(),
        status: Status::Active,
        tax_category: String::new(),
        weight_grams: 0,
        category_ids: Vec::new(),
        media: Vec::new(),
        group_id: None,
        options: Vec::new(),
    };
    keyed("prd_1", Product::create(draft, String::new(), Time::from_millis(7)).expect("a product"))
}

/// The key of a price.
fn key(currency: &str, minor: i128) -> String {
    product(&[Money::from_minor(currency, minor).expect("a price")]).price_keys[currency].clone()
}

#[test]
fn a_product_has_a_key_in_each_of_its_currencies() {
    let made = product(&[Money::parse("EUR", "12.5").unwrap(), Money::parse("JPY", "1500").unwrap()]);
    let keys: Vec<(&str, &str)> = made.price_keys.iter().map(|(code, key)| (code.as_str(), key.as_str())).collect();
    assert_eq!(keys, [("EUR", "000000000001250prd_1"), ("JPY", "000000000001500prd_1")]);
    assert_eq!(made.price_keys_at, Some(made.updated_at));
}

#[test]
fn keys_have_the_order_of_prices_up_to_the_highest() {
    let prices = [0, 1, 9, 10, 99, 100, 12_345, MOST_OF_A_PRICE - 1, MOST_OF_A_PRICE];
    let keys = prices.map(|minor| key("EUR", minor));
    assert!(keys.is_sorted(), "{keys:?}");
}

#[test]
fn a_filter_has_the_keys_of_the_prices_within_its_bounds() {
    let within = |bounds: &str, minor: i128| {
        let filter = parse(&format!("currency = EUR AND {bounds}")).expect("a filter");
        let range = range(&filter, "EUR");
        let range = range.get_document("price_keys.EUR").expect("of this field");
        let key = key("EUR", minor);
        key.as_str() >= range.get_str("$gte").expect("it has one")
            && range.get_str("$lt").is_ok_and(|end| key.as_str() < end)
            || (range.get("$lt").is_none() && key.as_str() >= range.get_str("$gte").expect("it has one"))
    };
    for (bounds, first, last) in [
        ("price >= 1.50 AND price < 2", 150, 199),
        ("price > 1.50 AND price <= 2", 151, 200),
        ("price = 2", 200, 200),
        ("price > 1.499 AND price < 2.001", 150, 200),
        ("price >= 1.491 AND price <= 2.009", 150, 200),
        ("price >= -5 AND price <= 0", 0, 0),
    ] {
        let found = [first - 1, first, last, last + 1].map(|minor| minor >= 0 && within(bounds, minor));
        assert_eq!(found, [false, true, true, false], "{bounds}");
    }
    let all = "79228162514264337593543950335";
    assert!(within(&format!("price < {all}"), MOST_OF_A_PRICE) && within(&format!("price > -{all}"), 0));
    assert!(!within(&format!("price > {all}"), MOST_OF_A_PRICE) && !within(&format!("price < -{all}"), 0));
    for currency in ["JPY", "KWD"] {
        let bounds = |filter: &str| {
            range(&parse(&format!("currency = {currency} AND price {filter}")).expect("a filter"), currency)
        };
        let most = doc! { format!("price_keys.{currency}"): { "$gte": "9".repeat(15) } };
        assert_eq!(bounds(&format!("> {all}")), most, "and no panic");
        let one = [("JPY", "000000000000001"), ("KWD", "000000000001000")].iter().find(|(code, _)| *code == currency);
        let one = doc! { format!("price_keys.{currency}"): { "$gte": one.expect("one of both").1 } };
        assert_eq!(bounds(">= 1"), one);
    }
    assert_eq!(range(&parse("currency = EUR").unwrap(), "EUR"), doc! { "price_keys.EUR": { "$gte": "" } });
}
