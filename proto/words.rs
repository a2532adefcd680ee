//! The words by which a product, or an order of it, is found, without case, accents and other marks: what people type meets
//! what staff wrote. Pure.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Most words of a product: those of its name and SKU, then those of its description from the start.
pub const MAX_WORDS: usize = 200;

/// Most words of a query.
pub const MAX_QUERY_WORDS: usize = 10;

/// Characters of a word that are compared.
const MAX_CHARS: usize = 32;

/// Characters of a name by which products are sorted.
const MAX_KEY_CHARS: usize = 64;

/// The words of a text, in its order.
pub fn words(text: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    for c in text.nfkd() {
        if c.is_alphanumeric() {
            c.to_lowercase().filter(|c| c.is_alphanumeric()).for_each(|c| push_folded(&mut word, c));
        } else if !is_combining_mark(c) && !is_unseen(c) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The words of a query: what the words of what it finds begin with.
pub fn prefixes(query: &str) -> BTreeSet<String> {
    words(query).iter().map(|word| cut(word)).collect()
}

/// The words by which a product is found, each once.
pub fn found_by(name: &str, sku: &str, description: &str) -> Vec<String> {
    // A SKU is typed with its hyphens, and without them.
    let whole_sku = words(sku).concat();
    let texts = [sku, &whole_sku, name, description];
    let mut found = BTreeSet::new();
    for word in texts.iter().flat_map(|text| words(text)) {
        for tail in std::iter::once(word.as_str()).chain(tails(&word)) {
            if found.len() >= MAX_WORDS {
                return found.into_iter().collect();
            }
            found.insert(cut(tail));
        }
    }
    found.into_iter().collect()
}

/// What products are sorted by: the words of the name.
pub fn name_key(name: &str) -> String {
    words(name).join(" ").chars().take(MAX_KEY_CHARS).collect()
}

/// The ends of a word in a script that has no blanks between words: any of them may be one.
fn tails(word: &str) -> impl Iterator<Item = &str> {
    word.char_indices().skip(1).filter(|(_, c)| has_no_blanks(*c)).map(|(at, _)| word.split_at(at).1)
}

fn cut(word: &str) -> String {
    word.chars().take(MAX_CHARS).collect()
}

/// Letters that are no other letter with an accent, and are typed in another way where they are missing.
fn push_folded(word: &mut String, c: char) {
    match c {
        'ß' => word.push_str("ss"),
        'æ' => word.push_str("ae"),
        'œ' => word.push_str("oe"),
        'þ' => word.push_str("th"),
        'ø' => word.push('o'),
        'ł' => word.push('l'),
        'ı' => word.push('i'),
        'đ' | 'ð' => word.push('d'),
        'ς' => word.push('σ'),
        other => word.push(other),
    }
}

/// Marks within a word that nobody types: soft hyphen, zero-width blank and joiners.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}')
}

/// Han, kana, and the scripts of Thailand, Laos, Myanmar and Cambodia.
fn has_no_blanks(c: char) -> bool {
    matches!(c,
        '\u{E00}'..='\u{EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{3040}'..='\u{30FF}'
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}
