//! The rules of the code's shape, checked: who may depend on whom, what stays pure, how long a file may be, and that
//! every RPC is answered in a test and every call edge of the contracts is one of the topology.

mod crates;
mod domain;
mod modules;
mod mutants;
mod recipes;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const MAX_LINES: usize = 350;

/// A test's name is a sentence about one behaviour.
const MAX_NAME: usize = 80;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository").to_owned()
}

pub(crate) fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "target" && name != ".git" && name != ".tools" && name != ".comptoir" {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Whether a file is a test: of those in `tests/` of the repository, or of the pure rules beside the code.
pub(crate) fn is_test(path: &Path) -> bool {
    let path = path.strip_prefix(root()).unwrap_or(path);
    path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests")
}

/// The file of a test and the test's name. `file::name` is one of tests/it; `orders/domain::tests::name` one of the crate
/// orders, which lies beside the code.
pub(crate) fn source_of(test: &str) -> (String, &str) {
    let (path, function) = test.rsplit_once("::").expect("`file::name`");
    let (folders, module) = match path.split_once('/') {
        None => (vec!["tests/it".to_owned()], path),
        Some(("contracts", module)) => (vec!["proto".to_owned()], module),
        Some(("gateway", module)) => (vec!["gateway/src".to_owned()], module),
        Some((name, module)) => {
            (["services", "mesh", "gateway"].map(|folder| format!("{folder}/{name}/src")).to_vec(), module)
        }
    };
    let file = format!("{}.rs", module.replace("::", "/"));
    let read = |folder: String| fs::read_to_string(root().join(folder).join(&file)).ok();
    (folders.into_iter().find_map(read).unwrap_or_default(), function)
}

fn rust_files() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    sources(&root(), &mut found);
    let read = |path: PathBuf| fs::read_to_string(&path).map(|text| (path, text)).ok();
    found.into_iter().filter_map(read).collect()
}

pub(crate) fn services() -> Vec<String> {
    topology::Topology::get().service.keys().cloned().collect()
}

#[test]
fn no_file_is_longer_than_350_lines_and_each_says_what_it_is() {
    for (path, text) in rust_files() {
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{}: {lines} lines", path.display());
        assert!(text.starts_with("//!"), "{}: open it with //! and what it is", path.display());
    }
}

#[test]
fn no_name_of_a_function_is_longer_than_80_characters() {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    for (path, text) in rust_files() {
        for (_, rest) in text.match_indices("fn ").map(|(at, found)| text.split_at(at + found.len())) {
            let name = rest.split(|letter| !is_part(letter)).next().unwrap_or_default();
            assert!(name.len() <= MAX_NAME, "{}: {name} has {} characters", path.display(), name.len());
        }
    }
}

#[test]
#[ignore = "it reads what a run of all tests has recorded; `make test` runs it after them"]
fn every_rpc_was_answered_in_a_test() {
    let file = std::env::var("COMPTOIR_RPC_COVERAGE").expect("COMPTOIR_RPC_COVERAGE names the record; run `make test`");
    let record = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let answered: BTreeSet<&str> = record.lines().collect();
    let rules = rpc::Rules::from_descriptors(contracts::DESCRIPTORS).expect("the contracts");
    let is_missing = |path: &&str| !answered.contains(path);
    let missing: Vec<&str> = rules.iter().map(|(path, _)| path).filter(is_missing).collect();
    assert!(missing.is_empty(), "no test has an answer of {missing:?}");
}

#[test]
fn the_call_edges_of_the_contracts_are_those_of_the_topology() {
    let rules = rpc::Rules::from_descriptors(contracts::DESCRIPTORS).expect("the contracts");
    let table = topology::Topology::get();
    let mut edges = BTreeSet::new();
    for (path, access) in rules.iter() {
        if path.starts_with("/comptoir.events.v1.") {
            // Served by everyone; called by those who read events.
            let readers = table.service.iter().filter(|(_, service)| !service.consumes.is_empty());
            let readers: BTreeSet<&String> = readers.map(|(name, _)| name).collect();
            assert!(access.services.iter().all(|caller| readers.contains(caller)), "{path}");
            continue;
        }
        let package = path.trim_start_matches('/').rsplit_once('.').map_or("", |(package, _)| package);
        let (callee, _) = table.by_proto(package).unwrap_or_else(|| panic!("{path}: no service has this package"));
        edges.extend(access.services.iter().map(|caller| (caller.clone(), callee.to_owned())));
    }
    let declared = table
        .service
        .iter()
        .flat_map(|(caller, service)| service.calls.iter().map(move |callee| (caller.clone(), callee.clone())));
    assert_eq!(edges, declared.collect());
}

#[test]
fn every_rpc_says_who_may_call_it() {
    let router = transcode::Router::from_descriptors(contracts::DESCRIPTORS).expect("the routes");
    let rules = rpc::Rules::from_descriptors(contracts::DESCRIPTORS).expect("the contracts");
    for route in router.routes() {
        let access = rules.get(&route.rpc.path).unwrap_or_else(|| panic!("{} has no access option", route.rpc.path));
        let admits_users = access.public || access.user || access.owner || !access.roles.is_empty();
        assert!(admits_users, "{} has a route but admits no user", route.rpc.path);
    }
}
