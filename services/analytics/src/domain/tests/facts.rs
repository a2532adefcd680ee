//! The fold: whatever the order and the repetition of the events, one fact.

use super::euros;
use crate::domain::{Amount, Change, Fact, FoldError, Line, Placed, What, fact::MovementKind, fold};
use ::store::Time;
use contracts::orders::v1::order::State;
use proptest::prelude::*;

fn change(seq: i64, what: What) -> Change {
    Change { order_id: "ord_1".to_owned(), seq, at: Time::from_millis(1_000 * seq), what }
}

fn placed(total: i128) -> What {
    let line = |product: &str, units: i64, gross: i128| Line {
        product_id: product.to_owned(),
        sku: "SKU".to_owned(),
        name: "Teapot".to_owned(),
        units,
        gross: euros(gross),
    };
    let lines = vec![line("prd_1", 2, total - 500), line("prd_2", 1, 300)];
    What::Placed(Placed { at: Time::from_millis(900), total: euros(total), units: 3, lines })
}

fn moved(state: State) -> What {
    What::Moved { state: state.into(), captured: None }
}

fn shipped(captured: i128) -> What {
    What::Moved { state: State::Shipped.into(), captured: Some(euros(captured)) }
}

fn refunded(id: &str, amount: i128) -> What {
    What::Refunded { refund_id: id.to_owned(), amount: euros(amount) }
}

/// The changes of an order, numbered from 1.
fn numbered(what: impl IntoIterator<Item = What>) -> Vec<Change> {
    (1..).zip(what).map(|(seq, what)| change(seq, what)).collect()
}

fn in_order(changes: &[Change]) -> Fact {
    let folded = changes.iter().fold(None, |fact, change| fold(fact, change).expect("no gap"));
    folded.expect("a fact")
}

/// The movements of a fact: kind, amount in minor units, and the `seq` of the event that told it.
fn movements(fact: &Fact) -> Vec<(MovementKind, i128, i64)> {
    let told = |at: Time| at.timestamp_millis() / 1_000;
    fact.movements.iter().map(|one| (one.kind, one.amount.0.minor(), told(one.at))).collect()
}

#[test]
fn a_sale_counts_when_it_is_confirmed_and_a_refund_when_it_is_given() {
    let fact = in_order(&numbered([
        placed(2_000),
        moved(State::Confirmed),
        moved(State::Confirmed),
        shipped(2_000),
        refunded("rfd_1", 150),
        moved(State::Delivered),
        refunded("rfd_2", 350),
    ]));
    let expected =
        [(MovementKind::Gross, 2_000, 2), (MovementKind::Refunded, 150, 5), (MovementKind::Refunded, 350, 7)];
    assert_eq!(movements(&fact), expected);
    assert_eq!((fact.confirmed_at, fact.seq), (Some(Time::from_millis(2_000)), 7));
    assert_eq!(fact.movements.iter().map(|one| one.units).collect::<Vec<_>>(), [3, 0, 0]);
}

#[test]
fn an_order_that_was_never_confirmed_has_no_movement() {
    for end in [vec![moved(State::Rejected)], vec![moved(State::Cancelling), moved(State::Cancelled)]] {
        let fact = in_order(&numbered([placed(2_000)].into_iter().chain(end)));
        assert_eq!((movements(&fact), fact.confirmed_at), (vec![], None));
    }
}

#[test]
fn a_cancellation_takes_the_whole_sale_back_and_one_that_failed_sells_nothing_again() {
    let sold = [placed(2_000), moved(State::Confirmed), moved(State::Cancelling)];
    let cancelled = in_order(&numbered(sold.clone().into_iter().chain([moved(State::Cancelled)])));
    assert_eq!(movements(&cancelled), [(MovementKind::Gross, 2_000, 2), (MovementKind::Cancelled, 2_000, 4)]);
    let kept = in_order(&numbered(sold.into_iter().chain([moved(State::Confirmed)])));
    assert_eq!(movements(&kept), [(MovementKind::Gross, 2_000, 2)]);
}

