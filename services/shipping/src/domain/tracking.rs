//! Tracking events of a carrier, which come twice, late and in any order. Pure.

use super::{Error, Label, Shipment, State, TrackingEvent, TrackingKind};
use ::store::Time;
use contracts::text;

/// Most events that a shipment keeps, for its document stays small. Beyond them only events that move the shipment are
/// kept: at most four, for a state is entered once.
const MOST_EVENTS: usize = 100;

impl TrackingKind {
    const fn state(self) -> State {
        match self {
            TrackingKind::InTransit => State::Dispatched,
            TrackingKind::Delivered => State::Delivered,
            TrackingKind::Lost => State::Lost,
            TrackingKind::Returned => State::Returned,
        }
    }
}

impl Shipment {
    /// The shipment after an event of its parcel, which the carrier has under `label`, and the states that it went through.
    /// `None` when the event is known. States only move on, so events end in the same state in whatever order they come.
    pub fn track(
        &self,
        mut event: TrackingEvent,
        label: Label,
        now: Time,
    ) -> Result<Option<(Self, Vec<State>)>, Error> {
        if text::folded(&event.carrier) != text::folded(&label.carrier) {
            return Err(Error::CarrierUnknown(event.carrier));
        }
        event.carrier.clone_from(&label.carrier);
        let is_repeated = |known: &&TrackingEvent| known.carrier == event.carrier && known.event_id == event.event_id;
        if let Some(known) = self.tracking_events.iter().find(is_repeated) {
            return if known.kind == event.kind { Ok(None) } else { Err(Error::EventMismatch(event.event_id)) };
        }
        let path = path(self.state, event.kind.state());
        if path.is_empty() && self.tracking_events.len() >= MOST_EVENTS {
            return Err(Error::TooManyEvents);
        }
        let mut next = Self { updated_at: now, ..self.clone() };
        next.tracking_events.push(event);
        if let Some(last) = path.last() {
            next.state = *last;
            next.label = Some(label);
        }
        Ok(Some((next, path)))
    }
}

/// The states after `from` up to `to`; none when the shipment is at `to` or beyond.
fn path(from: State, to: State) -> Vec<State> {
    match from {
        State::Cancelled => Vec::new(),
        State::Created if to == State::Dispatched => vec![to],
        // The event of the dispatch was lost or is late: whatever else a carrier reports, it has the parcel.
        State::Created => vec![State::Dispatched, to],
        State::Dispatched | State::Lost | State::Delivered | State::Returned if from.next().contains(&to) => vec![to],
        State::Dispatched | State::Lost | State::Delivered | State::Returned => Vec::new(),
    }
}
