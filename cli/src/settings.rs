//! The settings on the command line: a flag for each key that a program declares, and what the environment may name.

use crate::{
    Environment,
    services::{self, PROGRAMS, Program},
};
use ::settings::{Error, Key, Settings};
use std::collections::{BTreeMap, BTreeSet};
use topology::Topology;

/// Password of the seeded accounts when `COMPTOIR_DEMO_PASSWORD` is not set.
pub const DEMO_PASSWORD: &str = "comptoir-demo";

/// Variables that every command knows.
const KNOWN_EVERYWHERE: &[&str] = &[
    "COMPTOIR_LOG",
    "COMPTOIR_TOOLS",
    "COMPTOIR_DEMO_PASSWORD",
    "COMPTOIR_BIN",
    "COMPTOIR_CRASH_AT",
    "COMPTOIR_RPC_COVERAGE",
    "COMPTOIR_TOKEN",
];

/// The flags that were given, by name.
#[derive(Debug, Clone, Default)]
pub struct Flags(pub BTreeMap<&'static str, String>);

impl clap::Args for Flags {
    fn augment_args(command: clap::Command) -> clap::Command {
        all_keys().into_iter().fold(command, |command, key| {
            let arg = clap::Arg::new(key.name).long(key.name).value_name("VALUE");
            let arg = if key.is_list { arg.action(clap::ArgAction::Append) } else { arg };
            command.arg(arg.help(key.help()).help_heading(heading(key)))
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let given = |key: &'static Key| {
            let values: Vec<&str> = matches.get_many::<String>(key.name)?.map(String::as_str).collect();
            Some((key.name, values.join(",")))
        };
        Ok(Self(all_keys().into_iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

/// The keys of all programs. One that several programs declare is one flag.
fn all_keys() -> Vec<&'static Key> {
    let mut seen = BTreeSet::new();
    PROGRAMS.iter().flat_map(Program::keys).filter(|key| seen.insert(key.name)).collect()
}

/// The heading of a flag in `--help`, by the programs that have it.
fn heading(key: &Key) -> String {
    let names: Vec<&str> =
        PROGRAMS.iter().filter(|program| program.has(key.name)).map(|program| program.name).collect();
    let services = Topology::get().service.len();
    match names.len() {
        count if count > services => "Settings".to_owned(),
        count if count == services => "Settings of a service".to_owned(),
        _ => format!("Settings of {}", names.join(" and ")),
    }
}

/// The settings of a program. Refuses flags and COMPTOIR_* variables that are none of its keys.
pub fn resolve(name: &str, flags: &Flags, environment: &Environment) -> Result<Settings, Error> {
    let program = services::find(name)?;
    // A typing error in a variable would otherwise leave the default in place without a word.
    refuse_unknown(name, environment, |variable| program.keys().any(|key| key.variable == variable))?;
    if let Some(flag) = flags.0.keys().find(|flag| !program.has(flag)) {
        return Err(Error::Flag { flag, name: name.to_owned() });
    }
    Ok(Settings::new(name, program.keys(), &flags.0, environment))
}

/// The password of the demo accounts. Refuses a variable that `comptoir dev` does not know, those of `serve` among them.
pub fn demo_password(environment: &Environment) -> Result<String, Error> {
    refuse_unknown("dev", environment, |_| false)?;
    let variable = "COMPTOIR_DEMO_PASSWORD";
    match environment.get(variable).filter(|value| !value.is_empty()) {
        None => Ok(DEMO_PASSWORD.to_owned()),
        Some(value) if (8..=128).contains(&value.chars().count()) => Ok(value.clone()),
        Some(_) => Err(Error::BadVariable { variable, why: "it has less than 8 or more than 128 characters".into() }),
    }
}

/// Refuses a COMPTOIR_* variable that is neither known everywhere nor the program's own.
fn refuse_unknown(name: &str, environment: &Environment, is_own: impl Fn(&str) -> bool) -> Result<(), Error> {
    let known = |variable: &str| KNOWN_EVERYWHERE.contains(&variable) || is_own(variable) || is_service_link(variable);
    match environment.keys().find(|variable| variable.starts_with("COMPTOIR_") && !known(variable)) {
        Some(variable) => Err(Error::Unknown { variable: variable.clone(), name: name.to_owned() }),
        None => Ok(()),
    }
}

/// Kubernetes sets such variables for each Service of a namespace, and a release may well be called `comptoir`.
fn is_service_link(variable: &str) -> bool {
    variable.ends_with("_SERVICE_HOST")
        || variable.contains("_SERVICE_PORT")
        || variable.ends_with("_PORT")
        || variable.contains("_TCP")
}
