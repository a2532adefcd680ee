//! The annotations of the contracts, as far as a document tells of them. They are read by name, so that the descriptors of
//! others, in which some of them are absent, are described too.

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MethodDescriptor, OneofDescriptor, ReflectMessage, Value,
};

const HTTP: &str = "google.api.http";
const FIELD_BEHAVIOR: &str = "google.api.field_behavior";
const ACCESS: &str = "comptoir.api.v1.access";
const DATA: &str = "comptoir.api.v1.data";
const HEADER: &str = "comptoir.api.v1.header";
const VALIDATE: &str = "buf.validate.field";
const VALIDATE_ONEOF: &str = "buf.validate.oneof";

/// The number of `comptoir.api.v1.Data.SECRET`.
const SECRET: i32 = 2;

/// One `google.api.HttpRule`, its fields as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// HTTP method, in capitals; `*` for any.
    pub method: String,
    pub template: String,
    pub body: String,
    pub response_body: String,
}

/// `comptoir.api.v1.Access`, as far as callers over HTTP are concerned.
#[derive(Clone, Debug, Default)]
pub struct Access {
    pub public: bool,
    pub user: bool,
    pub owner: bool,
    pub roles: Vec<String>,
    pub idempotent: bool,
    pub oauth2_errors: bool,
    /// The field of the reply whose messages are the rows of a table; empty when it is none.
    pub csv_rows: String,
    /// Headers of replies that its service fills.
    pub reply_headers: Vec<String>,
}

/// The values of `google.api.FieldBehavior` that a schema tells, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behavior {
    Required = 2,
    OutputOnly = 3,
    InputOnly = 4,
    Immutable = 5,
    Identifier = 8,
}

impl Access {
    /// The rule of a method; `default` where its contract has none.
    pub(crate) fn of(method: &MethodDescriptor, default: &Access) -> Self {
        let Some(message) = extension(method.parent_pool(), &method.options(), ACCESS).and_then(into_message) else {
            return default.clone();
        };
        let flag = |name: &str| message.get_field_by_name(name).and_then(|value| value.as_bool()).unwrap_or_default();
        let list = |name: &str| message.get_field_by_name(name).map(|value| texts(&value)).unwrap_or_default();
        Access {
            public: flag("public"),
            user: flag("user"),
            owner: flag("owner"),
            roles: list("roles"),
            reply_headers: list("reply_headers"),
            idempotent: flag("idempotent"),
            oauth2_errors: flag("oauth2_errors"),
            csv_rows: message
                .get_field_by_name("csv_rows")
                .and_then(|value| value.as_str().map(str::to_owned))
                .unwrap_or_default(),
        }
    }

    /// Whether anyone but services may call. What is not reachable is not served over HTTP.
    pub(crate) fn reachable(&self) -> bool {
        self.public || self.user || self.owner || !self.roles.is_empty()
    }
}

/// The bindings of a method: its rule, then the additional ones. Empty without the annotation.
pub(crate) fn rules(method: &MethodDescriptor) -> Vec<Rule> {
    let Some(message) = extension(method.parent_pool(), &method.options(), HTTP).and_then(into_message) else {
        return Vec::new();
    };
    let more = message.get_field_by_name("additional_bindings");
    let more = more.as_deref().and_then(Value::as_list).unwrap_or_default();
    let more = more.iter().filter_map(Value::as_message).filter_map(rule);
    rule(&message).into_iter().chain(more).collect()
}

fn rule(message: &DynamicMessage) -> Option<Rule> {
    let pattern = message.descriptor().oneofs().find(|oneof| oneof.name() == "pattern")?;
    let field = pattern.fields().find(|field| message.has_field(field))?;
    // A `custom` pattern names its method inside, the others by the name of their field.
    let (method, template) = match message.get_field(&field).as_ref() {
        Value::Message(custom) => (text(custom, "kind"), text(custom, "path")),
        _ => (field.name().to_uppercase(), text(message, field.name())),
    };
    Some(Rule { method, template, body: text(message, "body"), response_body: text(message, "response_body") })
}

pub(crate) fn has(field: &FieldDescriptor, behavior: Behavior) -> bool {
    let found = extension(field.parent_message().parent_pool(), &field.options(), FIELD_BEHAVIOR);
    let found = found.as_ref().and_then(Value::as_list).unwrap_or_default();
    found.iter().any(|value| value.as_enum_number() == Some(behavior as i32))
}

pub(crate) fn is_secret(field: &FieldDescriptor) -> bool {
    let found = extension(field.parent_message().parent_pool(), &field.options(), DATA);
    found.and_then(|value| value.as_enum_number()) == Some(SECRET)
}

/// The header that carries this text of a request instead of the query.
pub(crate) fn header(field: &FieldDescriptor) -> Option<String> {
    let found = extension(field.parent_message().parent_pool(), &field.options(), HEADER);
    let name = found.and_then(|value| value.as_str().map(str::to_owned));
    name.filter(|name| !name.is_empty() && !field.is_list() && field.kind() == Kind::String)
}

/// The `buf.validate.FieldRules` of a field.
pub(crate) fn constraints(field: &FieldDescriptor) -> Option<DynamicMessage> {
    extension(field.parent_message().parent_pool(), &field.options(), VALIDATE).and_then(into_message)
}

/// Whether one of the members of a oneof must be there.
pub(crate) fn is_required(oneof: &OneofDescriptor) -> bool {
    let rules = extension(oneof.parent_message().parent_pool(), &oneof.options(), VALIDATE_ONEOF);
    let rules = rules.and_then(into_message);
    rules.is_some_and(|rules| rules.get_field_by_name("required").and_then(|value| value.as_bool()) == Some(true))
}

/// Whether `[deprecated = true]` stands at an element with these options.
pub(crate) fn is_deprecated(options: &DynamicMessage) -> bool {
    options.get_field_by_name("deprecated").and_then(|value| value.as_bool()).unwrap_or_default()
}

fn extension(pool: &DescriptorPool, options: &DynamicMessage, name: &str) -> Option<Value> {
    let extension = pool.get_extension_by_name(name)?;
    options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())
}

fn into_message(value: Value) -> Option<DynamicMessage> {
    if let Value::Message(message) = value { Some(message) } else { None }
}

fn text(message: &DynamicMessage, name: &str) -> String {
    message.get_field_by_name(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_list().unwrap_or_default().iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
