//! `comptoir gateway explain`.

use super::routes::who;
use crate::events::table::{Table, print};
use ::gateway::IgnoredParameters;
use anyhow::{Context as _, bail};
use std::{io::Read as _, path::PathBuf};
use transcode::{Body, Error, Match, Parts, Router};

/// Options of `comptoir gateway explain`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// HTTP method: GET, POST, …
    pub method: String,
    /// Path and query, with or without scheme and host
    pub url: String,
    /// File with the body; - for standard input
    #[arg(long, value_name = "FILE")]
    pub body: Option<PathBuf>,
    /// Query parameters that are skipped unless they are fields of the request, as the gateway's setting of that name
    #[arg(long, value_name = "NAME,…", default_value = IgnoredParameters::USUAL)]
    #[arg(hide_default_value = true)]
    pub ignored_parameters: IgnoredParameters,
    /// A header of the request, NAME: VALUE. Content-Type, Idempotency-Key, If-Match and those that contracts name matter
    #[arg(long, value_name = "HEADER")]
    pub header: Vec<String>,
}

pub(super) fn run(router: &Router, options: &Options) -> anyhow::Result<()> {
    let (path, query) = split(&options.url);
    let body = options.body.as_ref().map(read).transpose()?.unwrap_or_default();
    let method = options.method.to_ascii_uppercase();
    let found = match router.find(&method, path) {
        Ok(found) => found,
        Err(error) => return refuse(router, path, &error),
    };
    let etag = header(options, "if-match").map(|etag| etag.trim_matches('"'));
    let named: Vec<(&str, &str)> =
        found.route.rpc.headers().filter_map(|name| Some((name, header(options, name)?))).collect();
    let parts = Parts {
        query,
        ignored_parameters: &options.ignored_parameters.0,
        idempotency_key: header(options, "idempotency-key"),
        etag: etag.filter(|_| found.route.takes_etag()),
        headers: &named,
        body: match Body::new(header(options, "content-type"), &body) {
            Ok(body) => body,
            Err(error) => return refuse(router, path, &error),
        },
    };
    print(&head(router, path, &found))?;
    let explained = found.explain(parts);
    let mut table = Table::new(&["FIELD", "GIVEN"]);
    for origin in explained.origins {
        table.row(vec![origin.field, origin.from.to_owned()]);
    }
    if !table.is_empty() {
        print(&format!("\n{}", table.text()))?;
    }
    match explained.request {
        Ok(message) => {
            let message: serde_json::Value = serde_json::from_slice(&message)?;
            print(&format!("\nrequest  {}\n", serde_json::to_string_pretty(&message)?))
        }
        Err(error) => refuse(router, path, &error),
    }
}

/// The binding that answers, and the others that fit.
fn head(router: &Router, path: &str, found: &Match) -> String {
    let (route, rpc) = (&found.route, &found.route.rpc);
    let mut text = format!("route    {} {}\nrpc      {}\n", route.method, route.template, rpc.path);
    text += &format!("access   {}\nbody     {}\n", who(&rpc.access), route.body().unwrap_or("none"));
    for other in router.fitting(path) {
        if other.template != route.template && (other.method == route.method || other.method == "*") {
            text += &format!("loses    {} {}: it is less specific\n", other.method, other.template);
        }
    }
    text
}

/// Tells why a request would be refused; an error, so that a script sees it.
fn refuse(router: &Router, path: &str, error: &Error) -> anyhow::Result<()> {
    if let Error::Invalid(violations) = error {
        let mut table = Table::new(&["FIELD", "REASON", "WHAT IS WRONG"]);
        for fault in violations {
            let field = if fault.field.is_empty() { "(body)" } else { &fault.field };
            table.row(vec![field.to_owned(), fault.reason.as_str().to_owned(), fault.description.clone()]);
        }
        print(&format!("\n{}", table.text()))?;
    }
    for route in router.fitting(path).iter().filter(|_| matches!(error, Error::MethodNotAllowed { .. })) {
        print(&format!("fits     {} {}\n", route.method, route.template))?;
    }
    bail!("refused with {}: {error}", error.http_status())
}

/// Path and query of a URL.
fn split(url: &str) -> (&str, &str) {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => url,
    };
    let path = path.split_once('#').map_or(path, |(path, _)| path);
    path.split_once('?').unwrap_or((path, ""))
}

fn read(path: &PathBuf) -> anyhow::Result<Vec<u8>> {
    if path.as_os_str() == "-" {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body)?;
        return Ok(body);
    }
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The value of a header that was given.
fn header<'o>(options: &'o Options, name: &str) -> Option<&'o str> {
    let mut pairs = options.header.iter().filter_map(|header| header.split_once(':'));
    pairs.find(|(own, _)| own.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
