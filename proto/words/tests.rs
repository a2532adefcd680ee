//! How texts in several languages are found.

use crate::words::{MAX_WORDS, found_by, name_key, prefixes, words};

/// Whether a product of this name is found by the query: each word of the query begins one of its words.
fn finds(query: &str, name: &str) -> bool {
    let found_by = found_by(name, "", "");
    prefixes(query).iter().all(|prefix| found_by.iter().any(|word| word.starts_with(prefix.as_str())))
}

#[test]
fn words_have_neither_case_nor_accents() {
    for (text, expected) in [
        ("Crème brûlée", vec!["creme", "brulee"]),
        ("CRE\u{300}ME", vec!["creme"]),
        ("Straße, STRASSE", vec!["strasse", "strasse"]),
        ("Ø 20 mm – Ærø", vec!["o", "20", "mm", "aero"]),
        ("l'eau d’Évian", vec!["l", "eau", "d", "evian"]),
        ("ΟΔΟΣ οδός", vec!["οδοσ", "οδοσ"]),
        ("İstanbul ısı", vec!["istanbul", "isi"]),
        ("ﬁne ①② ｋｉｔ", vec!["fine", "12", "kit"]),
        ("Łódź", vec!["lodz"]),
        ("soft\u{ad}ware", vec!["software"]),
        ("ёлка й", vec!["елка", "и"]),
        (" … !? ", vec![]),
    ] {
        assert_eq!(words(text), expected, "{text:?}");
    }
}

#[test]
fn a_query_finds_by_the_beginnings_of_words_in_any_order() {
    for (query, name) in [
        ("pic", "Picnic blanket"),
        ("BLAN picnic", "Picnic blanket"),
        ("kase", "Käsebrett"),
        ("strass", "Straße"),
        ("茶", "日本茶"),
        ("本茶", "日本茶"),
        ("用ケース", "iPhone用ケース"),
        ("ขนม", "กล่องขนม"),
        ("हिन्दी", "हिन्दी किताब"),
        ("한", "한국어"),
        ("", "Anything"),
    ] {
        assert!(finds(query, name), "{query:?} in {name:?}");
    }
    for (query, name) in [("nic", "Picnic blanket"), ("picnic tent", "Picnic blanket"), ("日茶", "日本茶")] {
        assert!(!finds(query, name), "{query:?} in {name:?}");
    }
}

#[test]
fn a_sku_is_found_with_its_hyphens_and_without() {
    let found_by = found_by("Lamp", "AB-12/x", "");
    assert_eq!(found_by, ["12", "ab", "ab12x", "lamp", "x"]);
}

#[test]
fn the_words_of_a_product_are_bounded_and_those_of_its_name_come_first() {
    let long: String = (0..1_000).map(|number| format!("word{number} ")).collect();
    let found = found_by("Zebra", "SKU-1", &long);
    assert_eq!(found.len(), MAX_WORDS);
    assert!(found.contains(&"zebra".to_owned()) && found.contains(&"sku1".to_owned()));
    let endless = found_by(&"語".repeat(5_000), "", "");
    assert!(endless.len() <= MAX_WORDS && endless.iter().all(|word| word.chars().count() <= 32));
    assert_eq!(prefixes(&"a".repeat(200)).iter().map(String::len).collect::<Vec<_>>(), [32]);
    assert_eq!(name_key(&"b".repeat(200)).len(), 64);
}
