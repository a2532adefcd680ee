//! Settings as an operator meets them: what `comptoir config` shows, and the line that names what cannot be used.

use comptoir::{services::PROGRAMS, settings::Flags};
use kit::binary;
use rpc::Limits;
use settings::{Fallback, Key, Settings};
use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Command, Output, Stdio},
};
use topology::{GRPC_BASE_PORT, Topology};

/// Runs the binary with no other variables than these.
fn comptoir(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary());
    command.args(arguments).env_clear().envs(variables.iter().copied()).stdin(Stdio::null());
    command.output().expect("the binary runs")
}

fn refused(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = comptoir(arguments, variables);
    let line = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), line.lines().count()), (Some(64), 1), "{line}");
    line
}

fn config(name: &str, variables: &[(&str, &str)]) -> serde_json::Value {
    let output = comptoir(&["config", name, "--json"], variables);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// The configuration of a gateway with the defaults of its settings and without keys.
pub(crate) fn gateway_config() -> gateway::Config {
    let jwks = BTreeMap::from([("jwks-file", "/dev/null".to_owned())]);
    let settings = comptoir::settings::resolve("gateway", &Flags(jwks), &BTreeMap::new()).expect("known flags");
    let config = gateway::Config::resolve(&settings).expect("the defaults can be used");
    gateway::Config { jwks: Some(r#"{"keys":[]}"#.to_owned()), ..config }
}

/// The bounds of a port by default.
pub(crate) fn limits() -> Limits {
    Limits::resolve(&Settings::new("", Limits::KEYS, &BTreeMap::new(), &BTreeMap::new()))
        .expect("the defaults can be used")
}

fn keys() -> impl Iterator<Item = (&'static str, &'static Key)> {
    PROGRAMS.iter().flat_map(|program| program.keys().map(|key| (program.name, key)))
}

fn default(program: &str, key: &str) -> Option<String> {
    keys().find(|(name, declared)| (*name, declared.name) == (program, key))?.1.fallback.value(program)
}

#[test]
fn the_list_has_every_service_and_program_of_the_topology() {
    let table = Topology::get();
    let known: BTreeSet<&str> = table.service.keys().chain(table.program.keys()).map(String::as_str).collect();
    let listed: BTreeSet<&str> = PROGRAMS.iter().map(|program| program.name).collect();
    assert_eq!(listed.difference(&known).copied().collect::<Vec<_>>(), ["gateway"]);
    assert!(known.is_subset(&listed), "{known:?}");
}

#[test]
fn a_key_of_several_programs_is_declared_the_same_in_each() {
    let mut first: BTreeMap<&str, (&str, &Key)> = BTreeMap::new();
    // A program may do without what others need.
    let declared = |key: &Key| (key.variable, key.help().replace(". Required", ""));
    for (program, key) in keys() {
        let (other, known) = first.entry(key.name).or_insert((program, key));
        assert_eq!(declared(known), declared(key), "{} of {other} and {program}", key.name);
        assert_eq!(known.is_secret, key.is_secret, "{} of {other} and {program}", key.name);
    }
    let variables: BTreeSet<&str> = first.values().map(|(_, key)| key.variable).collect();
    assert_eq!(variables.len(), first.len(), "each key has a variable of its own");
}

#[test]
fn payments_and_the_sandbox_provider_find_each_other_by_default() {
    let table = Topology::get();
    let provider = GRPC_BASE_PORT + table.program["sandbox-psp"].port_offset;
    assert_eq!(default("payments", "provider-url"), Some(format!("http://sandbox-psp:{provider}")));
    let webhooks = GRPC_BASE_PORT + table.service["payments"].webhook_port_offset.expect("payments takes webhooks");
    assert_eq!(default("payments", "webhook-listen"), Some(format!("0.0.0.0:{webhooks}")));
    let url = format!("http://payments:{webhooks}/v1/webhooks/sandbox");
    assert_eq!(default("sandbox-psp", "webhook-url"), Some(url));
}

#[test]
fn a_service_without_its_settings_ends_with_64_and_names_one() {
    for program in PROGRAMS {
        let line = refused(&["serve", program.name], &[]);
        let names_one = |key: &Key| matches!(key.fallback, Fallback::Required) && line.contains(key.variable);
        assert!(program.keys().any(names_one), "{}: {line}", program.name);
    }
}

#[test]
fn a_setting_of_another_service_is_refused_by_name() {
    let line = refused(&["config", "orders"], &[("COMPTOIR_HOLD_SECONDS", "60")]);
    assert!(line.contains("COMPTOIR_HOLD_SECONDS is not a setting of orders"), "{line}");
    let line = refused(&["config", "orders", "--hold-seconds", "60"], &[]);
    assert!(line.contains("--hold-seconds is not a setting of orders"), "{line}");
    assert!(refused(&["config", "nobody"], &[]).contains("there is no service nobody; known: users, products"));
}

#[test]
fn a_value_that_cannot_be_used_ends_with_64_and_names_its_variable() {
    let files = [("COMPTOIR_JWKS_FILE", "/dev/null"), ("COMPTOIR_BODY_LIMIT_BYTES", "12")];
    let line = refused(&["serve", "gateway"], &files);
    assert!(
        line.contains("COMPTOIR_BODY_LIMIT_BYTES (or --body-limit-bytes) cannot be used: 12 is not between"),
        "{line}"
    );
}

#[test]
fn a_flag_wins_over_its_variable_and_a_variable_over_the_default() {
    let variable = [("COMPTOIR_HOLD_SECONDS", "60")];
    assert_eq!(config("inventory", &[])["hold-seconds"]["value"], "900");
    let of_variable = config("inventory", &variable);
    assert_eq!(
        of_variable["hold-seconds"],
        serde_json::json!({"value": "60", "source": "environment", "variable": "COMPTOIR_HOLD_SECONDS"})
    );
    let output = comptoir(&["config", "inventory", "--json", "--hold-seconds", "30"], &variable);
    let of_flag: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&of_flag["hold-seconds"]["value"], &of_flag["hold-seconds"]["source"]), (&"30".into(), &"flag".into()));
}

#[test]
fn no_secret_is_shown() {
    let secrets = [
        ("COMPTOIR_MONGODB_URI", "mongodb://payments:hunter2@db/payments?authSource=payments"),
        ("COMPTOIR_NATS_PASSWORD", "hunter2"),
        ("COMPTOIR_PROVIDER_KEY", "hunter2"),
        ("COMPTOIR_WEBHOOK_SECRET", "hunter2"),
    ];
    let shown = config("payments", &secrets);
    assert!(!shown.to_string().contains("hunter2"), "{shown}");
    assert_eq!(shown["mongodb-uri"]["value"], "mongodb://payments:(redacted)@db/payments?authSource=payments");
    assert_eq!(shown["nats-password"]["value"], "(redacted)");
    assert_eq!(shown["nats-url"]["value"], "(not set, required)");
}
