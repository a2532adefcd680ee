//! From path variables, query, header and body to the encoded request message.

use crate::{
    error::{Error, Reason},
    field::{set_text, spell},
    json, mask,
    query::{self, Given},
    report::{Report, Source},
    route::Binding,
    router::Match,
};
use bytes::Bytes;
use prost::Message;
use prost_reflect::{DynamicMessage, Kind, ReflectMessage, Value as Reflected};
use serde_json::{Map, Value};
use std::time::Duration;

/// What a request brings besides its method and path.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<'a> {
    /// The query, without `?`, percent-encoded.
    pub query: &'a str,
    /// Query parameters that are skipped where they are not fields of the request: names, and starts of names with `*`.
    pub ignored_parameters: &'a [String],
    /// The header `Idempotency-Key`.
    pub idempotency_key: Option<&'a str>,
    /// The version that may be changed, from the header `If-Match`. For routes that [take one](crate::Route::takes_etag).
    pub etag: Option<&'a str>,
    /// The body.
    pub body: Body<'a>,
}

/// A body and its form.
#[derive(Clone, Copy, Debug, Default)]
pub enum Body<'a> {
    /// No bytes.
    #[default]
    Empty,
    /// `application/json`.
    Json(&'a [u8]),
    /// `application/x-www-form-urlencoded`.
    Form(&'a [u8]),
}

/// A message ready to be sent.
#[derive(Debug)]
pub struct Request {
    /// The encoded message.
    pub message: Bytes,
    /// Durations that the caller put into the query: how long the call may take on top of its usual deadline.
    pub wait: Duration,
}

impl<'a> Body<'a> {
    /// Names the form of `bytes`. JSON when there is no `content_type`; its parameters don't matter. Without bytes there
    /// is no form, whatever the type.
    pub fn new(content_type: Option<&str>, bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.is_empty() {
            return Ok(Body::Empty);
        }
        let Some(content_type) = content_type else { return Ok(Body::Json(bytes)) };
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Ok(Body::Json(bytes)),
            other if other.starts_with("application/") && other.ends_with("+json") => Ok(Body::Json(bytes)),
            "application/x-www-form-urlencoded" => Ok(Body::Form(bytes)),
            _ => Err(Error::MediaType(content_type.to_owned())),
        }
    }
}

impl Match {
    /// Binds everything and encodes the request message, or tells all that is wrong with it.
    pub fn request(&self, parts: Parts<'_>) -> Result<Request, Error> {
        let mut message = DynamicMessage::new(self.route.rpc.input.clone());
        let mut report = Report::default();
        self.bind_path(&mut message, &mut report);
        query::bind(&self.route, &parts, &mut message, &mut report);
        if let (Some(key), Some(field)) = (parts.idempotency_key, &self.route.request_id) {
            let given = Given { at: field.name(), text: key, source: Source::Header };
            query::put(&mut message, std::slice::from_ref(field), given, &mut report);
        }
        if let (Some(etag), Some(path)) = (parts.etag, &self.route.etag) {
            let given = Given { at: &spell(path), text: etag, source: Source::IfMatch };
            query::put(&mut message, path, given, &mut report);
        }
        self.bind_body(parts.body, &mut message, &mut report);
        report.finish(|path| self.route.json_path(path))?;
        Ok(Request { wait: query::wait(parts.query, &message), message: message.encode_to_vec().into() })
    }

    fn bind_path(&self, message: &mut DynamicMessage, report: &mut Report) {
        for (path, value) in self.route.variables.iter().zip(&self.values) {
            let spelled = spell(path);
            report.claim(&spelled, Source::Path, false);
            if let Err(problem) = set_text(message, path, value) {
                report.fault(&spelled, problem, Reason::InvalidPath);
            }
        }
    }

    fn bind_body(&self, body: Body<'_>, message: &mut DynamicMessage, report: &mut Report) {
        match (body, &self.route.body) {
            (Body::Empty, _) => {}
            (Body::Json(_) | Body::Form(_), Binding::None) => {
                report.fault("", "this method takes no body", Reason::UnexpectedBody);
            }
            (Body::Json(bytes), _) => match json::parse(bytes) {
                Ok(json) => self.bind_json(json, message, report),
                Err(problem) => report.fault("", problem, Reason::MalformedJson),
            },
            (Body::Form(bytes), _) => match std::str::from_utf8(bytes) {
                Ok(form) => self.bind_form(form, message, report),
                Err(_) => report.fault("", "is not UTF-8", Reason::InvalidValue),
            },
        }
    }

    fn bind_json(&self, json: Value, message: &mut DynamicMessage, report: &mut Report) {
        match (&self.route.body, json) {
            (Binding::None, _) => {}
            (Binding::Whole, Value::Object(fields)) => json::object(message, fields, "", report),
            (Binding::Whole, _) => report.fault("", "must be a JSON object", Reason::InvalidValue),
            (Binding::Field(field), json) => {
                if let (Some(_), Value::Object(fields)) = (self.route.body.resource(), &json) {
                    self.fill_mask(fields, message);
                }
                json::bind(message, field, json, field.name(), report);
            }
        }
    }

    fn bind_form(&self, form: &str, message: &mut DynamicMessage, report: &mut Report) {
        let lenient = self.route.rpc.access.oauth2_errors;
        match (&self.route.body, self.route.body.resource()) {
            (Binding::Whole, _) => query::form(message, form, "", lenient, report),
            (Binding::Field(_), Some(field)) => {
                if let Reflected::Message(inner) = message.get_field_mut(field) {
                    query::form(inner, form, field.name(), lenient, report);
                }
            }
            (Binding::Field(_) | Binding::None, _) => {
                report.fault("", "this method takes no form", Reason::InvalidValue);
            }
        }
    }

    /// Fills the update mask from the body, unless the query brought one.
    fn fill_mask(&self, body: &Map<String, Value>, message: &mut DynamicMessage) {
        let (Some(field), Some(resource)) = (&self.route.update_mask, self.route.body.resource()) else { return };
        let Kind::Message(descriptor) = resource.kind() else { return };
        if message.has_field(field) {
            return;
        }
        let bound: Vec<String> =
            self.route.variables.iter().filter_map(|path| path.split_first()).map(|(_, rest)| spell(rest)).collect();
        let paths = mask::paths(&descriptor, body, &bound).into_iter().map(Reflected::String).collect();
        if let Reflected::Message(mask) = message.get_field_mut(field)
            && let Some(field) = mask.descriptor().get_field_by_name("paths")
        {
            mask.set_field(&field, Reflected::List(paths));
        }
    }
}
