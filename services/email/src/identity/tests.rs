//! The same event has the same mail, and the same address the same digest.

use crate::{
    domain::{Template, later},
    identity::{address_digest, email_id},
};
use ::store::Time;
use contracts::id::Kind;
use std::time::Duration;

const BORN: Time = Time::from_millis(1_700_000_000_000);

#[test]
fn an_event_and_a_template_have_one_identifier_of_the_time_of_the_event() {
    let id = email_id("evt_1", Template::OrderConfirmed, BORN);
    assert_eq!(id, email_id("evt_1", Template::OrderConfirmed, BORN));
    assert!(Kind::Email.matches(&id), "{id}");
    assert_ne!(id, email_id("evt_1", Template::OrderCancelled, BORN));
    assert_ne!(id, email_id("evt_2", Template::OrderConfirmed, BORN));
    assert!(id < email_id("evt_1", Template::OrderConfirmed, later(BORN, Duration::from_millis(1))));
}

#[test]
fn an_address_has_one_digest_in_whatever_case_it_is_written() {
    assert_eq!(address_digest("A@Example.com"), address_digest("a@example.com"));
    // The example of FIPS 180: SHA-256 of "abc".
    assert_eq!(address_digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
