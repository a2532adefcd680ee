//! The rules of stock, one by one.

mod machine;

use super::{Command, Error, Line, Stock, WorkingSet};
use ::saga::StepCall;
use ::store::Time;

fn at(ms: i64) -> Time {
    Time::from_millis(ms)
}

fn lines(lines: &[(&str, i32)]) -> Vec<Line> {
    lines.iter().map(|(id, quantity)| Line { product_id: (*id).to_owned(), quantity: *quantity }).collect()
}

fn caller(epoch: i64) -> StepCall {
    StepCall { step_key: "a step".into(), epoch }
}

fn hold(id: &str, what: &[(&str, i32)]) -> Command {
    Command::Hold { id: id.to_owned(), call: caller(1), lines: lines(what), expires_at: at(1000) }
}

fn adjust(product: &str, delta: i32, key: &str) -> Command {
    Command::Adjust { product_id: product.to_owned(), delta, key: key.to_owned(), reason: "test".to_owned() }
}

fn extend(id: &str, until: i64) -> Command {
    Command::Extend { id: id.to_owned(), call: caller(1), expires_at: at(until) }
}

fn counters(set: &WorkingSet, product: &str) -> (i32, i32, i32) {
    let stock = set.stock.get(product).and_then(|entry| entry.state.clone()).unwrap_or_else(|| Stock::empty(at(0)));
    (stock.on_hand, stock.reserved, stock.committed)
}

fn stocked(units: i32) -> WorkingSet {
    let mut set = WorkingSet::default();
    set.apply(&adjust("prd_a", units, "first"), at(0)).expect("adds stock");
    set
}

#[test]
fn a_hold_takes_all_lines_or_none() {
    let mut set = stocked(5);
    let refused = set.apply(&hold("ord_1", &[("prd_a", 2), ("prd_b", 1)]), at(1));
    assert!(matches!(refused, Err(Error::OutOfStock(short)) if short == ["prd_b"]));
    assert_eq!(counters(&set, "prd_a"), (5, 0, 0));
    assert!(!set.reservations.contains_key("ord_1") || set.reservations["ord_1"].state.is_none());
}

#[test]
fn lines_of_one_product_are_added_up() {
    let mut set = stocked(5);
    assert!(set.apply(&hold("ord_1", &[("prd_a", 3), ("prd_a", 3)]), at(1)).is_err());
    set.apply(&hold("ord_2", &[("prd_a", 3), ("prd_a", 2)]), at(1)).expect("five of five");
    assert_eq!(counters(&set, "prd_a"), (5, 5, 0));
}

#[test]
fn a_release_before_its_hold_refuses_the_late_hold() {
    let mut set = stocked(5);
    set.apply(&Command::Release("ord_1".into(), caller(1)), at(1)).expect("leaves a mark");
    let late = set.apply(&hold("ord_1", &[("prd_a", 1)]), at(2));
    assert!(matches!(late, Err(Error::Released(_))));
    assert_eq!(counters(&set, "prd_a"), (5, 0, 0));
}

#[test]
fn a_hold_expires_only_after_its_end_and_cannot_be_committed_then() {
    let mut set = stocked(5);
    set.apply(&hold("ord_1", &[("prd_a", 2)]), at(1)).expect("holds");
    set.apply(&Command::Expire("ord_1".into()), at(999)).expect("too early: nothing");
    assert_eq!(counters(&set, "prd_a"), (5, 2, 0));
    set.apply(&Command::Expire("ord_1".into()), at(1000)).expect("expires");
    assert_eq!(counters(&set, "prd_a"), (5, 0, 0));
    assert!(matches!(set.apply(&Command::Commit("ord_1".into(), caller(1)), at(1001)), Err(Error::Expired(_))));
}

#[test]
fn an_extension_moves_the_end_of_a_hold_and_moves_no_stock() {
    let mut set = stocked(5);
    set.apply(&hold("ord_1", &[("prd_a", 2)]), at(1)).expect("holds");
    let movements = set.movements.len();
    set.apply(&extend("ord_1", 2000), at(500)).expect("extends");
    set.apply(&extend("ord_1", 1500), at(500)).expect("never shortens");
    set.apply(&Command::Expire("ord_1".into()), at(1999)).expect("too early: nothing");
    assert_eq!((counters(&set, "prd_a"), set.movements.len()), ((5, 2, 0), movements));
    set.apply(&Command::Expire("ord_1".into()), at(2000)).expect("expires");
    assert!(matches!(set.apply(&extend("ord_1", 9000), at(2001)), Err(Error::Expired(_))));
    assert_eq!(counters(&set, "prd_a"), (5, 0, 0));
}

#[test]
fn an_extension_leaves_a_sale_as_it_is_and_is_refused_after_a_release() {
    let mut set = stocked(5);
    set.apply(&hold("ord_1", &[("prd_a", 2)]), at(1)).expect("holds");
    let committed = set.apply(&Command::Commit("ord_1".into(), caller(1)), at(2)).expect("commits");
    assert_eq!(set.apply(&extend("ord_1", 9000), at(3)).expect("answers"), committed);
    set.apply(&Command::Release("ord_1".into(), caller(1)), at(4)).expect("releases");
    assert!(matches!(set.apply(&extend("ord_1", 9000), at(5)), Err(Error::Released(_))));
    assert!(matches!(set.apply(&extend("ord_9", 9000), at(5)), Err(Error::NoReservation(_))));
}

