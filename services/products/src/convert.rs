//! Between the contract and the domain.

use crate::{
    categories::domain::Tree,
    domain::{self, Draft, Media, PriceSpan, Product, ProductOption, Status, other_prices, price_history},
    error::Error,
    search::{facets::Band, store::Counted},
};
use ::rpc::update::{self, FieldMask};
use ::store::{Versioned, fields::time};
use contracts::{
    money::Money,
    products::v1::{self as wire, product},
};

pub fn to_wire(found: &Versioned<Product>) -> wire::Product {
    reply(&found.id, &found.state, found.etag())
}

pub(crate) fn reply(id: &str, product: &Product, etag: String) -> wire::Product {
    // A release without other prices may have given the price one of their currencies.
    let other_prices = product.other_prices.iter().filter(|price| price.currency != product.price.currency);
    wire::Product {
        product_id: id.to_owned(),
        name: product.name.clone(),
        description: product.description.clone(),
        sku: product.sku.clone(),
        price: Some(product.price.to_wire()),
        status: status_to_wire(product.status).into(),
        create_time: Some(time::to_wire(product.created_at)),
        update_time: Some(time::to_wire(product.updated_at)),
        etag,
        tax_category: product.tax_category.clone(),
        weight_grams: product.weight_grams,
        category_ids: product.category_ids.clone(),
        media: product.media.iter().map(media_to_wire).collect(),
        group_id: product.group_id.clone().unwrap_or_default(),
        options: product.options.iter().map(option_to_wire).collect(),
        other_prices: other_prices.map(Money::to_wire).collect(),
    }
}

/// What a product has cost in a currency, or without one in its main price; the present price first.
pub fn price_history(found: &Versioned<Product>, currency: &str) -> wire::PriceHistory {
    let (starts, others) = (found.state.prices(), found.state.other_spans());
    let (main, main_since) = (price_history::spans(&starts), price_history::known_since(&starts));
    let (spans, known_since) = match currency {
        "" => (main, main_since),
        currency => {
            let known_since = main_since.max(other_prices::known_since(&others, currency));
            (other_prices::in_currency(main, others, currency), known_since)
        }
    };
    let start = |span: &PriceSpan| wire::PriceStart {
        price: Some(span.price.to_wire()),
        start_time: Some(time::to_wire(span.at)),
        end_time: span.until.map(time::to_wire),
    };
    wire::PriceHistory {
        product_id: found.id.clone(),
        prices: spans.iter().rev().take(price_history::KEPT_PRICES).map(start).collect(),
        lowest_prior_price: price_history::lowest_before(&spans, known_since).map(Money::to_wire),
    }
}

fn media_to_wire(media: &Media) -> wire::Media {
    wire::Media { uri: media.uri.clone(), alt_text: media.alt_text.clone() }
}

fn option_to_wire(option: &ProductOption) -> wire::ProductOption {
    wire::ProductOption { name: option.name.clone(), value: option.value.clone() }
}

/// What a search found, counted.
pub fn facets(
    Counted { facets, available, is_partial }: Counted,
    tree: &Tree,
) -> Result<wire::SearchFacets, domain::Error> {
    let money = |currency: &str, amount| Money::new(currency, amount).map(|money| Some(money.to_wire()));
    let price = |(Band { currency, from, below }, count): (Band, i32)| {
        let (at_least, below) = (money(&currency, from)?, money(&currency, below)?);
        Ok(wire::PriceFacet { at_least, below, count })
    };
    let category = |(category_id, count): (String, i32)| wire::CategoryFacet {
        path: tree.path_of(&category_id),
        category_id,
        count,
    };
    let prices = facets.bands.into_iter().map(price).collect::<Result<_, domain::Error>>()?;
    let categories = facets.categories.into_iter().map(category).collect();
    Ok(wire::SearchFacets { categories, prices, is_partial, available_count: available })
}

/// What the caller of CreateProduct wants.
pub fn draft(product: wire::Product) -> Result<Draft, Error> {
    let status = status_from_wire(product.status());
    let price = Money::from_wire(product.price.as_ref().ok_or(domain::Error::Required("product.price"))?)
        .map_err(domain::Error::from)?;
    let other = |(place, price): (usize, &_)| {
        Money::from_wire(price).map_err(|cause| domain::Error::OtherPrice { place, why: cause.to_string() })
    };
    let other_prices = product.other_prices.iter().enumerate().map(other).collect::<Result<_, _>>()?;
    let wire::Product { name, description, sku, tax_category, weight_grams, category_ids, media, .. } = product;
    let media = media.into_iter().map(|wire::Media { uri, alt_text }| Media { uri, alt_text }).collect();
    let group_id = Some(product.group_id).filter(|id| !id.is_empty());
    let option = |wire::ProductOption { name, value }| ProductOption { name, value };
    let options = product.options.into_iter().map(option).collect();
    Ok(Draft {
        name,
        description,
        sku,
        price,
        other_prices,
        status,
        tax_category,
        weight_grams,
        category_ids,
        media,
        group_id,
        options,
    })
}

/// What `wanted` makes of the product `found`, under `mask`.
pub fn merge(found: &Versioned<Product>, wanted: &wire::Product, mask: Option<&FieldMask>) -> Result<Draft, Error> {
    draft(update::apply(&to_wire(found), wanted, mask, "product").map_err(Error::Update)?)
}

fn status_to_wire(status: Status) -> product::Status {
    match status {
        Status::Active => product::Status::Active,
        Status::Archived => product::Status::Archived,
        Status::Draft => product::Status::Draft,
    }
}

fn status_from_wire(status: product::Status) -> Status {
    match status {
        product::Status::Active | product::Status::Unspecified => Status::Active,
        product::Status::Archived => Status::Archived,
        product::Status::Draft => Status::Draft,
    }
}
