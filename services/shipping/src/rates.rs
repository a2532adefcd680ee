//! What it costs to send a parcel: zones of countries and steps of weight, from a file that a deployment may replace. Pure.

#[cfg(test)]
mod tests;

use crate::error::Error;
use contracts::{
    country,
    money::{self, MOST_OF_A_PRICE, Money},
    text,
};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

/// The table of a deployment that brings none.
const BUILT_IN: &str = include_str!("rates.toml");

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rates(Vec<Zone>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Zone {
    name: String,
    countries: BTreeSet<String>,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    upto_grams: i64,
    amounts: BTreeMap<String, Money>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// What the buyer reads; empty when nothing is carried.
    pub name: String,
    pub amount: Money,
}

/// Why a table of rates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadRates {
    #[error("the table of rates: {0}")]
    Form(#[from] toml::de::Error),
    #[error("the table of rates, zone {zone:?}: {cause}")]
    Amount {
        zone: String,
        #[source]
        cause: money::Error,
    },
    #[error("the table of rates, zone {zone:?}: {why}")]
    Zone { zone: String, why: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    zone: Vec<FileZone>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileZone {
    name: String,
    countries: Vec<String>,
    step: Vec<FileStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileStep {
    upto_grams: i64,
    amounts: BTreeMap<String, String>,
}

impl Default for Rates {
    fn default() -> Self {
        BUILT_IN.parse().expect("a test reads the table that is built in")
    }
}

impl FromStr for Rates {
    type Err = BadRates;

    fn from_str(text: &str) -> Result<Self, BadRates> {
        let file: File = toml::from_str(text)?;
        let zones = file.zone.into_iter().map(zone).collect::<Result<Vec<_>, _>>()?;
        let mut seen = BTreeSet::new();
        for zone in &zones {
            if let Some(country) = zone.countries.iter().find(|country| !seen.insert(country.as_str())) {
                return Err(bad(&zone.name, format!("{country} is in a zone already")));
            }
        }
        Ok(Self(zones))
    }
}

impl Rates {
    /// What a parcel of `weight_grams` to `country_code` costs. Nothing weighs nothing and costs nothing, wherever it goes.
    pub fn rate(&self, country_code: &str, weight_grams: i64, currency: &str) -> Result<Rate, Error> {
        let not_served = || Error::CurrencyNotServed(currency.to_owned());
        if weight_grams == 0 {
            return Ok(Rate { name: String::new(), amount: Money::zero(currency).map_err(|_| not_served())? });
        }
        let zone = self.0.iter().find(|zone| zone.countries.contains(country_code));
        let zone = zone.ok_or_else(|| Error::CountryNotServed(country_code.to_owned()))?;
        let step = zone.steps.iter().find(|step| weight_grams <= step.upto_grams).ok_or_else(|| {
            let most_grams = zone.steps.last().map_or(0, |step| step.upto_grams);
            Error::TooHeavy { weight_grams, most_grams }
        })?;
        let amount = step.amounts.get(currency).ok_or_else(not_served)?;
        Ok(Rate { name: zone.name.clone(), amount: amount.clone() })
    }
}

fn zone(zone: FileZone) -> Result<Zone, BadRates> {
    let FileZone { name, countries, step } = zone;
    if !(1..=100).contains(&name.chars().count()) {
        return Err(bad(&name, "its name has less than 1 or more than 100 characters"));
    }
    let countries: Vec<String> = countries.iter().map(|code| text::code(code)).collect();
    if let Some((code, why)) = countries.iter().find_map(|code| Some((code, country::fault(code)?))) {
        return Err(bad(&name, format!("{code:?} {why}")));
    }
    let distinct: BTreeSet<String> = countries.iter().cloned().collect();
    if distinct.len() < countries.len() {
        return Err(bad(&name, "a country is named twice"));
    }
    let steps = step.into_iter().map(|step| amounts(&name, step)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = steps.first() else { return Err(bad(&name, "it has no steps")) };
    if first.upto_grams < 1 || !steps.is_sorted_by(|a, b| a.upto_grams < b.upto_grams) {
        return Err(bad(&name, "the weights of its steps must rise, from above 0"));
    }
    if first.amounts.is_empty() || !steps.iter().all(|step| step.amounts.keys().eq(first.amounts.keys())) {
        return Err(bad(&name, "each of its steps must have the same currencies, at least one"));
    }
    Ok(Zone { name, countries: distinct, steps })
}

fn amounts(zone: &str, step: FileStep) -> Result<Step, BadRates> {
    let mut amounts = BTreeMap::new();
    for (currency, amount) in step.amounts {
        let currency = text::code(&currency);
        let amount = Money::parse(&currency, &amount);
        let amount = amount.map_err(|cause| BadRates::Amount { zone: zone.to_owned(), cause })?;
        if amount.amount.is_sign_negative() {
            return Err(bad(zone, format!("{amount} is below 0")));
        }
        let too_much = |cause| BadRates::Amount { zone: zone.to_owned(), cause };
        amount.at_most(MOST_OF_A_PRICE).map_err(too_much)?;
        if amounts.insert(currency, amount.clone()).is_some() {
            return Err(bad(zone, format!("{} is there twice", amount.currency)));
        }
    }
    Ok(Step { upto_grams: step.upto_grams, amounts })
}

fn bad(zone: &str, why: impl Into<String>) -> BadRates {
    BadRates::Zone { zone: zone.to_owned(), why: why.into() }
}
