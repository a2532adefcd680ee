//! From path variables, query, header and body to the encoded request message.

use crate::{
    error::{Error, Reason},
    field::{set_text, spell},
    json, mask,
    parts::{Body, Parts},
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

/// A message ready to be sent.
#[derive(Debug)]
pub struct Request {
    pub message: Bytes,
    /// Durations that the caller put into the query: how long the call may take on top of its usual deadline.
    pub wait: Duration,
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
        // Last, because the update mask of a PATCH is filled from the body only when no other source has set it.
        self.bind_body(parts.body, &mut message, &mut report);
        report.finish(|path| self.route.json_path(path))?;
        Ok(Request { wait: query::wait(parts.query, &message), message: message.encode_to_vec().into() })
    }

    fn bind_path(&self, message: &mut DynamicMessage, report: &mut Report) {
        for (path, value) in self.route.variables.iter().zip(&self.values) {
            let spelled = spell(path);
            // The path is bound first, so a second value for one of its fields is told as a conflict with the path.
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
