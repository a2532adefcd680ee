//! What becomes of texts on their way to the database.

use crate::{
    categories::domain::Tree,
    domain::{Audience, Error},
    search::query::{Order, Query},
};
use bson::{Bson, Document, doc};
use proptest::prelude::*;

fn query(words: &str, filter: &str, order_by: &str, audience: Audience) -> Result<Query, Error> {
    Query::parse(words, filter, order_by, audience, &Tree::default())
}

/// The names of operators in a document, at any depth.
fn operators(document: &Document, found: &mut Vec<String>) {
    for (name, value) in document {
        found.extend(name.starts_with('$').then(|| name.clone()));
        let values = if let Bson::Array(values) = value { values.as_slice() } else { std::slice::from_ref(value) };
        values.iter().filter_map(Bson::as_document).for_each(|inner| operators(inner, found));
    }
}

proptest! {
    #[test]
    fn no_text_becomes_an_operator(words in "\\PC*|[$a-z{}\": ]{0,40}", value in "[$a-z{}\":.]{1,20}") {
        let typed = format!("currency = {value} AND price < 5");
        let read = [typed.as_str(), "currency = EUR AND price < 5"]
            .map(|filter| query(&words, filter, "name", Audience::Public));
        let (mut found, mut behind) = (Vec::new(), Vec::new());
        for parsed in read.iter().flatten() {
            operators(&parsed.filter, &mut found);
            operators(&parsed.order.behind(&format!("{words}\n{value}")), &mut behind);
        }
        let ours = ["$and", "$elemMatch", "$gte", "$lt", "$in", "$or", "$gt"];
        let foreign: Vec<&String> = found.iter().chain(&behind).filter(|name| !ours.contains(&name.as_str())).collect();
        prop_assert!(foreign.is_empty(), "{:?}", foreign);
    }
}

#[test]
fn drafts_are_found_by_staff_and_what_is_sold_by_everybody() {
    let statuses = |filter: &str, audience| {
        let all = query("", filter, "", audience).map(|query| query.filter.get_array("$and").cloned());
        all.map(|all| all.expect("a list").remove(0)).map_err(|error| error.to_string())
    };
    let within = |names: &[&str]| Ok(Bson::from(doc! { "status": { "$in": names } }));
    assert_eq!(statuses("", Audience::Public), within(&["Active"]));
    assert_eq!(statuses("status = ARCHIVED", Audience::Public), within(&["Archived"]));
    assert_eq!(statuses("", Audience::Staff), within(&["Active", "Archived", "Draft"]));
    assert_eq!(statuses("status = DRAFT", Audience::Staff), within(&["Draft"]));
    assert!(statuses("status = DRAFT", Audience::Public).is_err_and(|why| why.contains("staff only")));
}

#[test]
fn a_place_has_behind_it_what_comes_later_in_the_order() {
    let order = |text: &str| query("", "", text, Audience::Staff).expect("an order").order;
    let newest: Order = order("");
    assert_eq!(newest.sort(), doc! { "_id": -1 });
    assert_eq!(newest.behind("prd_1"), doc! { "$or": [{ "_id": { "$lt": "prd_1" } }] });
    let amount = Bson::Decimal128("1.50".parse().expect("a decimal"));
    assert_eq!(
        order("price").behind("EUR\n1.50\nprd_1"),
        doc! { "$or": [
            { "price.currency": { "$gt": "EUR" } },
            { "price.currency": "EUR", "price.amount": { "$gt": amount.clone() } },
            { "price.currency": "EUR", "price.amount": amount, "_id": { "$gt": "prd_1" } },
        ] }
    );
    assert!(matches!(query("", "", "$natural", Audience::Staff), Err(Error::OrderBy)));
}

#[test]
fn prices_are_those_in_the_currency_of_the_filter() {
    let found = query("", "currency = USD AND price < 5", "price desc", Audience::Public).expect("a query");
    assert_eq!((found.currency, found.order.sort()), (Some("USD"), doc! { "price_keys.USD": -1 }));
    let place = "000000000000499prd_1";
    assert_eq!(found.order.behind(place), doc! { "$or": [{ "price_keys.USD": { "$lt": place } }] });
    assert_eq!(query("", "", "price", Audience::Public).expect("a query").currency, None);
}

#[test]
fn a_query_has_a_bounded_number_of_words() {
    let words = |count: u32| (0..count).map(|number| format!("w{number} ")).collect::<String>();
    assert!(query(&words(10), "", "", Audience::Public).is_ok());
    assert!(matches!(query(&words(11), "", "", Audience::Public), Err(Error::Query(10))));
    assert!(matches!(query("", "category = cat_1", "", Audience::Public), Err(Error::Filter(_))));
}
