//! What a carrier tells of a shipment: twice, late and in any order. Pure.

use super::{Error, Label, News, NewsKind, Shipment, State};
use ::store::Time;
use contracts::text;

/// Most news that are kept; beyond them only what moves the shipment is taken, which are few.
const MOST: usize = 100;

impl NewsKind {
    const fn state(self) -> State {
        match self {
            NewsKind::InTransit => State::Dispatched,
            NewsKind::Delivered => State::Delivered,
            NewsKind::Lost => State::Lost,
            NewsKind::Returned => State::Returned,
        }
    }
}

impl Shipment {
    /// The shipment after news of its parcel, which the carrier has under `label`, and the states it went through. `None`
    /// when they are known. It only moves on: whatever the order in which news come, it ends in the same state.
    pub fn hear(&self, mut news: News, label: Label, now: Time) -> Result<Option<(Self, Vec<State>)>, Error> {
        if text::folded(&news.carrier) != text::folded(&label.carrier) {
            return Err(Error::CarrierUnknown(news.carrier));
        }
        news.carrier.clone_from(&label.carrier);
        let is_same = |known: &&News| known.carrier == news.carrier && known.event_id == news.event_id;
        if let Some(known) = self.news.iter().find(is_same) {
            return if known.kind == news.kind { Ok(None) } else { Err(Error::OtherNews(news.event_id)) };
        }
        let path = path(self.state, news.kind.state());
        if path.is_empty() && self.news.len() >= MOST {
            return Err(Error::TooMuchNews);
        }
        let mut next = Self { updated_at: now, ..self.clone() };
        next.news.push(news);
        if let Some(last) = path.last() {
            next.state = *last;
            next.label = Some(label);
        }
        Ok(Some((next, path)))
    }
}

/// The states from `from`, without it, up to `to`; none when it is there, or further.
fn path(from: State, to: State) -> Vec<State> {
    match from {
        State::Cancelled => Vec::new(),
        State::Created if to == State::Dispatched => vec![to],
        State::Created => vec![State::Dispatched, to],
        _ if from.next().contains(&to) => vec![to],
        _ => Vec::new(),
    }
}
