//! What a carrier tells: twice, out of order, and too much.

use super::*;
use crate::domain::{
    Label, TrackingEvent,
    TrackingKind::{self, Delivered, InTransit, Lost, Returned},
};

fn label() -> Label {
    Label { carrier: "sandbox".into(), tracking_number: "SBX-1".into() }
}

fn event(number: usize, kind: TrackingKind) -> TrackingEvent {
    TrackingEvent { carrier: "sandbox".into(), event_id: format!("evt-{number}"), kind, at: now() }
}

proptest! {
    #[test]
    fn in_whatever_order_events_come_and_however_often_the_end_is_the_same(
        kinds in prop::collection::vec(
            prop::sample::select(vec![InTransit, Delivered, Lost, Returned]),
            1..6,
        ),
        order in prop::collection::vec(any::<prop::sample::Index>(), 12),
    ) {
        let last = |kinds: &[TrackingKind]| [Returned, Delivered, Lost, InTransit]
            .into_iter().find(|kind| kinds.contains(kind)).expect("there is one");
        let mut shipment = planned();
        let sent = order.iter().map(|index| index.index(kinds.len())).chain(0..kinds.len());
        for number in sent {
            let tracked = shipment.track(event(number, kinds[number]), label(), now()).expect("the carrier may report it");
            let Some((next, path)) = tracked else { continue };
            let mut state = shipment.state;
            for step in path {
                prop_assert!(LEGAL.contains(&(state, step)), "{:?} to {:?}", state, step);
                state = step;
            }
            prop_assert_eq!(state, next.state);
            shipment = next;
        }
        let wanted = match last(&kinds) {
            InTransit => State::Dispatched,
            Delivered => State::Delivered,
            Lost => State::Lost,
            Returned => State::Returned,
        };
        prop_assert_eq!((shipment.state, shipment.tracking_events.len()), (wanted, kinds.len()));
    }
}

#[test]
fn beyond_a_hundred_only_events_that_move_the_shipment_are_kept() {
    let mut shipment = planned();
    for number in 0..100 {
        shipment = shipment.track(event(number, InTransit), label(), now()).unwrap().unwrap().0;
    }
    let more = shipment.track(event(100, InTransit), label(), now());
    assert!(matches!(more, Err(Error::TooManyEvents)));
    let (delivered, _) = shipment.track(event(101, Delivered), label(), now()).unwrap().unwrap();
    assert_eq!((delivered.state, delivered.tracking_events.len()), (State::Delivered, 101));
}