#[test]
fn the_same_reservation_with_other_lines_is_refused() {
    let mut set = stocked(5);
    set.apply(&hold("ord_1", &[("prd_a", 2)]), at(1)).expect("holds");
    assert!(matches!(set.apply(&hold("ord_1", &[("prd_a", 3)]), at(1)), Err(Error::OtherLines(_))));
    assert_eq!(counters(&set, "prd_a"), (5, 2, 0));
}

#[test]
fn an_adjustment_with_a_known_key_does_nothing() {
    let mut set = stocked(5);
    set.apply(&adjust("prd_a", 5, "first"), at(1)).expect("a repeat is answered");
    assert_eq!(counters(&set, "prd_a"), (5, 0, 0));
}

#[test]
fn another_command_under_a_known_key_is_refused_and_moves_nothing() {
    let mut set = stocked(5);
    set.apply(&backorder(true, "on"), at(1)).expect("a setting");
    let reason = |command| match command {
        Command::Adjust { product_id, delta, key, .. } => {
            Command::Adjust { product_id, delta, key, reason: "another".to_owned() }
        }
        other => other,
    };
    let others = [
        adjust("prd_a", 6, "first"),
        adjust("prd_b", 5, "first"),
        reason(adjust("prd_a", 5, "first")),
        backorder(false, "on"),
        backorder(true, "first"),
    ];
    for other in others {
        let before = set.clone();
        assert!(matches!(set.apply(&other, at(2)), Err(Error::KeyReused)), "{other:?}");
        assert_eq!(set, before);
    }
}

fn backorder(allowed: bool, key: &str) -> Command {
    Command::SetBackorder { product_id: "prd_a".to_owned(), allowed, key: key.to_owned() }
}

fn restock(quantity: i32, key: &str) -> Command {
    let line = Line { product_id: "prd_a".to_owned(), quantity };
    Command::Restock { id: "ord_1".to_owned(), line, key: key.to_owned() }
}

#[test]
fn with_backorder_more_is_held_than_is_there_and_what_is_owed_is_shown() {
    let mut set = stocked(5);
    set.apply(&backorder(true, "on"), at(1)).expect("a setting");
    set.apply(&hold("ord_1", &[("prd_a", 8)]), at(1)).expect("three too many");
    let stock = set.stock["prd_a"].state.clone().expect("it is there");
    assert_eq!((stock.available(), stock.owed()), (-3, 3));
    assert!(matches!(set.apply(&backorder(false, "off"), at(2)), Err(Error::Owed { units: 3, .. })));
    set.apply(&adjust("prd_a", 3, "second"), at(3)).expect("what was owed arrives");
    set.apply(&backorder(false, "off"), at(4)).expect("nothing is owed");
    assert!(matches!(set.apply(&hold("ord_2", &[("prd_a", 1)]), at(5)), Err(Error::OutOfStock(_))));
}

#[test]
fn with_backorder_a_shelf_cannot_be_counted_below_nothing() {
    let mut set = stocked(5);
    set.apply(&backorder(true, "on"), at(1)).expect("a setting");
    let refused = set.apply(&adjust("prd_a", -6, "count"), at(2));
    assert!(matches!(refused, Err(Error::BelowZero { available: 5, .. })));
    set.apply(&adjust("prd_a", -5, "count"), at(2)).expect("an empty shelf");
}

#[test]
fn a_setting_is_in_the_ledger_once_for_each_change() {
    let mut set = stocked(5);
    for (allowed, key) in [(true, "a"), (true, "b"), (false, "c"), (false, "d"), (true, "e"), (true, "a")] {
        set.apply(&backorder(allowed, key), at(1)).expect("a setting");
    }
    let kinds: Vec<&str> = set.movements.iter().map(|movement| movement.kind.as_str()).collect();
    assert_eq!(kinds, ["ADJUST", "BACKORDER_ON", "BACKORDER_OFF", "BACKORDER_ON"]);
}

#[test]
fn what_comes_back_is_on_hand_again_and_never_more_than_what_left() {
    let mut set = stocked(5);
    set.apply(&hold("ord_1", &[("prd_a", 3)]), at(1)).expect("holds");
    set.apply(&Command::Commit("ord_1".into(), caller(1)), at(2)).expect("commits");
    assert!(matches!(set.apply(&restock(1, "early"), at(2)), Err(Error::NotShipped(_))));
    set.apply(&Command::Ship("ord_1".into(), caller(1)), at(3)).expect("ships");
    for _ in 0..2 {
        set.apply(&restock(2, "parcel 1"), at(4)).expect("a repeat is answered");
        assert_eq!(counters(&set, "prd_a"), (4, 0, 0));
    }
    assert!(matches!(set.apply(&restock(1, "parcel 1"), at(4)), Err(Error::KeyReused)));
    assert!(matches!(set.apply(&restock(2, "parcel 2"), at(5)), Err(Error::MoreThanShipped { left: 1, .. })));
    set.apply(&restock(1, "parcel 2"), at(5)).expect("the last one");
    assert_eq!(counters(&set, "prd_a"), (5, 0, 0));
}
