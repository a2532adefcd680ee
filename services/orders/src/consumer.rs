//! The events that orders takes in: what shipping and payments tell of an order.

use crate::{commands::Commands, convert, domain::ShipmentUpdate, error::Error};
use ::events::{Event, Handler, HandlerError};
use contracts::{
    payments::v1::{PaymentChanged, PaymentChargedBack, payment::State as PaymentState},
    shipping::v1::{ShipmentChanged, ShipmentSplit, shipment::State as ShipmentState},
};

/// Why an order is frozen whose money the payer's bank took back.
const CHARGED_BACK: &str = "CHARGED_BACK";

/// Takes the events of shipping and payments. Each effect depends on the order's state alone, so a repeat has none.
pub struct Consumer {
    pub commands: Commands,
}

#[tonic::async_trait]
impl Handler for Consumer {
    async fn apply(&self, event: &Event) -> Result<(), HandlerError> {
        if let Some(message) = event.decode::<ShipmentChanged>() {
            let message = message?;
            let update =
                ShipmentUpdate { state: message.to(), lines: convert::lines(message.lines), id: message.shipment_id };
            return self.commands.apply_shipments(&message.order_id, vec![update]).await.map_err(retry);
        }
        if let Some(message) = event.decode::<ShipmentSplit>() {
            let message = message?;
            let ShipmentSplit { shipment_id, order_id, user_id: _, lines, split_off_id, split_off_lines } = message;
            // Both shipments are applied in one change: in between, the units of the order would not add up.
            let parts = [(shipment_id, lines), (split_off_id, split_off_lines)];
            let updates = parts.map(|(id, lines)| ShipmentUpdate {
                id,
                lines: convert::lines(lines),
                state: ShipmentState::Created,
            });
            return self.commands.apply_shipments(&order_id, updates.to_vec()).await.map_err(retry);
        }
        if let Some(message) = event.decode::<PaymentChanged>() {
            let message = message?;
            return self.payment(&message).await.map_err(retry);
        }
        if let Some(message) = event.decode::<PaymentChargedBack>() {
            let message = message?;
            return self.charged_back(&message.order_id).await.map_err(retry);
        }
        Ok(())
    }
}

fn retry(error: Error) -> HandlerError {
    HandlerError::Retry(error.to_string())
}

impl Consumer {
    /// The payer's bank took the money back: nothing is given back any more, and people are told.
    async fn charged_back(&self, order_id: &str) -> Result<(), Error> {
        self.commands.freeze(order_id, CHARGED_BACK).await?;
        tracing::error!(order = order_id, "charged back: the order is frozen, a person must see to it");
        Ok(())
    }

    async fn payment(&self, message: &PaymentChanged) -> Result<(), Error> {
        match message.to() {
            PaymentState::Authorized | PaymentState::Declined => {
                self.commands.apply_payment(&message.order_id, message.to()).await
            }
            PaymentState::Unspecified
            | PaymentState::Created
            | PaymentState::Authorizing
            | PaymentState::Captured
            | PaymentState::Refunded
            | PaymentState::Voided
            | PaymentState::ActionRequired
            | PaymentState::Unknown => Ok(()),
        }
    }
}
