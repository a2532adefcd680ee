//! Events in: from the contract to a change, and on to the facts.

use crate::{
    domain::{Amount, Change, Line, Placed, What},
    error::{Error, Malformed},
    store::{Facts, ReadModel, TABLES},
};
use ::events::{Color, Event, Handler, HandlerError, Projection, Table};
use ::store::fields::time;
use contracts::{
    google::r#type::Money as WireMoney,
    money::Money,
    orders::v1::{OrderChanged, OrderCreated, OrderItem, OrderRefunded},
};
use std::{collections::BTreeMap, sync::Arc};

/// Aggregate of the events that are folded; the stream has those of coupons too.
const ORDER: &str = "order";

/// Name of the event of a refund that was given; one that was refused has the same message.
const REFUNDED: &str = "refunded";

/// Folds the events of orders.
struct Fold(Facts);

impl Projection for ReadModel {
    fn tables(&self) -> &'static [Table] {
        &TABLES
    }

    fn handler(&self, color: Color) -> Arc<dyn Handler> {
        Arc::new(Fold(self.color(color)))
    }
}

#[tonic::async_trait]
impl Handler for Fold {
    async fn apply(&self, event: &Event) -> Result<(), HandlerError> {
        if event.aggregate == ORDER {
            self.0.apply(&change(event).map_err(Error::from)?).await?;
        }
        Ok(())
    }

    fn stores_seq(&self) -> bool {
        true
    }

    async fn skip(&self, event: &Event) -> Result<(), HandlerError> {
        if event.aggregate == ORDER {
            self.0.apply(&told(event, What::Other)).await?;
        }
        Ok(())
    }
}

/// What an event of an order tells.
pub fn change(event: &Event) -> Result<Change, Malformed> {
    let what = if let Some(created) = decode::<OrderCreated>(event)? {
        What::Placed(placed(event, created)?)
    } else if let Some(changed) = decode::<OrderChanged>(event)? {
        let captured = changed.captured_amount.map(|wire| amount(event, &wire)).transpose()?;
        What::Moved { state: changed.to, captured: captured.map(Amount) }
    } else if let Some(refunded) = decode::<OrderRefunded>(event)?.filter(|_| event.name == REFUNDED) {
        let given = refunded.amount.ok_or_else(|| missing(event, "amount"))?;
        What::Refunded { refund_id: refunded.refund_id, amount: Amount(amount(event, &given)?) }
    } else {
        What::Other
    };
    Ok(told(event, what))
}

fn told(event: &Event, what: What) -> Change {
    Change { order_id: event.aggregate_id.clone(), seq: event.seq, at: event.at, what }
}

fn placed(event: &Event, created: OrderCreated) -> Result<Placed, Malformed> {
    let total = created.total.ok_or_else(|| missing(event, "total"))?;
    let mut lines = BTreeMap::new();
    for item in created.items {
        let line = line(event, item)?;
        match lines.remove(&line.product_id) {
            Some(known) => lines.insert(line.product_id.clone(), sum(event, known, line)?),
            None => lines.insert(line.product_id.clone(), line),
        };
    }
    Ok(Placed {
        at: created.create_time.map_or(event.at, |at| time::from_wire(&at)),
        total: Amount(amount(event, &total)?),
        units: lines.values().map(|line| line.units).sum(),
        lines: lines.into_values().collect(),
    })
}

fn line(event: &Event, item: OrderItem) -> Result<Line, Malformed> {
    let product = item.product_snapshot.ok_or_else(|| missing(event, "product_snapshot"))?;
    let mut gross = amount(event, &item.amount.ok_or_else(|| missing(event, "amount"))?)?;
    // Events that are older than discount and tax have neither.
    if let Some(discount) = item.discount {
        gross = gross.minus(&amount(event, &discount)?).map_err(|source| bad(event, source))?;
    }
    if let Some(tax) = item.tax {
        gross = gross.add(&amount(event, &tax)?).map_err(|source| bad(event, source))?;
    }
    Ok(Line {
        product_id: item.product_id,
        sku: product.sku,
        name: product.name,
        units: item.quantity.into(),
        gross: Amount(gross),
    })
}

/// Two lines of one product as one.
fn sum(event: &Event, known: Line, more: Line) -> Result<Line, Malformed> {
    let gross = known.gross.0.add(&more.gross.0).map_err(|source| bad(event, source))?;
    Ok(Line { units: known.units + more.units, gross: Amount(gross), ..known })
}

fn amount(event: &Event, wire: &WireMoney) -> Result<Money, Malformed> {
    Money::from_wire(wire).map_err(|source| bad(event, source))
}

fn bad(event: &Event, source: contracts::money::Error) -> Malformed {
    Malformed::Money { id: event.id.clone(), source }
}

fn missing(event: &Event, field: &'static str) -> Malformed {
    Malformed::Missing { id: event.id.clone(), field }
}

fn decode<M: prost::Message + prost::Name + Default>(event: &Event) -> Result<Option<M>, Malformed> {
    let decoded = event.decode::<M>().transpose();
    decoded.map_err(|source| Malformed::Decode { id: event.id.clone(), source })
}
