//! The rules of a service are pure: `domain.rs` and all of `domain/` know values and each other, nothing that acts.

use super::{is_test, root, services, sources};
use std::{fs, path::PathBuf};

/// What rules may name outside their own module: values, money, letters, time as a value, calendars, digests, the saga's moves.
const ALLOWED: [&str; 12] = [
    "contracts",
    "jiff",
    "rand_chacha",
    "rust_decimal",
    "saga",
    "serde",
    "sha2",
    "std",
    "store",
    "thiserror",
    "prost",
    "unicode_normalization",
];

/// What would act, or ask the machine, under a name that is allowed otherwise.
const FORBIDDEN: [&str; 18] = [
    "async ",
    ".await;",
    ".await?",
    ".await.",
    "SystemTime",
    "Instant",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::sync",
    "std::thread",
    "store::now",
    "Timestamp::now",
    "TimeZone::system",
    "store::Documents",
    "store::Database",
    "OnceLock",
];

fn rules(service: &str) -> Vec<PathBuf> {
    let src = root().join("services").join(service).join("src");
    let mut files = vec![src.join("domain.rs")];
    sources(&src.join("domain"), &mut files);
    let rooms = fs::read_dir(&src).into_iter().flatten().flatten().map(|entry| entry.path());
    files.extend(rooms.map(|room| room.join("domain.rs")).filter(|path| path.is_file()));
    files.retain(|path| !is_test(path));
    files
}

/// The first words of the paths that a file imports.
fn imports(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim_start).map(|line| line.trim_start_matches("pub "));
    let uses = lines.filter_map(|line| line.strip_prefix("use "));
    uses.map(|path| path.trim_start_matches("::").split([':', ';', ' ']).next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn the_rules_of_a_service_are_pure() {
    let mut seen = 0;
    for service in services() {
        for path in rules(&service) {
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let code: String = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .map(|line| format!("{line}\n"))
                .collect();
            for word in FORBIDDEN {
                assert!(!code.contains(word), "{}: {word:?} has no place in the rules", path.display());
            }
            for name in imports(&code) {
                let is_own = ["super", "self", "crate"].contains(&name.as_str())
                    || name.starts_with(char::is_uppercase)
                    || code.contains(&format!("mod {name};"));
                assert!(
                    is_own || ALLOWED.contains(&name.as_str()),
                    "{}: {name} has no place in the rules",
                    path.display()
                );
            }
            seen += 1;
        }
    }
    assert!(seen > 15, "{seen} files of rules");
}

#[test]
fn the_rules_know_their_own_service_only_by_its_rules() {
    for service in services() {
        for path in rules(&service) {
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            for (at, _) in text.match_indices("crate::") {
                let rest = &text[at + "crate::".len()..];
                let names: Vec<&str> = match rest.strip_prefix('{') {
                    Some(group) => group.split('}').next().unwrap_or_default().split(',').map(str::trim).collect(),
                    None => vec![rest],
                };
                for name in names.iter().filter(|name| !name.is_empty()) {
                    let is_rules = ["domain", "coupons::domain", "locale", "pricing::taxes", "sagas::definitions"]
                        .iter()
                        .any(|own| name.starts_with(own));
                    assert!(is_rules, "{}: crate::{name} is no rule", path.display());
                }
            }
        }
    }
}
