//! The rules of stock, one by one.

use inventory::{Books, Command, Line, Refusal, Stock};
use saga::Caller;
use store::Time;

fn at(ms: i64) -> Time {
    Time::from_millis(ms)
}

fn lines(lines: &[(&str, i32)]) -> Vec<Line> {
    lines.iter().map(|(id, quantity)| Line { product_id: (*id).to_owned(), quantity: *quantity }).collect()
}

pub fn caller(epoch: i64) -> Caller {
    Caller { step_key: "a step".into(), epoch }
}

fn hold(id: &str, what: &[(&str, i32)]) -> Command {
    Command::Hold { id: id.to_owned(), caller: caller(1), lines: lines(what), expires_at: at(1000) }
}

fn adjust(product: &str, delta: i32, key: &str) -> Command {
    Command::Adjust { product_id: product.to_owned(), delta, key: key.to_owned(), reason: "test".to_owned() }
}

fn extend(id: &str, until: i64) -> Command {
    Command::Extend { id: id.to_owned(), caller: caller(1), expires_at: at(until) }
}

fn counters(books: &Books, product: &str) -> (i32, i32, i32) {
    let stock = books.stock.get(product).and_then(|slot| slot.state.clone()).unwrap_or_else(|| Stock::empty(at(0)));
    (stock.on_hand, stock.reserved, stock.committed)
}

fn stocked(units: i32) -> Books {
    let mut books = Books::default();
    books.apply(&adjust("prd_a", units, "first"), at(0)).expect("adds stock");
    books
}

#[test]
fn a_hold_takes_all_lines_or_none() {
    let mut books = stocked(5);
    let refused = books.apply(&hold("ord_1", &[("prd_a", 2), ("prd_b", 1)]), at(1));
    assert!(matches!(refused, Err(Refusal::OutOfStock(short)) if short == ["prd_b"]));
    assert_eq!(counters(&books, "prd_a"), (5, 0, 0));
    assert!(!books.reservations.contains_key("ord_1") || books.reservations["ord_1"].state.is_none());
}

#[test]
fn lines_of_one_product_are_added_up() {
    let mut books = stocked(5);
    assert!(books.apply(&hold("ord_1", &[("prd_a", 3), ("prd_a", 3)]), at(1)).is_err());
    books.apply(&hold("ord_2", &[("prd_a", 3), ("prd_a", 2)]), at(1)).expect("five of five");
    assert_eq!(counters(&books, "prd_a"), (5, 5, 0));
}

#[test]
fn a_release_before_its_hold_refuses_the_late_hold() {
    let mut books = stocked(5);
    books.apply(&Command::Release("ord_1".into(), caller(1)), at(1)).expect("leaves a mark");
    let late = books.apply(&hold("ord_1", &[("prd_a", 1)]), at(2));
    assert!(matches!(late, Err(Refusal::Released(_))));
    assert_eq!(counters(&books, "prd_a"), (5, 0, 0));
}

#[test]
fn a_hold_expires_only_after_its_end_and_cannot_be_committed_then() {
    let mut books = stocked(5);
    books.apply(&hold("ord_1", &[("prd_a", 2)]), at(1)).expect("holds");
    books.apply(&Command::Expire("ord_1".into()), at(999)).expect("too early: nothing");
    assert_eq!(counters(&books, "prd_a"), (5, 2, 0));
    books.apply(&Command::Expire("ord_1".into()), at(1000)).expect("expires");
    assert_eq!(counters(&books, "prd_a"), (5, 0, 0));
    assert!(matches!(books.apply(&Command::Commit("ord_1".into(), caller(1)), at(1001)), Err(Refusal::Expired(_))));
}

#[test]
fn an_extension_moves_the_end_of_a_hold_and_moves_no_stock() {
    let mut books = stocked(5);
    books.apply(&hold("ord_1", &[("prd_a", 2)]), at(1)).expect("holds");
    let movements = books.movements.len();
    books.apply(&extend("ord_1", 2000), at(500)).expect("extends");
    books.apply(&extend("ord_1", 1500), at(500)).expect("never shortens");
    books.apply(&Command::Expire("ord_1".into()), at(1999)).expect("too early: nothing");
    assert_eq!((counters(&books, "prd_a"), books.movements.len()), ((5, 2, 0), movements));
    books.apply(&Command::Expire("ord_1".into()), at(2000)).expect("expires");
    assert!(matches!(books.apply(&extend("ord_1", 9000), at(2001)), Err(Refusal::Expired(_))));
    assert_eq!(counters(&books, "prd_a"), (5, 0, 0));
}

