//! What an order costs: asks the catalogue, shipping and the coupon, or opens a quote; `domain::pricing` computes.

use crate::{
    clients::Peers,
    convert,
    coupons::store::Coupons,
    domain::{self, Amounts, Delivery, Discount, Item},
    error::Error,
    pricing::{
        payable::Payable,
        quote::{Basket, QUOTE_TTL, QuoteSigner, QuotedPrices},
        taxes::{STANDARD, Taxes},
    },
};
use ::store::{Time, fields::time, now};
use contracts::{
    money::Money,
    orders::v1::{OrderDraftItem, OrderQuote},
    products::v1::{Product, product},
};
use std::{collections::BTreeMap, sync::Arc};
use tonic::{Code, Status};

/// Lines and sums, as an order would freeze them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    pub items: Vec<Item>,
    /// What a coupon takes off.
    pub discount: Option<Discount>,
    pub amounts: Amounts,
    /// Minor units of which captures and refunds are multiples.
    pub step: i64,
    quoted: QuotedPrices,
}

/// What an order would cost, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    pub priced: Priced,
    /// Identifier; an order that carries it costs what the quote says.
    pub id: String,
    /// The time from which on it no longer does.
    pub expires_at: Time,
}

impl Quote {
    /// The quote on the wire.
    pub fn to_wire(&self) -> OrderQuote {
        let Priced { items, amounts, .. } = &self.priced;
        OrderQuote {
            items: items.iter().map(convert::item_to_wire).collect(),
            total: Some(amounts.total.to_wire()),
            subtotal: Some(amounts.subtotal.to_wire()),
            discount: Some(amounts.discount.to_wire()),
            tax: Some(amounts.tax.to_wire()),
            shipping: Some(amounts.shipping.to_wire()),
            included_tax: Some(amounts.included_tax.to_wire()),
            quote_id: self.id.clone(),
            expire_time: Some(time::to_wire(self.expires_at)),
        }
    }
}

/// Prices baskets. Cheap to clone.
#[derive(Clone)]
pub struct Pricer {
    /// The catalogue's prices, and shipping's rates.
    pub peers: Peers,
    pub coupons: Coupons,
    /// The tax of each product.
    pub taxes: Arc<dyn Taxes>,
    /// Makes and reads quote ids.
    pub signer: QuoteSigner,
    /// Refuses totals that cannot be paid.
    pub payable: Payable,
    /// Whether an order may have nothing to pay.
    pub free_orders: bool,
}

impl Pricer {
    /// What a basket would cost now.
    pub async fn quote(&self, basket: Basket<'_>) -> Result<Quote, Error> {
        let products = self.products(basket.items).await?;
        let priced = self.price(basket, &products, None).await?;
        self.signed(basket, priced)
    }

    /// A quote of these prices.
    pub fn signed(&self, basket: Basket<'_>, priced: Priced) -> Result<Quote, Error> {
        let expires_at = Time::from_millis(now().timestamp_millis().saturating_add(QUOTE_TTL.as_millis() as i64));
        let id = self.signer.sign(basket, &priced.quoted, expires_at)?;
        Ok(Quote { priced, id, expires_at })
    }

    /// The products of these lines; names the lines whose product is unknown.
    pub async fn products(&self, items: &[OrderDraftItem]) -> Result<Vec<Product>, Error> {
        let distinct: std::collections::BTreeSet<String> = items.iter().map(|item| item.product_id.clone()).collect();
        let found = self.peers.products(distinct.into_iter().collect()).await;
        found.map_err(|status| unknown_products(status, items))
    }

