//! A dead letter: the event, or the message that is none, and why it was set aside.

use crate::Event;
use bson::Binary;
use contracts::events::v1 as wire;
use serde::{Deserialize, Serialize};
use store::{Time, fields::time};

/// The noun of letters about messages that are no events, in the place of an aggregate's; no service has it.
pub(crate) const FOREIGN: &str = "message";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Letter {
    #[serde(rename = "_id")]
    pub event_id: String,
    pub service: String,
    pub aggregate: String,
    pub aggregate_id: String,
    pub seq: i64,
    pub log_sequence: i64,
    pub r#type: String,
    pub name: String,
    pub at: Time,
    pub trace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    pub data: Binary,
    /// Why it could not be applied; none when it only waits behind another.
    pub reason: Option<String>,
    pub attempts: i32,
    pub parked_at: Time,
    /// When it is tried again by itself; none when it needs a person.
    pub next_attempt_at: Option<Time>,
}

impl Letter {
    /// Whether it is about a message that is no event.
    pub fn is_foreign(&self) -> bool {
        self.aggregate == FOREIGN
    }

    pub fn event(&self) -> Event {
        Event {
            id: self.event_id.clone(),
            service: self.service.clone(),
            aggregate: self.aggregate.clone(),
            aggregate_id: self.aggregate_id.clone(),
            seq: self.seq,
            log_sequence: self.log_sequence,
            r#type: self.r#type.clone(),
            name: self.name.clone(),
            at: self.at,
            trace: self.trace.clone(),
            actor: self.actor.clone(),
            data: self.data.bytes.clone().into(),
        }
    }

    pub fn to_wire(&self) -> wire::DeadLetter {
        wire::DeadLetter {
            event: Some(self.event().to_wire()),
            reason: self.reason.clone().unwrap_or_default(),
            attempts: self.attempts,
            park_time: Some(time::to_wire(self.parked_at)),
            next_attempt_time: self.next_attempt_at.map(time::to_wire),
        }
    }
}
