//! Failures as `application/problem+json` (RFC 9457), for callers whose `Accept` names it; `google.rpc.Status` for all others.
//!
//! The type is `about:blank`, which says that title and status are those of HTTP; what programs test is `reason`.

#[cfg(test)]
mod tests;

use crate::accept;
use axum::{body::Body, response::Response};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, VARY},
};
use serde_json::{Map, Value, json};

const PROBLEM: &str = "application/problem+json";

/// The `google.rpc.Status` that a reply tells: an extension of the replies that can be told as a problem.
#[derive(Clone)]
pub(crate) struct Told(pub Value);

/// The reply as the caller likes failures to be told.
pub(crate) fn tell(mut response: Response, is_liked: bool, id: &HeaderValue) -> Response {
    let Some(Told(status)) = response.extensions_mut().remove() else { return response };
    response.headers_mut().append(VARY, HeaderValue::from(ACCEPT));
    if !is_liked {
        return response;
    }
    let problem = problem(response.status(), &status, id.to_str().ok());
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
    response.map(|_| Body::from(problem.to_string()))
}

/// Whether `Accept` names problems, and likes JSON no better. A range such as `*/*` names nothing.
pub(crate) fn is_liked(headers: &HeaderMap) -> bool {
    accept::names(headers, PROBLEM)
}

/// The problem that a status is.
fn problem(http: StatusCode, status: &Value, request_id: Option<&str>) -> Value {
    let details = || status["details"].as_array().into_iter().flatten();
    let detail =
        |name: &str| details().find(|detail| detail["@type"].as_str().is_some_and(|kind| kind.ends_with(name)));
    let reason = detail("/google.rpc.ErrorInfo").map_or(Value::Null, |info| info["reason"].clone());
    let mut problem = json!({
        "type": "about:blank",
        // The one status that no RFC has is 499, of a caller who went away.
        "title": http.canonical_reason().unwrap_or("Client Closed Request"),
        "status": http.as_u16(),
        "detail": status["message"],
        "instance": request_id,
        "code": status["code"],
        "reason": reason,
    });
    if let Some(Value::Array(violations)) = detail("/google.rpc.BadRequest").map(|bad| &bad["fieldViolations"]) {
        problem["violations"] = violations.iter().map(violation).collect();
    }
    problem
}

/// A refused field, without what is empty.
fn violation(found: &Value) -> Value {
    let said = |name: &&str| found[name].as_str().is_some_and(|text| !text.is_empty());
    let fields = ["field", "description", "reason"].into_iter().filter(said);
    Value::Object(fields.map(|name| (name.to_owned(), found[name].clone())).collect::<Map<_, _>>())
}