    /// What a basket costs now, or by a quote that still holds. A coupon must be usable now either way.
    pub async fn price(
        &self,
        basket: Basket<'_>,
        products: &[Product],
        quote_id: Option<&str>,
    ) -> Result<Priced, Error> {
        let mut items = items(basket.items, products)?;
        let quoted = match quote_id {
            None => self.quoted(basket, &items).await?,
            Some(quote_id) => self.signer.open(quote_id, basket, now())?,
        };
        for (item, (price, _)) in items.iter_mut().zip(&quoted.lines) {
            item.amount = price.times(item.quantity.unsigned_abs())?;
            item.price = price.clone();
        }
        let subtotal = domain::subtotal(&items)?;
        let discount = self.coupons.discount(basket.coupon_code, basket.user_id, &subtotal).await?;
        let rates: Vec<_> = quoted.lines.iter().map(|(_, rate)| *rate).collect();
        let delivery = Delivery { amount: quoted.delivery.0.clone(), rate: quoted.delivery.1 };
        let amounts = domain::price(&mut items, &rates, discount.as_ref(), &delivery)?;
        if !self.free_orders && !amounts.total.is_positive() {
            return Err(Error::NothingToPay);
        }
        let step = self.payable.check(&amounts.total).await?;
        Ok(Priced { items, discount, amounts, step, quoted })
    }

    /// Prices and rates of now.
    async fn quoted(&self, basket: Basket<'_>, items: &[Item]) -> Result<QuotedPrices, Error> {
        let currency = &domain::subtotal(items)?.currency;
        let weight = items.iter().map(|item| i64::from(item.weight_grams) * i64::from(item.quantity)).sum();
        let shipping = match weight {
            0 => Money::zero(currency)?, // nothing is carried: no need to ask
            weight => self.peers.shipping_rate(basket.country_code, weight, currency).await?,
        };
        let rate = |category: &str| self.taxes.rate(basket.country_code, category);
        let lines = items.iter().map(|item| (item.price.clone(), rate(&item.tax_category))).collect();
        Ok(QuotedPrices { lines, delivery: (shipping, rate(STANDARD)) })
    }
}

/// The lines with their products as they are now. Prices come from the catalogue, never from the caller.
fn items(wanted: &[OrderDraftItem], products: &[Product]) -> Result<Vec<Item>, Error> {
    let by_id: BTreeMap<&str, &Product> =
        products.iter().map(|product| (product.product_id.as_str(), product)).collect();
    let lines = || wanted.iter().enumerate().map(|(index, item)| (index, item.product_id.clone()));
    let unknown: Vec<_> = lines().filter(|(_, id)| !by_id.contains_key(id.as_str())).collect();
    if !unknown.is_empty() {
        return Err(Error::UnknownProducts(unknown));
    }
    let is_sold = |id: &str| by_id.get(id).is_some_and(|product| product.status() == product::Status::Active);
    let archived: Vec<_> = lines().filter(|(_, id)| !is_sold(id)).collect();
    if !archived.is_empty() {
        return Err(Error::ArchivedProducts(archived));
    }
    let item = |line: &OrderDraftItem| {
        let product = by_id[line.product_id.as_str()];
        let price = Money::from_wire(&product.price.clone().unwrap_or_default())?;
        let amount = price.times(u32::try_from(line.quantity).unwrap_or(0))?;
        Ok(Item {
            product_id: line.product_id.clone(),
            quantity: line.quantity,
            name: product.name.clone(),
            sku: product.sku.clone(),
            price,
            amount,
            tax_category: product.tax_category.clone(),
            weight_grams: product.weight_grams,
            charges: None,
        })
    };
    wanted.iter().map(item).collect()
}

/// The catalogue names the absent products in the metadata of its refusal; the caller wants to know which lines they are.
fn unknown_products(status: Status, wanted: &[OrderDraftItem]) -> Error {
    let absent = rpc::status::metadata(&status, "resource").filter(|_| status.code() == Code::NotFound);
    let Some(absent) = absent else { return status.into() };
    let is_absent = |id: &str| absent.split(',').any(|name| name.strip_prefix("products/") == Some(id));
    let lines = wanted.iter().enumerate().map(|(index, item)| (index, item.product_id.clone()));
    Error::UnknownProducts(lines.filter(|(_, id)| is_absent(id)).collect())
}
