//! Amounts as CLDR writes them, and whose language is which.

use crate::language::Language::{self, English, French};
use contracts::money::Money;

fn written(language: Language, currency: &str, amount: &str) -> String {
    language.amount(&Money::parse(currency, amount).expect("an amount"))
}

#[test]
fn amounts_are_written_as_in_the_language() {
    for (currency, amount, english, french) in [
        ("EUR", "1234.5", "€1,234.50", "1\u{202f}234,50\u{a0}€"),
        ("EUR", "0.05", "€0.05", "0,05\u{a0}€"),
        ("EUR", "-12.30", "-€12.30", "-12,30\u{a0}€"),
        ("USD", "1234567.89", "$1,234,567.89", "1\u{202f}234\u{202f}567,89\u{a0}$US"),
        ("GBP", "999.99", "£999.99", "999,99\u{a0}£GB"),
        ("JPY", "1000", "¥1,000", "1\u{202f}000\u{a0}JPY"),
        ("CHF", "12.5", "CHF\u{a0}12.50", "12,50\u{a0}CHF"),
        ("KWD", "1.234", "KWD\u{a0}1.234", "1,234\u{a0}KWD"),
    ] {
        assert_eq!(written(English, currency, amount), english);
        assert_eq!(written(French, currency, amount), french);
    }
}

#[test]
fn french_is_french_wherever_it_is_spoken_and_the_rest_is_english() {
    for tag in ["fr", "fr-FR", "fr-CA", "FR"] {
        assert_eq!(Language::of(tag), French, "{tag}");
    }
    for tag in ["en", "en-GB", "de", "frr", "", "-fr"] {
        assert_eq!(Language::of(tag), English, "{tag}");
    }
}
