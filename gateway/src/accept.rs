//! What callers like replies to be: the media ranges of `Accept` (RFC 9110, section 12.5.1).

use http::{HeaderMap, header::ACCEPT};

/// Quality of what is accepted, from 0 to 1 in thousandths.
type Quality = u16;

const MOST: Quality = 1000;

/// Whether `Accept` names this media type, and likes JSON no better. A range such as `*/*` names nothing.
pub(crate) fn names(headers: &HeaderMap, media_type: &str) -> bool {
    let ranges: Vec<(String, Quality)> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(range)
        .collect();
    let quality = |name: &str| ranges.iter().find(|(range, _)| range == name).map(|(_, quality)| *quality);
    let json = || quality("application/json").or_else(|| quality("application/*")).or_else(|| quality("*/*"));
    quality(media_type).is_some_and(|named| named > 0 && named >= json().unwrap_or_default())
}

/// A media range, in small letters, with its quality.
fn range(text: &str) -> Option<(String, Quality)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next()?.to_ascii_lowercase();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let Some(weight) = weight else { return Some((name, MOST)) };
    let quality = weight.parse::<f32>().ok().filter(|quality| (0.0..=1.0).contains(quality))?;
    Some((name, (quality * f32::from(MOST)) as Quality))
}
