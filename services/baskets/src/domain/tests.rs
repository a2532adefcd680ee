//! The rules of baskets.

use crate::domain::{Basket, Clock, Draft, Error, Item, MAX_QUANTITY, Owner, State};
use ::store::Time;
use std::time::Duration;

fn at(seconds: i64) -> Clock {
    Clock { now: Time::from_millis(seconds * 1000), life: Duration::from_secs(100) }
}

fn item(product: &str, quantity: i32) -> Item {
    Item { product_id: product.to_owned(), quantity }
}

fn basket(items: &[(&str, i32)]) -> Basket {
    let items = items.iter().map(|(product, quantity)| item(product, *quantity)).collect();
    let draft = Draft { items, ..Draft::default() };
    Basket::create(draft, Owner::User("usr_1".into()), "key".into(), at(0)).unwrap()
}

fn many(count: usize) -> Vec<Item> {
    (0..count).map(|index| item(&format!("prd_{index}"), 1)).collect()
}

#[test]
fn a_product_is_in_a_basket_once_and_within_bounds() {
    let open = basket(&[("a", 2), ("b", 1), ("a", 3)]);
    assert_eq!(open.items, [item("a", 5), item("b", 1)]);
    assert_eq!(open.add(item("b", 4), at(1)).unwrap().items, [item("a", 5), item("b", 5)]);
    assert_eq!(open.add(item("a", MAX_QUANTITY - 4), at(1)), Err(Error::TooMany("a".into())));
    let full = open.update(Draft { items: many(100), ..Draft::default() }, at(1)).unwrap();
    assert_eq!(full.add(item("one more", 1), at(1)), Err(Error::Full));
    assert_eq!(open.update(Draft { items: many(101), ..Draft::default() }, at(1)), Err(Error::Full));
}

#[test]
fn a_change_puts_the_expiry_off_and_what_changes_nothing_is_no_change() {
    let open = basket(&[("a", 1)]);
    assert_eq!([99, 100, 101].map(|second| open.is_there(at(second).now)), [true, false, false]);
    let same = open.update(Draft { items: vec![item("a", 1)], ..Draft::default() }, at(50)).unwrap();
    assert_eq!((same.updated_at, same.is_there(at(149).now)), (at(0).now, true));
    assert_eq!(open.add(item("a", 1), at(50)).unwrap().updated_at, at(50).now);
}

#[test]
fn a_merge_adds_up_to_the_bound_and_refuses_more_products_than_fit() {
    let (own, guest) = (basket(&[("a", 9_000), ("b", 1)]), basket(&[("c", 2), ("a", 9_000)]));
    let taken = own.take(&guest, at(1)).unwrap();
    assert_eq!(taken.items, [item("a", MAX_QUANTITY), item("b", 1), item("c", 2)]);
    let large = own.update(Draft { items: many(100), ..Draft::default() }, at(1)).unwrap();
    assert_eq!(large.take(&guest, at(1)), Err(Error::Full));
    let begun = guest.begin_checkout("1", 1, at(1).now).unwrap();
    assert_eq!(own.take(&begun, at(1)), Err(Error::CheckoutUnderWay));
}

#[test]
fn the_country_coupon_and_currency_of_the_user_win_over_those_of_the_guest() {
    let of = |codes: [&str; 3]| {
        let [country_code, coupon_code, currency_code] = codes.map(str::to_owned);
        Draft { items: vec![], country_code, coupon_code, currency_code }
    };
    let guest = basket(&[]).update(of(["DE", "SUMMER", "USD"]), at(1)).unwrap();
    for (own, wanted) in [(["FR", "", "EUR"], ["FR", "SUMMER", "EUR"]), (["", "WINTER", ""], ["DE", "WINTER", "USD"])] {
        let taken = basket(&[]).update(of(own), at(1)).unwrap().take(&guest, at(2)).unwrap();
        assert_eq!([&taken.country_code, &taken.coupon_code, &taken.currency_code], wanted);
    }
}

