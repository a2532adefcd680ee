//! `comptoir config`: the effective configuration, with secrets redacted.

use crate::{
    Environment,
    settings::{self, Flags},
};
use ::settings::{Fallback, Setting, Settings};
use serde_json::json;
use std::{fmt::Write as _, io::Write as _};

/// Options of `comptoir config`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// A service of the topology, "gateway" or "sandbox-psp"
    #[arg(value_name = "SERVICE")]
    pub name: String,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
    /// The settings of the service.
    #[command(flatten)]
    pub flags: Flags,
}

/// Prints each key with its value and where that comes from.
pub fn run(options: Options, environment: &Environment) -> anyhow::Result<()> {
    let settings = settings::resolve(&options.name, &options.flags, environment)?;
    let text = if options.json { json(&settings)? } else { table(&settings)? };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// The value comes last: a list of addresses is long.
fn table(settings: &Settings) -> anyhow::Result<String> {
    let mut text = format!("{:<20} {:<11}  {:<28}  VALUE\n", "KEY", "SOURCE", "VARIABLE");
    for setting in &settings.all {
        let key = setting.key;
        writeln!(text, "{:<20} {:<11}  {:<28}  {}", key.name, setting.source, key.variable, shown(setting))?;
    }
    Ok(text)
}

fn json(settings: &Settings) -> anyhow::Result<String> {
    let entries = settings.all.iter().map(|setting| {
        let entry =
            json!({"value": shown(setting), "source": setting.source.to_string(), "variable": setting.key.variable});
        (setting.key.name.to_owned(), entry)
    });
    let object: serde_json::Map<_, _> = entries.collect();
    Ok(serde_json::to_string_pretty(&object)? + "\n")
}

fn shown(setting: &Setting) -> String {
    match setting.value.as_str() {
        "" if matches!(setting.key.fallback, Fallback::Required) => "(not set, required)".to_owned(),
        "" => "(not set)".to_owned(),
        _ if setting.key.is_secret => "(redacted)".to_owned(),
        value if value.contains("://") => without_password(value),
        value => value.to_owned(),
    }
}

/// A URI with the password of its user part replaced. What has an `@` and is not understood is not shown at all.
fn without_password(uri: &str) -> String {
    let visible = || {
        let (scheme, rest) = uri.split_once("://")?;
        let (user, host) = rest.rsplit_once('@')?;
        let (name, _) = user.split_once(':')?;
        (!user.contains(['/', '?'])).then(|| format!("{scheme}://{name}:(redacted)@{host}"))
    };
    visible().unwrap_or_else(|| if uri.contains('@') { "(redacted)".to_owned() } else { uri.to_owned() })
}
