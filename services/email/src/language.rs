//! The languages that mails are written in, and how an amount is written in each.

#[cfg(test)]
mod tests;

use contracts::money::{Money, decimals};

/// CLDR's symbols of currencies, in English and in French; of others the code is written.
const SYMBOLS: [(&str, &str, &str); 4] =
    [("EUR", "€", "€"), ("USD", "$", "$US"), ("GBP", "£", "£GB"), ("JPY", "¥", "JPY")];

/// A space at which no line breaks, and the narrow one between groups of digits in French.
const NO_BREAK: char = '\u{a0}';
const NARROW: char = '\u{202f}';

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    English,
    French,
}

impl Language {
    /// The language of mails to somebody who wants this BCP 47 tag: English where there is none.
    pub fn of(tag: &str) -> Self {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("fr") { Self::French } else { Self::English }
    }

    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// `€1,234.50` in English, `1 234,50 €` in French.
    pub fn amount(self, money: &Money) -> String {
        let minor = money.minor();
        let places = usize::try_from(decimals(&money.currency).unwrap_or(0)).unwrap_or(0);
        let digits = format!("{:0>width$}", minor.unsigned_abs(), width = places + 1);
        let (units, fraction) = digits.split_at(digits.len() - places);
        let (group, point) = match self {
            Self::English => (',', '.'),
            Self::French => (NARROW, ','),
        };
        let mut number = grouped(units, group);
        if !fraction.is_empty() {
            number.push(point);
            number.push_str(fraction);
        }
        let sign = if minor < 0 { "-" } else { "" };
        let symbols = SYMBOLS.iter().find(|(code, ..)| *code == money.currency);
        match (self, symbols) {
            (Self::English, Some((_, symbol, _))) => format!("{sign}{symbol}{number}"),
            (Self::English, None) => format!("{sign}{}{NO_BREAK}{number}", money.currency),
            (Self::French, Some((_, _, symbol))) => format!("{sign}{number}{NO_BREAK}{symbol}"),
            (Self::French, None) => format!("{sign}{number}{NO_BREAK}{}", money.currency),
        }
    }
}

/// Digits in groups of three.
fn grouped(digits: &str, separator: char) -> String {
    let mut grouped = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(separator);
        }
        grouped.push(digit);
    }
    grouped
}
