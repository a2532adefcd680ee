//! An event as JSON: CloudEvents attributes and the data, decoded by the contracts.

use super::subject;
use crate::Environment;
use anyhow::Context;
use base64::{Engine, prelude::BASE64_STANDARD};
use contracts::events::v1::{DeadLetter, Event};
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::{Map, Value, json};
use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
};

pub struct Decoder(DescriptorPool);

impl Decoder {
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(DescriptorPool::decode(contracts::DESCRIPTORS).context("read the contracts")?))
    }

    /// CloudEvents attributes, `natssubject`, and `data`; `data_base64` when the type is not known here.
    pub fn event(&self, event: &Event) -> Value {
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| drop(object.insert(name.to_owned(), value));
        put("specversion", "1.0".into());
        put("id", event.id.as_str().into());
        put("source", format!("/comptoir/{}", event.service).into());
        put("type", event.r#type.as_str().into());
        put("subject", format!("{}/{}", event.aggregate, event.aggregate_id).into());
        put("time", event.time.as_ref().map_or_else(String::new, timestamp).into());
        put("partitionkey", event.aggregate_id.as_str().into());
        put("sequence", event.seq.into());
        put("logsequence", event.log_sequence.into());
        if !event.r#type.is_empty() {
            put("natssubject", subject::of(event).into()); // a foreign message names its own in the letter's reason
        }
        if !event.traceparent.is_empty() {
            put("traceparent", event.traceparent.as_str().into());
        }
        match self.data(event) {
            Some(data) => put("data", data),
            None => put("data_base64", BASE64_STANDARD.encode(&event.data).into()),
        }
        Value::Object(object)
    }

    fn data(&self, event: &Event) -> Option<Value> {
        let descriptor = self.0.get_message_by_name(&event.r#type)?;
        let message = DynamicMessage::decode(descriptor, event.data.as_slice()).ok()?;
        serde_json::to_value(message).ok()
    }

    pub fn letter(&self, service: &str, letter: &DeadLetter) -> Value {
        json!({
            "service": service,
            "reason": letter.reason,
            "attempts": letter.attempts,
            "parkTime": letter.park_time.as_ref().map(timestamp),
            "nextAttemptTime": letter.next_attempt_time.as_ref().map(timestamp),
            "event": letter.event.as_ref().map(|event| self.event(event)),
        })
    }
}

/// RFC 3339, in milliseconds.
pub fn timestamp(time: &prost_types::Timestamp) -> String {
    let millis = time.seconds.saturating_mul(1000).saturating_add(i64::from(time.nanos) / 1_000_000);
    bson::DateTime::from_millis(millis).try_to_rfc3339_string().unwrap_or_default()
}

pub struct Output {
    is_coloured: bool,
}

impl Output {
    /// Standard output; with colours on a terminal, unless NO_COLOR (no-color.org) is set.
    pub fn new(environment: &Environment) -> Self {
        let is_refused = environment.get("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { is_coloured: io::stdout().is_terminal() && !is_refused }
    }

    /// Writes one line. False when the reader has gone.
    pub fn line(&self, value: &Value) -> anyhow::Result<bool> {
        let mut text = String::new();
        if self.is_coloured {
            colour(value, &mut text)?;
        } else {
            write!(text, "{value}")?;
        }
        text.push('\n');
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(true),
            // `tail | head` is no error.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Names blue, strings green, the rest yellow.
fn colour(value: &Value, text: &mut String) -> std::fmt::Result {
    match value {
        Value::Object(fields) => {
            text.push('{');
            for (index, (name, field)) in fields.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                write!(text, "{comma}\u{1b}[34m{}\u{1b}[0m:", Value::String(name.clone()))?;
                colour(field, text)?;
            }
            text.push('}');
        }
        Value::Array(entries) => {
            text.push('[');
            for (index, entry) in entries.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                colour(entry, text)?;
            }
            text.push(']');
        }
        Value::String(_) => write!(text, "\u{1b}[32m{value}\u{1b}[0m")?,
        Value::Null | Value::Bool(_) | Value::Number(_) => write!(text, "\u{1b}[33m{value}\u{1b}[0m")?,
    }
    Ok(())
}
