//! Canonical forms of what people type and paste. Pure.
//!
//! One text has many encodings: letters with accents composed or not, full-width letters and digits, blanks and hyphens of
//! many kinds, marks that nobody sees. Every text of a request is brought into the form of its kind before it is checked,
//! compared or stored; `normalize_build.rs` says which field is of which kind, and the build fails on a field without one.

use std::borrow::Cow;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// A message of a request, whose texts can be brought into their canonical forms; generated for all of them.
pub trait Normalize {
    /// Replaces each text by its canonical form.
    fn normalize(&mut self);
}

/// A text of one line, such as a name: NFC, blanks of all kinds as single spaces, none at the ends.
pub fn line(typed: &str) -> String {
    // First, because a mark between a letter and its accent would keep the two from being composed.
    let visible = typed.chars().filter(|c| !is_format(*c)).map(|c| if is_blank(c) { ' ' } else { c });
    let visible: String = visible.collect();
    let composed = composed(&visible);
    let words: Vec<&str> = composed.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// A text of several lines: NFC, no blanks at the ends.
pub fn paragraphs(typed: &str) -> String {
    composed(typed).trim_matches(|c| is_blank(c) || is_invisible(c)).to_owned()
}

/// An identifier: NFKC without blanks at the ends, and in lower case when it is one of this system ([`crate::id`]).
pub fn id(typed: &str) -> String {
    let text: String = typed.chars().filter(|c| !is_invisible(*c)).nfkc().collect();
    let text = text.trim_matches(is_blank);
    let lower = text.to_ascii_lowercase();
    // Two identifiers of another system may differ in case alone.
    if crate::id::is_id(&lower) { lower } else { text.to_owned() }
}

/// A code that people read and type, such as `SUMMER-25`, `FR` or `EUR`: NFKC in capitals, hyphens of all kinds as `-`, no
/// blanks.
pub fn code(typed: &str) -> String {
    without_blanks(&compatible(typed).to_uppercase())
}

/// A category of the tables: as [`code`], with `_` between its words.
pub fn category(typed: &str) -> String {
    line(&compatible(typed).to_uppercase()).replace([' ', '-'], "_")
}

/// A word of the contracts, such as a role: NFKC in lower case, without blanks.
pub fn word(typed: &str) -> String {
    without_blanks(&compatible(typed).to_lowercase())
}

/// A number: NFKC without blanks, and without the sign of percent that people write behind it.
pub fn number(typed: &str) -> String {
    without_blanks(&compatible(typed)).trim_end_matches('%').to_owned()
}

/// A postal code, of whatever country: NFKC in capitals, hyphens of all kinds as `-` (people in Japan type `ー` for it),
/// blanks as single spaces, without Japan's postal mark.
pub fn postal_code(typed: &str) -> String {
    let text: String = compatible(typed).to_uppercase().replace('〒', " ").replace('ー', "-");
    line(&text)
}

/// An e-mail address: NFC, no full-width characters, no blanks at the ends, and a domain in other letters than ASCII as the
/// A-labels that mail is sent to (RFC 5890). A domain that has none is left as it is, and is refused as no address.
pub fn email(typed: &str) -> String {
    // Before the split: a full-width ＠ divides an address as well.
    let text: String = typed.chars().map(narrow).filter(|c| !is_invisible(*c)).nfc().collect();
    let text = text.trim_matches(is_blank);
    let Some((local, domain)) = text.rsplit_once('@').filter(|(_, domain)| !domain.is_ascii()) else {
        return text.to_owned();
    };
    let ascii = idna::domain_to_ascii_cow(domain.as_bytes(), idna::AsciiDenyList::STD3);
    let domain = ascii.unwrap_or(domain.into());
    format!("{local}@{domain}")
}

/// What tells whether two addresses are one account: the canonical form in lower case.
pub fn email_key(typed: &str) -> String {
    email(typed).to_lowercase().nfc().collect()
}

/// The keys under which the account of an address can have been stored: the key of now first, then those of accounts that
/// are older than canonical forms, which had the address as it was typed in lower case.
pub fn email_keys(typed: &str) -> Vec<String> {
    let key = email_key(typed);
    let decomposed: String = key.nfd().collect();
    distinct([key, typed.to_lowercase(), decomposed])
}

/// A password: the mapping of OpaqueString (RFC 8265, section 4.2): blanks of all kinds as spaces, NFC, nothing else.
pub fn password(typed: &str) -> String {
    let is_space = |c: char| c.is_whitespace() && !c.is_control();
    typed.chars().map(|c| if is_space(c) { ' ' } else { c }).nfc().collect()
}

/// What a password can have been hashed from: the form of now first, then those of accounts that are older than it, whose
/// passwords were hashed as they were typed.
pub fn passwords(typed: &str) -> Vec<String> {
    let canonical = password(typed);
    let decomposed = canonical.nfd().collect();
    distinct([canonical, typed.to_owned(), decomposed])
}

/// What tells whether two stock keeping units are one: NFKC in lower case, hyphens of all kinds as `-`. Never shown.
pub fn sku_key(sku: &str) -> String {
    line(&compatible(sku).to_lowercase())
}

/// What tells whether two names are one: letters and digits only, without case and accents. `Québec`, `QUEBEC` and `Que-bec`
/// are one name. Never shown or stored.
pub fn folded(name: &str) -> String {
    let letters = name.nfkd().flat_map(char::to_lowercase);
    // Marks that a space kept apart stand side by side now, and have an order.
    letters.filter(|c| c.is_alphanumeric()).collect::<String>().nfkd().collect()
}

fn distinct(forms: [String; 3]) -> Vec<String> {
    let mut distinct = Vec::new();
    for form in forms {
        if !distinct.contains(&form) {
            distinct.push(form);
        }
    }
    distinct
}

/// NFC. Most texts have that form, which costs less to see than to make.
fn composed(text: &str) -> Cow<'_, str> {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => text.into(),
        IsNormalized::No | IsNormalized::Maybe => text.nfc().collect::<String>().into(),
    }
}

/// NFKC with one kind of hyphen and nothing invisible.
fn compatible(typed: &str) -> String {
    let visible = typed.chars().filter(|c| !is_invisible(*c)).nfkc();
    visible.map(|c| if is_hyphen(c) { '-' } else { c }).collect()
}

/// NFKC without blanks: what stood beside one may be one letter now.
fn without_blanks(text: &str) -> String {
    text.chars().filter(|c| !is_blank(*c)).nfkc().collect()
}

/// The ASCII character of a full-width one.
fn narrow(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        other => other,
    }
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// Hyphens, dashes and minus signs.
fn is_hyphen(c: char) -> bool {
    matches!(c, '\u{2010}'..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' | '\u{FF0D}')
}

/// Marks without a glyph that come along when text is copied, and that no name needs.
fn is_format(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200B}' | '\u{2060}' | '\u{FEFF}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// As [`is_format`], with the joiners and direction marks that some scripts need in names, and no code does.
fn is_invisible(c: char) -> bool {
    is_format(c) || matches!(c, '\u{200C}'..='\u{200F}' | '\u{61C}' | '\u{34F}' | '\u{180E}' | '\u{2061}'..='\u{2064}')
}
