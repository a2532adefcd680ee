//! Whatever the split, the order of dispatch and the order in which events arrive: the captures sum to the total.

use super::{item as item_of, *};
use crate::domain::Line;
use std::collections::VecDeque;

/// What shipping has of one shipment: its units by product, and what it will tell, in order.
pub(super) struct Parcel {
    id: String,
    units: Vec<i32>,
    pub(super) news: VecDeque<Vec<ShipmentUpdate>>,
}

impl Parcel {
    fn told(&self, state: ShipmentState) -> ShipmentUpdate {
        let lines = self.units.iter().enumerate().filter(|(_, quantity)| **quantity > 0);
        let line =
            |(product, quantity): (usize, &i32)| Line { product_id: format!("prd_{product}"), quantity: *quantity };
        ShipmentUpdate { id: self.id.clone(), lines: lines.map(line).collect(), state }
    }
}

/// A confirmed order of so many units for so much each, and a total that is not the sum of its lines.
pub(super) fn confirmed(currency: &str, lines: &[(i32, i64)], extra: i64) -> Order {
    let money = |minor: i64| Money::from_minor(currency, minor.into()).expect("money");
    let item = |(product, (quantity, price)): (usize, &(i32, i64))| Item {
        product_id: format!("prd_{product}"),
        ..item_of(*quantity, money(*price), money(price * i64::from(*quantity)))
    };
    let items: Vec<Item> = lines.iter().enumerate().map(item).collect();
    let sum: i64 = lines.iter().map(|(quantity, price)| price * i64::from(*quantity)).sum();
    let mut order = order();
    order.saga.status = Status::Completed;
    order.saga.wake_at = None;
    Order { items, total: money((sum + extra).max(1)), state: State::Confirmed, ..order }
}

/// Splits by `bytes`: two for each split.
pub(super) fn parcels(lines: &[(i32, i64)], bytes: &[u8], stopped: u8) -> Vec<Parcel> {
    let units = lines.iter().map(|(quantity, _)| *quantity).collect();
    let mut parcels = vec![Parcel { id: "shp_1".into(), units, news: VecDeque::new() }];
    let first = parcels[0].told(ShipmentState::Created);
    parcels[0].news.push_back(vec![first]);
    for pair in bytes.chunks_exact(2) {
        let from = usize::from(pair[0]) % parcels.len();
        let mut off: Vec<i32> = parcels[from].units.iter().map(|units| units * i32::from(pair[1]) / 256).collect();
        if off.iter().sum::<i32>() == 0 {
            let Some(any) = parcels[from].units.iter().position(|units| *units > 0) else { continue };
            off[any] = 1;
        }
        let left: Vec<i32> = parcels[from].units.iter().zip(&off).map(|(all, off)| all - off).collect();
        if left.iter().sum::<i32>() == 0 {
            continue;
        }
        parcels[from].units = left;
        let mut new = Parcel { id: format!("shp_{}", parcels.len() + 1), units: off, news: VecDeque::new() };
        let (left, off) = (parcels[from].told(ShipmentState::Created), new.told(ShipmentState::Created));
        parcels[from].news.push_back(vec![left, off.clone()]);
        new.news.push_back(vec![off]);
        parcels.push(new);
    }
    for (index, parcel) in parcels.iter_mut().enumerate() {
        let is_stopped = index > 0 && stopped & (1 << (index % 8)) != 0;
        let state = if is_stopped { ShipmentState::Cancelled } else { ShipmentState::Dispatched };
        let last = parcel.told(state);
        parcel.news.push_back(vec![last]);
    }
    parcels
}

