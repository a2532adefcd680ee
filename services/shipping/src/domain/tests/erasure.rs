//! A shipment whose recipient has closed the account.

use super::*;

#[test]
fn a_shipment_that_has_ended_loses_its_address_but_for_the_country() {
    for state in ALL {
        let is_over = !matches!(state, State::Created | State::Dispatched);
        let shipment = Shipment { state, ..planned() };
        let erased = shipment.erased(now());
        assert_eq!(erased.is_some(), is_over, "{state:?}");
        let Some(erased) = erased else { continue };
        let stored = format!("{:?}", bson::serialize_to_document(&erased).expect("it can be stored"));
        for personal in ["Ada", "St James", "London", "SW1Y"] {
            assert!(!stored.contains(personal), "{stored}");
        }
        assert!(erased.address.as_ref().is_some_and(|address| address.country_code == "GB"));
        assert_eq!(erased.lines, shipment.lines);
        assert_eq!(erased.erased(now()), None, "a repeat changes nothing");
    }
}

#[test]
fn a_creation_that_is_repeated_after_the_erasure_finds_its_shipment() {
    let shipment = Shipment { state: State::Delivered, ..planned() };
    let address = shipment.address.clone().expect("it has one");
    let request = NewShipment { order: order("ord_1"), lines: shipment.lines.clone(), address, call: caller(1) };
    let erased = shipment.erased(now()).expect("it has ended");
    assert!(erased.repeats(&request).is_ok());
    let other = NewShipment { lines: Vec::new(), ..request };
    assert!(matches!(erased.repeats(&other), Err(Error::Mismatch)));
}

#[test]
fn the_mark_of_a_cancellation_has_nothing_to_erase() {
    assert_eq!(Shipment::cancelled(order("ord_1"), &caller(1), now()).erased(now()), None);
}
