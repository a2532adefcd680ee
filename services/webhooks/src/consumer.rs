//! Events in: from the contract to the deliveries that it has. They are durable before the event is acknowledged.

use crate::{
    catalogue::{Catalogue, event_type},
    domain::{Delivery, HEARD_FOR, KEPT_FOR, State, TRIED_FOR, later},
    error::Error,
    identity::delivery_id,
    store::{Deliveries, Endpoints},
};
use ::events::{Event, Handler, HandlerError};
use ::store::{Time, now};
use std::sync::Arc;

/// Writes the deliveries of events. What a delivery is depends on event and endpoint alone, and there is one under its identifier:
/// a second delivery of the event finds it.
pub struct Writer {
    pub endpoints: Endpoints,
    pub deliveries: Deliveries,
    pub catalogue: Arc<Catalogue>,
}

#[tonic::async_trait]
impl Handler for Writer {
    async fn apply(&self, event: &Event) -> Result<(), HandlerError> {
        let now = now();
        if now >= later(event.at, HEARD_FOR) {
            return Ok(());
        }
        let event_type = event_type(&event.aggregate, &event.name);
        let wanting = self.endpoints.wanting(&event_type, event.at).await?;
        if wanting.is_empty() {
            return Ok(());
        }
        let at = event.at.try_to_rfc3339_string().map_err(|_| Error::Malformed(event.id.clone()))?;
        let body = self.catalogue.body(&event_type, &at, &event.data);
        let body = body.ok_or_else(|| Error::Malformed(event.id.clone()))?;
        telemetry::crash_point("webhooks.writing");
        for endpoint_id in wanting {
            self.deliveries.write(&delivery(event, &event_type, endpoint_id, body.clone(), now)).await?;
        }
        telemetry::crash_point("webhooks.written");
        Ok(())
    }
}

fn delivery(event: &Event, event_type: &str, endpoint_id: String, body: String, now: Time) -> Delivery {
    Delivery {
        id: delivery_id(&event.id, &endpoint_id, event.at),
        lane: format!("{endpoint_id}/{}/{}", event.service, event.aggregate_id),
        endpoint_id,
        event_id: event.id.clone(),
        event_type: event_type.to_owned(),
        aggregate_id: event.aggregate_id.clone(),
        seq: event.seq,
        body,
        state: State::Pending,
        attempts: 0,
        last_status: None,
        last_error: None,
        wake_at: Some(now),
        attempts_before: 0,
        is_blocked: false,
        open_until: later(now, TRIED_FOR),
        created_at: now,
        updated_at: now,
        expires_at: later(event.at, KEPT_FOR),
    }
}
