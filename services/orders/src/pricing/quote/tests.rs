//! Quote ids, at any time and for any basket.

use super::{Basket, QUOTE_TTL, QuoteSigner, QuotedPrice, QuotedPrices};
use crate::{domain::Delivery, error::Error, pricing::taxes::Rate};
use ::store::Time;
use contracts::{money::Money, orders::v1::OrderDraftItem};

const MADE: i64 = 1_700_000_000_000;

fn items(count: usize) -> Vec<OrderDraftItem> {
    let item = |number| OrderDraftItem { product_id: format!("prd_{number:036}"), quantity: 10_000 };
    (0..count).map(item).collect()
}

fn quoted(count: usize) -> QuotedPrices {
    let money = |minor: i128| Money::from_minor("EUR", minor).expect("money");
    let rate = Rate { millionths: 200_000, is_included: true };
    QuotedPrices {
        lines: (0..count).map(|number| QuotedPrice { price: money(100_000_000 - number as i128), rate }).collect(),
        delivery: Delivery { amount: money(490), rate },
    }
}

fn basket(items: &[OrderDraftItem]) -> Basket<'_> {
    Basket { user_id: "usr_1", items, country_code: "FR", coupon_code: "", currency_code: "" }
}

fn expiry() -> Time {
    Time::from_millis(MADE + i64::try_from(QUOTE_TTL.as_millis()).expect("minutes"))
}

#[test]
fn a_quote_holds_for_fifteen_minutes_and_not_a_millisecond_more() {
    let (signer, items) = (QuoteSigner::new("secret"), items(2));
    let id = signer.sign(basket(&items), &quoted(2), expiry()).expect("small numbers");
    let open = |after: i64| signer.open(&id, basket(&items), Time::from_millis(MADE + after));
    assert_eq!(open(0).expect("it holds"), quoted(2));
    assert_eq!(open(15 * 60 * 1000 - 1).expect("it holds"), quoted(2));
    assert!(matches!(open(15 * 60 * 1000), Err(Error::QuoteExpired)));
}

#[test]
fn a_quote_of_a_hundred_lines_fits_into_its_field() {
    let (signer, items) = (QuoteSigner::new("secret"), items(100));
    let id = signer.sign(basket(&items), &quoted(100), expiry()).expect("small numbers");
    assert!(id.len() <= 8_192, "{}", id.len());
    assert_eq!(signer.open(&id, basket(&items), Time::from_millis(MADE)).expect("it holds"), quoted(100));
}

#[test]
fn no_changed_byte_and_no_other_secret_makes_a_quote() {
    let (signer, items) = (QuoteSigner::new("secret"), items(1));
    let id = signer.sign(basket(&items), &quoted(1), expiry()).expect("small numbers");
    let now = Time::from_millis(MADE);
    assert!(matches!(QuoteSigner::new("other").open(&id, basket(&items), now), Err(Error::QuoteInvalid)));
    for at in 0..id.len() {
        let mut forged = id.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).expect("ASCII");
        assert!(matches!(signer.open(&forged, basket(&items), now), Err(Error::QuoteInvalid)), "byte {at}");
    }
    for short in [0, 1, 20, 21, 22, id.len() - 1] {
        assert!(matches!(signer.open(&id[..short], basket(&items), now), Err(Error::QuoteInvalid)), "{short} bytes");
    }
}
