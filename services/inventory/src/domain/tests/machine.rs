//! The machine of stock and reservations, as properties over any sequence of commands: no illegal transition, no counter
//! below zero, the counters are the sum of the ledger, and a runner that was replaced does nothing.

use super::{at, caller};
use crate::domain::{Command, Error, Line, Movement, Outcome, Reservation, State, Stock, WorkingSet};
use proptest::{prelude::*, test_runner::TestCaseError};
use std::collections::BTreeMap;

const PRODUCTS: [&str; 3] = ["prd_a", "prd_b", "prd_c"];
const ORDERS: usize = 4;

/// Cases of the larger property; `PROPTEST_CASES` has no say in it.
const CASES: u32 = 100_000;

type Counters = (i32, i32, i32);

fn command() -> impl Strategy<Value = Command> {
    let product = || prop::sample::select(PRODUCTS.as_slice()).prop_map(str::to_owned);
    let order = || (0..ORDERS).prop_map(|number| format!("ord_{number}"));
    let step = || (order(), (1..5i64).prop_map(caller));
    let line = || (product(), 1..6).prop_map(|(product_id, quantity)| Line { product_id, quantity });
    prop_oneof![
        2 => (product(), -5..20, 0..8u32).prop_map(|(product_id, delta, key)| Command::Adjust {
            product_id,
            delta,
            key: format!("adjust/{key}"),
            reason: String::new()
        }),
        1 => (product(), any::<bool>(), 0..8u32).prop_map(|(product_id, allowed, key)| Command::SetBackorder {
            product_id,
            allowed,
            key: format!("backorder/{key}")
        }),
        2 => (order(), line(), 0..8u32).prop_map(|(id, line, key)| Command::Restock {
            id,
            line,
            key: format!("restock/{key}")
        }),
        3 => (step(), prop::collection::vec(line(), 1..4), 0..200i64)
            .prop_map(|((id, call), lines, end)| Command::Hold { id, call, lines, expires_at: at(end) }),
        1 => (step(), 0..300i64).prop_map(|((id, call), end)| Command::Extend { id, call, expires_at: at(end) }),
        3 => step().prop_map(|(id, call)| Command::Commit(id, call)),
        1 => step().prop_map(|(id, call)| Command::Release(id, call)),
        2 => step().prop_map(|(id, call)| Command::Ship(id, call)),
        1 => order().prop_map(Command::Expire),
    ]
}

/// The table of states, written a second time.
fn may_follow(from: Option<State>, to: State) -> bool {
    match from {
        None => matches!(to, State::Held | State::Released),
        Some(State::Held) => matches!(to, State::Held | State::Committed | State::Released | State::Expired),
        Some(State::Committed) => matches!(to, State::Released | State::Shipped),
        Some(State::Shipped) => to == State::Shipped,
        Some(State::Released | State::Expired) => false,
    }
}

fn units(lines: &[Line], product: &str) -> i32 {
    lines.iter().filter(|line| line.product_id == product).map(|line| line.quantity).sum()
}

/// Units of a product in reservations of this state.
fn set_aside(set: &WorkingSet, state: State, product: &str) -> i32 {
    let reservations = set.reservations.values().filter_map(|entry| entry.state.as_ref());
    reservations.filter(|each| each.state == state).map(|each| units(&each.lines, product)).sum()
}

fn fold(movements: &[Movement], product: &str) -> Counters {
    let of_product = movements.iter().filter(|movement| movement.product_id == product);
    of_product.fold((0, 0, 0), |sum, movement| {
        (sum.0 + movement.on_hand, sum.1 + movement.reserved, sum.2 + movement.committed)
    })
}

fn stock(set: &WorkingSet, product: &str) -> Stock {
    set.stock.get(product).and_then(|entry| entry.state.clone()).unwrap_or_else(|| Stock::empty(at(0)))
}

fn the_counters_are_sound(set: &WorkingSet) -> Result<(), TestCaseError> {
    for product in PRODUCTS {
        let stock = stock(set, product);
        prop_assert!(stock.reserved >= 0 && stock.committed >= 0, "{product}: {stock:?}");
        prop_assert!(
            stock.backorder || stock.on_hand >= stock.reserved + stock.committed,
            "oversold {product}: {stock:?}"
        );
        prop_assert_eq!(stock.owed(), (-stock.available()).max(0));
        prop_assert_eq!(stock.reserved, set_aside(set, State::Held, product));
        prop_assert_eq!(stock.committed, set_aside(set, State::Committed, product));
    }
    Ok(())
}

/// Each change of a reservation is one of the table, and what was set aside stays what it was.
fn the_transitions_are_legal(set: &WorkingSet) -> Result<(), TestCaseError> {
    for (id, entry) in &set.reservations {
        let mut before: Option<&Reservation> = None;
        for change in &entry.changes {
            let (cause, after) = (change.cause, &change.state);
            let from = before.map(|before| before.state);
            prop_assert!(may_follow(from, after.state), "{id}: {cause} led from {from:?} to {:?}", after.state);
            prop_assert!(before.is_none_or(|before| before.lines == after.lines), "{id}: {cause} changed the lines");
            for line in &after.returned {
                let left = units(&after.lines, &line.product_id);
                prop_assert!(line.quantity <= left, "{id}: {} of {left} came back", line.quantity);
            }
            before = Some(after);
        }
    }
    Ok(())
}

