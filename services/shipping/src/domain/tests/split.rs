//! Splitting a shipment: what is in each, and what cannot be.

use super::*;
use crate::domain::{SplitRequest, SplitResult};

fn request(key: &str, lines: &[(&str, i32)]) -> SplitRequest {
    let line = |(id, quantity): &(&str, i32)| Line { product_id: (*id).into(), quantity: *quantity };
    SplitRequest { request_id: key.into(), shipment_id: format!("shp_{key}"), lines: lines.iter().map(line).collect() }
}

fn holding(lines: &[(&str, i32)]) -> Shipment {
    let lines = request("", lines).lines;
    Shipment { planned: lines.clone(), lines, ..planned() }
}

#[test]
fn a_split_takes_units_of_several_lines_and_its_repeat_makes_nothing_new() {
    let whole = holding(&[("prd_1", 2), ("prd_2", 5), ("prd_1", 3)]);
    let SplitResult::Split { rest: left, off } =
        whole.split("shp_1", request("a", &[("prd_1", 4), ("prd_2", 1)]), now()).unwrap()
    else {
        panic!("it is new")
    };
    assert_eq!(left.lines, request("", &[("prd_2", 4), ("prd_1", 1)]).lines);
    assert_eq!(
        (off.lines.as_slice(), off.split_from.as_deref()),
        (&*request("", &[("prd_1", 4), ("prd_2", 1)]).lines, Some("shp_1"))
    );
    assert_eq!((&off.address, &off.order_id), (&whole.address, &whole.order_id));
    let again = SplitRequest { shipment_id: "shp_other".into(), ..request("a", &[("prd_1", 4), ("prd_2", 1)]) };
    assert_eq!(left.split("shp_1", again, now()).unwrap(), SplitResult::Repeated("shp_a".into()));
    assert!(matches!(left.split("shp_1", request("a", &[("prd_1", 1)]), now()), Err(Error::KeyReused)));
}

#[test]
fn a_split_that_cannot_be_is_told_why() {
    let whole = holding(&[("prd_1", 2), ("prd_2", 1)]);
    let refused =
        |shipment: &Shipment, lines: &[(&str, i32)]| shipment.split("shp_1", request("a", lines), now()).unwrap_err();
    assert!(matches!(refused(&whole, &[("prd_1", 3)]), Error::MoreThanInIt { left: 2, .. }));
    assert!(matches!(refused(&whole, &[("prd_9", 1)]), Error::MoreThanInIt { left: 0, .. }));
    assert!(matches!(refused(&whole, &[("prd_1", 2), ("prd_2", 1)]), Error::NothingLeft));
    assert!(matches!(refused(&whole, &[("prd_1", 1), ("prd_1", 1)]), Error::NamedTwice(_)));
    let moved = |command| whole.decide(command, None, now()).unwrap().unwrap();
    assert!(matches!(refused(&moved(Command::Dispatch), &[("prd_1", 1)]), Error::Dispatched));
    assert!(matches!(refused(&moved(Command::Cancel), &[("prd_1", 1)]), Error::Cancelled));
}

#[test]
fn a_shipment_that_was_split_still_answers_the_request_that_planned_it() {
    let whole = planned();
    let SplitResult::Split { rest: left, off: _ } = whole.split("shp_1", request("a", &[("prd_1", 1)]), now()).unwrap()
    else {
        panic!("new")
    };
    let address = whole.address.clone().unwrap();
    let plan = NewShipment { order: order("ord_1"), lines: whole.lines.clone(), address, call: caller(1) };
    left.repeats(&plan).unwrap();
    let other = NewShipment { lines: left.lines.clone(), ..plan };
    assert!(matches!(left.repeats(&other), Err(Error::Mismatch)));
}
