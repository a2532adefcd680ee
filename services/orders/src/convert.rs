//! Between the contract and the domain.

use crate::domain::{
    Amounts, Charges, Disposition, Error, Extent, Item, Line, Order, Refund, RefundProgress, Returned, ReturnedUnits,
    Shipment, State, Transition,
};
use ::store::{Versioned, fields::time};
use contracts::{
    google::r#type::Money as WireMoney,
    money::Money,
    orders::v1::{self as wire, OrderItem, ProductSnapshot, order, order_refund, returned_item},
    payments::v1::payment::State as PaymentState,
    shipping::v1::{ShipmentLine, shipment::State as ShipmentState},
};
use rust_decimal::Decimal;

pub fn to_wire(found: &Versioned<Order>) -> wire::Order {
    let order = &found.state;
    let amount = |of| amount(order, of);
    wire::Order {
        order_id: found.id.clone(),
        user_id: order.user_id.clone(),
        user_snapshot: Some(wire::UserSnapshot { name: order.user.name.clone(), email: order.user.email.clone() }),
        items: order.items.iter().map(item_to_wire).collect(),
        total: Some(order.total.to_wire()),
        state: state_to_wire(order.state).into(),
        reason: order.reason.clone(),
        payment_state: order.payment_state.into(),
        shipment_state: order.shipment_state.into(),
        payment_id: payment_id(order),
        shipment_id: shipment_id(order),
        shipping_address: Some((&order.address).into()),
        history: order.history.iter().map(transition_to_wire).collect(),
        create_time: Some(time::to_wire(order.created_at)),
        update_time: Some(time::to_wire(order.updated_at)),
        etag: found.etag(),
        version: format!("{}:{}", found.id, found.seq),
        refunds: order.refunds.iter().map(refund_to_wire).collect(),
        frozen_reason: order.frozen.clone().unwrap_or_default(),
        shipments: order.shipments.iter().map(shipment_to_wire).collect(),
        subtotal: amount(|amounts| &amounts.subtotal),
        tax: amount(|amounts| &amounts.tax),
        shipping: amount(|amounts| &amounts.shipping),
        included_tax: amount(|amounts| &amounts.included_tax),
        discount: amount(|amounts| &amounts.discount),
        coupon_code: order.discount.as_ref().map_or_else(String::new, |discount| discount.code.clone()),
    }
}

/// One of the order's sums; none in orders that are older than taxes.
pub fn amount(order: &Order, of: fn(&Amounts) -> &Money) -> Option<WireMoney> {
    order.amounts.as_ref().map(|amounts| of(amounts).to_wire())
}

fn shipment_to_wire(shipment: &Shipment) -> wire::OrderShipment {
    let line = |line: &Line| ShipmentLine { product_id: line.product_id.clone(), quantity: line.quantity };
    let captured = shipment.capture.as_ref().filter(|capture| capture.is_done);
    wire::OrderShipment {
        shipment_id: shipment.id.clone(),
        state: shipment.state.into(),
        lines: shipment.lines.iter().map(line).collect(),
        captured_amount: captured.map(|capture| capture.amount.to_wire()),
    }
}

pub fn lines(lines: Vec<ShipmentLine>) -> Vec<Line> {
    lines.into_iter().map(|line| Line { product_id: line.product_id, quantity: line.quantity }).collect()
}

/// The payment's id, once there is a payment.
pub fn payment_id(order: &Order) -> String {
    if order.payment_state == PaymentState::Unspecified { String::new() } else { order.payment_id.clone() }
}

/// The shipment's id, once there is a shipment.
pub fn shipment_id(order: &Order) -> String {
    if order.shipment_state == ShipmentState::Unspecified { String::new() } else { order.shipment_id.clone() }
}

pub fn item_to_wire(item: &Item) -> OrderItem {
    let tax = |is_included: bool| {
        let tax = item.charges.as_ref().map(|charges| &charges.tax)?;
        let none = Money::zero(&tax.amount.currency).ok()?;
        Some(if tax.is_included == is_included { &tax.amount } else { &none }.to_wire())
    };
    OrderItem {
        product_id: item.product_id.clone(),
        quantity: item.quantity,
        product_snapshot: Some(ProductSnapshot {
            name: item.name.clone(),
            sku: item.sku.clone(),
            price: Some(item.price.to_wire()),
            tax_category: item.tax_category.clone(),
            weight_grams: item.weight_grams,
        }),
        amount: Some(item.amount.to_wire()),
        discount: item.charges.as_ref().map(|charges| charges.discount.to_wire()),
        tax: tax(false),
        included_tax: tax(true),
        tax_percent: item.charges.as_ref().map(percent).unwrap_or_default(),
    }
}

fn percent(charges: &Charges) -> String {
    Decimal::new(charges.tax.millionths.into(), 4).normalize().to_string()
}

fn refund_to_wire(refund: &Refund) -> wire::OrderRefund {
    let state = match refund.progress {
        RefundProgress::Requested => order_refund::State::Requested,
        RefundProgress::Done => order_refund::State::Done,
        RefundProgress::Refused => order_refund::State::Refused,
    };
    wire::OrderRefund {
        refund_id: refund.id.clone(),
        items: refund.returned.iter().map(returned_to_wire).collect(),
        amount: Some(refund.amount.to_wire()),
        reason: refund.reason.clone(),
        actor: refund.actor.clone(),
        state: state.into(),
        refusal: refund.refusal.clone(),
        create_time: Some(time::to_wire(refund.at)),
    }
}

fn returned_to_wire(line: &Returned) -> wire::ReturnedItem {
    let disposition = match line.disposition {
        Disposition::Restock => returned_item::Disposition::Restock,
        Disposition::Scrap => returned_item::Disposition::Scrap,
    };
    wire::ReturnedItem {
        product_id: line.product_id.clone(),
        quantity: line.quantity,
        disposition: disposition.into(),
        amount: Some(line.amount.to_wire()),
    }
}

/// The extent of a request to refund.
pub fn extent(items: Vec<wire::ReturnedItem>, amount: Option<WireMoney>) -> Result<Extent, Error> {
    let units = |item: wire::ReturnedItem| {
        let disposition = match item.disposition() {
            returned_item::Disposition::Restock => Disposition::Restock,
            returned_item::Disposition::Scrap | returned_item::Disposition::Unspecified => Disposition::Scrap,
        };
        ReturnedUnits { product_id: item.product_id, quantity: item.quantity, disposition }
    };
    match (items.is_empty(), amount) {
        (true, None) => Ok(Extent::Rest),
        (true, Some(amount)) => Money::from_wire(&amount).map(Extent::Amount).map_err(Error::RefundAmount),
        (false, None) => Ok(Extent::Units(items.into_iter().map(units).collect())),
        (false, Some(_)) => Err(Error::ItemsAndAmount),
    }
}

fn transition_to_wire(transition: &Transition) -> wire::Transition {
    wire::Transition {
        from: transition.from.map_or(order::State::Unspecified, state_to_wire).into(),
        to: state_to_wire(transition.to).into(),
        reason: transition.reason.clone(),
        actor: transition.actor.clone(),
        time: Some(time::to_wire(transition.at)),
        trace_id: transition.trace_id.clone().unwrap_or_default(),
    }
}

pub fn state_to_wire(state: State) -> order::State {
    match state {
        State::Pending => order::State::Pending,
        State::Confirmed => order::State::Confirmed,
        State::Shipped => order::State::Shipped,
        State::Delivered => order::State::Delivered,
        State::Rejected => order::State::Rejected,
        State::Cancelling => order::State::Cancelling,
        State::Cancelled => order::State::Cancelled,
    }
}
