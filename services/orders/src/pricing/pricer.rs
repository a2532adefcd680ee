//! What an order costs: asks the catalogue, shipping and the coupon, or opens a quote; `domain::pricing` computes.

use crate::{
    clients::Peers,
    convert,
    coupons::{domain::Discount, store::Coupons},
    domain::{self, Amounts, Delivery, Item},
    error::{Error, LineFault},
    pricing::{
        payable::Payable,
        quote::{Basket, QUOTE_TTL, QuoteSigner, QuotedPrice, QuotedPrices},
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
    pub discount: Option<Discount>,
    pub amounts: Amounts,
    /// Minor units of which captures and refunds are multiples.
    pub step: i64,
    quoted: QuotedPrices,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    pub priced: Priced,
    /// Identifier; an order that carries it has the prices of the quote.
    pub id: String,
    /// The first moment at which the quote no longer holds.
    pub expires_at: Time,
}

impl Quote {
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
    pub peers: Peers,
    pub coupons: Coupons,
    pub taxes: Arc<dyn Taxes>,
    pub signer: QuoteSigner,
    pub payable: Payable,
    pub free_orders: bool,
}

impl Pricer {
    pub async fn quote(&self, basket: Basket<'_>) -> Result<Quote, Error> {
        let products = self.products(basket.items).await?;
        let priced = self.price(basket, &products, None).await?;
        self.signed(basket, priced)
    }

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

    /// The prices of a basket now, or by a quote that still holds. A coupon must be usable now either way.
    pub async fn price(
        &self,
        basket: Basket<'_>,
        products: &[Product],
        quote_id: Option<&str>,
    ) -> Result<Priced, Error> {
        let quoted = quote_id.map(|quote_id| self.signer.open(quote_id, basket, now())).transpose()?;
        let mut items = items(basket, products, quoted.as_ref())?;
        let quoted = match quoted {
            None => self.quoted(basket, &items).await?,
            Some(quoted) => quoted,
        };
        let subtotal = domain::subtotal(&items)?;
        let discount = self.coupons.discount(basket.coupon_code, basket.user_id, &subtotal).await?;
        let rates: Vec<_> = quoted.lines.iter().map(|line| line.rate).collect();
        let amounts = domain::price(&mut items, &rates, discount.as_ref(), &quoted.delivery)?;
        if !self.free_orders && !amounts.total.is_positive() {
            return Err(Error::NothingToPay);
        }
        // The last check, because it needs the total: an amount that cannot be paid must not become an order that
        // fails later.
        let step = self.payable.check(&amounts.total).await?;
        Ok(Priced { items, discount, amounts, step, quoted })
    }

    async fn quoted(&self, basket: Basket<'_>, items: &[Item]) -> Result<QuotedPrices, Error> {
        let currency = &domain::subtotal(items)?.currency;
        let weight = items.iter().map(|item| i64::from(item.weight_grams) * i64::from(item.quantity)).sum();
        let shipping = match weight {
            0 => Money::zero(currency)?, // nothing is sent, so that an outage of shipping does not matter
            weight => self.peers.shipping_rate(basket.country_code, weight, currency).await?,
        };
        let rate = |category: &str| self.taxes.rate(basket.country_code, category);
        let line = |item: &Item| QuotedPrice { price: item.price.clone(), rate: rate(&item.tax_category) };
        let delivery = Delivery { amount: shipping, rate: rate(STANDARD) };
        Ok(QuotedPrices { lines: items.iter().map(line).collect(), delivery })
    }
}

/// The lines with their products as they are now. Prices are those of the quote, or come from the catalogue, never from the caller.
fn items(basket: Basket<'_>, products: &[Product], quoted: Option<&QuotedPrices>) -> Result<Vec<Item>, Error> {
    let Basket { items: wanted, currency_code: currency, .. } = basket;
    let by_id: BTreeMap<&str, &Product> =
        products.iter().map(|product| (product.product_id.as_str(), product)).collect();
    // To customers there are no drafts.
    let is_there = |id: &str| by_id.get(id).is_some_and(|product| product.status() != product::Status::Draft);
    let unknown = faults(wanted, |id| !is_there(id));
    if !unknown.is_empty() {
        return Err(Error::UnknownProducts(unknown));
    }
    let is_sold = |id: &str| by_id.get(id).is_some_and(|product| product.status() == product::Status::Active);
    let archived = faults(wanted, |id| !is_sold(id));
    if !archived.is_empty() {
        return Err(Error::ArchivedProducts(archived));
    }
    let unpriced = faults(wanted, |id| by_id.get(id).is_none_or(|product| product.price_in(currency).is_none()));
    if quoted.is_none() && !unpriced.is_empty() {
        return Err(Error::NoPrice { lines: unpriced, currency: currency.to_owned() });
    }
    let item = |(index, line): (usize, &OrderDraftItem)| {
        let product = by_id[line.product_id.as_str()];
        let price = match quoted {
            Some(quoted) => quoted.lines[index].price.clone(),
            None => Money::from_wire(&product.price_in(currency).cloned().unwrap_or_default())?,
        };
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
    wanted.iter().enumerate().map(item).collect()
}

/// The catalogue names the absent products in the metadata of its refusal; the caller wants to know which lines they are.
fn unknown_products(status: Status, wanted: &[OrderDraftItem]) -> Error {
    let absent = rpc::status::metadata(&status, "resource").filter(|_| status.code() == Code::NotFound);
    let Some(absent) = absent else { return status.into() };
    let is_absent = |id: &str| absent.split(',').any(|name| name.strip_prefix("products/") == Some(id));
    Error::UnknownProducts(faults(wanted, is_absent))
}

fn faults(wanted: &[OrderDraftItem], is_at_fault: impl Fn(&str) -> bool) -> Vec<LineFault> {
    let lines = wanted.iter().enumerate().filter(|(_, item)| is_at_fault(&item.product_id));
    lines.map(|(index, item)| LineFault { index, product_id: item.product_id.clone() }).collect()
}
