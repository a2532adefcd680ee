//! Events in: from the contract to a fact, and on to the store.

use crate::{
    domain::{Amount, Charges, Fact, Item, Order, Payment, Shipment, What},
    error::{Error, Malformed},
    store::{Histories, Joined, ReadModel, TABLES},
};
use ::events::{Color, Event, Handler, HandlerError, Projection, Table};
use ::store::Time;
use contracts::{
    google::r#type::Money as WireMoney,
    money::Money,
    orders::v1::{OrderChanged, OrderCreated, OrderItem, order},
    payments::v1::PaymentChanged,
    products::v1::{ProductCreated, ProductUpdated, product},
    shipping::v1::{ShipmentChanged, ShipmentSplit, shipment},
    users::v1::UserDeleted,
};
use std::sync::Arc;

/// Folds every event that the topology lets this service read.
pub struct Fold {
    pub histories: Histories,
}

impl Projection for ReadModel {
    fn tables(&self) -> &'static [Table] {
        &TABLES
    }

    fn handler(&self, color: Color) -> Arc<dyn Handler> {
        Arc::new(Fold { histories: self.color(color) })
    }
}

#[tonic::async_trait]
impl Handler for Fold {
    async fn apply(&self, event: &Event) -> Result<(), HandlerError> {
        match event.service.as_str() {
            "users" => self.user(event).await?,
            "products" => self.product(event).await?,
            // Orders, payments and shipping: the type of the event tells which.
            _ => self.order(event).await?,
        }
        Ok(())
    }

    fn stores_seq(&self) -> bool {
        true
    }

    async fn skip(&self, event: &Event) -> Result<(), HandlerError> {
        match event.service.as_str() {
            "users" => self.histories.join(&self.histories.users, event, Joined::Nothing).await?,
            "products" => self.histories.join(&self.histories.products, event, Joined::Nothing).await?,
            _ => self.unknown(event).await?,
        }
        Ok(())
    }
}

impl Fold {
    /// `evt.users.user.*`
    async fn user(&self, event: &Event) -> Result<(), Error> {
        let joined = match decode::<UserDeleted>(event)? {
            Some(_) => Joined::UserDeleted,
            None => Joined::Nothing,
        };
        self.histories.join(&self.histories.users, event, joined).await
    }

    /// `evt.products.product.*`
    async fn product(&self, event: &Event) -> Result<(), Error> {
        let created = decode::<ProductCreated>(event)?.and_then(|created| created.product);
        let updated = decode::<ProductUpdated>(event)?.and_then(|updated| updated.product);
        // What a draft is called is nobody's business: one that was sold keeps the name of before.
        let shown = created.or(updated).filter(|product| product.status() != product::Status::Draft);
        let joined = shown.map_or(Joined::Nothing, |product| Joined::ProductName(product.name));
        self.histories.join(&self.histories.products, event, joined).await
    }

    /// `evt.orders.order.*`, `evt.payments.payment.*`, `evt.shipping.shipment.*`
    async fn order(&self, event: &Event) -> Result<(), Error> {
        let fact = fact(event)?;
        if fact.what == What::Unknown {
            return self.unknown(event).await;
        }
        self.histories.apply(&fact).await
    }

    /// Counts an event of which nothing but its aggregate is known.
    async fn unknown(&self, event: &Event) -> Result<(), Error> {
        let source = event.aggregate_id.clone();
        let order_id = self.histories.row_of(&source).await?;
        self.histories.apply(&Fact { order_id, source, seq: event.seq, at: event.at, what: What::Unknown }).await
    }
}

/// What an event of orders, payments or shipping tells. For one of an unknown type the order is not known: its
/// `order_id` is then the source's own id.
pub fn fact(event: &Event) -> Result<Fact, Malformed> {
    let (order_id, what) = if let Some(created) = decode::<OrderCreated>(event)? {
        (created.order_id.clone(), What::Placed(placed(event, created)?))
    } else if let Some(changed) = decode::<OrderChanged>(event)? {
        let OrderChanged { order_id, to, reason, payment_state, shipment_state, .. } = changed;
        (order_id, What::Moved { state: to, reason, payment_state, shipment_state })
    } else if let Some(changed) = decode::<PaymentChanged>(event)? {
        let captured = changed.captured_amount.map(|wire| amount(event, &wire)).transpose()?;
        let refunded = changed.refunded_amount.map(|wire| amount(event, &wire)).transpose()?;
        let payment = Payment { payment_id: changed.payment_id, state: changed.to, captured, refunded };
        (changed.order_id, What::Payment(payment))
    } else if let Some(changed) = decode::<ShipmentChanged>(event)? {
        let shipment = Shipment { shipment_id: changed.shipment_id, state: changed.to };
        (changed.order_id, What::Shipment(shipment))
    } else if let Some(split) = decode::<ShipmentSplit>(event)? {
        // Only what is in the warehouse can be split.
        let state = shipment::State::Created.into();
        (split.order_id, What::Shipment(Shipment { shipment_id: split.shipment_id, state }))
    } else {
        (event.aggregate_id.clone(), What::Unknown)
    };
    if order_id.is_empty() {
        return Err(missing(event, "order_id"));
    }
    Ok(Fact { order_id, source: event.aggregate_id.clone(), seq: event.seq, at: event.at, what })
}

fn placed(event: &Event, created: OrderCreated) -> Result<Order, Malformed> {
    let total = created.total.ok_or_else(|| missing(event, "total"))?;
    let items = created.items.into_iter().map(|wire| item(event, wire)).collect::<Result<_, _>>()?;
    Ok(Order {
        user_id: created.user_id,
        items,
        words: Vec::new(),
        total: amount(event, &total)?,
        state: order::State::Pending.into(),
        reason: String::new(),
        payment_state: 0,
        shipment_state: 0,
        created_at: created.create_time.map_or(event.at, |at| {
            Time::from_millis(at.seconds.saturating_mul(1000).saturating_add(i64::from(at.nanos) / 1_000_000))
        }),
    })
}

fn item(event: &Event, wire: OrderItem) -> Result<Item, Malformed> {
    let snapshot = wire.product_snapshot.ok_or_else(|| missing(event, "product_snapshot"))?;
    let price = snapshot.price.ok_or_else(|| missing(event, "price"))?;
    let line = wire.amount.ok_or_else(|| missing(event, "amount"))?;
    let charges = match (wire.discount, wire.tax, wire.included_tax) {
        (Some(discount), Some(tax), Some(included_tax)) => Some(Charges {
            discount: amount(event, &discount)?,
            tax: amount(event, &tax)?,
            included_tax: amount(event, &included_tax)?,
            tax_percent: wire.tax_percent,
        }),
        _ => None,
    };
    Ok(Item {
        product_id: wire.product_id,
        quantity: wire.quantity,
        name: snapshot.name,
        sku: snapshot.sku,
        price: amount(event, &price)?,
        amount: amount(event, &line)?,
        charges,
        tax_category: snapshot.tax_category,
        weight_grams: snapshot.weight_grams,
    })
}

fn amount(event: &Event, wire: &WireMoney) -> Result<Amount, Malformed> {
    Money::from_wire(wire).map(Amount).map_err(|source| Malformed::Money { id: event.id.clone(), source })
}

fn missing(event: &Event, field: &'static str) -> Malformed {
    Malformed::Missing { id: event.id.clone(), field }
}

fn decode<M: prost::Message + prost::Name + Default>(event: &Event) -> Result<Option<M>, Malformed> {
    let decoded = event.decode::<M>().transpose();
    decoded.map_err(|source| Malformed::Decode { id: event.id.clone(), source })
}
