//! What a filter may say, and how a wrong one is refused.

use crate::{
    domain::Status,
    search::filter::{Bound, Filter, parse},
};
use proptest::prelude::*;

fn bound(amount: &str, is_within: bool) -> Option<Bound> {
    Some(Bound { amount: amount.parse().expect("a number"), is_within })
}

#[test]
fn comparisons_are_read_with_and_without_blanks_and_quotes() {
    let currency = Some("EUR".to_owned());
    for (text, expected) in [
        ("", Filter::default()),
        ("group = grp_1", Filter { group_id: Some("grp_1".into()), ..Filter::default() }),
        ("available = true", Filter { is_available: Some(true), ..Filter::default() }),
        ("available=false", Filter { is_available: Some(false), ..Filter::default() }),
        ("category=cat_1", Filter { category_id: Some("cat_1".into()), ..Filter::default() }),
        (
            r#"category = "cat_1" AND status = DRAFT"#,
            Filter { category_id: Some("cat_1".into()), status: Some(Status::Draft), ..Filter::default() },
        ),
        (
            "price >= 1.50 AND price<20 AND currency = eur",
            Filter {
                currency: currency.clone(),
                above: bound("1.50", true),
                below: bound("20", false),
                ..Filter::default()
            },
        ),
        (
            "currency = EUR AND price = 5",
            Filter {
                currency: currency.clone(),
                above: bound("5", true),
                below: bound("5", true),
                ..Filter::default()
            },
        ),
        (
            "currency = EUR AND price > 1 AND price <= 2",
            Filter { currency, above: bound("1", false), below: bound("2", true), ..Filter::default() },
        ),
    ] {
        assert_eq!(parse(text).expect(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_comparison_of_a_field_is_refused_in_words() {
    for (text, why) in [
        ("lamp", "is no comparison"),
        ("category > cat_1", "with = only"),
        ("name = lamp", "is of no field"),
        ("$where = 1", "is of no field"),
        ("price < cheap AND currency = EUR", "has no number"),
        ("price < 5", "needs its currency"),
        ("currency = XXX", "is no ISO 4217 code"),
        ("currency = EUR.x", "is no ISO 4217 code"),
        ("status = SOLD", "is not ACTIVE"),
        ("currency = EUR AND currency = USD", "comes twice"),
        ("currency = EUR AND price < 5 AND price <= 6", "comes twice"),
        ("currency = EUR AND price = 5 AND price < 6", "comes twice"),
        ("currency = EUR AND ", "is no comparison"),
    ] {
        let refused = parse(text).expect_err(text).to_string();
        assert!(refused.contains(why), "{text}: {refused}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*|([a-z]{0,8} ?(=|<|>=) ?[0-9.\"]{0,40}( AND )?){0,9}") {
        let _ = parse(&text);
    }
}