#[test]
fn an_extension_leaves_a_sale_as_it_is_and_is_refused_after_a_release() {
    let mut books = stocked(5);
    books.apply(&hold("ord_1", &[("prd_a", 2)]), at(1)).expect("holds");
    let committed = books.apply(&Command::Commit("ord_1".into(), caller(1)), at(2)).expect("commits");
    assert_eq!(books.apply(&extend("ord_1", 9000), at(3)).expect("answers"), committed);
    books.apply(&Command::Release("ord_1".into(), caller(1)), at(4)).expect("releases");
    assert!(matches!(books.apply(&extend("ord_1", 9000), at(5)), Err(Refusal::Released(_))));
    assert!(matches!(books.apply(&extend("ord_9", 9000), at(5)), Err(Refusal::NoReservation(_))));
}

#[test]
fn the_same_reservation_with_other_lines_is_refused() {
    let mut books = stocked(5);
    books.apply(&hold("ord_1", &[("prd_a", 2)]), at(1)).expect("holds");
    assert!(matches!(books.apply(&hold("ord_1", &[("prd_a", 3)]), at(1)), Err(Refusal::OtherLines(_))));
    assert_eq!(counters(&books, "prd_a"), (5, 2, 0));
}

#[test]
fn an_adjustment_with_a_known_key_does_nothing() {
    let mut books = stocked(5);
    books.apply(&adjust("prd_a", 5, "first"), at(1)).expect("a repeat is answered");
    assert_eq!(counters(&books, "prd_a"), (5, 0, 0));
}

#[test]
fn another_command_under_a_known_key_is_refused_and_moves_nothing() {
    let mut books = stocked(5);
    books.apply(&backorder(true, "on"), at(1)).expect("a setting");
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
        let before = books.clone();
        assert!(matches!(books.apply(&other, at(2)), Err(Refusal::KeyReused)), "{other:?}");
        assert_eq!(books, before);
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
    let mut books = stocked(5);
    books.apply(&backorder(true, "on"), at(1)).expect("a setting");
    books.apply(&hold("ord_1", &[("prd_a", 8)]), at(1)).expect("three too many");
    let stock = books.stock["prd_a"].state.clone().expect("it is there");
    assert_eq!((stock.available(), stock.owed()), (-3, 3));
    assert!(matches!(books.apply(&backorder(false, "off"), at(2)), Err(Refusal::Owed { units: 3, .. })));
    books.apply(&adjust("prd_a", 3, "second"), at(3)).expect("what was owed arrives");
    books.apply(&backorder(false, "off"), at(4)).expect("nothing is owed");
    assert!(matches!(books.apply(&hold("ord_2", &[("prd_a", 1)]), at(5)), Err(Refusal::OutOfStock(_))));
}

#[test]
fn with_backorder_a_shelf_cannot_be_counted_below_nothing() {
    let mut books = stocked(5);
    books.apply(&backorder(true, "on"), at(1)).expect("a setting");
    let refused = books.apply(&adjust("prd_a", -6, "count"), at(2));
    assert!(matches!(refused, Err(Refusal::BelowZero { available: 5, .. })));
    books.apply(&adjust("prd_a", -5, "count"), at(2)).expect("an empty shelf");
}

#[test]
fn a_setting_is_in_the_ledger_once_for_each_change() {
    let mut books = stocked(5);
    for (allowed, key) in [(true, "a"), (true, "b"), (false, "c"), (false, "d"), (true, "e"), (true, "a")] {
        books.apply(&backorder(allowed, key), at(1)).expect("a setting");
    }
    let kinds: Vec<&str> = books.movements.iter().map(|movement| movement.kind.as_str()).collect();
    assert_eq!(kinds, ["ADJUST", "BACKORDER_ON", "BACKORDER_OFF", "BACKORDER_ON"]);
}

#[test]
fn what_comes_back_is_on_hand_again_and_never_more_than_what_left() {
    let mut books = stocked(5);
    books.apply(&hold("ord_1", &[("prd_a", 3)]), at(1)).expect("holds");
    books.apply(&Command::Commit("ord_1".into(), caller(1)), at(2)).expect("commits");
    assert!(matches!(books.apply(&restock(1, "early"), at(2)), Err(Refusal::NotShipped(_))));
    books.apply(&Command::Ship("ord_1".into(), caller(1)), at(3)).expect("ships");
    for _ in 0..2 {
        books.apply(&restock(2, "parcel 1"), at(4)).expect("a repeat is answered");
        assert_eq!(counters(&books, "prd_a"), (4, 0, 0));
    }
    assert!(matches!(books.apply(&restock(1, "parcel 1"), at(4)), Err(Refusal::KeyReused)));
    assert!(matches!(books.apply(&restock(2, "parcel 2"), at(5)), Err(Refusal::MoreThanShipped { left: 1, .. })));
    books.apply(&restock(1, "parcel 2"), at(5)).expect("the last one");
    assert_eq!(counters(&books, "prd_a"), (5, 0, 0));
}
