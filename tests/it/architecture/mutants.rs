//! Tests that other files name: the table of planted faults (`make mutants`), in which each fault still has its place, and
//! the Makefile.

use crate::architecture::source_of;
use serde::Deserialize;
use std::{collections::BTreeSet, fs, path::Path};

#[derive(Deserialize)]
struct Table {
    fault: Vec<Fault>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    name: String,
    file: String,
    find: String,
    replace: String,
    tests: Vec<String>,
    why: String,
}

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository");
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_planted_fault_has_its_place_and_its_tests() {
    let table: Table = toml::from_str(&read("tests/mutants.toml")).expect("tests/mutants.toml");
    let names: BTreeSet<&str> = table.fault.iter().map(|fault| fault.name.as_str()).collect();
    assert_eq!(names.len(), table.fault.len(), "a name is there twice");
    assert!(names.len() >= 20, "{} faults", names.len());
    for Fault { name, file, find, replace, tests, why } in &table.fault {
        assert_eq!(read(file).matches(find.as_str()).count(), 1, "{name}: its text is not once in {file}");
        assert!(find != replace && !why.is_empty() && !tests.is_empty(), "{name}");
        for test in tests {
            assert!(is_test(test), "{name}: no test is called {test}");
        }
    }
}

/// Whether there is a test of this name, as `source_of` takes it.
fn is_test(name: &str) -> bool {
    let (source, function) = source_of(name);
    source.contains(&format!("fn {function}("))
}

#[test]
fn every_test_that_the_makefile_plays_exists() {
    let makefile = read("Makefile");
    let played = makefile.split("--exact ").skip(1).filter_map(|rest| rest.split_whitespace().next());
    let played: Vec<&str> = played.collect();
    assert!(played.len() >= 6, "{played:?}");
    for test in played {
        assert!(is_test(test), "Makefile: no test is called {test}");
    }
}
