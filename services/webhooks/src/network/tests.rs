//! Which addresses and URLs are admitted.

use crate::network::{Policy, Refusal};
use std::net::IpAddr;

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn addresses_that_are_not_public_are_refused_in_each_of_their_forms() {
    let policy = Policy::new(Vec::new());
    for refused in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.9.9.9",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fec0::1",
        "fc00::1",
        "fd12:3456::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2001::1",
        "2001:db8::1",
    ] {
        assert!(!policy.admits(address(refused), true), "{refused}");
    }
    for admitted in ["1.1.1.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "93.184.215.14", "2606:4700::1111"] {
        assert!(policy.admits(address(admitted), true), "{admitted}");
        assert!(!policy.admits(address(admitted), false), "{admitted} without TLS");
    }
}

#[test]
fn a_listed_network_is_admitted_also_without_tls_and_no_other_is() {
    let policy = Policy::new(vec!["10.0.0.0/24".parse().expect("a network")]);
    assert!(policy.admits(address("10.0.0.7"), false) && policy.admits(address("::ffff:10.0.0.7"), true));
    assert!(!policy.admits(address("10.0.1.7"), true));
}

#[test]
fn a_url_names_a_host_and_nothing_that_hides_it() {
    for form in
        ["ftp://example.com", "https://user@example.com", "https://:pw@example.com", "https://a.example/#b", "nothing"]
    {
        assert_eq!(Policy::parse(form), Err(Refusal::Form), "{form}");
    }
    let policy = Policy::new(Vec::new());
    for literal in [
        "https://127.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://[::ffff:7f00:1]/",
        "https://[::1]:8443/x",
    ] {
        let url = Policy::parse(literal).expect("a URL");
        assert_eq!(policy.literal(&url), Err(Refusal::Forbidden), "{literal}");
    }
    assert_eq!(policy.literal(&Policy::parse("https://1.1.1.1/hook?key=1").expect("a URL")), Ok(()));
}
