//! Whether a reply is what a page shows of it. In the page `…` stands for any text, and as a field or the last element for
//! whatever else there is.

use anyhow::{Context, bail, ensure};
use serde_json::Value;

const ANY: &str = "…";

/// A status line, headers and a body.
pub struct Reply<'a> {
    status: &'a str,
    headers: Vec<&'a str>,
    pub body: &'a str,
}

impl<'a> Reply<'a> {
    pub fn parse(text: &'a str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        Self { status: lines.next().unwrap_or_default(), headers: lines.collect(), body: body.trim_end() }
    }

    /// Whether `actual` has the status, the headers and the body that are shown; it may have more headers.
    pub fn must_fit(&self, actual: &Reply<'_>) -> anyhow::Result<()> {
        ensure!(self.status == actual.status, "the page has {}, the reply {}", self.status, actual.status);
        for header in &self.headers {
            ensure!(actual.headers.iter().any(|each| glob(header, each)), "{header} is not in the reply");
        }
        match serde_json::from_str(self.body) {
            Ok(shown) => fits(&shown, &serde_json::from_str(actual.body).context("the reply is not JSON")?, "body"),
            Err(_) if glob(self.body, actual.body) => Ok(()),
            Err(_) => bail!("the body is not the one that is shown"),
        }
    }
}

/// Whether `actual` is what is shown at `path`.
fn fits(shown: &Value, actual: &Value, path: &str) -> anyhow::Result<()> {
    match (shown, actual) {
        (Value::Object(shown), Value::Object(actual)) => {
            for (name, value) in shown.iter().filter(|(name, _)| *name != ANY) {
                let found = actual.get(name).with_context(|| format!("{path}.{name} is gone"))?;
                fits(value, found, &format!("{path}.{name}"))?;
            }
            let new = actual.keys().find(|name| !shown.contains_key(*name));
            ensure!(
                new.is_none() || shown.contains_key(ANY),
                "{path}.{} is not in the page",
                new.map_or("", |name| name)
            );
        }
        (Value::Array(shown), Value::Array(actual)) => {
            let open = shown.last().is_some_and(|last| last == ANY);
            let shown = &shown[..shown.len() - usize::from(open)];
            ensure!(
                actual.len() >= shown.len() && (open || actual.len() == shown.len()),
                "{path} has {}",
                actual.len()
            );
            for (number, (shown, actual)) in shown.iter().zip(actual).enumerate() {
                fits(shown, actual, &format!("{path}[{number}]"))?;
            }
        }
        (Value::String(shown), Value::String(actual)) => {
            ensure!(glob(shown, actual), "{path}: {shown} is now {actual}")
        }
        _ => ensure!(shown == actual, "{path}: {shown} is now {actual}"),
    }
    Ok(())
}

/// Whether `text` is `pattern`, in which each `…` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, mut pattern)) = pattern.split_once(ANY) else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    while let Some((part, rest)) = pattern.split_once(ANY) {
        let Some((_, after)) = text.split_once(part) else { return false };
        (pattern, text) = (rest, after);
    }
    text.ends_with(pattern)
}

#[test]
fn a_reply_fits_what_is_shown_of_it() {
    let fitting = [
        (r#"{"a": "ord_…", "…": "…"}"#, r#"{"a": "ord_1", "b": 2}"#),
        (r#"[1, "…"]"#, "[1, 2, 3]"),
        (r#"{"a": "20…Z"}"#, r#"{"a": "2026Z"}"#),
        ("retry: 1\n\n…\nid: …\ndata: {…\"b\"…}", "retry: 1\n\nid: 1\ndata: {}\n\nid: 2\ndata: {\"b\":3}"),
    ];
    let others = [
        (r#"{"a": 1}"#, r#"{"a": 1, "b": 2}"#),
        (r#"{"a": 1, "…": "…"}"#, r#"{"b": 2}"#),
        (r#"{"a": "1"}"#, r#"{"a": 1}"#),
        (r#"{"a": "ord_…"}"#, r#"{"a": "prd_1"}"#),
        ("[1]", "[1, 2]"),
        ("[1, 2]", "[1]"),
        ("data: …x…", "data: y"),
    ];
    let check = |(shown, actual): (&str, &str)| {
        let reply = |body: &str| format!("HTTP/1.1 200 OK\netag: \"1\"\n\n{body}");
        Reply::parse(&reply(shown)).must_fit(&Reply::parse(&reply(actual)))
    };
    fitting.into_iter().for_each(|pair| check(pair).unwrap_or_else(|error| panic!("{pair:?}: {error}")));
    others.into_iter().for_each(|pair| assert!(check(pair).is_err(), "{pair:?}"));
    let [shown, other] = ["HTTP/1.1 200 OK\netag: \"1\"", "HTTP/1.1 200 OK\netag: \"2\""].map(Reply::parse);
    assert!(shown.must_fit(&other).is_err());
    assert!(shown.must_fit(&Reply::parse("HTTP/1.1 201 Created\netag: \"1\"")).is_err());
}
