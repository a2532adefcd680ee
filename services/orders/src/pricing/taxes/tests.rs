//! The table of taxes, and what six countries make of the same basket.

use super::{BadTaxes, Rate, Table, Taxes};
use crate::domain::{Delivery, Item, price, tests::item};
use contracts::money::Money;

fn money(currency: &str, text: &str) -> Money {
    Money::parse(currency, text).expect("money")
}

/// A standard line, a line of food and shipping: sums as `subtotal − 0 + shipping + tax = total, included`.
fn basket(country: &str, currency: &str, [lamp, tea, shipping]: [&str; 3]) -> String {
    let table = Table::default();
    let line = |text: &str| item(1, money(currency, text), money(currency, text));
    let mut items: Vec<Item> = vec![line(lamp), line(tea)];
    let rates = [table.rate(country, ""), table.rate(country, "FOOD")];
    let delivery = Delivery { amount: money(currency, shipping), rate: table.rate(country, "STANDARD") };
    let sums = price(&mut items, &rates, None, &delivery).expect("a price");
    format!("{} + {} + {} = {}, {} included", sums.subtotal, sums.shipping, sums.tax, sums.total, sums.included_tax)
}

#[test]
fn six_countries_tax_the_same_basket_each_in_its_way() {
    let euros = ["100.03", "9.99", "6.90"];
    let fr = "110.02 EUR + 6.90 EUR + 0.00 EUR = 116.92 EUR, 18.34 EUR included";
    assert_eq!(basket("FR", "EUR", euros), fr);
    let de = "110.02 EUR + 6.90 EUR + 0.00 EUR = 116.92 EUR, 17.72 EUR included";
    assert_eq!(basket("DE", "EUR", euros), de);
    let gb = "110.02 GBP + 6.90 GBP + 0.00 GBP = 116.92 GBP, 17.82 GBP included";
    assert_eq!(basket("GB", "GBP", euros), gb);
    let us = "110.02 USD + 6.90 USD + 0.00 USD = 116.92 USD, 0.00 USD included";
    assert_eq!(basket("US", "USD", euros), us);
    let ca = "110.02 CAD + 6.90 CAD + 5.34 CAD = 122.26 CAD, 0.00 CAD included";
    assert_eq!(basket("CA", "CAD", euros), ca);
    let jp = "10998 JPY + 800 JPY + 0 JPY = 11798 JPY, 1056 JPY included";
    assert_eq!(basket("JP", "JPY", ["9999", "999", "800"]), jp);
    let three = "10.011 KWD + 1.650 KWD + 0.000 KWD = 11.661 KWD, 1.828 KWD included";
    assert_eq!(basket("FR", "KWD", ["9.001", "1.010", "1.650"]), three);
}

#[test]
fn a_half_goes_to_the_even_neighbour_line_by_line() {
    let rate = Rate { millionths: 50_000, is_included: false };
    let line = |text: &str| item(1, money("CAD", text), money("CAD", text));
    // 5 % of 0.10 is 0.005, of 0.30 is 0.015: 0.00 and 0.02, not 0.02 of their sum.
    let (mut items, delivery) = (vec![line("0.10"), line("0.30")], Delivery { amount: money("CAD", "0"), rate });
    let sums = price(&mut items, &[rate, rate], None, &delivery).expect("a price");
    let taxes = items.iter().map(|item| item.charges.as_ref().expect("priced").tax.amount.to_string());
    assert_eq!(taxes.collect::<Vec<_>>(), ["0.00 CAD", "0.02 CAD"]);
    assert_eq!(sums.total, money("CAD", "0.42"));
}

#[test]
fn a_category_or_country_without_a_row_has_the_standard_rate_or_none() {
    let table = Table::default();
    let standard = Rate { millionths: 200_000, is_included: true };
    for category in ["", "STANDARD", "FURNITURE"] {
        assert_eq!(table.rate("FR", category), standard);
    }
    assert_eq!(table.rate("FR", "BOOKS"), Rate { millionths: 55_000, is_included: true });
    assert_eq!(table.rate("AQ", "BOOKS"), Rate { millionths: 0, is_included: false });
}

#[test]
fn a_table_of_taxes_may_write_countries_and_categories_as_people_do() {
    let text = "[[country]]\ncode = \" fr\"\nincluded = true\nrates = { standard = \"0.2\", \"pet food\" = \"0.1\" }\n";
    let table: Table = text.parse().expect("it can be read");
    assert_eq!(table.rate("FR", "PET_FOOD"), Rate { millionths: 100_000, is_included: true });
    assert_eq!(table.rate("FR", ""), Rate { millionths: 200_000, is_included: true });
}

#[test]
fn a_table_of_taxes_that_is_wrong_says_where() {
    let country =
        |code: &str, rates: &str| format!("[[country]]\ncode = {code:?}\nincluded = true\nrates = {{ {rates} }}\n");
    let standard = r#"STANDARD = "0.2""#;
    let twice = country("FR", standard).repeat(2);
    for (text, why) in [
        (country("F", standard), "did you mean FR"),
        (country("FR", r#"FOOD = "0.2""#), "no rate STANDARD"),
        (country("FR", r#"STANDARD = "1.1""#), "no number from 0 to 1"),
        (country("FR", r#"STANDARD = "-0.1""#), "no number from 0 to 1"),
        (country("FR", r#"STANDARD = "0.1234567""#), "no number from 0 to 1"),
        (country("FR", r#"STANDARD = "twenty""#), "no number from 0 to 1"),
        (twice, "twice"),
        (country("fr", standard).repeat(2), "twice"),
        (country("FR", r#"STANDARD = "0.2", standard = "0.1""#), "twice"),
    ] {
        match text.parse::<Table>() {
            Err(BadTaxes::Country { country, why: found }) => {
                assert!(found.contains(why) && "FR".starts_with(&country), "{country}: {found}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    assert!(matches!("country = 1".parse::<Table>(), Err(BadTaxes::Form(_))));
}
