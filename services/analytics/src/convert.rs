//! From rows to the contract.

use crate::{
    domain::{FunnelRow, Period, ReportError, RevenueRow},
    reports::{Rank, Sold},
};
use ::store::fields::time;
use contracts::analytics::v1::{self as wire, get_top_products_request};

pub fn period(of: wire::Period) -> Period {
    match of {
        wire::Period::Unspecified | wire::Period::Day => Period::Day,
        wire::Period::Week => Period::Week,
        wire::Period::Month => Period::Month,
    }
}

pub fn rank(of: get_top_products_request::Rank) -> Rank {
    match of {
        get_top_products_request::Rank::Unspecified | get_top_products_request::Rank::Gross => Rank::Gross,
        get_top_products_request::Rank::Units => Rank::Units,
    }
}

pub fn revenue(row: RevenueRow) -> Result<wire::RevenueRow, ReportError> {
    Ok(wire::RevenueRow {
        net: Some(row.net()?.to_wire()),
        average_basket: row.average_basket()?.map(|average| average.to_wire()),
        period: row.bucket.label,
        start_time: Some(time::to_wire(row.bucket.start)),
        end_time: Some(time::to_wire(row.bucket.end)),
        currency_code: row.gross.currency.clone(),
        orders: row.orders,
        units: row.units,
        gross: Some(row.gross.to_wire()),
        cancelled: Some(row.cancelled.to_wire()),
        refunded: Some(row.refunded.to_wire()),
        cancellations: row.cancellations,
        refunds: row.refunds,
    })
}

pub fn funnel(row: FunnelRow) -> wire::FunnelRow {
    let conversion_percent = row.conversion_percent();
    let FunnelRow { bucket, entered } = row;
    wire::FunnelRow {
        period: bucket.label,
        start_time: Some(time::to_wire(bucket.start)),
        end_time: Some(time::to_wire(bucket.end)),
        currency_code: entered.currency,
        placed: entered.placed,
        confirmed: entered.confirmed,
        shipped: entered.shipped,
        delivered: entered.delivered,
        rejected: entered.rejected,
        cancelled: entered.cancelled,
        refunded: entered.refunded,
        conversion_percent,
    }
}

pub fn product(sold: Sold) -> wire::ProductRow {
    wire::ProductRow {
        product_id: sold.product_id,
        sku: sold.sku,
        name: sold.name,
        orders: sold.orders,
        units: sold.units,
        gross: Some(sold.gross.0.to_wire()),
    }
}
