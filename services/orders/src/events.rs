//! Events out: what the change of an order tells. Events in: what shipping and payments tell of an order.

use crate::{
    clients::Peers,
    convert,
    domain::{Order, State},
    error::Error,
    store::Orders,
};
use ::events::{Event, Handler, HandlerError};
use ::store::{NewEvent, Versioned, fields::time, now};
use contracts::{
    orders::v1::{OrderChanged, OrderCreated},
    payments::v1::{PaymentChanged, payment::State as PaymentState},
    shipping::v1::{ShipmentChanged, shipment::State as ShipmentState},
};
use tonic::Code;

/// The event of an accepted order.
pub fn created(id: &str, order: &Order) -> NewEvent {
    let message = OrderCreated {
        order_id: id.to_owned(),
        user_id: order.user_id.clone(),
        items: order.items.iter().map(convert::item_to_wire).collect(),
        total: Some(order.total.to_wire()),
        create_time: Some(time::to_wire(order.created_at)),
    };
    NewEvent::of("created", &message)
}

/// The event of a change, if anything changed that others see.
pub fn between(id: &str, old: &Order, new: &Order) -> Vec<NewEvent> {
    let seen = |order: &Order| (order.state, order.payment_state, order.shipment_state, order.reason.clone());
    if seen(old) == seen(new) {
        return Vec::new();
    }
    let name = if old.state == new.state { "progressed" } else { name(new.state) };
    let message = OrderChanged {
        order_id: id.to_owned(),
        user_id: new.user_id.clone(),
        from: convert::state_to_wire(old.state).into(),
        to: convert::state_to_wire(new.state).into(),
        reason: code(&new.reason),
        payment_state: new.payment_state.into(),
        shipment_state: new.shipment_state.into(),
        payment_id: convert::payment_id(new),
        shipment_id: convert::shipment_id(new),
    };
    vec![NewEvent::of(name, &message)]
}

/// A reason in somebody's own words stays with the order; events carry codes.
fn code(reason: &str) -> String {
    let is_code = reason.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    if is_code { reason.to_owned() } else { "CANCELLED".to_owned() }
}

fn name(state: State) -> &'static str {
    match state {
        State::Pending => "created",
        State::Confirmed => "confirmed",
        State::Shipped => "shipped",
        State::Delivered => "delivered",
        State::Rejected => "rejected",
        State::Cancelling => "cancelling",
        State::Cancelled => "cancelled",
    }
}

/// Takes the events of shipping and payments. Each effect depends on the order's state alone, so a repeat has none.
pub struct Inbox {
    /// The orders.
    pub orders: Orders,
    /// The peers.
    pub peers: Peers,
}

#[tonic::async_trait]
impl Handler for Inbox {
    async fn apply(&self, event: &Event) -> Result<(), HandlerError> {
        if let Some(message) = event.decode::<ShipmentChanged>() {
            let message = message?;
            return self.shipment(&message).await.map_err(retry);
        }
        if let Some(message) = event.decode::<PaymentChanged>() {
            let message = message?;
            return self.payment(&message).await.map_err(retry);
        }
        Ok(())
    }
}

fn retry(error: Error) -> HandlerError {
    HandlerError::Retry(error.to_string())
}

impl Inbox {
    async fn shipment(&self, message: &ShipmentChanged) -> Result<(), Error> {
        match message.to() {
            ShipmentState::Dispatched => self.dispatched(self.orders.get(&message.order_id).await?).await,
            ShipmentState::Delivered => {
                let order = self.orders.get(&message.order_id).await?;
                self.orders.change(order, |order| order.delivered(now()).map(Some)).await?;
                Ok(())
            }
            ShipmentState::Unspecified | ShipmentState::Created | ShipmentState::Cancelled | ShipmentState::Lost => {
                Ok(())
            }
        }
    }

    /// Captures the payment and takes the stock off the shelf before the order is SHIPPED.
    async fn dispatched(&self, order: Versioned<Order>) -> Result<(), Error> {
        if order.state.shipment_state >= ShipmentState::Dispatched {
            return Ok(());
        }
        let key = |step: &str| format!("{}/dispatch/{step}/do", order.id);
        telemetry::crash_point("orders.dispatch.capturing");
        let captured = self.peers.capture(&order.state, key("capture_payment")).await;
        telemetry::crash_point("orders.dispatch.captured");
        let payment_state = match captured {
            Ok(payment) => payment.state(),
            Err(status) if status.code() == Code::FailedPrecondition => {
                tracing::error!(order = %order.id, %status, "a dispatched order cannot be captured; its money must be claimed by hand");
                order.state.payment_state
            }
            Err(status) => return Err(status.into()),
        };
        match self.peers.ship(&order.id, key("ship_stock")).await {
            Ok(_) => {}
            Err(status) if status.code() == Code::FailedPrecondition && order.state.saga.has_ended() => {
                tracing::error!(order = %order.id, %status, "a dispatched order has no stock committed; count the shelf");
            }
            Err(status) => return Err(status.into()),
        }
        telemetry::crash_point("orders.dispatch.shipped");
        self.orders.change(order, |order| order.dispatched(payment_state, now()).map(Some)).await?;
        telemetry::crash_point("orders.dispatch.recorded");
        Ok(())
    }

    async fn payment(&self, message: &PaymentChanged) -> Result<(), Error> {
        let order = match message.to() {
            PaymentState::Authorized | PaymentState::Declined => self.orders.get(&message.order_id).await?,
            PaymentState::Unspecified
            | PaymentState::Created
            | PaymentState::Authorizing
            | PaymentState::Captured
            | PaymentState::Refunded
            | PaymentState::Voided
            | PaymentState::ActionRequired
            | PaymentState::Unknown => return Ok(()),
        };
        if order.state.awaits_payment() {
            self.orders.change(order, |order| Ok(order.awaits_payment().then(|| woken(order)))).await?;
        } else if matches!(order.state.state, State::Rejected | State::Cancelled)
            && message.to() == PaymentState::Authorized
        {
            let key = format!("{}/late_payment/cancel_payment/do", order.id);
            self.peers.cancel_payment(&order.id, &order.state, key).await?;
        }
        Ok(())
    }
}

fn woken(order: &Order) -> Order {
    let mut next = order.clone();
    next.saga.wake(now());
    next
}
