//! What a postal address must have, country by country. Pure.
//!
//! Formats of postal codes are those of CLDR's supplemental postal code data and of the countries' posts; regions are the
//! abbreviations of USPS (Publication 28) and Canada Post. An address in a country without a rule here is taken as it is.

use crate::domain::Address;
use contracts::validate::Violation;
use regex::Regex;
use std::sync::LazyLock;

/// What one country asks for.
struct Rule {
    country: &'static str,
    postal_code: LazyLock<Regex>,
    example: &'static str,
    region: Region,
}

/// What a country asks of the region.
enum Region {
    /// Not part of an address.
    Optional,
    /// Any name.
    Named,
    /// One of these.
    OneOf(&'static [&'static str]),
}

macro_rules! pattern {
    ($text:literal) => {
        LazyLock::new(|| Regex::new(concat!("^(?-u:", $text, ")$")).expect("a pattern of this file is valid"))
    };
}

const STATES: &[&str] = &[
    "AL", "AK", "AS", "AZ", "AR", "CA", "CO", "CT", "DE", "DC", "FM", "FL", "GA", "GU", "HI", "ID", "IL", "IN", "IA",
    "KS", "KY", "LA", "ME", "MH", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY", "NC",
    "ND", "MP", "OH", "OK", "OR", "PW", "PA", "PR", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VI", "VA", "WA", "WV",
    "WI", "WY", "AA", "AE", "AP",
];

const PROVINCES: &[&str] = &["AB", "BC", "MB", "NB", "NL", "NS", "NT", "NU", "ON", "PE", "QC", "SK", "YT"];

static RULES: [Rule; 6] = [
    Rule { country: "FR", postal_code: pattern!(r"\d{5}"), example: "75002", region: Region::Optional },
    Rule { country: "DE", postal_code: pattern!(r"\d{5}"), example: "10115", region: Region::Optional },
    Rule {
        country: "GB",
        postal_code: pattern!(r"GIR 0AA|[A-Z]{1,2}\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{2}"),
        example: "SW1A 1AA",
        region: Region::Optional,
    },
    Rule {
        country: "US",
        postal_code: pattern!(r"\d{5}(-\d{4})?"),
        example: "94043 or 94043-1351",
        region: Region::OneOf(STATES),
    },
    Rule {
        country: "CA",
        postal_code: pattern!(r"[ABCEGHJKLMNPRSTVXY]\d[ABCEGHJ-NPRSTV-Z] \d[ABCEGHJ-NPRSTV-Z]\d"),
        example: "K1A 0B1",
        region: Region::OneOf(PROVINCES),
    },
    Rule { country: "JP", postal_code: pattern!(r"\d{3}-\d{4}"), example: "100-0001", region: Region::Named },
];

/// The address in its country's own form, or every field that is at fault.
pub fn checked(address: Address) -> Result<Address, Vec<Violation>> {
    let Some(rule) = RULES.iter().find(|rule| rule.country == address.country_code) else { return Ok(address) };
    let address = rule.normal(address);
    let mut faults = Vec::new();
    if !rule.postal_code.is_match(&address.postal_code) {
        faults.push(fault("postal_code", format!("must be like {} in {}", rule.example, rule.country)));
    }
    match rule.region {
        Region::Named if address.region.is_empty() => {
            faults.push(fault("region", format!("must name the prefecture, state or province in {}", rule.country)));
        }
        Region::OneOf(known) if !known.contains(&address.region.as_str()) => {
            faults.push(fault("region", format!("must be one of {}", known.join(", "))));
        }
        Region::Optional | Region::Named | Region::OneOf(_) => {}
    }
    if faults.is_empty() { Ok(address) } else { Err(faults) }
}

impl Rule {
    /// Capitals, and the separator where the post wants it: people write `k1a0b1` and `1000001`.
    fn normal(&self, mut address: Address) -> Address {
        let code: String = address.postal_code.to_uppercase().chars().filter(|c| !c.is_whitespace()).collect();
        address.postal_code = match self.country {
            "GB" | "CA" => split(&code, code.chars().count().saturating_sub(3), ' '),
            "JP" if !code.contains('-') => split(&code, 3, '-'),
            _ => code,
        };
        if matches!(self.region, Region::OneOf(_)) {
            address.region = address.region.trim().to_uppercase();
        } else {
            address.region = address.region.trim().to_owned();
        }
        address
    }
}

fn split(code: &str, at: usize, separator: char) -> String {
    let (before, after): (String, String) = (code.chars().take(at).collect(), code.chars().skip(at).collect());
    if before.is_empty() || after.is_empty() { code.to_owned() } else { format!("{before}{separator}{after}") }
}

fn fault(field: &str, description: String) -> Violation {
    Violation { field: format!("order.shipping_address.{field}"), description }
}
