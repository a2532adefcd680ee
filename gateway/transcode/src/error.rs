//! What can be wrong with a call, as a typed error that becomes a `google.rpc.Status`.

use crate::status::DOMAIN;
use std::collections::HashMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// Why one field was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    UnknownField,
    /// No field of the message takes its value from this query parameter.
    UnknownQueryParameter,
    /// The field got a value from two places: path, query, body or header.
    BoundTwice,
    InvalidValue,
    /// The path segment cannot be the value of a field.
    InvalidPath,
    MalformedJson,
    UnexpectedBody,
}

impl Reason {
    /// The `reason` of the `google.rpc.ErrorInfo`.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::UnknownField => "UNKNOWN_FIELD",
            Reason::UnknownQueryParameter => "UNKNOWN_QUERY_PARAMETER",
            Reason::BoundTwice => "FIELD_BOUND_TWICE",
            Reason::InvalidValue => "INVALID_VALUE",
            Reason::InvalidPath => "INVALID_PATH",
            Reason::MalformedJson => "MALFORMED_JSON",
            Reason::UnexpectedBody => "UNEXPECTED_BODY",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path as the caller writes it, such as `items[0].quantity`; empty for the whole body.
    pub field: String,
    /// What is wrong, for a person.
    pub description: String,
    /// What is wrong, for a program.
    pub reason: Reason,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such path")]
    NotFound,
    #[error("this path answers to {}", allowed.join(", "))]
    MethodNotAllowed {
        /// The methods that it answers to, for the header `Allow`.
        allowed: Vec<String>,
    },
    #[error("content type {0:?} is not supported; send application/json")]
    MediaType(String),
    /// Fields were refused. There is at least one, and at most [`MAX_VIOLATIONS`](crate::MAX_VIOLATIONS).
    #[error("{}", summary(.0))]
    Invalid(Vec<Violation>),
    #[error("the reply of {rpc} does not fit its contract")]
    Reply {
        rpc: String,
        /// What is wrong; for the log, not for the caller.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn summary(violations: &[Violation]) -> String {
    match violations {
        [] => "invalid request".to_owned(),
        [first, rest @ ..] => {
            let field = if first.field.is_empty() { "body" } else { &first.field };
            let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
            format!("{field}: {}{more}", first.description)
        }
    }
}

impl Error {
    pub fn http_status(&self) -> u16 {
        match self {
            Error::NotFound => 404,
            Error::MethodNotAllowed { .. } => 405,
            Error::MediaType(_) => 415,
            Error::Invalid(_) => 400,
            Error::Reply { .. } => 500,
        }
    }

    /// The error as a gRPC status, with `ErrorInfo` and, for refused fields, `BadRequest`.
    pub fn status(&self) -> Status {
        let (code, reason) = match self {
            Error::NotFound => (Code::NotFound, "ROUTE_NOT_FOUND"),
            Error::MethodNotAllowed { .. } => (Code::Unimplemented, "METHOD_NOT_ALLOWED"),
            Error::MediaType(_) => (Code::InvalidArgument, "UNSUPPORTED_MEDIA_TYPE"),
            Error::Invalid(violations) => {
                (Code::InvalidArgument, violations.first().map_or("INVALID_VALUE", |first| first.reason.as_str()))
            }
            Error::Reply { .. } => (Code::Internal, "REPLY_MALFORMED"),
        };
        let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
        if let Error::Invalid(violations) = self {
            let fields = violations.iter().map(|violation| FieldViolation {
                field: violation.field.clone(),
                description: violation.description.clone(),
                reason: violation.reason.as_str().to_owned(),
                localized_message: None,
            });
            details.set_bad_request(fields.collect::<Vec<_>>());
        }
        Status::with_error_details(code, self.to_string(), details)
    }
}

/// Why a router cannot be built. Each is a fault of the contracts, found at start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The descriptor set does not decode or does not link.
    #[error("descriptor set: {0}")]
    Descriptors(#[from] prost_reflect::DescriptorError),
    #[error("{rpc}: template {template:?}: {problem}")]
    Template { rpc: String, template: String, problem: String },
    /// A variable, body or response_body does not name a field that can be bound.
    #[error("{rpc}: {field:?} cannot be bound: {problem}")]
    Field {
        rpc: String,
        /// The field path in the annotation.
        field: String,
        problem: &'static str,
    },
    /// Two bindings answer to the same method and path.
    #[error("{first} and {second} both answer to {method} {template}")]
    Conflict { first: String, second: String, method: String, template: String },
    /// The method has a binding that JSON over HTTP cannot serve.
    #[error("{rpc}: {problem}")]
    Unsupported { rpc: String, problem: &'static str },
}
