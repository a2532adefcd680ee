//! What a basket would cost now, and whether each of its lines could be ordered. What is wrong is told, and is no error.

use crate::{clients::Peers, convert, domain::Basket};
use contracts::{
    baskets::v1::{BasketLine, BasketQuote, basket_line::Availability},
    orders::v1::{OrderDraftItem, OrderQuote, QuoteOrderRequest},
    products::v1::{Product, product::Status},
};
use std::collections::HashMap;

/// Asks all peers; for the stock of what is sold alone. What one cannot tell is left out; the rest is told.
pub async fn of(peers: &Peers, basket: &Basket) -> BasketQuote {
    let ids: Vec<String> = basket.items.iter().map(|item| item.product_id.clone()).collect();
    let products = peers.products(ids).await;
    let sold = products.iter().flat_map(HashMap::values).filter(|product| product.status() == Status::Active);
    let available = peers.available(sold.map(|product| product.product_id.clone()).collect()).await;
    let lines: Vec<BasketLine> = match &products {
        Ok(products) => {
            let told = |item| line(&convert::order_item(item), products, &available, &basket.currency_code);
            basket.items.iter().map(told).collect()
        }
        Err(_) => basket.items.iter().map(|item| unknown(&convert::order_item(item))).collect(),
    };
    let sold = lines.iter().filter(|line| line.availability() != Availability::NotSold);
    let items: Vec<OrderDraftItem> =
        sold.map(|line| OrderDraftItem { product_id: line.product_id.clone(), quantity: line.quantity }).collect();
    let refused = |refusal: &str| (None, refusal.to_owned(), String::new());
    let (quote, refusal, coupon_refusal) = if items.is_empty() {
        refused("BASKET_EMPTY")
    } else if basket.country_code.is_empty() {
        refused("COUNTRY_UNKNOWN")
    } else if products.is_ok() && lines.iter().any(is_unpriced) {
        refused("NO_PRICE_IN_CURRENCY")
    } else {
        priced(peers, basket, items).await
    };
    BasketQuote { lines, quote, refusal, coupon_refusal }
}

/// The quote, or why there is none; and why the coupon is left out of it.
async fn priced(peers: &Peers, basket: &Basket, items: Vec<OrderDraftItem>) -> (Option<OrderQuote>, String, String) {
    let user_id = basket.user_id.as_deref().unwrap_or_default();
    let Basket { country_code, coupon_code, currency_code, .. } = basket.clone();
    let request = QuoteOrderRequest { items, country_code, coupon_code, currency_code };
    let reason = match peers.quote(user_id, request.clone()).await {
        Ok(quote) => return (Some(quote), String::new(), String::new()),
        Err(status) => rpc::status::reason(&status),
    };
    if !reason.starts_with("COUPON_") {
        return (None, reason, String::new());
    }
    // A coupon that cannot be used any more hides no price.
    match peers.quote(user_id, QuoteOrderRequest { coupon_code: String::new(), ..request }).await {
        Ok(quote) => (Some(quote), String::new(), reason),
        Err(status) => (None, rpc::status::reason(&status), reason),
    }
}

fn line(
    item: &OrderDraftItem,
    products: &HashMap<String, Product>,
    available: &HashMap<String, Option<i32>>,
    currency_code: &str,
) -> BasketLine {
    let product = products.get(&item.product_id).filter(|product| product.status() == Status::Active);
    let available = available.get(&item.product_id).copied().flatten();
    let availability = match (product, available) {
        (None, _) => Availability::NotSold,
        (Some(_), None) => Availability::Unspecified,
        (Some(_), Some(units)) if units < item.quantity => Availability::OutOfStock,
        (Some(_), Some(_)) => Availability::Available,
    };
    BasketLine {
        availability: availability.into(),
        available: product.and(available).unwrap_or_default(),
        name: product.map(|product| product.name.clone()).unwrap_or_default(),
        price: product.and_then(|product| product.price_in(currency_code)).cloned(),
        ..unknown(item)
    }
}

/// Whether it is a line that is sold, and not in the currency of the basket.
fn is_unpriced(line: &BasketLine) -> bool {
    line.availability() != Availability::NotSold && line.price.is_none()
}

fn unknown(item: &OrderDraftItem) -> BasketLine {
    BasketLine { product_id: item.product_id.clone(), quantity: item.quantity, ..BasketLine::default() }
}
