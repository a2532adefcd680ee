//! From entries and faults to the contract.

use crate::{
    domain::{Entry, Fault, FaultKind},
    error::Error,
    store::Range,
};
use ::store::fields::time;
use contracts::audit::v1 as wire;

/// A range of days, which is not empty.
pub fn range(start: String, end: String) -> Result<Range, Error> {
    if start.is_empty() || end.is_empty() || start < end { Ok(Range { start, end }) } else { Err(Error::Range) }
}

pub fn entry(entry: Entry) -> wire::Entry {
    wire::Entry {
        entry_id: entry.id,
        event_id: entry.event_id,
        service: entry.service,
        aggregate: entry.aggregate,
        aggregate_id: entry.aggregate_id,
        seq: entry.seq,
        r#type: entry.event_type,
        name: entry.name,
        event_time: Some(time::to_wire(entry.event_at)),
        actor: entry.actor,
        actor_role: entry.actor_role,
        data_digest: entry.data_digest,
        hash: entry.hash,
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
