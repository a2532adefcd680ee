//! What the database is asked for.

use crate::filter::{Filter, Place};
use ::store::Time;
use bson::doc;
use std::collections::BTreeSet;

const EVER: Time = Time::MIN;

#[test]
fn all_entries_are_those_whose_order_has_been_placed() {
    assert_eq!(Filter::default().rows(None), doc! { "order.created_at": { "$gte": EVER } });
}

#[test]
fn what_is_said_must_hold_together() {
    let filter = Filter {
        user_id: Some("usr_1".to_owned()),
        states: BTreeSet::from([2, 7]),
        start: Some(Time::from_millis(1)),
        end: Some(Time::from_millis(9)),
        product_id: Some("prd_1".to_owned()),
        words: ["blue", "tea"].map(str::to_owned).into(),
    };
    let begins =
        |word: &str| doc! { "order.words": { "$elemMatch": { "$gte": word, "$lt": format!("{word}\u{10FFFF}") } } };
    let expected = doc! {
        "order.user_id": "usr_1",
        "order.items.product_id": "prd_1",
        "order.state": { "$in": [2, 7] },
        "$and": [begins("blue"), begins("tea")],
        "order.created_at": { "$gte": Time::from_millis(1), "$lt": Time::from_millis(9) },
    };
    assert_eq!(filter.rows(None), expected);
}

#[test]
fn what_is_behind_a_place_is_older_or_of_one_time_with_a_smaller_identifier() {
    let place = Place { created_at: Time::from_millis(5), order_id: "ord_5".to_owned() };
    let expected = doc! {
        "$or": [{ "order.created_at": { "$lt": Time::from_millis(5) } }, { "_id": { "$lt": "ord_5" } }],
        "order.created_at": { "$gte": EVER, "$lte": Time::from_millis(5) },
    };
    assert_eq!(Filter::default().rows(Some(&place)), expected);
}

#[test]
fn a_place_is_read_as_it_was_written() {
    let place = Place { created_at: Time::from_millis(-5), order_id: "ord_/5".to_owned() };
    assert_eq!(Place::parse(&place.text()), Some(place));
    for text in ["", "5", "x/ord_5"] {
        assert_eq!(Place::parse(text), None, "{text:?}");
    }
}
