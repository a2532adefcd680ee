//! One binding of a method: which fields the path, the body and the reply stand for, checked when it is built.

use crate::{
    error::BuildError,
    field::{ETAG, lookup, plain_message, resolve},
    rpc::{Rpc, Rule},
    template::Template,
};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use std::sync::Arc;

/// One `google.api.http` binding.
#[derive(Debug)]
pub struct Route {
    /// HTTP method, in capitals; `*` for any.
    pub method: String,
    /// Path template as annotated.
    pub template: String,
    pub rpc: Arc<Rpc>,
    pub(crate) parsed: Template,
    /// Fields along the path of each variable, in the order of `parsed.variables`.
    pub(crate) variables: Vec<Vec<FieldDescriptor>>,
    pub(crate) body: Binding,
    pub(crate) response_body: Option<FieldDescriptor>,
    pub(crate) update_mask: Option<FieldDescriptor>,
    pub(crate) request_id: Option<FieldDescriptor>,
    /// Fields along the path of the version that the request may change.
    pub(crate) etag: Option<Vec<FieldDescriptor>>,
}

/// What the body of the request stands for.
#[derive(Debug)]
pub(crate) enum Binding {
    None,
    /// All fields that the path does not bind.
    Whole,
    Field(FieldDescriptor),
}

impl Route {
    /// Whether requests can name the version that they may change.
    pub fn takes_etag(&self) -> bool {
        self.etag.is_some()
    }

    /// The path of a field as who calls this route writes it: JSON names, without the field that the body stands for.
    /// What is no field of the request stays as it is. Empty for the whole body.
    pub fn json_path(&self, path: &str) -> String {
        let mut within = Some(self.rpc.input.clone());
        let spell = |piece: &str| {
            let (name, index) = piece.split_at(piece.find('[').unwrap_or(piece.len()));
            let Some(field) = within.take().and_then(|message| lookup(&message, name)) else { return piece.to_owned() };
            within = if field.is_map() { None } else { plain_message(&field) };
            format!("{}{index}", field.json_name())
        };
        let names: Vec<String> = path.split('.').map(spell).collect();
        match (&self.body, names.split_first()) {
            (Binding::Field(body), Some((first, rest))) if first == body.json_name() => rest.join("."),
            (Binding::Field(_) | Binding::Whole | Binding::None, _) => names.join("."),
        }
    }

    pub(crate) fn new(rpc: Arc<Rpc>, rule: Rule) -> Result<Self, BuildError> {
        let parsed = Template::parse(&rule.template).map_err(|problem| BuildError::Template {
            rpc: rpc.full_name.clone(),
            template: rule.template.clone(),
            problem,
        })?;
        let unbindable =
            |field: &str, problem| BuildError::Field { rpc: rpc.full_name.clone(), field: field.to_owned(), problem };
        let mut variables = Vec::new();
        for variable in &parsed.variables {
            let fields = resolve(&rpc.input, &variable.field).filter(|path| path.iter().all(|field| !field.is_list()));
            variables.push(fields.ok_or_else(|| unbindable(&variable.field, "not a singular leaf of the request"))?);
        }
        let body = match rule.body.as_str() {
            "" => Binding::None,
            "*" => Binding::Whole,
            name => Binding::Field(
                rpc.input.get_field_by_name(name).ok_or_else(|| unbindable(name, "not a field of the request"))?,
            ),
        };
        let response_body = match rule.response_body.as_str() {
            "" => None,
            name => {
                Some(rpc.output.get_field_by_name(name).ok_or_else(|| unbindable(name, "not a field of the reply"))?)
            }
        };
        // Only PATCH changes a part (AIP-134); elsewhere a field of this name is a field like others.
        let update_mask = rpc.input.get_field_by_name("update_mask").filter(|field| {
            rule.method == "PATCH"
                && !field.is_list()
                && matches!(field.kind(), Kind::Message(kind) if kind.full_name() == "google.protobuf.FieldMask")
        });
        let request_id =
            rpc.input.get_field_by_name("request_id").filter(|field| !field.is_list() && field.kind() == Kind::String);
        let etag = etag(&rpc, body.resource().filter(|_| update_mask.is_some()));
        let (method, template) = (rule.method, rule.template);
        Ok(Route { method, template, rpc, parsed, variables, body, response_body, update_mask, request_id, etag })
    }
}

/// Where a request has the version that it may change (AIP-154): in its own `etag`, or in that of the resource that it
/// updates.
fn etag(rpc: &Rpc, updated: Option<&FieldDescriptor>) -> Option<Vec<FieldDescriptor>> {
    let of = |message: &MessageDescriptor| {
        message.get_field_by_name(ETAG).filter(|field| !field.is_list() && field.kind() == Kind::String)
    };
    if let Some(own) = of(&rpc.input) {
        return Some(vec![own]);
    }
    let resource = updated?;
    let etag = of(&plain_message(resource)?)?;
    Some(vec![resource.clone(), etag])
}

impl Binding {
    /// The field that the whole body stands for, when it is one whose JSON is an object.
    pub(crate) fn resource(&self) -> Option<&FieldDescriptor> {
        match self {
            Binding::Field(field) if !field.is_list() && !field.is_map() && plain_message(field).is_some() => {
                Some(field)
            }
            Binding::Field(_) | Binding::None | Binding::Whole => None,
        }
    }
}
