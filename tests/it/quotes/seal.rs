//! Quote ids, at any time and for any basket.

use contracts::{money::Money, orders::v1::OrderDraftItem};
use orders::{Basket, Error, Fixed, HOLDS, Rate, Seal};
use store::Time;

const MADE: i64 = 1_700_000_000_000;

fn items(count: usize) -> Vec<OrderDraftItem> {
    let item = |number| OrderDraftItem { product_id: format!("prd_{number:036}"), quantity: 10_000 };
    (0..count).map(item).collect()
}

fn fixed(count: usize) -> Fixed {
    let priced = |minor: i128| {
        (Money::from_minor("EUR", minor).expect("money"), Rate { millionths: 200_000, is_included: true })
    };
    Fixed { lines: (0..count).map(|number| priced(100_000_000 - number as i128)).collect(), delivery: priced(490) }
}

fn basket(items: &[OrderDraftItem]) -> Basket<'_> {
    Basket { user_id: "usr_1", items, country_code: "FR", coupon_code: "" }
}

fn expiry() -> Time {
    Time::from_millis(MADE + i64::try_from(HOLDS.as_millis()).expect("minutes"))
}

#[test]
fn a_quote_holds_for_fifteen_minutes_and_not_a_millisecond_more() {
    let (seal, items) = (Seal::new("secret"), items(2));
    let id = seal.seal(basket(&items), &fixed(2), expiry()).expect("small numbers");
    let open = |after: i64| seal.open(&id, basket(&items), Time::from_millis(MADE + after));
    assert_eq!(open(0).expect("it holds"), fixed(2));
    assert_eq!(open(15 * 60 * 1000 - 1).expect("it holds"), fixed(2));
    assert!(matches!(open(15 * 60 * 1000), Err(Error::QuoteExpired)));
}

#[test]
fn a_quote_of_a_hundred_lines_fits_into_its_field() {
    let (seal, items) = (Seal::new("secret"), items(100));
    let id = seal.seal(basket(&items), &fixed(100), expiry()).expect("small numbers");
    assert!(id.len() <= 8_192, "{}", id.len());
    assert_eq!(seal.open(&id, basket(&items), Time::from_millis(MADE)).expect("it holds"), fixed(100));
}

#[test]
fn no_changed_byte_and_no_other_secret_makes_a_quote() {
    let (seal, items) = (Seal::new("secret"), items(1));
    let id = seal.seal(basket(&items), &fixed(1), expiry()).expect("small numbers");
    let now = Time::from_millis(MADE);
    assert!(matches!(Seal::new("other").open(&id, basket(&items), now), Err(Error::QuoteInvalid)));
    for at in 0..id.len() {
        let mut forged = id.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).expect("ASCII");
        assert!(matches!(seal.open(&forged, basket(&items), now), Err(Error::QuoteInvalid)), "byte {at}");
    }
    for short in [0, 1, 20, 21, 22, id.len() - 1] {
        assert!(matches!(seal.open(&id[..short], basket(&items), now), Err(Error::QuoteInvalid)), "{short} bytes");
    }
}