/// Does what the order's sagas ask for, and adds what they capture.
pub(super) fn run(mut order: Order, captured: &mut Vec<(String, i128)>) -> Order {
    while let Some(call) = order.saga.call("ord_1") {
        if call.name == "capture_payment" {
            let share = order.capturing().map(|(id, amount)| (id.to_owned(), amount.minor()));
            captured.push(share.unwrap_or_else(|| (String::new(), order.total.minor())));
        }
        let answer = Answer { call, outcome: Outcome::Done, facts: Vec::new() };
        order = order.record(SAGAS, &[answer], at(1), 0.5).expect("legal").expect("it waits for this answer");
    }
    order
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100_000))]

    #[test]
    fn whatever_the_split_and_the_order_of_dispatch_the_captures_sum_to_the_total(
        currency in prop::sample::select(vec!["JPY", "EUR", "KWD"]),
        lines in prop::collection::vec((1..12_i32, 0..40_000_i64), 1..4),
        extra in -500..5_000_i64,
        splits in prop::collection::vec(any::<u8>(), 0..10),
        stopped in prop_oneof![3 => Just(0_u8), 1 => any::<u8>()],
        turns in prop::collection::vec(any::<u8>(), 24),
        is_shuffled in any::<bool>(),
    ) {
        let mut parcels = parcels(&lines, &splits, stopped);
        let (mut order, mut captured) = (confirmed(currency, &lines, extra), Vec::new());
        let mut turns = turns.into_iter().cycle();
        // The saga that placed the order has made the first shipment, and told of it.
        let first = parcels[0].news.pop_front().expect("it was created");
        order = order.apply_shipments(SAGAS, first, at(1)).expect("legal").expect("it is new");
        while parcels.iter().any(|parcel| !parcel.news.is_empty()) {
            let waiting: Vec<usize> = (0..parcels.len()).filter(|at| !parcels[*at].news.is_empty()).collect();
            let turn = usize::from(turns.next().expect("it goes round"));
            let news = &mut parcels[waiting[turn % waiting.len()]].news;
            // The broker delivers an unacknowledged event again, after newer ones of the same shipment.
            let told = news.remove(if is_shuffled { turn / 16 % news.len() } else { 0 }).expect("it waits");
            for _ in 0..=turn % 2 {
                // The second is a repeat.
                if let Some(next) = order.apply_shipments(SAGAS, told.clone(), at(1)).expect("legal") {
                    order = next;
                }
            }
            if turn % 3 > 0 {
                order = run(order, &mut captured);
            }
        }
        order = run(order, &mut captured);
        let mut names: Vec<&String> = captured.iter().map(|(id, _)| id).collect();
        names.sort();
        names.dedup();
        prop_assert_eq!(names.len(), captured.len(), "a shipment is captured once: {:?}", &captured);
        prop_assert!(captured.iter().all(|(_, amount)| *amount > 0), "{:?}", &captured);
        let worth: i128 = lines.iter().map(|(quantity, price)| i128::from(price * i64::from(*quantity))).sum();
        for parcel in parcels.iter().filter(|_| worth > 0) {
            let mine = parcel.units.iter().zip(&lines).map(|(units, (_, price))| i128::from(price * i64::from(*units)));
            let (mine, named) = (mine.sum::<i128>(), captured.iter().find(|(id, _)| *id == parcel.id));
            let Some((_, amount)) = named else { continue };
            let off = amount * worth - order.total.minor() * mine;
            prop_assert!(off.abs() <= 8 * worth, "{} is not the share of {}", amount, parcel.id);
        }
        let sum: i128 = captured.iter().map(|(_, amount)| amount).sum();
        let sent: i128 = parcels.iter().filter(|parcel| !order.stopped().any(|one| one.id == parcel.id)).map(|parcel| {
            parcel.units.iter().zip(&lines).map(|(units, (_, price))| i128::from(price * i64::from(*units))).sum::<i128>()
        }).sum();
        let off = sum * worth - order.total.minor() * sent;
        prop_assert!(worth == 0 || off.abs() <= 24 * worth, "{} is not the share of what was sent", sum);
        prop_assert_eq!(sum, order.owed().expect("sums").minor());
        if order.stopped().next().is_none() {
            prop_assert_eq!(sum, order.total.minor());
        } else {
            prop_assert!(sum <= order.total.minor());
        }
        prop_assert_eq!(order.state, State::Shipped);
    }
}

/// Shipping's word on one shipment of the only product.
fn update(id: &str, quantity: i32, state: ShipmentState) -> Vec<ShipmentUpdate> {
    vec![ShipmentUpdate { id: id.into(), lines: vec![Line { product_id: "prd_0".into(), quantity }], state }]
}

#[test]
fn a_shipment_that_is_not_known_yet_keeps_the_order_from_its_end() {
    let order = confirmed("EUR", &[(3, 100)], 0);
    let applied = |order: &Order, told| order.apply_shipments(SAGAS, told, at(1)).expect("legal").expect("it is new");
    let stopped = applied(&order, update("shp_1", 2, ShipmentState::Cancelled));
    assert_eq!(stopped.state, State::Confirmed, "one unit is in a shipment that nobody has told of");
    let mut captured = Vec::new();
    let shipped = run(applied(&stopped, update("shp_2", 1, ShipmentState::Dispatched)), &mut captured);
    assert_eq!((shipped.state, captured), (State::Shipped, vec![("shp_2".to_owned(), 100)]));
    let arrived = applied(&order, update("shp_1", 2, ShipmentState::Delivered));
    assert_eq!(arrived.shipment_state, ShipmentState::Dispatched, "not all of it is at the door");
    let whole = applied(&arrived, update("shp_2", 1, ShipmentState::Delivered));
    assert_eq!(whole.shipment_state, ShipmentState::Delivered);
}
