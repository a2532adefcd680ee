//! Countries: what is one, and which one was meant.

use super::{expected, is_country};

#[test]
fn a_country_is_what_iso_3166_has_assigned_and_nothing_else() {
    for country in ["FR", "GB", "GR", "SS", "CW", "AX", "TW"] {
        assert!(is_country(country), "{country}");
    }
    for none in ["UK", "EL", "XX", "XK", "EU", "AN", "SU", "ZZ", "AA", "fr", "F", "FRA", ""] {
        assert!(!is_country(none), "{none}");
    }
    let all = ('A'..='Z').flat_map(|a| ('A'..='Z').map(move |b| format!("{a}{b}")));
    assert_eq!(all.filter(|code| is_country(code)).count(), 249);
}

#[test]
fn the_country_that_was_meant_is_named() {
    for (typed, meant) in [
        ("UK", "GB"),
        ("EL", "GR"),
        ("USA", "US"),
        ("deu", "DE"),
        ("Germany", "DE"),
        ("Österreich", "AT"),
        ("Great Britain", "GB"),
        ("YU", "RS"),
        ("D", "DE"),
        ("日本", "JP"),
        ("Côte d'Ivoire", "CI"),
    ] {
        assert!(expected(typed).ends_with(&format!("did you mean {meant}?")), "{typed}: {}", expected(typed));
    }
    for typed in ["XX", "ZZ", "Atlantis", "", "--"] {
        assert!(!expected(typed).contains("did you mean"), "{typed}: {}", expected(typed));
    }
}
