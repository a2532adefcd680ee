//! The one form of an error on the wire: code, `ErrorInfo{reason, domain: "comptoir"}`, and details where they help.

use contracts::validate::Violation;
use prost::Message;
use prost_types::Any;
use std::{collections::HashMap, time::Duration};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt, pb};

/// Domain of every `ErrorInfo`.
pub const DOMAIN: &str = "comptoir";

/// An error with a reason that programs can test.
pub fn error(code: Code, reason: &str, message: impl Into<String>) -> Status {
    with(code, reason, message, &[])
}

/// [`error`] with metadata, for example the product that is short.
pub fn with(code: Code, reason: &str, message: impl Into<String>, metadata: &[(String, String)]) -> Status {
    let details = ErrorDetails::with_error_info(reason, DOMAIN, metadata.iter().cloned().collect::<HashMap<_, _>>());
    Status::with_error_details(code, message, details)
}

/// [`error`] with a message of the contract, for example the quote that is right now.
pub fn with_detail<M: Message + prost::Name>(
    code: Code,
    reason: &str,
    message: impl Into<String>,
    detail: &M,
) -> Status {
    let plain = error(code, reason, message);
    let mut status = pb::Status::decode(plain.details()).expect("these details were encoded here");
    status
        .details
        .push(Any { type_url: format!("type.googleapis.com/{}", M::full_name()), value: detail.encode_to_vec() });
    Status::with_details(code, plain.message(), status.encode_to_vec().into())
}

/// INVALID_ARGUMENT that names every field at fault.
pub fn violations(found: Vec<Violation>) -> Status {
    let message = summary(found.iter().map(|violation| (violation.field.as_str(), violation.description.as_str())));
    let mut details = ErrorDetails::with_error_info("INVALID_FIELD", DOMAIN, HashMap::new());
    for violation in found {
        details.add_bad_request_violation(violation.field, violation.description);
    }
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// INVALID_ARGUMENT for one field.
pub fn violation(field: &str, description: impl Into<String>) -> Status {
    violations(vec![Violation { field: field.to_owned(), description: description.into() }])
}

/// `status` with the field of each violation renamed by `name`, in its details and in the message that was made of them.
/// Other details stay as they are.
pub fn renamed(status: Status, name: impl Fn(&str) -> String) -> Status {
    let Ok(mut all) = pb::Status::decode(status.details()) else { return status };
    let mut message = status.message().to_owned();
    for detail in all.details.iter_mut().filter(|detail| detail.type_url.ends_with("/google.rpc.BadRequest")) {
        let Ok(mut bad) = pb::BadRequest::decode(detail.value.as_slice()) else { continue };
        let told = |bad: &pb::BadRequest| {
            summary(bad.field_violations.iter().map(|one| (one.field.as_str(), one.description.as_str())))
        };
        // Only a message that was made of the violations is made anew; any other one is the text of the service.
        let is_made_of_them = message == told(&bad);
        for violation in &mut bad.field_violations {
            violation.field = name(&violation.field);
        }
        if is_made_of_them {
            message = told(&bad);
        }
        detail.value = bad.encode_to_vec();
    }
    all.message.clone_from(&message);
    let metadata = status.metadata().clone();
    Status::with_details_and_metadata(status.code(), message, all.encode_to_vec().into(), metadata)
}

/// `field: description` of each violation; an empty field is the whole body.
fn summary<'a>(violations: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let told = violations.map(|(field, what)| format!("{}: {what}", if field.is_empty() { "body" } else { field }));
    told.collect::<Vec<_>>().join("; ")
}

/// INVALID_ARGUMENT: the page token was made for another list, or by nobody.
pub fn page_token(_: impl std::error::Error) -> Status {
    violation("page_token", "is not a token of this list")
}

/// NOT_FOUND; the same for what is absent and for what belongs to somebody else. `collection` is that of the resource's
/// path, such as `products`.
pub fn not_found(collection: &str, id: &str) -> Status {
    let resource = format!("{collection}/{id}");
    let message = format!("{resource:?} was not found");
    with(Code::NotFound, "NOT_FOUND", message, &[("resource".to_owned(), resource)])
}

/// FAILED_PRECONDITION: the state does not allow it.
pub fn precondition(reason: &str, message: impl Into<String>) -> Status {
    error(Code::FailedPrecondition, reason, message)
}

/// ABORTED: the etag is not that of the current version.
pub fn stale_etag() -> Status {
    error(
        Code::Aborted,
        "STALE_ETAG",
        "the resource has changed since it was read; read it again and repeat the change",
    )
}

/// ALREADY_EXISTS: the caller has used this key for another request.
pub fn key_reused() -> Status {
    let message = "this idempotency key (request_id) was used for another request; send a new one";
    error(Code::AlreadyExists, "IDEMPOTENCY_KEY_REUSED", message)
}

/// UNAVAILABLE with the time after which a retry makes sense.
pub fn unavailable(reason: &str, message: impl Into<String>) -> Status {
    unavailable_with(reason, message, &[])
}

/// [`unavailable`] with metadata.
pub fn unavailable_with(reason: &str, message: impl Into<String>, metadata: &[(String, String)]) -> Status {
    passing(Code::Unavailable, reason, message, metadata)
}

/// ABORTED with the time after which a retry makes sense: for what a caller can bring about. A mesh takes UNAVAILABLE for a fault of
/// the pod that answers, repeats the call and shuts the pod off.
pub fn not_yet(reason: &str, message: impl Into<String>, metadata: &[(String, String)]) -> Status {
    passing(Code::Aborted, reason, message, metadata)
}

fn passing(code: Code, reason: &str, message: impl Into<String>, metadata: &[(String, String)]) -> Status {
    let mut details =
        ErrorDetails::with_error_info(reason, DOMAIN, metadata.iter().cloned().collect::<HashMap<_, _>>());
    details.set_retry_info(Some(Duration::from_secs(1)));
    Status::with_error_details(code, message, details)
}

/// RESOURCE_EXHAUSTED with the time after which a retry makes sense.
pub fn exhausted(reason: &str, message: impl Into<String>, wait: Duration) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    details.set_retry_info(Some(wait));
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// INTERNAL; the cause has been logged and stays here.
pub fn internal() -> Status {
    error(Code::Internal, "INTERNAL", "an internal error; it has been logged")
}

/// A fact of an error that another service sent: the value of `key` in the metadata of its ErrorInfo.
pub fn metadata(status: &Status, key: &str) -> Option<String> {
    status.get_error_details().error_info()?.metadata.get(key).cloned()
}

/// The reason of an error that another service sent, or its code's name.
pub fn reason(status: &Status) -> String {
    let info = status.get_error_details().error_info().map(|info| info.reason.clone());
    info.filter(|reason| !reason.is_empty()).unwrap_or_else(|| format!("{:?}", status.code()).to_uppercase())
}
