//! Who may depend on whom, as cargo itself resolves it: layers, the purity of what must stay pure, no dependency without a
//! use, and licences that may be linked.

use super::{is_test, root, sources};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

/// The crates from the ground up. A crate depends on crates of lower layers alone.
const LAYERS: [&[&str]; 8] = [
    &["comptoir-contracts", "comptoir-topology", "comptoir-telemetry"],
    &["comptoir-settings", "comptoir-store", "comptoir-transcode", "comptoir-openapi", "comptoir-limit"],
    &["comptoir-rpc"],
    &["comptoir-revocations"],
    &["comptoir-saga", "comptoir-events", "comptoir-gateway"],
    &["comptoir-service", "comptoir-fuzz"],
    &[
        "comptoir-users",
        "comptoir-products",
        "comptoir-inventory",
        "comptoir-orders",
        "comptoir-baskets",
        "comptoir-order-history",
        "comptoir-analytics",
        "comptoir-email",
        "comptoir-audit",
        "comptoir-webhooks",
        "comptoir-privacy",
        "comptoir-payments",
        "comptoir-shipping",
        "comptoir-sandbox-psp",
    ],
    &["comptoir"],
];

/// Crates that must not know a library: the transcoder and the document of what it serves are free of I/O, the saga engine
/// and the store of the wire.
const FORBIDDEN: [(&str, &[&str]); 4] = [
    ("comptoir-transcode", &["tokio", "hyper", "hyper-util", "axum", "mongodb", "async-nats", "reqwest"]),
    ("comptoir-openapi", &["tokio", "hyper", "axum", "tonic", "reqwest", "comptoir-transcode"]),
    ("comptoir-saga", &["mongodb", "async-nats", "axum"]),
    ("comptoir-store", &["tonic", "axum", "async-nats"]),
];

/// What cargo says of the workspace, or of everything that is linked.
fn metadata(more: &[&str]) -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .args(more)
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

/// A crate of the workspace: its name, its folder, and what it depends on.
struct Crate {
    name: String,
    dir: PathBuf,
    needs: Vec<Need>,
}

/// A dependency: its package, and the name that the code has for it.
struct Need {
    package: String,
    name: String,
    is_for_tests: bool,
}

fn workspace() -> Vec<Crate> {
    let metadata = metadata(&["--no-deps"]);
    let text = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let need = |found: &Value| {
        let package = text(found, "name");
        let name = found["rename"].as_str().unwrap_or(&package).replace('-', "_");
        Need { name, package, is_for_tests: found["kind"] == "dev" }
    };
    let packages = metadata["packages"].as_array().expect("there are packages").iter();
    packages
        .map(|package| {
            let needs = package["dependencies"].as_array().expect("a list").iter();
            let needs = needs.map(need).collect();
            let manifest = PathBuf::from(text(package, "manifest_path"));
            let dir = manifest.parent().expect("a manifest has a folder").to_owned();
            Crate { name: text(package, "name"), dir, needs }
        })
        .collect()
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

#[test]
fn a_crate_depends_on_crates_of_lower_layers_alone() {
    for each in workspace().iter().filter(|each| each.name != "comptoir-tests") {
        let own = layer(&each.name).unwrap_or_else(|| panic!("{} is in no layer", each.name));
        for need in each.needs.iter().filter(|need| !need.is_for_tests) {
            let is_lower = layer(&need.package).is_none_or(|other| other < own);
            assert!(is_lower, "{} depends on {}, which is no lower", each.name, need.package);
        }
    }
}

#[test]
fn what_must_stay_pure_knows_no_library_of_the_outside() {
    let crates = workspace();
    for (name, forbidden) in FORBIDDEN {
        let found = crates.iter().find(|each| each.name == name).unwrap_or_else(|| panic!("there is no {name}"));
        let needs = found.needs.iter().filter(|need| !need.is_for_tests);
        let known: Vec<&str> = needs.map(|need| need.package.as_str()).collect();
        assert!(forbidden.iter().all(|library| !known.contains(library)), "{name} depends on {known:?}");
    }
}

#[test]
fn every_dependency_is_used() {
    let mut unused = Vec::new();
    // What uses the dependencies of the contracts is generated.
    for each in workspace().into_iter().filter(|each| each.name != "comptoir-contracts") {
        let mut files = Vec::new();
        sources(&each.dir, &mut files);
        let read =
            |path: PathBuf| Some((is_test(&path) && each.name != "comptoir-tests", fs::read_to_string(path).ok()?));
        let texts: Vec<(bool, String)> = files.into_iter().filter_map(read).collect();
        for need in &each.needs {
            let words = [format!("{}::", need.name), format!("use {};", need.name), format!("{}!", need.name)];
            // What only tests use is a dependency of the tests.
            let mut texts = texts.iter().filter(|(is_test, _)| *is_test == need.is_for_tests).map(|(_, text)| text);
            if !texts.any(|text| words.iter().any(|word| text.contains(word))) {
                unused.push(format!("{} of {}", need.name, each.name));
            }
        }
    }
    assert!(unused.is_empty(), "remove the dependencies that nothing uses: {unused:?}");
}

#[test]
fn all_that_is_linked_has_a_licence_of_the_list_and_comes_from_the_registry() {
    let allowed: toml::Table =
        fs::read_to_string(root().join("deny.toml")).expect("it is there").parse().expect("TOML");
    let allowed: BTreeSet<&str> =
        allowed["licenses"]["allow"].as_array().expect("a list").iter().filter_map(toml::Value::as_str).collect();
    let rustc = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let rustc = String::from_utf8_lossy(&rustc.stdout).into_owned();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).expect("it has a host");
    let linked = metadata(&["--filter-platform", host]);
    let packages = linked["packages"].as_array().expect("there are packages");
    assert!(packages.len() > 100, "{} packages", packages.len());
    for package in packages.iter().filter(|package| !package["source"].is_null()) {
        let (name, source) = (&package["name"], package["source"].as_str().unwrap_or_default());
        assert!(source.starts_with("registry+"), "{name} comes from {source}");
        let licence = package["license"].as_str().unwrap_or_default().replace('/', " OR ");
        let expression =
            spdx::Expression::parse(&licence).unwrap_or_else(|error| panic!("{name}: {licence:?}: {error}"));
        let is_allowed = |found: &spdx::LicenseReq| allowed.contains(found.to_string().as_str());
        assert!(expression.evaluate(is_allowed), "{name}: {licence} is not in deny.toml");
    }
}
