//! An event in its two forms: an entry of the log, and a CloudEvents 1.0 message (NATS binding, binary mode).

use async_nats::{HeaderMap, HeaderName, HeaderValue, jetstream::Message};
use bson::Binary;
use bytes::Bytes;
use contracts::events::v1 as wire;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;
use store::{Time, fields::time};

/// Header that carries `gseq`; the tail of the stream is compared with the log by it.
pub(crate) const GSEQ: &str = "ce-logsequence";

/// An entry of the log; collection `events` keeps the entries of an append together (`store::log`).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Place in the log: gap-free, from 1. Stored for the first entry of a segment alone.
    #[serde(rename = "_id", skip_serializing)]
    pub gseq: i64,
    pub eid: String,
    pub agg: String,
    pub aid: String,
    /// Place among its events, from 1.
    pub seq: i64,
    pub r#type: String,
    pub name: String,
    pub at: Time,
    /// W3C `traceparent`.
    pub trace: Option<String>,
    /// Who caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    pub data: Binary,
}

impl Entry {
    /// `evt.<service>.<aggregate>.<event>.<id>`.
    pub fn subject(&self, service: &str) -> String {
        format!("evt.{service}.{}.{}.{}", self.agg, self.name, self.aid)
    }

    pub fn event(self, service: &str) -> Event {
        Event {
            id: self.eid,
            service: service.to_owned(),
            aggregate: self.agg,
            aggregate_id: self.aid,
            seq: self.seq,
            log_sequence: self.gseq,
            r#type: self.r#type,
            name: self.name,
            at: self.at,
            trace: self.trace,
            actor: self.actor,
            data: self.data.bytes.into(),
        }
    }

    /// The headers of the message; `source` is the service's `ce-source`.
    pub fn headers(&self, source: &HeaderValue) -> HeaderMap {
        const fn name(name: &'static str) -> HeaderName {
            HeaderName::from_static(name)
        }
        let mut headers = HeaderMap::new();
        headers.insert(const { name("Nats-Msg-Id") }, self.eid.as_str());
        headers.insert(const { name("ce-specversion") }, "1.0");
        headers.insert(const { name("ce-id") }, self.eid.as_str());
        headers.insert(const { name("ce-source") }, source.clone());
        headers.insert(const { name("ce-type") }, self.r#type.as_str());
        headers.insert(const { name("ce-subject") }, format!("{}/{}", self.agg, self.aid));
        headers.insert(const { name("ce-time") }, self.at.try_to_rfc3339_string().unwrap_or_default());
        headers.insert(const { name("ce-partitionkey") }, self.aid.as_str());
        headers.insert(const { name("ce-sequence") }, self.seq.to_string());
        headers.insert(const { name(GSEQ) }, self.gseq.to_string());
        headers.insert(const { name("content-type") }, "application/protobuf");
        if let Some(trace) = &self.trace {
            headers.insert(const { name("traceparent") }, trace.as_str());
        }
        if let Some(actor) = &self.actor {
            headers.insert(const { name("ce-actor") }, actor.as_str());
        }
        headers
    }
}

#[derive(Debug, Clone)]
pub struct Event {
    /// Event id, `evt_…`; the same on every delivery.
    pub id: String,
    pub service: String,
    pub aggregate: String,
    pub aggregate_id: String,
    /// Place among the aggregate's events, from 1, without gaps.
    pub seq: i64,
    /// Place in the publisher's log, from 1, without gaps.
    pub log_sequence: i64,
    pub r#type: String,
    /// Last word of the subject: `created`.
    pub name: String,
    pub at: Time,
    /// W3C `traceparent` of the request that caused it.
    pub trace: Option<String>,
    /// Who caused it, `ROLE:ID` or `anonymous`; none of what its service does by itself.
    pub actor: Option<String>,
    pub data: Bytes,
}

impl Event {
    /// Reads a message of the stream of `source`; why it is none of its events, otherwise.
    pub(crate) fn parse(message: &Message, source: &str) -> Result<Self, String> {
        let header = |name: &str| message.headers.as_ref()?.get(name).map(|value| value.as_str().to_owned());
        let required =
            |name: &str| header(name).filter(|value| !value.is_empty()).ok_or_else(|| format!("it has no {name}"));
        let place = |name: &str| {
            let place = required(name)?.parse().ok().filter(|place: &i64| *place > 0);
            place.ok_or_else(|| format!("its {name} is no number from 1"))
        };
        let subject = required("ce-subject")?;
        let (aggregate, aggregate_id) = subject.split_once('/').ok_or("its ce-subject has no identifier")?;
        let name = message.subject.split('.').nth(3).unwrap_or_default();
        if required("ce-source")? != format!("/comptoir/{source}") {
            return Err(format!("its ce-source is not /comptoir/{source}"));
        }
        if *message.subject != format!("evt.{source}.{aggregate}.{name}.{aggregate_id}") {
            return Err("its ce-subject is not that of the subject it was published on".to_owned());
        }
        let at = header("ce-time").and_then(|at| Time::parse_rfc3339_str(at).ok());
        Ok(Self {
            id: required("ce-id")?,
            service: source.to_owned(),
            aggregate: aggregate.to_owned(),
            aggregate_id: aggregate_id.to_owned(),
            seq: place("ce-sequence")?,
            log_sequence: place(GSEQ)?,
            r#type: required("ce-type")?,
            name: name.to_owned(),
            at: at.unwrap_or_else(|| SystemTime::UNIX_EPOCH.into()),
            trace: header("traceparent"),
            actor: header("ce-actor"),
            data: message.payload.clone(),
        })
    }

    /// The event on the wire of the event service.
    pub(crate) fn to_wire(&self) -> wire::Event {
        wire::Event {
            id: self.id.clone(),
            service: self.service.clone(),
            aggregate: self.aggregate.clone(),
            aggregate_id: self.aggregate_id.clone(),
            seq: self.seq,
            log_sequence: self.log_sequence,
            r#type: self.r#type.clone(),
            name: self.name.clone(),
            time: Some(time::to_wire(self.at)),
            traceparent: self.trace.clone().unwrap_or_default(),
            actor: self.actor.clone().unwrap_or_default(),
            data: self.data.to_vec(),
        }
    }

    pub(crate) fn from_wire(event: wire::Event) -> Self {
        let at = event.time.map_or(0, |at| at.seconds * 1000 + i64::from(at.nanos) / 1_000_000);
        Self {
            id: event.id,
            service: event.service,
            aggregate: event.aggregate,
            aggregate_id: event.aggregate_id,
            seq: event.seq,
            log_sequence: event.log_sequence,
            r#type: event.r#type,
            name: event.name,
            at: Time::from_millis(at),
            trace: Some(event.traceparent).filter(|trace| !trace.is_empty()),
            actor: Some(event.actor).filter(|actor| !actor.is_empty()),
            data: event.data.into(),
        }
    }

    /// The message, when it is of type `M`.
    pub fn decode<M: prost::Message + prost::Name + Default>(&self) -> Option<Result<M, prost::DecodeError>> {
        (self.r#type == M::full_name()).then(|| M::decode(self.data.clone()))
    }
}
