//! From entries and faults to the contract.

use crate::{
    check::{Fault, FaultKind},
    error::Error,
    store::Range,
};
use ::store::fields::time;
use bson::RawDocument;
use contracts::audit::v1 as wire;

/// A range of days, which is not empty.
pub fn range(start: String, end: String) -> Result<Range, Error> {
    if start.is_empty() || end.is_empty() || start < end { Ok(Range { start, end }) } else { Err(Error::Range) }
}

/// An entry as it is stored. A field that somebody has made something else is empty: verification tells of it, and one such
/// entry keeps nobody from reading the others.
pub fn entry(stored: &RawDocument) -> wire::Entry {
    let text = |field: &str| stored.get_str(field).unwrap_or_default().to_owned();
    wire::Entry {
        entry_id: text("_id"),
        event_id: text("event_id"),
        service: text("service"),
        aggregate: text("aggregate"),
        aggregate_id: text("aggregate_id"),
        seq: stored.get_i64("seq").unwrap_or_default(),
        r#type: text("type"),
        name: text("name"),
        event_time: stored.get_datetime("event_at").ok().map(time::to_wire),
        actor: text("actor"),
        actor_role: text("actor_role"),
        data_digest: text("data_digest"),
        hash: text("hash"),
    }
}

pub fn fault(fault: Fault) -> wire::Fault {
    let kind = match fault.kind {
        FaultKind::Changed => wire::fault::Kind::Changed,
        FaultKind::Removed => wire::fault::Kind::Removed,
        FaultKind::Inserted => wire::fault::Kind::Inserted,
    };
    wire::Fault { entry_id: fault.entry_id, kind: kind.into(), description: fault.description }
}