#[test]
fn what_was_stopped_before_it_left_is_taken_back_when_the_order_has_shipped() {
    let fact = in_order(&numbered([placed(2_000), moved(State::Confirmed), shipped(1_234), shipped(1_234)]));
    assert_eq!(movements(&fact), [(MovementKind::Gross, 2_000, 2), (MovementKind::Cancelled, 766, 3)]);
    // Older events do not tell what was captured.
    let old = in_order(&numbered([placed(2_000), moved(State::Confirmed), moved(State::Shipped)]));
    assert_eq!(movements(&old), [(MovementKind::Gross, 2_000, 2)]);
}

#[test]
fn a_fact_whose_first_event_was_given_up_counts_nothing() {
    let fact = in_order(&numbered([What::Other, moved(State::Confirmed), moved(State::Cancelled)]));
    assert_eq!((fact.order, fact.confirmed_at, fact.movements.len(), fact.seq), (None, None, 0, 3));
}

#[test]
fn an_event_that_overtook_its_predecessor_is_a_gap() {
    let changes = numbered([placed(2_000), moved(State::Confirmed), shipped(2_000)]);
    let first = fold(None, &changes[0]).expect("no gap");
    assert_eq!(fold(first, &changes[2]), Err(FoldError::Gap { expected: 2, seq: 3 }));
    assert_eq!(fold(None, &changes[1]), Err(FoldError::Gap { expected: 1, seq: 2 }));
}

#[test]
fn amounts_of_another_currency_are_an_error_and_no_movement() {
    let other = Amount(contracts::money::Money::from_minor("USD", 1_000).expect("an amount"));
    let stopped = What::Moved { state: State::Shipped.into(), captured: Some(other) };
    let changes = numbered([placed(2_000), moved(State::Confirmed), stopped]);
    let confirmed = in_order(&changes[..2]);
    assert!(matches!(fold(Some(confirmed), &changes[2]), Err(FoldError::Money { .. })));
}

/// The life of an order.
fn life() -> impl Strategy<Value = Vec<Change>> {
    let refunds = prop::collection::vec(1_i128..500, 0..4);
    (1_000_i128..100_000, 0_u8..4, refunds).prop_map(|(total, end, refunds)| {
        let mut what = vec![placed(total)];
        match end {
            0 => what.push(moved(State::Rejected)),
            1 => what.extend([State::Confirmed, State::Cancelling, State::Cancelled].map(moved)),
            _ => {
                what.extend([moved(State::Confirmed), What::Other, shipped(total - i128::from(end % 2))]);
                let refunds = refunds.iter().enumerate();
                what.extend(refunds.map(|(number, amount)| refunded(&format!("rfd_{number}"), *amount)));
            }
        }
        numbered(what)
    })
}

/// A life, and its events in any order with any of them repeated.
fn shuffled() -> impl Strategy<Value = (Vec<Change>, Vec<Change>)> {
    life().prop_flat_map(|life| {
        let again = prop::sample::subsequence(life.clone(), 0..=life.len());
        let all = again.prop_map({
            let life = life.clone();
            move |again| life.iter().cloned().chain(again).collect::<Vec<_>>()
        });
        (Just(life), all.prop_shuffle())
    })
}

/// Delivers as the consumer does: what comes too early comes again.
fn delivered(changes: Vec<Change>) -> Option<Fact> {
    let (mut fact, mut waiting) = (None, changes);
    while !waiting.is_empty() {
        let before = waiting.len();
        waiting.retain(|change| match fold(fact.clone(), change) {
            Ok(next) => {
                fact = next.or(fact.take());
                false
            }
            Err(_) => true,
        });
        assert!(waiting.len() < before, "no event is left behind: {waiting:?}");
    }
    fact
}

proptest! {
    #[test]
    fn any_order_and_any_repetition_make_the_same_fact((life, shuffled) in shuffled()) {
        prop_assert_eq!(delivered(shuffled), Some(in_order(&life)));
    }

    #[test]
    fn a_fact_is_read_as_it_was_stored(life in life()) {
        let fact = in_order(&life);
        let stored = bson::serialize_to_vec(&fact).expect("BSON");
        prop_assert_eq!(bson::deserialize_from_slice::<Fact>(&stored).expect("a fact"), fact);
    }
}
