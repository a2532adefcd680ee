//! Countries: the codes of ISO 3166-1 (`countries.tsv`), and what people write in their place. Pure.

#[cfg(test)]
mod tests;

use crate::text;
use std::sync::LazyLock;

/// alpha-2, alpha-3 and folded name of each country.
static COUNTRIES: LazyLock<Vec<[String; 3]>> = LazyLock::new(|| {
    let rows = include_str!("countries.tsv").lines().filter(|line| !line.starts_with('#'));
    let row = |line: &str| {
        let mut cells = line.split('\t');
        let mut cell = || cells.next().unwrap_or_default().to_owned();
        let (two, three, name) = (cell(), cell(), cell());
        [two, three, text::folded(&name)]
    };
    rows.map(row).collect()
});

/// What people write for a country that is neither its code nor its name in the table: codes of other lists (the EU's,
/// vehicles', ISO 3166-3's withdrawn ones), other names, and names in the country's own language.
const ALIASES: &[(&str, &str)] = &[
    ("GB", "UK EN England Scotland Wales Northern-Ireland Great-Britain Britain United-Kingdom"),
    ("GR", "EL Hellas"),
    ("AT", "A Österreich"),
    ("BE", "B Belgique België"),
    ("BF", "HV"),
    ("BJ", "DY"),
    ("BR", "Brasil"),
    ("CD", "ZR"),
    ("CH", "Schweiz Suisse Svizzera"),
    ("CZ", "Czechia Česko"),
    ("DE", "D DD Deutschland"),
    ("DK", "Danmark"),
    ("ES", "E IC EA España"),
    ("FI", "SF Suomi"),
    ("FR", "F FX"),
    ("IO", "DG"),
    ("IT", "I Italia"),
    ("JP", "日本 Nippon"),
    ("KR", "Korea"),
    ("MM", "BU"),
    ("NL", "Holland Nederland"),
    ("NO", "Norge"),
    ("PL", "Polska"),
    ("PT", "P"),
    ("RS", "YU"),
    ("RU", "SU"),
    ("SE", "S Sverige"),
    ("SH", "AC TA"),
    ("TL", "TP"),
    ("TR", "Türkiye"),
    ("US", "America United-States-of-America"),
    ("VN", "VD Viet-Nam"),
    ("VU", "NH"),
    ("YE", "YD"),
    ("ZW", "RH"),
];

/// Whether `code` is an officially assigned alpha-2 code, in capitals.
pub fn is_country(code: &str) -> bool {
    COUNTRIES.iter().any(|[two, ..]| two == code)
}

/// The country that somebody may have meant with a code that is none.
pub fn suggestion(typed: &str) -> Option<&'static str> {
    let name = text::folded(typed);
    let is_it = |alias: &str| text::folded(alias) == name;
    let alias = ALIASES.iter().find(|(_, aliases)| aliases.split(' ').any(is_it)).map(|(country, _)| *country);
    let row = || COUNTRIES.iter().find(|[_, three, known]| three.to_lowercase() == name || *known == name);
    alias.or_else(|| row().map(|[two, ..]| two.as_str())).filter(|_| !name.is_empty())
}

/// What is wrong with a code that is none, in words.
pub fn expected(typed: &str) -> String {
    let rule = "must be a country code of two letters (ISO 3166-1), such as FR";
    match suggestion(typed) {
        Some(country) => format!("{rule}; did you mean {country}?"),
        None => rule.to_owned(),
    }
}

/// What is wrong with a country code, in its canonical form; nothing when it is one.
pub fn fault(code: &str) -> Option<String> {
    (!is_country(code)).then(|| expected(code))
}
