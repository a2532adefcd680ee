//! Which tax a product of a category has in a country: a trait, and the table that a deployment may replace. Pure.

#[cfg(test)]
mod tests;

use contracts::{country, text};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::Deserialize;
use std::{collections::BTreeMap, str::FromStr};

/// The table of a deployment that brings none.
const BUILT_IN: &str = include_str!("taxes.toml");

/// The category of a product that names none, and of shipping.
pub const STANDARD: &str = "STANDARD";

/// One, in the unit of [`Rate::millionths`].
pub const ONE: u32 = 1_000_000;

/// A tax in percent, exactly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rate {
    /// Millionths of the price without tax: 200,000 is 20 %.
    pub millionths: u32,
    /// Whether prices have it inside; else it is added to them.
    pub is_included: bool,
}

/// Who knows the taxes.
pub trait Taxes: Send + Sync {
    /// The rate of a category, empty for the standard one, of products that are sent to a country.
    fn rate(&self, country_code: &str, category: &str) -> Rate;
}

/// Taxes by country and category, from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table(BTreeMap<String, Country>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Country {
    is_included: bool,
    millionths: BTreeMap<String, u32>,
}

/// Why a table of taxes cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadTaxes {
    /// It is not TOML, or has other keys.
    #[error("the table of taxes: {0}")]
    Form(#[from] toml::de::Error),
    #[error("the table of taxes, country {country:?}: {why}")]
    Country {
        country: String,
        /// What is wrong with it.
        why: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    country: Vec<FileCountry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileCountry {
    code: String,
    included: bool,
    rates: BTreeMap<String, String>,
}

impl Default for Table {
    fn default() -> Self {
        BUILT_IN.parse().expect("a test reads the table that is built in")
    }
}

impl Taxes for Table {
    fn rate(&self, country_code: &str, category: &str) -> Rate {
        let Some(country) = self.0.get(country_code) else { return Rate::default() };
        let found = country.millionths.get(category).or_else(|| country.millionths.get(STANDARD));
        Rate { millionths: found.copied().unwrap_or_default(), is_included: country.is_included }
    }
}

impl FromStr for Table {
    type Err = BadTaxes;

    fn from_str(file: &str) -> Result<Self, BadTaxes> {
        let mut countries = BTreeMap::new();
        for FileCountry { code, included, rates } in toml::from_str::<File>(file)?.country {
            let code = text::code(&code);
            let bad = |why: String| BadTaxes::Country { country: code.clone(), why };
            if let Some(why) = country::fault(&code) {
                return Err(bad(why));
            }
            let rates = canonical(rates).map_err(|twice| bad(format!("{twice} is there twice")))?;
            if !rates.contains_key(STANDARD) {
                return Err(bad(format!("it has no rate {STANDARD}")));
            }
            let exact = |(category, text): (String, String)| {
                let rate = millionths(&text).ok_or_else(|| {
                    bad(format!("{category}: {text:?} is no number from 0 to 1 with at most 6 decimals"))
                });
                Ok((category, rate?))
            };
            let millionths = rates.into_iter().map(exact).collect::<Result<_, BadTaxes>>()?;
            if countries.insert(code.clone(), Country { is_included: included, millionths }).is_some() {
                return Err(bad("it is there twice".to_owned()));
            }
        }
        Ok(Self(countries))
    }
}

/// The rates by the canonical form of their category, or a category that is there in two forms.
fn canonical(rates: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
    let mut canonical = BTreeMap::new();
    for (category, rate) in rates {
        let category = text::category(&category);
        if canonical.insert(category.clone(), rate).is_some() {
            return Err(category);
        }
    }
    Ok(canonical)
}

/// A part of one in millionths, when it is exact.
fn millionths(text: &str) -> Option<u32> {
    let exact = Decimal::from_str_exact(text).ok()?.checked_mul(Decimal::from(ONE))?;
    exact.to_u32().filter(|whole| exact.is_integer() && *whole <= ONE)
}
