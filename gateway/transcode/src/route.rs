//! One binding of a method: which fields the path, the body and the reply stand for, checked when it is built.

use crate::{
    error::BuildError,
    rpc::{Rpc, Rule},
    schema::{ETAG, FieldId, Form, Kind, MessageId, Schema, Shape},
    template::Template,
    write::Options,
};
use std::sync::Arc;

/// One `google.api.http` binding.
#[derive(Debug)]
pub struct Route {
    /// HTTP method, in capitals; `*` for any.
    pub method: String,
    /// Path template as annotated.
    pub template: String,
    pub rpc: Arc<Rpc>,
    pub(crate) schema: Arc<Schema>,
    /// How replies are written.
    pub(crate) options: Options,
    pub(crate) parsed: Template,
    /// Fields along the path of each variable, in the order of `parsed.variables`.
    pub(crate) variables: Vec<Vec<FieldId>>,
    pub(crate) body: Binding,
    pub(crate) response_body: Option<FieldId>,
    pub(crate) update_mask: Option<FieldId>,
    pub(crate) request_id: Option<FieldId>,
    /// Fields along the path of the version that the request may change.
    pub(crate) etag: Option<Vec<FieldId>>,
}

/// What the body of the request stands for.
#[derive(Debug)]
pub(crate) enum Binding {
    None,
    /// All fields that the path does not bind.
    Whole,
    Field(FieldId),
}

impl Route {
    /// Whether requests can name the version that they may change.
    pub fn takes_etag(&self) -> bool {
        self.etag.is_some()
    }

    /// What the body stands for: `*` for the whole request, or the name of a field. None when there is no body.
    pub fn body(&self) -> Option<&str> {
        match self.body {
            Binding::None => None,
            Binding::Whole => Some("*"),
            Binding::Field(id) => Some(&self.schema.field(id).name),
        }
    }

    /// The path of a field as who calls this route writes it: JSON names, without the field that the body stands for.
    /// What is no field of the request stays as it is. Empty for the whole body.
    pub fn json_path(&self, path: &str) -> String {
        let whole = self.schema.json_path(self.rpc.input, path);
        let body = match self.body {
            Binding::Field(id) => Some(self.schema.field(id).json_name.as_ref()),
            Binding::Whole | Binding::None => None,
        };
        let (first, rest) = whole.split_once('.').unwrap_or((&whole, ""));
        if Some(first) == body { rest.to_owned() } else { whole }
    }

    /// The field that the whole body stands for, when it is one whose JSON is an object.
    pub(crate) fn resource(&self) -> Option<FieldId> {
        let Binding::Field(id) = self.body else { return None };
        resource(&self.schema, id).map(|_| id)
    }

    pub(crate) fn new(schema: Arc<Schema>, options: Options, rpc: Arc<Rpc>, rule: Rule) -> Result<Self, BuildError> {
        let parsed = Template::parse(&rule.template).map_err(|problem| BuildError::Template {
            rpc: rpc.full_name.clone(),
            template: rule.template.clone(),
            problem,
        })?;
        let unbindable =
            |field: &str, problem| BuildError::Field { rpc: rpc.full_name.clone(), field: field.to_owned(), problem };
        let variables = parsed.variables.iter().map(|variable| {
            let is_singular = |path: &Vec<FieldId>| path.iter().all(|id| schema.field(*id).shape == Shape::One);
            let fields = schema.resolve(rpc.input, &variable.field).filter(is_singular);
            fields.ok_or_else(|| unbindable(&variable.field, "not a singular leaf of the request"))
        });
        let variables = variables.collect::<Result<_, _>>()?;
        let field =
            |message, name: &str, problem| schema.declared(message, name).ok_or_else(|| unbindable(name, problem));
        let body = match rule.body.as_str() {
            "" => Binding::None,
            "*" => Binding::Whole,
            name => Binding::Field(field(rpc.input, name, "not a field of the request")?),
        };
        let response_body = match rule.response_body.as_str() {
            "" => None,
            name => Some(field(rpc.output, name, "not a field of the reply")?),
        };
        let update_mask = if rule.method == "PATCH" { update_mask(&schema, &rpc) } else { None };
        Ok(Route {
            method: rule.method,
            template: rule.template,
            request_id: text_field(&schema, rpc.input, "request_id"),
            etag: etag(&schema, &rpc, if update_mask.is_some() { &body } else { &Binding::None }),
            rpc,
            schema,
            options,
            parsed,
            variables,
            body,
            response_body,
            update_mask,
        })
    }
}

/// The message of a field whose JSON is an object.
fn resource(schema: &Schema, id: FieldId) -> Option<MessageId> {
    let field = schema.field(id);
    schema.plain(field).filter(|_| field.shape == Shape::One)
}

/// A singular field of type `string`.
fn text_field(schema: &Schema, message: MessageId, name: &str) -> Option<FieldId> {
    let is_text = |id: &FieldId| {
        let field = schema.field(*id);
        field.shape == Shape::One && field.kind == Kind::String
    };
    schema.declared(message, name).filter(is_text)
}

/// Where a request says what it changes. Only PATCH changes a part (AIP-134); elsewhere a field of this name is a field like
/// others.
fn update_mask(schema: &Schema, rpc: &Rpc) -> Option<FieldId> {
    let is_mask = |id: &FieldId| {
        let field = schema.field(*id);
        field.shape == Shape::One && schema.form(field) == Some(Form::FieldMask)
    };
    schema.declared(rpc.input, "update_mask").filter(is_mask)
}

/// Where a request has the version that it may change (AIP-154): in its own `etag`, or in that of the resource that it
/// updates.
fn etag(schema: &Schema, rpc: &Rpc, updated: &Binding) -> Option<Vec<FieldId>> {
    if let Some(own) = text_field(schema, rpc.input, ETAG) {
        return Some(vec![own]);
    }
    let Binding::Field(id) = updated else { return None };
    Some(vec![*id, text_field(schema, resource(schema, *id)?, ETAG)?])
}
