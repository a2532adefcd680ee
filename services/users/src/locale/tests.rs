//! Languages and time zones: what is one, and what is told of what is none.

use super::{language, time_zone};

#[test]
fn a_language_is_a_tag_of_registered_subtags_in_its_canonical_form() {
    for (typed, canonical) in [
        ("en", "en"),
        ("EN_us", "en-US"),
        ("zh-hans-cn", "zh-Hans-CN"),
        ("es-419", "es-419"),
        ("eng", "en"),
        ("iw-IL", "he-IL"),
        ("gsw", "gsw"),
        ("sl-rozaj-biske", "sl-rozaj-biske"),
    ] {
        assert_eq!(language(typed).as_deref(), Ok(canonical), "{typed}");
    }
    for none in ["", "xx", "english", "en-UK", "en-Xxxx", "en--US", "fr FR", "x-mine", "de-DE-DE"] {
        assert!(language(none).is_err_and(|why| why.contains("BCP 47")), "{none}");
    }
    assert!(language("jp").is_err_and(|why| why.ends_with("did you mean ja?")));
}

#[test]
fn a_time_zone_is_one_of_the_iana_database() {
    for (typed, canonical) in [
        ("UTC", "UTC"),
        ("europe/paris", "Europe/Paris"),
        (" America/New York ", "America/New_York"),
        ("Asia/Calcutta", "Asia/Calcutta"),
        ("CET", "CET"),
    ] {
        assert_eq!(time_zone(typed).as_deref(), Ok(canonical), "{typed}");
    }
    for none in ["", "Mars/Phobos", "GMT+25", "+02:00", "../etc/passwd", "CEST"] {
        assert!(time_zone(none).is_err_and(|why| why.contains("IANA")), "{none}");
    }
    assert!(time_zone("paris").is_err_and(|why| why.ends_with("did you mean Europe/Paris?")));
}
