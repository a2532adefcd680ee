//! Configuration of orders.

use crate::{
    pricing::taxes::{Table, Taxes},
    sagas::definitions::{SAGAS, Sagas},
};
use settings::{Error, Key, Settings};
use std::sync::Arc;

const TAXES_FILE: Key = Key::new(
    "taxes-file",
    "COMPTOIR_TAXES_FILE",
    "File with the taxes by country and category, TOML as services/orders/src/pricing/taxes.toml; default that one, built in",
);

const FREE_ORDERS: Key = Key::new(
    "free-orders",
    "COMPTOIR_FREE_ORDERS",
    "Whether an order may have nothing to pay, by free articles or a coupon: accept or refuse",
)
.default("accept");

/// The settings of orders, beside those of every service.
pub const KEYS: &[Key] = &[TAXES_FILE, FREE_ORDERS];

#[derive(Clone)]
pub struct Config {
    pub service: service::Config,
    pub taxes: Arc<dyn Taxes>,
    pub free_orders: bool,
    pub sagas: &'static Sagas,
}

impl Config {
    /// Takes the configuration from the settings; reads the table of taxes.
    pub fn resolve(settings: &Settings) -> Result<Self, Error> {
        let free_orders = match settings.value(&FREE_ORDERS) {
            "accept" => true,
            "refuse" => false,
            other => return Err(settings.bad(&FREE_ORDERS, format!("{other:?}: known are accept and refuse"))),
        };
        let taxes = Arc::new(settings.parsed_file::<Table>(&TAXES_FILE)?);
        Ok(Self { service: service::Config::resolve(settings)?, taxes, free_orders, sagas: SAGAS })
    }
}
