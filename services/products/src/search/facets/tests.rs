//! How products are counted.

use crate::{
    categories::domain::{Category, Draft, Tree},
    search::facets::{Band, MAX_FACETS, count},
};
use ::store::Time;
use contracts::money::{MOST_OF_A_PRICE, Money, currencies};

fn row(name: &str, parent: Option<&str>) -> (String, Category) {
    let draft = Draft { name: name.to_owned(), parent_id: None };
    let made = Tree::default().create(draft, String::new(), Time::from_millis(0)).expect("it is the first one");
    (name.to_owned(), Category { parent_id: parent.map(str::to_owned), ..made })
}

fn price(minor: i128) -> Money {
    Money::from_minor("EUR", minor).expect("a price")
}

#[test]
fn a_product_counts_once_in_each_category_that_it_is_in_or_below() {
    let tree = Tree::new([row("home", None), row("kitchen", Some("home")), row("garden", None)]);
    let product = |ids: &[&str]| (ids.iter().map(|id| (*id).to_owned()).collect(), price(100));
    let products = [product(&["kitchen", "home"]), product(&["kitchen"]), product(&["garden"]), product(&["gone"])];
    let counted = count(products, &tree).categories;
    let named: Vec<(&str, i32)> = counted.iter().map(|(id, count)| (id.as_str(), *count)).collect();
    assert_eq!(named, [("home", 2), ("kitchen", 2), ("garden", 1)]);
}

#[test]
fn prices_fall_into_bands_of_1_2_and_5_from_their_lower_bound_on() {
    let bands = |minor: &[i128]| {
        let products: Vec<_> = minor.iter().map(|minor| (Vec::new(), price(*minor))).collect();
        let found = count(products, &Tree::default()).bands;
        found.iter().map(|(Band { from, below, .. }, count)| format!("{from}-{below}: {count}")).collect::<Vec<_>>()
    };
    assert_eq!(
        bands(&[0, 99, 100, 199, 200, 499, 500, 999, 1_000, 2_000, 4_999, 5_000]),
        ["0-1: 2", "1-2: 2", "2-5: 2", "5-10: 2", "10-20: 1", "20-50: 2", "50-100: 1"]
    );
}

#[test]
fn the_highest_price_of_each_currency_has_a_band_and_facets_are_bounded() {
    let prices = currencies().map(|(currency, _)| Money::from_minor(currency, MOST_OF_A_PRICE).expect("a price"));
    let highest: Vec<Money> = prices.collect();
    for price in &highest {
        let (band, _) = count([(Vec::new(), price.clone())], &Tree::default()).bands.remove(0);
        assert!(band.from <= price.amount && price.amount < band.below, "{price:?} {band:?}");
    }
    let tree = Tree::new((0..200).map(|number| row(&number.to_string(), None)));
    let products = highest.into_iter().enumerate().map(|(number, price)| (vec![number.to_string()], price));
    let counted = count(products, &tree);
    assert_eq!((counted.categories.len(), counted.bands.len()), (MAX_FACETS, MAX_FACETS));
}
