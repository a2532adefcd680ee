//! Query parameters and form fields: dotted field names with texts.

use crate::{
    bound::{self, Bound, Given, Target},
    error::Reason,
    parts::Parts,
    percent::{Pair, pairs},
    report::{Report, Source, join},
    route::{Binding, Route},
    schema::{FieldId, Form, Schema},
    time,
    wire::{Content, Cursor},
};
use std::time::Duration;

pub(crate) fn bind(route: &Route, parts: &Parts<'_>, bound: &mut Vec<Bound>, report: &mut Report) {
    for pair in pairs(parts.query).filter(|pair| !is_ignored(route, parts.ignored_parameters, *pair)) {
        if report.is_full() {
            break;
        }
        let (name, text) = match pair.decode() {
            Ok(pair) => pair,
            Err(problem) => {
                report.fault("query", problem, Reason::InvalidValue);
                continue;
            }
        };
        let Some(target) = Target::named(&route.schema, route.rpc.input, &name) else {
            report.fault(&name, "is not a query parameter of this method", Reason::UnknownQueryParameter);
            continue;
        };
        if let Some(header) = route.rpc.headers.iter().find(|header| target.path == [header.field]) {
            let what = format!("belongs into the header {}, not the query", header.name);
            report.fault(&target.spelled(&route.schema), what, Reason::UnknownQueryParameter);
            continue;
        }
        // A field that the path has bound may come again in the query, with the value that it has.
        if belongs_to_body(route, &target.path) && !bound.iter().any(|bound| bound.target == target) {
            let at = target.spelled(&route.schema);
            report.fault(&at, "belongs into the body, not the query", Reason::UnknownQueryParameter);
        } else {
            put(route, bound, &target, Given { text: &text, source: Source::Query }, report);
        }
    }
}

/// Binds a leaf, and notes what is wrong with its text.
pub(crate) fn put(route: &Route, bound: &mut Vec<Bound>, target: &Target, given: Given<'_>, report: &mut Report) {
    if let Err((what, reason)) = bound::put(&route.schema, bound, target, given) {
        // No text of a path is the value of its field: there is no such resource, whatever the field is.
        let reason = if given.source == Source::Path { Reason::InvalidPath } else { reason };
        report.fault(&target.spelled(&route.schema), what, reason);
    }
}

/// Whether this parameter is somebody else's: `ignored` names it, and it is no field of the request. Its value may be
/// anything, an encoding that is broken too.
fn is_ignored(route: &Route, ignored: &[String], pair: Pair<'_>) -> bool {
    let Some(name) = pair.name() else { return false };
    let is_named = |pattern: &String| match pattern.strip_suffix('*') {
        Some(start) => name.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)),
        None => name.eq_ignore_ascii_case(pattern),
    };
    ignored.iter().any(is_named) && Target::named(&route.schema, route.rpc.input, &name).is_none()
}

/// Binds each field of a form to a field of the resource, or of the request without one. At the token endpoint, as RFC 6749
/// section 3.2 demands, unknown fields are ignored and empty ones are as good as absent.
pub(crate) fn form(route: &Route, form: &str, resource: Option<FieldId>, bound: &mut Vec<Bound>, report: &mut Report) {
    let at = resource.map_or("", |id| route.schema.field(id).name.as_ref());
    let lenient = route.rpc.access.oauth2_errors;
    for pair in pairs(form) {
        if report.is_full() {
            break;
        }
        let (name, text) = match pair.decode() {
            Ok(pair) => pair,
            Err(problem) => {
                report.fault(at, problem, Reason::InvalidValue);
                continue;
            }
        };
        let full = join(at, &name);
        let target = Target::named(&route.schema, route.rpc.input, &full);
        // Browsers and OAuth clients send fields of their own.
        if lenient && (target.is_none() || text.is_empty()) {
            continue;
        }
        match target {
            Some(target) => put(route, bound, &target, Given { text: &text, source: Source::Body }, report),
            None => report.fault(&full, "is not a field of this method", Reason::UnknownField),
        }
    }
}

fn belongs_to_body(route: &Route, path: &[FieldId]) -> bool {
    match &route.body {
        Binding::None => false,
        Binding::Whole => true,
        Binding::Field(body) => path.first() == Some(body),
    }
}

/// Sum of the durations among the top-level fields that the query binds: how long the caller is ready to wait on top of the
/// usual deadline.
pub(crate) fn wait(schema: &Schema, bound: &[Bound]) -> Duration {
    let is_wait = |bound: &&Bound| {
        let duration = |id: &FieldId| schema.form(schema.field(*id)) == Some(Form::Duration);
        bound.source == Source::Query && matches!(bound.target.path.as_slice(), [id] if duration(id))
    };
    let values = bound.iter().filter(is_wait).filter_map(|bound| bound.value.as_deref());
    values.filter_map(duration).fold(Duration::ZERO, Duration::saturating_add)
}

/// The duration in a field of that type; none when it is negative.
fn duration(field: &[u8]) -> Option<Duration> {
    let (_, _, Content::Bytes { start, end }) = Cursor::new(field).field().ok()?? else { return None };
    let (seconds, nanos) = time::read(field.get(start..end)?).ok()?;
    Some(Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanos).ok()?))
}
