//! Events in: whether a unit of a product is available.

use crate::{domain::Stock, stock::store::Stocks};
use ::events::{Event, Handler, HandlerError};
use ::store::Batcher;
use contracts::inventory::v1::StockChanged;

/// Bytes of a write, about.
const WRITE_BYTES: usize = 512;

/// Keeps what the newest event of a product's stock says. Each has all of the stock, so one that comes late has no effect, and
/// none has to wait for another.
pub struct Consumer(pub Batcher<Stocks>);

#[tonic::async_trait]
impl Handler for Consumer {
    async fn apply(&self, event: &Event) -> Result<(), HandlerError> {
        let Some(message) = event.decode::<StockChanged>() else { return Ok(()) };
        let stock = message?.stock.ok_or_else(|| HandlerError::Poison(format!("event {} has no stock", event.id)))?;
        let told = Stock { seq: event.seq, is_available: stock.available > 0 };
        Ok(self.0.submit((event.aggregate_id.clone(), told), WRITE_BYTES).await??)
    }

    /// The place of the event is stored with the stock, and one that is behind it has no effect.
    fn stores_seq(&self) -> bool {
        true
    }
}
