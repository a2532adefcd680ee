//! The rules of stock, as properties over any sequence of commands.

use inventory::{Books, Command, Error, Line, Outcome, Reservation, State, Stock};
use proptest::prelude::*;
use std::collections::BTreeMap;
use store::Time;

const PRODUCTS: [&str; 3] = ["prd_a", "prd_b", "prd_c"];
const ORDERS: usize = 6;

fn at(ms: i64) -> Time {
    Time::from_millis(ms)
}

fn lines(lines: &[(&str, i32)]) -> Vec<Line> {
    lines.iter().map(|(id, quantity)| Line { product_id: (*id).to_owned(), quantity: *quantity }).collect()
}

fn hold(id: &str, what: &[(&str, i32)]) -> Command {
    Command::Hold { id: id.to_owned(), lines: lines(what), expires_at: at(1000) }
}

fn adjust(product: &str, delta: i32, key: &str) -> Command {
    Command::Adjust { product_id: product.to_owned(), delta, key: key.to_owned(), reason: "test".to_owned() }
}

fn extend(id: &str, until: i64) -> Command {
    Command::Extend { id: id.to_owned(), expires_at: at(until) }
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
    assert!(matches!(refused, Err(Error::OutOfStock(short)) if short == ["prd_b"]));
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
    books.apply(&Command::Release("ord_1".into()), at(1)).expect("leaves a mark");
    let late = books.apply(&hold("ord_1", &[("prd_a", 1)]), at(2));
    assert!(matches!(late, Err(Error::Released(_))));
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
    assert!(matches!(books.apply(&Command::Commit("ord_1".into()), at(1001)), Err(Error::Expired(_))));
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
    assert!(matches!(books.apply(&extend("ord_1", 9000), at(2001)), Err(Error::Expired(_))));
    assert_eq!(counters(&books, "prd_a"), (5, 0, 0));
}

#[test]
fn an_extension_leaves_a_sale_as_it_is_and_is_refused_after_a_release() {
    let mut books = stocked(5);
    books.apply(&hold("ord_1", &[("prd_a", 2)]), at(1)).expect("holds");
    let committed = books.apply(&Command::Commit("ord_1".into()), at(2)).expect("commits");
    assert_eq!(books.apply(&extend("ord_1", 9000), at(3)).expect("answers"), committed);
    books.apply(&Command::Release("ord_1".into()), at(4)).expect("releases");
    assert!(matches!(books.apply(&extend("ord_1", 9000), at(5)), Err(Error::Released(_))));
    assert!(matches!(books.apply(&extend("ord_9", 9000), at(5)), Err(Error::NotFound(_))));
}

#[test]
fn the_same_reservation_with_other_lines_is_refused() {
    let mut books = stocked(5);
    books.apply(&hold("ord_1", &[("prd_a", 2)]), at(1)).expect("holds");
    assert!(matches!(books.apply(&hold("ord_1", &[("prd_a", 3)]), at(1)), Err(Error::OtherLines(_))));
    assert_eq!(counters(&books, "prd_a"), (5, 2, 0));
}

#[test]
fn an_adjustment_with_a_known_key_does_nothing() {
    let mut books = stocked(5);
    books.apply(&adjust("prd_a", 5, "first"), at(1)).expect("a repeat is answered");
    assert_eq!(counters(&books, "prd_a"), (5, 0, 0));
}

fn command() -> impl Strategy<Value = Command> {
    let product = || prop::sample::select(PRODUCTS.as_slice()).prop_map(str::to_owned);
    let order = || (0..ORDERS).prop_map(|number| format!("ord_{number}"));
    let line = (product(), 1..6).prop_map(|(product_id, quantity)| Line { product_id, quantity });
    prop_oneof![
        (product(), -5..20, any::<u32>()).prop_map(|(product_id, delta, key)| Command::Adjust {
            product_id,
            delta,
            key: key.to_string(),
            reason: String::new()
        }),
        (order(), prop::collection::vec(line, 1..4), 0..200i64).prop_map(|(id, lines, end)| Command::Hold {
            id,
            lines,
            expires_at: at(end)
        }),
        (order(), 0..300i64).prop_map(|(id, end)| Command::Extend { id, expires_at: at(end) }),
        order().prop_map(Command::Commit),
        order().prop_map(Command::Release),
        order().prop_map(Command::Ship),
        order().prop_map(Command::Expire),
    ]
}

/// Units of a product in reservations of this state.
fn units(reservations: &[Reservation], state: State, product: &str) -> i32 {
    let of_state = reservations.iter().filter(|reservation| reservation.state == state);
    let lines = of_state.flat_map(|reservation| &reservation.lines).filter(|line| line.product_id == product);
    lines.map(|line| line.quantity).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_sequence_of_commands_oversells_or_miscounts(commands in prop::collection::vec(command(), 1..60)) {
        let mut books = Books::default();
        for (time, command) in commands.iter().enumerate() {
            let before = books.clone();
            let outcome = books.apply(command, at(i64::try_from(time).expect("small") * 4));
            if outcome.is_err() {
                let (a, b) = (before.movements.len(), books.movements.len());
                prop_assert_eq!(a, b, "a refused command moved stock");
            }
            let reservations: Vec<Reservation> =
                books.reservations.values().filter_map(|slot| slot.state.clone()).collect();
            let mut folded: BTreeMap<&str, (i32, i32, i32)> = BTreeMap::new();
            for movement in &books.movements {
                let sum = folded.entry(&movement.product_id).or_default();
                *sum = (sum.0 + movement.on_hand, sum.1 + movement.reserved, sum.2 + movement.committed);
            }
            for product in PRODUCTS {
                let (on_hand, reserved, committed) = counters(&books, product);
                prop_assert!(reserved >= 0 && committed >= 0 && on_hand >= reserved + committed);
                prop_assert_eq!(reserved, units(&reservations, State::Held, product));
                prop_assert_eq!(committed, units(&reservations, State::Committed, product));
                prop_assert_eq!(folded.get(product).copied().unwrap_or_default(), (on_hand, reserved, committed));
            }
        }
    }

    #[test]
    fn repeating_any_command_changes_nothing(commands in prop::collection::vec(command(), 1..40)) {
        let mut books = Books::default();
        for (time, command) in commands.iter().enumerate() {
            let now = at(i64::try_from(time).expect("small") * 4);
            let first = books.apply(command, now);
            let after = books.clone();
            let second = books.apply(command, now);
            if let (Ok(Outcome::Reservation(first)), Ok(Outcome::Reservation(second))) = (&first, &second) {
                prop_assert_eq!(first, second);
            }
            prop_assert_eq!(first.is_ok(), second.is_ok());
            prop_assert_eq!(&after.movements, &books.movements);
        }
    }
}
