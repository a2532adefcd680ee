//! Query parameters and form fields: dotted field names with texts.

use crate::{
    error::Reason,
    field::{repeats_text, resolve, set_text, spell},
    parts::Parts,
    percent::{Pair, pairs},
    report::{Claim, Report, Source, join},
    route::{Binding, Route},
};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage};

pub(crate) fn bind(route: &Route, parts: &Parts<'_>, message: &mut DynamicMessage, report: &mut Report) {
    for pair in pairs(parts.query).filter(|pair| !is_ignored(route, parts.ignored_parameters, *pair)) {
        let (name, text) = match pair.decode() {
            Ok(pair) => pair,
            Err(problem) => {
                report.fault("query", problem, Reason::InvalidValue);
                continue;
            }
        };
        let Some(path) = resolve(&route.rpc.input, &name) else {
            report.fault(&name, "is not a query parameter of this method", Reason::UnknownQueryParameter);
            continue;
        };
        let spelled = spell(&path);
        // A field that the path has bound may come again in the query, with the value that it has.
        if belongs_to_body(route, &path) && !report.is_claimed(&spelled) {
            report.fault(&spelled, "belongs into the body, not the query", Reason::UnknownQueryParameter);
        } else {
            put(message, &path, Given { at: &spelled, text: &text, source: Source::Query }, report);
        }
    }
}

/// A text for the field that is `at` this path of the request.
pub(crate) struct Given<'a> {
    pub at: &'a str,
    pub text: &'a str,
    pub source: Source,
}

/// Sets the leaf at `path` of `message`, unless another source gave it a value: that must be the same.
pub(crate) fn put(message: &mut DynamicMessage, path: &[FieldDescriptor], given: Given<'_>, report: &mut Report) {
    let Given { at, text, source } = given;
    let repeated = path.last().is_some_and(FieldDescriptor::is_list);
    match report.claim(at, source, repeated) {
        Claim::First => {
            if let Err(problem) = set_text(message, path, text) {
                report.fault(at, problem, Reason::InvalidValue);
            }
        }
        Claim::Again(first) if !repeats_text(message, path, text) => report.conflict(at, first, source),
        Claim::Again(_) | Claim::Refused => {}
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
    ignored.iter().any(is_named) && resolve(&route.rpc.input, &name).is_none()
}

/// Binds each field of a form to a field of `message`, which is at the path `at` of the request. With `lenient`, as
/// RFC 6749 section 3.2 demands, unknown fields are ignored and empty ones are as good as absent.
pub(crate) fn form(message: &mut DynamicMessage, form: &str, at: &str, lenient: bool, report: &mut Report) {
    for pair in pairs(form) {
        let (name, text) = match pair.decode() {
            Ok(pair) => pair,
            Err(problem) => {
                report.fault(at, problem, Reason::InvalidValue);
                continue;
            }
        };
        let path = resolve(&message.descriptor(), &name);
        // Browsers and OAuth clients send fields of their own.
        if lenient && (path.is_none() || text.is_empty()) {
            continue;
        }
        let Some(path) = path else {
            report.fault(&join(at, &name), "is not a field of this method", Reason::UnknownField);
            continue;
        };
        let spelled = join(at, &spell(&path));
        put(message, &path, Given { at: &spelled, text: &text, source: Source::Body }, report);
    }
}

fn belongs_to_body(route: &Route, path: &[FieldDescriptor]) -> bool {
    match &route.body {
        Binding::None => false,
        Binding::Whole => true,
        Binding::Field(body) => path.first() == Some(body),
    }
}

/// Sum of the durations among the top-level fields of `message` that `query` binds: how long the caller is ready to
/// wait on top of the usual deadline.
pub(crate) fn wait(query: &str, message: &DynamicMessage) -> std::time::Duration {
    let mut total = std::time::Duration::ZERO;
    for name in pairs(query).filter_map(Pair::name) {
        let Some(path) = resolve(&message.descriptor(), &name) else { continue };
        if let [field] = path.as_slice()
            && matches!(field.kind(), Kind::Message(kind) if kind.full_name() == "google.protobuf.Duration")
            && let Some(duration) = message.get_field(field).as_message()
            && let Ok(duration) = duration.transcode_to::<Seconds>()
            && let Ok(seconds) = u64::try_from(duration.seconds)
        {
            let nanos = u32::try_from(duration.nanos).unwrap_or(0);
            total = total.saturating_add(
                std::time::Duration::from_secs(seconds)
                    .saturating_add(std::time::Duration::from_nanos(u64::from(nanos))),
            );
        }
    }
    total
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, prost::Message)]
struct Seconds {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}
