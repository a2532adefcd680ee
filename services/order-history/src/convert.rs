//! From the row to the contract.

use crate::{
    domain::{Amount, Charges, Entry, Item, Order},
    error::Error,
    filter::Filter,
    store::Names,
};
use ::store::fields::time;
use contracts::{
    orderhistory::v1::{self as wire, PaymentSummary, ShipmentSummary},
    orders::v1::{OrderItem, ProductSnapshot},
    words::{MAX_QUERY_WORDS, prefixes},
};
use std::collections::HashMap;

/// What a request asks for.
pub fn filter(request: &wire::ListOrderHistoriesRequest) -> Result<Filter, Error> {
    let said = |id: &String| Some(id.clone()).filter(|id| !id.is_empty());
    let filter = Filter {
        user_id: said(&request.user_id),
        states: request.states.iter().copied().collect(),
        start: request.start_time.as_ref().map(time::from_wire),
        end: request.end_time.as_ref().map(time::from_wire),
        product_id: said(&request.product_id),
        words: prefixes(&request.query),
    };
    if filter.words.len() > MAX_QUERY_WORDS {
        return Err(Error::Query);
    }
    match (filter.start, filter.end) {
        (Some(start), Some(end)) if start >= end => Err(Error::Range),
        _ => Ok(filter),
    }
}

/// A row on the wire; none for a row whose order has not been heard of.
pub fn to_wire(entry: &Entry, names: &Names) -> Option<wire::OrderHistory> {
    let order = entry.order.as_ref()?;
    let payment = entry.payment.as_ref().map(|payment| PaymentSummary {
        payment_id: payment.payment_id.clone(),
        state: payment.state,
        captured_amount: payment.captured.as_ref().map(money),
        refunded_amount: payment.refunded.as_ref().map(money),
    });
    let shipment = entry
        .shipment
        .as_ref()
        .map(|shipment| ShipmentSummary { shipment_id: shipment.shipment_id.clone(), state: shipment.state });
    Some(wire::OrderHistory {
        order_id: entry.order_id.clone(),
        user_id: order.user_id.clone(),
        items: order.items.iter().map(item).collect(),
        total: Some(money(&order.total)),
        state: order.state,
        reason: order.reason.clone(),
        payment_state: order.payment_state,
        shipment_state: order.shipment_state,
        payment,
        shipment,
        renamed_products: renamed(order, names),
        user_deleted: names.deleted_users.contains(&order.user_id),
        create_time: Some(time::to_wire(order.created_at)),
        update_time: Some(time::to_wire(entry.updated_at)),
    })
}

fn item(item: &Item) -> OrderItem {
    let charge = |of: fn(&Charges) -> &Amount| item.charges.as_ref().map(|charges| money(of(charges)));
    OrderItem {
        product_id: item.product_id.clone(),
        quantity: item.quantity,
        product_snapshot: Some(ProductSnapshot {
            name: item.name.clone(),
            sku: item.sku.clone(),
            price: Some(money(&item.price)),
            tax_category: item.tax_category.clone(),
            weight_grams: item.weight_grams,
        }),
        amount: Some(money(&item.amount)),
        discount: charge(|charges| &charges.discount),
        tax: charge(|charges| &charges.tax),
        included_tax: charge(|charges| &charges.included_tax),
        tax_percent: item.charges.as_ref().map(|charges| charges.tax_percent.clone()).unwrap_or_default(),
    }
}

fn renamed(order: &Order, names: &Names) -> HashMap<String, String> {
    let current = |item: &Item| names.products.get(&item.product_id).filter(|name| **name != item.name).cloned();
    order.items.iter().filter_map(|item| Some((item.product_id.clone(), current(item)?))).collect()
}

fn money(amount: &Amount) -> contracts::google::r#type::Money {
    amount.0.to_wire()
}
