//! A postal address, and what it must have, country by country. Pure.
//!
//! Formats of postal codes are those of CLDR's supplemental postal code data and of the countries' posts. What people write
//! beside them (a prefix for the country, other blanks and hyphens, a region's name) is brought into that form first. An
//! address in a country without a rule here is taken as it is.

mod regions;
#[cfg(test)]
mod tests;

use crate::{country, shipping::v1 as wire, text, validate::Violation};
use regex::Regex;
use regions::{PROVINCES, Regions, STATES, abbreviation};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::LazyLock};

/// Where goods go. Personal data: it is never printed, and in no event.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    pub name: String,
    pub line1: String,
    pub line2: String,
    pub city: String,
    pub region: String,
    /// Postal code as written in its country.
    pub postal_code: String,
    /// ISO 3166-1 alpha-2.
    pub country_code: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}

impl From<wire::Address> for Address {
    fn from(address: wire::Address) -> Self {
        let wire::Address { name, line1, line2, city, region, postal_code, country_code } = address;
        Self { name, line1, line2, city, region, postal_code, country_code }
    }
}

impl From<&Address> for wire::Address {
    fn from(address: &Address) -> Self {
        let Address { name, line1, line2, city, region, postal_code, country_code } = address.clone();
        Self { name, line1, line2, city, region, postal_code, country_code }
    }
}

/// What one country asks for.
struct Rule {
    country: &'static str,
    /// What people write before the postal code for the country.
    prefixes: &'static [&'static str],
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
    /// One of these, which is called so.
    OneOf(&'static Regions, &'static str),
}

macro_rules! pattern {
    ($text:literal) => {
        LazyLock::new(|| Regex::new(concat!("^(?-u:", $text, ")$")).expect("a pattern of this file is valid"))
    };
}

static RULES: [Rule; 6] = [
    Rule {
        country: "FR",
        prefixes: &["FR", "F"],
        postal_code: pattern!(r"\d{5}"),
        example: "75002",
        region: Region::Optional,
    },
    Rule {
        country: "DE",
        prefixes: &["DE", "D"],
        postal_code: pattern!(r"\d{5}"),
        example: "10115",
        region: Region::Optional,
    },
    Rule {
        country: "GB",
        prefixes: &["GB", "UK"],
        postal_code: pattern!(r"GIR 0AA|[A-Z]{1,2}\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{2}"),
        example: "SW1A 1AA",
        region: Region::Optional,
    },
    Rule {
        country: "US",
        prefixes: &["USA", "US"],
        postal_code: pattern!(r"\d{5}(-\d{4})?"),
        example: "94043 or 94043-1351",
        region: Region::OneOf(STATES, "a state, such as California or CA,"),
    },
    Rule {
        country: "CA",
        prefixes: &["CA", "CDN"],
        postal_code: pattern!(r"[ABCEGHJKLMNPRSTVXY]\d[ABCEGHJ-NPRSTV-Z] \d[ABCEGHJ-NPRSTV-Z]\d"),
        example: "K1A 0B1",
        region: Region::OneOf(PROVINCES, "a province or territory, such as Ontario or ON,"),
    },
    Rule {
        country: "JP",
        prefixes: &["JP"],
        postal_code: pattern!(r"\d{3}-\d{4}"),
        example: "100-0001",
        region: Region::Named,
    },
];

impl Address {
    /// The address in its country's own form, or every field that is at fault, by its path below `path`, that of the address in the request.
    pub fn checked(self, path: &str) -> Result<Self, Vec<Violation>> {
        let fault = |field: &str, description| Violation { field: format!("{path}.{field}"), description };
        let address = self.canonical();
        if let Some(why) = country::fault(&address.country_code) {
            return Err(vec![fault("country_code", why)]);
        }
        let Some(rule) = RULES.iter().find(|rule| rule.country == address.country_code) else { return Ok(address) };
        let address = rule.normal(address);
        let mut faults = Vec::new();
        if !rule.postal_code.is_match(&address.postal_code) {
            faults.push(fault("postal_code", format!("must be like {} in {}", rule.example, rule.country)));
        }
        match rule.region {
            Region::Named if address.region.is_empty() => {
                let description = format!("must name the prefecture, state or province in {}", rule.country);
                faults.push(fault("region", description));
            }
            Region::OneOf(known, called) if !known.iter().any(|(short, _)| *short == address.region) => {
                faults.push(fault("region", format!("must name {called} in {}", rule.country)));
            }
            Region::Optional | Region::Named | Region::OneOf(..) => {}
        }
        if faults.is_empty() { Ok(address) } else { Err(faults) }
    }

    /// Each text in the form of its kind, as it is in a request that has passed `rpc::validated`.
    fn canonical(self) -> Self {
        let Self { name, line1, line2, city, region, postal_code, country_code } = self;
        let [name, line1, line2, city, region] = [name, line1, line2, city, region].map(|typed| text::line(&typed));
        let (postal_code, country_code) = (text::postal_code(&postal_code), text::code(&country_code));
        Self { name, line1, line2, city, region, postal_code, country_code }
    }

    pub fn is_erased(&self) -> bool {
        self.line1.is_empty()
    }

    /// Without the person. The country stays, which taxes follow from.
    pub fn erased(&self) -> Self {
        Self { country_code: self.country_code.clone(), ..Self::default() }
    }
}

impl Rule {
    /// The form of the country's post: people write `k1a-0b1`, `F-75002`, `1000001` and `California`.
    fn normal(&self, mut address: Address) -> Address {
        if let Region::OneOf(known, _) = self.region
            && let Some(short) = abbreviation(known, self.country, &address.region)
        {
            short.clone_into(&mut address.region);
        }
        // The prefix goes before blanks and hyphens, for these tell where it ends.
        let bare = self.without_prefix(&address.postal_code, &address.region);
        let code: String = bare.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        let length = code.chars().count();
        address.postal_code = match self.country {
            "GB" | "CA" => split(&code, length.saturating_sub(3), ' '),
            "JP" => split(&code, 3, '-'),
            "US" if length > 5 => split(&code, 5, '-'),
            _ => code,
        };
        address
    }

    /// The code behind a prefix for the country, or behind the region: `CA 94043`. A prefix ends where a blank, a hyphen or
    /// the first digit of the code is; what begins like one and goes on in letters is none.
    fn without_prefix<'a>(&self, code: &'a str, region: &str) -> &'a str {
        let ends = |rest: &&str| rest.starts_with([' ', '-']) || (self.is_numeric() && rest.starts_with(is_digit));
        let behind = |prefix: &&str| code.strip_prefix(*prefix).filter(ends);
        let region = Some(region).filter(|region| !region.is_empty());
        self.prefixes.iter().copied().chain(region).find_map(|prefix| behind(&prefix)).unwrap_or(code)
    }

    /// Whether the country's codes have no letters.
    fn is_numeric(&self) -> bool {
        self.example.starts_with(is_digit)
    }
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

fn split(code: &str, at: usize, separator: char) -> String {
    let (before, after): (String, String) = (code.chars().take(at).collect(), code.chars().skip(at).collect());
    if before.is_empty() || after.is_empty() { code.to_owned() } else { format!("{before}{separator}{after}") }
}
