//! The form of versions.

use crate::version::Version;

#[test]
fn a_version_is_an_order_and_a_place_among_its_events() {
    let version = Version { order_id: "ord_1".to_owned(), seq: 12 };
    assert_eq!(version.to_string(), "ord_1:12");
    assert_eq!(Version::parse("ord_1:12").expect("a version"), Some(version));
    assert_eq!(Version::parse("").expect("none"), None);
    for text in ["ord_1", ":1", "ord_1:", "ord_1:0", "ord_1:-1", "ord_1:x", "ord_1:1:1", "ord_1:99999999999999999999"] {
        assert!(Version::parse(text).is_err(), "{text:?}");
    }
}
