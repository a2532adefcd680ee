//! From path variables, query, header and body to the encoded request message.

use crate::{
    bound::{Bound, Given, Target},
    error::{Error, Reason},
    parse::Parser,
    parts::{Body, Parts},
    query,
    report::{Report, Source},
    route::{Binding, Route},
    router::Match,
    schema::ETAG,
    wire::{self, WireType},
};
use bytes::Bytes;
use std::time::Duration;

/// A message ready to be sent.
#[derive(Debug)]
pub struct Request {
    pub message: Bytes,
    /// Durations that the caller put into the query: how long the call may take on top of its usual deadline.
    pub wait: Duration,
}

/// What a request binds, before it is one message.
#[derive(Default)]
struct Binder {
    bound: Vec<Bound>,
    report: Report,
    /// The body on the wire.
    body: Vec<u8>,
    /// The paths of the leaves that the body mentions: for the update mask, or because they are asked for.
    mentioned: Vec<String>,
    wants_mentioned: bool,
}

/// How a request would be bound.
#[derive(Debug)]
pub struct Explained {
    /// Where each field comes from: first the path, then the query, the headers and the body.
    pub origins: Vec<Origin>,
    /// The request message as JSON.
    pub request: Result<Vec<u8>, Error>,
}

/// Where a field comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its path as callers write it.
    pub field: String,
    /// A phrase such as `in the path`.
    pub from: &'static str,
}

impl Match {
    /// Binds everything and encodes the request message, or tells all that is wrong with it.
    pub fn request(&self, parts: Parts<'_>) -> Result<Request, Error> {
        let mut binder = Binder::default();
        self.bind(parts, &mut binder);
        binder.finish(&self.route)
    }

    /// Tells where each field of the request would come from, and the message or what is wrong with it.
    pub fn explain(&self, parts: Parts<'_>) -> Explained {
        let (route, mut binder) = (&self.route, Binder { wants_mentioned: true, ..Binder::default() });
        self.bind(parts, &mut binder);
        let origin = |field: &str, from| Origin { field: route.json_path(field), from };
        let bound = binder.bound.iter();
        let mut origins: Vec<Origin> =
            bound.map(|bound| origin(&bound.target.spelled(&route.schema), bound.source.name())).collect();
        origins.extend(binder.mentioned.iter().map(|field| origin(field, Source::Body.name())));
        Explained { origins, request: binder.finish(route).and_then(|request| route.request_json(&request.message)) }
    }

    fn bind(&self, parts: Parts<'_>, binder: &mut Binder) {
        self.bind_parts(&parts, &mut binder.bound, &mut binder.report);
        let route = &self.route;
        match (parts.body, &route.body) {
            (Body::Empty, _) => {}
            (Body::Json(_) | Body::Form(_), Binding::None) => {
                binder.report.fault("", "this method takes no body", Reason::UnexpectedBody);
            }
            (Body::Json(json), _) => route.read_json(json, binder),
            (Body::Form(bytes), _) => match std::str::from_utf8(bytes) {
                Ok(form) => route.read_form(form, binder),
                Err(_) => binder.report.fault("", "is not UTF-8", Reason::InvalidValue),
            },
        }
    }

    /// What stands beside the body. The path comes first, so that a second value for one of its fields is told as a
    /// conflict with the path.
    fn bind_parts(&self, parts: &Parts<'_>, bound: &mut Vec<Bound>, report: &mut Report) {
        let route = &self.route;
        for (path, text) in route.variables.iter().zip(&self.values) {
            query::put(route, bound, &Target::leaf(path), Given { text, source: Source::Path }, report);
        }
        query::bind(route, parts, bound, report);
        let key = parts.idempotency_key.zip(route.request_id.as_ref().map(std::slice::from_ref));
        for header in &route.rpc.headers {
            if let Some((_, text)) = parts.headers.iter().find(|(name, _)| *name == header.name) {
                let path = std::slice::from_ref(&header.field);
                query::put(route, bound, &Target::leaf(path), Given { text, source: Source::Named }, report);
            }
        }
        let etag = parts.etag.zip(route.etag.as_deref());
        for (header, source) in [(key, Source::Header), (etag, Source::IfMatch)] {
            if let Some((text, path)) = header {
                query::put(route, bound, &Target::leaf(path), Given { text, source }, report);
            }
        }
    }
}

impl Binder {
    fn finish(mut self, route: &Route) -> Result<Request, Error> {
        self.report.finish(|path| route.json_path(path))?;
        for bound in &self.bound {
            bound.write(&route.schema, &mut self.body);
        }
        Ok(Request { wait: query::wait(&route.schema, &self.bound), message: self.body.into() })
    }
}

impl Route {
    fn read_json(&self, json: &[u8], binder: &mut Binder) {
        let Binder { bound, report, body, mentioned, wants_mentioned } = binder;
        // An update that does not say what it changes changes what its body mentions (AIP-134).
        let is_given = |mask| bound.iter().any(|bound| bound.target.path == [mask]);
        let mask = self.update_mask.filter(|mask| self.resource().is_some() && !is_given(*mask));
        let mut parser = Parser::new(&self.schema, json, body, report, bound);
        parser.wants_mentioned = mask.is_some() || *wants_mentioned;
        match self.body {
            Binding::None => return,
            Binding::Whole => parser.whole(self.rpc.input),
            Binding::Field(id) => parser.field(id),
        }
        *mentioned = parser.mentioned;
        let Some(mask) = mask else { return };
        wire::put_tag(body, self.schema.field(mask).number, WireType::Bytes);
        let start = wire::begin(body);
        // The first name is that of the resource, which the mask does not repeat.
        for (_, path) in mentioned.iter().filter_map(|path| path.split_once('.')) {
            if path != ETAG {
                wire::put_bytes(body, 1, path.as_bytes());
            }
        }
        wire::end(body, start);
    }

    fn read_form(&self, form: &str, binder: &mut Binder) {
        match (&self.body, self.resource()) {
            (Binding::Whole, _) => query::form(self, form, None, &mut binder.bound, &mut binder.report),
            (Binding::Field(_), Some(id)) => {
                // A form without a field is an empty resource, not none.
                wire::put_bytes(&mut binder.body, self.schema.field(id).number, &[]);
                query::form(self, form, Some(id), &mut binder.bound, &mut binder.report);
            }
            (Binding::Field(_) | Binding::None, _) => {
                binder.report.fault("", "this method takes no form", Reason::InvalidValue);
            }
        }
    }
}