/// Counters are the sum of the ledger, whose places have no gaps and whose entries have no namesakes.
fn the_ledger_is_whole(set: &WorkingSet) -> Result<(), TestCaseError> {
    let mut ids: BTreeMap<&str, usize> = BTreeMap::new();
    for movement in &set.movements {
        *ids.entry(&movement.id).or_default() += 1;
    }
    prop_assert!(ids.values().all(|count| *count == 1), "an entry is there twice: {ids:?}");
    for product in PRODUCTS {
        let stock = stock(set, product);
        prop_assert_eq!(fold(&set.movements, product), (stock.on_hand, stock.reserved, stock.committed));
        let places = set.movements.iter().filter(|movement| movement.product_id == product);
        let places: Vec<i64> = places.map(|movement| movement.seq).collect();
        prop_assert_eq!(places, (1..=stock.moves).collect::<Vec<_>>());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn no_sequence_of_commands_oversells_miscounts_or_makes_an_illegal_transition(
        commands in prop::collection::vec(command(), 1..24)
    ) {
        let mut set = WorkingSet::default();
        for (time, command) in (0..).zip(&commands) {
            let moved = set.movements.len();
            if set.apply(command, at(time * 10)).is_err() {
                prop_assert_eq!(moved, set.movements.len(), "a refused command moved stock");
            }
            the_counters_are_sound(&set)?;
        }
        the_transitions_are_legal(&set)?;
        the_ledger_is_whole(&set)?;
    }
}

/// The reservation and the epoch of a step's command.
fn step(command: &Command) -> Option<(&String, i64)> {
    match command {
        Command::Hold { id, call, .. }
        | Command::Extend { id, call, .. }
        | Command::Commit(id, call)
        | Command::Release(id, call)
        | Command::Ship(id, call) => Some((id, call.epoch)),
        Command::Adjust { .. } | Command::SetBackorder { .. } | Command::Restock { .. } | Command::Expire(_) => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn a_step_of_an_earlier_epoch_than_one_that_had_an_effect_is_refused(
        commands in prop::collection::vec(command(), 1..40)
    ) {
        let mut set = WorkingSet::default();
        let mut newest: BTreeMap<String, i64> = BTreeMap::new();
        for (time, command) in (0..).zip(&commands) {
            let before = set.clone();
            let done = set.apply(command, at(time * 4));
            let Some((id, epoch)) = step(command) else { continue };
            let known = newest.entry(id.clone()).or_insert(0);
            prop_assert_eq!(matches!(done, Err(Error::Stale(_))), epoch < *known, "{:?} after epoch {}", command, known);
            let changes = |set: &WorkingSet| set.reservations.get(id).map_or(0, |entry| entry.changes.len());
            if changes(&set) > changes(&before) {
                *known = epoch;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn repeating_any_command_changes_nothing(commands in prop::collection::vec(command(), 1..40)) {
        let mut set = WorkingSet::default();
        for (time, command) in (0..).zip(&commands) {
            let now = at(time * 4);
            let first = set.apply(command, now);
            let after = set.clone();
            let second = set.apply(command, now);
            if let (Ok(Outcome::Reservation(first)), Ok(Outcome::Reservation(second))) = (&first, &second) {
                prop_assert_eq!(first, second);
            }
            prop_assert_eq!(first.is_ok(), second.is_ok());
            prop_assert_eq!(&after.movements, &set.movements);
        }
    }

    #[test]
    fn the_lines_of_a_hold_are_one_a_product_and_sorted(lines in prop::collection::vec(
        (prop::sample::select(PRODUCTS.as_slice()), 1..6), 1..8
    )) {
        let mut set = WorkingSet::default();
        for product in PRODUCTS {
            let key = format!("adjust/{product}");
            let adjust = Command::Adjust { product_id: product.to_owned(), delta: 100, key, reason: String::new() };
            prop_assert!(set.apply(&adjust, at(0)).is_ok());
        }
        let lines: Vec<Line> =
            lines.iter().map(|(id, quantity)| Line { product_id: (*id).to_owned(), quantity: *quantity }).collect();
        let hold = Command::Hold { id: "ord_1".to_owned(), call: caller(1), lines: lines.clone(), expires_at: at(1000) };
        let Ok(Outcome::Reservation(held)) = set.apply(&hold, at(1)) else {
            return Err(TestCaseError::fail("a hold of what is there was refused"));
        };
        prop_assert!(held.lines.is_sorted_by(|a, b| a.product_id < b.product_id), "{:?}", held.lines);
        for product in PRODUCTS {
            prop_assert_eq!(units(&held.lines, product), units(&lines, product));
        }
    }
}
