//! Events in: from the contract to the deliveries that it has. They are durable before the event is acknowledged, and those of an
//! aggregate are written in its order, whichever process hears of them.

use crate::{
    catalogue::{Catalogue, event_type},
    domain::{Delivery, Endpoint, HEARD_FOR, KEPT_FOR, State, TRIED_FOR, later},
    error::Error,
    identity::delivery_id,
    store::{Cursors, Deliveries, Endpoints},
};
use ::events::{Event, Handler, HandlerError};
use ::store::{Time, now};
use std::sync::Arc;

/// Of an aggregate that is heard of for the first time at this event at the latest, those before are asked for: they may be under
/// way in another process. One that is older has been there before any endpoint wanted its events, and begins there.
const FILLED: i64 = 64;

/// Writes the deliveries of events. What a delivery is depends on event and endpoint alone, and there is one under its identifier:
/// a second delivery of the event finds it.
pub struct Writer {
    pub endpoints: Endpoints,
    pub deliveries: Deliveries,
    pub cursors: Cursors,
    pub catalogue: Arc<Catalogue>,
}

#[tonic::async_trait]
impl Handler for Writer {
    async fn apply(&self, event: &Event) -> Result<(), HandlerError> {
        let endpoints = self.endpoints.wanting(&self.catalogue.types_of(&event.aggregate)).await?;
        if endpoints.is_empty() {
            return Ok(());
        }
        let aggregate = aggregate(event);
        match self.cursors.seq(&aggregate).await? {
            Some(seq) if event.seq > seq + 1 => return Err(HandlerError::Gap { expected: seq + 1, seq: event.seq }),
            None if (2..=FILLED).contains(&event.seq) => return Err(HandlerError::Gap { expected: 1, seq: event.seq }),
            _ => {}
        }
        self.write(event, &endpoints).await?;
        Ok(self.cursors.advance(&aggregate, event.seq).await?)
    }

    async fn skip(&self, event: &Event) -> Result<(), HandlerError> {
        Ok(self.cursors.advance(&aggregate(event), event.seq).await?)
    }
}

impl Writer {
    /// Writes the deliveries of an event to those of these endpoints that want it.
    async fn write(&self, event: &Event, endpoints: &[Endpoint]) -> Result<(), HandlerError> {
        let now = now();
        let event_type = event_type(&event.aggregate, &event.name);
        let wants =
            |endpoint: &&Endpoint| endpoint.created_at <= event.at && endpoint.event_types.contains(&event_type);
        let wanting: Vec<String> = endpoints.iter().filter(wants).map(|endpoint| endpoint.id.clone()).collect();
        if wanting.is_empty() || now >= later(event.at, HEARD_FOR) {
            return Ok(());
        }
        let at = event.at.try_to_rfc3339_string().map_err(|_| Error::Malformed(event.id.clone()))?;
        let body = self.catalogue.body(&event_type, &at, &event.data);
        let body = body.ok_or_else(|| Error::Malformed(event.id.clone()))?;
        telemetry::crash_point("webhooks.writing");
        for endpoint_id in &wanting {
            self.deliveries.write(&delivery(event, &event_type, endpoint_id.clone(), body.clone(), now)).await?;
        }
        // One that was deleted meanwhile may have had its deliveries removed before these were written.
        for endpoint_id in self.endpoints.missing(&wanting).await? {
            self.deliveries.delete_of(&endpoint_id).await?;
        }
        telemetry::crash_point("webhooks.written");
        Ok(())
    }
}

fn aggregate(event: &Event) -> String {
    format!("{}/{}/{}", event.service, event.aggregate, event.aggregate_id)
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