#[test]
fn a_basket_that_is_checked_out_is_frozen_until_its_checkout_has_come_to_nothing() {
    let open = basket(&[("a", 1)]);
    assert_eq!(basket(&[]).begin_checkout("1", 1, at(1).now), Err(Error::Empty));
    let begun = open.begin_checkout("1", 7, at(1).now).unwrap();
    assert_eq!((begun.state, begun.expires_at), (State::CheckingOut, None));
    assert_eq!(begun.add(item("b", 1), at(2)), Err(Error::CheckoutUnderWay));
    assert_eq!(begun.deleted(at(2).now), Err(Error::CheckoutUnderWay));
    assert_eq!(begun.refused("another", at(2)), None);
    let again = begun.refused("1", at(2)).unwrap();
    assert_eq!((again.state, again.checkout.clone(), again.is_there(at(101).now)), (State::Open, None, true));
    assert_eq!((again.refused("1", at(2)), again.reopened(at(2))), (None, None));
}

#[test]
fn a_basket_is_open_again_once_the_last_attempt_at_its_checkout_is_refused() {
    let begun = basket(&[("a", 1)]).begin_checkout("1", 7, at(1).now).unwrap();
    let joined = begun.begin_checkout("2", 8, at(9).now).unwrap();
    assert_eq!(joined.checkout.as_ref().map(|checkout| (checkout.at, checkout.rev)), Some((at(9).now, 7)));
    for (first, last) in [("1", "2"), ("2", "1")] {
        let left = joined.refused(first, at(10)).unwrap();
        assert_eq!(left.state, State::CheckingOut);
        assert_eq!(left.refused(last, at(10)).unwrap().state, State::Open);
    }
    let mut many = begun;
    for attempt in 2..100 {
        many = many.begin_checkout(&attempt.to_string(), 8, at(2).now).unwrap();
    }
    for attempt in 1..100 {
        many = many.refused(&attempt.to_string(), at(3)).unwrap_or(many);
    }
    assert_eq!(many.state, State::CheckingOut, "those beyond the bound may have an order");
}

#[test]
fn a_caller_who_has_not_seen_the_frozen_lines_is_known_by_the_etag() {
    let begun = basket(&[("a", 1)]).begin_checkout("1", 7, at(1).now).unwrap();
    let seen = ["", "6", "7", "8", "x"].map(|etag| begun.has_frozen(etag));
    assert_eq!(seen, [true, false, true, true, false]);
}

#[test]
fn an_order_that_there_is_makes_the_basket_that_order_whatever_happened_to_it() {
    let open = basket(&[("a", 1)]);
    let begun = open.begin_checkout("1", 1, at(1).now).unwrap();
    let changed = open.add(item("b", 7), at(2)).unwrap();
    for before in [open, begun, changed] {
        let ordered = before.checked_out("ord_1", vec![item("a", 1), item("a", 1)], at(3)).unwrap().unwrap();
        assert_eq!((ordered.state, ordered.order_id.as_deref()), (State::CheckedOut, Some("ord_1")));
        assert_eq!((ordered.items.clone(), ordered.checkout.clone()), (vec![item("a", 2)], None));
        assert_eq!(ordered.checked_out("ord_2", vec![], at(4)), Ok(None));
        assert_eq!(ordered.add(item("b", 1), at(4)), Err(Error::CheckedOut));
        assert_eq!(ordered.reopened(at(4)), None);
    }
}

#[test]
fn what_is_deleted_or_merged_is_changed_no_more() {
    let open = basket(&[("a", 1)]);
    let deleted = open.deleted(at(1).now).unwrap().unwrap();
    assert_eq!((deleted.items.len(), deleted.is_there(at(1).now), deleted.deleted(at(2).now)), (0, false, Ok(None)));
    let merged = open.merged("bsk_2", at(1));
    assert_eq!(
        (merged.add(item("b", 1), at(2)), merged.claimed("usr_2", at(2))),
        (Err(Error::Merged), Err(Error::Merged))
    );
    assert_eq!(merged.take(&open, at(2)), Err(Error::Merged));
}
