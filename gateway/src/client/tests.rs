//! Which address of a chain of proxies is believed.

use super::TrustedProxies;
use http::{HeaderMap, HeaderValue};
use std::net::IpAddr;

#[test]
fn a_forwarded_address_counts_only_as_far_as_proxies_are_trusted() {
    let proxies: TrustedProxies = "10.0.0.0/8, 192.0.2.7, fd00::/8".parse().expect("networks");
    let caller = |proxies: &TrustedProxies, peer: &str, forwarded: &[&str]| {
        let header =
            |value: &&str| (http::HeaderName::from_static("x-forwarded-for"), HeaderValue::from_str(value).unwrap());
        let headers: HeaderMap = forwarded.iter().map(header).collect();
        proxies.caller(peer.parse::<IpAddr>().unwrap(), &headers).to_string()
    };
    for (peer, forwarded, expected) in [
        ("203.0.113.5", &["198.51.100.1"][..], "203.0.113.5"),
        ("10.1.2.3", &[], "10.1.2.3"),
        ("10.1.2.3", &["198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.1.2.3", &["198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", &["9.9.9.9, 198.51.100.1, 192.0.2.7"], "198.51.100.1"),
        ("10.1.2.3", &["9.9.9.9, 198.51.100.1", "10.9.9.9"], "198.51.100.1"),
        ("10.1.2.3", &["198.51.100.1:4711"], "198.51.100.1"),
        ("fd00::1", &["[2001:db8::1]:443"], "2001:db8::1"),
        ("10.1.2.3", &["198.51.100.1, unknown"], "10.1.2.3"),
        ("10.1.2.3", &["", "10.0.0.9"], "10.0.0.9"),
    ] {
        assert_eq!(caller(&proxies, peer, forwarded), expected, "{peer} {forwarded:?}");
    }
    assert_eq!(caller(&TrustedProxies::default(), "127.0.0.1", &["198.51.100.1"]), "127.0.0.1");
    for bad in ["10.0.0.0/33", "example.com", "10.0.0.0/8 10.1.0.0/8", "10.0.0"] {
        assert!(bad.parse::<TrustedProxies>().is_err(), "{bad}");
    }
}
