//! The services whose events a service reads: asked for what is missing between two events of an aggregate.

use crate::Event;
use contracts::events::v1::{ListEventsRequest, event_service_client::EventServiceClient};
use rpc::Channel;
use std::{collections::HashMap, sync::Arc};
use tonic::Status;

/// Events in one answer: one batch of the publisher.
pub(crate) const PAGE: i32 = 500;

/// Clients of the sources. Cheap to clone.
#[derive(Clone, Default)]
pub struct EventSources(Arc<HashMap<String, EventServiceClient<Channel>>>);

impl EventSources {
    pub fn new(channels: HashMap<String, Channel>) -> Self {
        Self(Arc::new(channels.into_iter().map(|(name, channel)| (name, EventServiceClient::new(channel))).collect()))
    }

    /// Events of one aggregate with `after < seq < before`, in order.
    pub(crate) async fn between(&self, event: &Event, after: i64) -> Result<Vec<Event>, Status> {
        let mut found = Vec::new();
        let mut after_seq = after;
        while after_seq + 1 < event.seq {
            let request = ListEventsRequest {
                aggregate_id: event.aggregate_id.clone(),
                after_seq,
                after_log_sequence: 0,
                page_size: PAGE,
            };
            let page = self.list(&event.service, request).await?;
            let Some(last) = page.last() else { break };
            after_seq = last.seq;
            found.extend(page.into_iter().filter(|missing| missing.seq < event.seq));
        }
        Ok(found)
    }

    /// A page of a source's log after `after_log_sequence`.
    pub(crate) async fn after(&self, source: &str, after_log_sequence: i64) -> Result<Vec<Event>, Status> {
        let request =
            ListEventsRequest { aggregate_id: String::new(), after_seq: 0, after_log_sequence, page_size: PAGE };
        self.list(source, request).await
    }

    /// The first event of a source's log after `after_log_sequence`.
    pub(crate) async fn first_after(&self, source: &str, after_log_sequence: i64) -> Result<Option<Event>, Status> {
        let request = ListEventsRequest { after_log_sequence, page_size: 1, ..Default::default() };
        Ok(self.list(source, request).await?.into_iter().next())
    }

    async fn list(&self, source: &str, request: ListEventsRequest) -> Result<Vec<Event>, Status> {
        let client = self.0.get(source).ok_or_else(|| Status::not_found(format!("{source} is not a source")))?;
        let reply = client.clone().list_events(request).await?.into_inner();
        Ok(reply.events.into_iter().map(Event::from_wire).collect())
    }
}
