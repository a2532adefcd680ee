//! The methods that can be called over HTTP, and their annotations `google.api.http` and `comptoir.api.v1.access`.

use crate::{
    error::BuildError,
    schema::{FieldId, MessageId, Schema, Shape},
};
use prost_reflect::{
    DescriptorPool, DynamicMessage, Kind, MethodDescriptor, ReflectMessage, Value,
    prost_types::method_options::IdempotencyLevel,
};

pub use contracts::api::v1::Access;

const HTTP: &str = "google.api.http";
const ACCESS: &str = "comptoir.api.v1.access";
const HEADER: &str = "comptoir.api.v1.header";

#[derive(Debug)]
pub struct Rpc {
    /// Full name: `comptoir.orders.v1.OrderService.GetOrder`.
    pub full_name: String,
    /// Name: `GetOrder`.
    pub name: String,
    /// Protobuf package: `comptoir.orders.v1`.
    pub package: String,
    /// Place of its service among [`Router::services`](crate::Router::services).
    pub service: usize,
    /// Path of the gRPC call: `/comptoir.orders.v1.OrderService/GetOrder`.
    pub path: String,
    pub server_streaming: bool,
    pub client_streaming: bool,
    /// Whether it changes nothing: its contract says so, or binds it to GET.
    pub is_safe: bool,
    /// The rule of its contract, or the default of the router.
    pub access: Access,
    /// Full name of the request message: `comptoir.orders.v1.GetOrderRequest`.
    pub input_name: String,
    /// Whether its contract says who may call.
    pub has_rule: bool,
    pub(crate) headers: Vec<TextHeader>,
    pub(crate) input: MessageId,
    pub(crate) output: MessageId,
    /// The field whose messages are the rows of a table.
    pub(crate) rows: Option<FieldId>,
}

/// A header that the contract names as the place of a text of the request.
#[derive(Debug)]
pub(crate) struct TextHeader {
    /// In small letters.
    pub name: String,
    pub field_name: String,
    pub field: FieldId,
}

impl Rpc {
    /// Whether the contract lets anyone but services call it. What is not reachable is not served over HTTP.
    pub fn reachable(&self) -> bool {
        self.access.public || self.access.user || self.access.owner || !self.access.roles.is_empty()
    }

    /// Whether its replies can be told as tables.
    pub fn is_table(&self) -> bool {
        self.rows.is_some()
    }

    /// The headers that carry a text of the request, by the names in its contract.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|header| header.name.as_str())
    }

    /// The header that carries the field of this name.
    pub fn header_of(&self, field: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.field_name == field).map(|header| header.name.as_str())
    }

    /// `default` is the rule of a method whose contract has none.
    pub(crate) fn new(
        schema: &Schema,
        method: &MethodDescriptor,
        rules: &[Rule],
        default: &Access,
    ) -> Result<Self, BuildError> {
        let (service, pool) = (method.parent_service(), method.parent_pool());
        let rule = extension(pool, method, ACCESS).map(|rule| rule.transcode_to::<Access>().unwrap_or_default());
        let table = rule.as_ref().map_or("", |rule| rule.csv_rows.as_str());
        let output = schema.id(&method.output());
        Ok(Rpc {
            full_name: method.full_name().to_owned(),
            name: method.name().to_owned(),
            package: service.package_name().to_owned(),
            service: service.index(),
            path: format!("/{}/{}", service.full_name(), method.name()),
            server_streaming: method.is_server_streaming(),
            client_streaming: method.is_client_streaming(),
            is_safe: is_safe(method) || rules.iter().any(|rule| rule.method == "GET"),
            has_rule: rule.is_some(),
            rows: rows(schema, output, method.full_name(), table)?,
            access: rule.unwrap_or_else(|| default.clone()),
            input_name: method.input().full_name().to_owned(),
            headers: headers(schema, method)?,
            input: schema.id(&method.input()),
            output,
        })
    }
}

/// The field whose messages are the rows of the replies of `rpc`; none when they are no tables.
fn rows(schema: &Schema, output: MessageId, rpc: &str, name: &str) -> Result<Option<FieldId>, BuildError> {
    if name.is_empty() {
        return Ok(None);
    }
    let problem = "it is no repeated field of messages in the reply";
    let wrong = || BuildError::Field { rpc: rpc.to_owned(), field: name.to_owned(), problem };
    let id = schema.lookup(output, name).ok_or_else(wrong)?;
    let field = schema.field(id);
    let is_rows = matches!(field.shape, Shape::List { .. }) && schema.plain(field).is_some();
    if is_rows { Ok(Some(id)) } else { Err(wrong()) }
}

/// The singular texts of a request that have a header of their own.
fn headers(schema: &Schema, method: &MethodDescriptor) -> Result<Vec<TextHeader>, BuildError> {
    let Some(extension) = method.parent_pool().get_extension_by_name(HEADER) else { return Ok(Vec::new()) };
    let input = method.input();
    let mut named = Vec::new();
    for field in input.fields().filter(|field| field.options().has_extension(&extension)) {
        let wrong =
            |problem| BuildError::Field { rpc: method.full_name().to_owned(), field: field.name().to_owned(), problem };
        if field.kind() != Kind::String || field.is_list() {
            return Err(wrong("a header holds one text"));
        }
        let options = field.options();
        let name = options.get_extension(&extension).as_str().unwrap_or_default().to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(wrong("the name of a header is letters, digits and hyphens"));
        }
        if let Some(id) = schema.declared(schema.id(&input), field.name()) {
            named.push(TextHeader { name, field_name: field.name().to_owned(), field: id });
        }
    }
    Ok(named)
}

/// Whether the contract says that a method has no side effects.
fn is_safe(method: &MethodDescriptor) -> bool {
    let options = method.method_descriptor_proto().options.clone().unwrap_or_default();
    options.idempotency_level() == IdempotencyLevel::NoSideEffects
}

/// One `google.api.HttpRule`, its fields as written.
#[derive(Debug)]
pub(crate) struct Rule {
    pub method: String,
    pub template: String,
    pub body: String,
    pub response_body: String,
}

/// The bindings of `method`: its rule, then the additional ones. Empty without the annotation.
pub(crate) fn rules(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<Vec<Rule>, BuildError> {
    let Some(message) = extension(pool, method, HTTP) else { return Ok(Vec::new()) };
    let mut rules = vec![rule(&message, method)?];
    if let Some(Value::List(more)) = message.get_field_by_name("additional_bindings").as_deref() {
        for value in more {
            if let Value::Message(message) = value {
                rules.push(rule(message, method)?);
            }
        }
    }
    Ok(rules)
}

fn extension(pool: &DescriptorPool, method: &MethodDescriptor, name: &str) -> Option<DynamicMessage> {
    let extension = pool.get_extension_by_name(name)?;
    let options = method.options();
    if !options.has_extension(&extension) {
        return None;
    }
    match options.get_extension(&extension).into_owned() {
        Value::Message(message) => Some(message),
        _ => None,
    }
}

fn rule(message: &DynamicMessage, method: &MethodDescriptor) -> Result<Rule, BuildError> {
    let text = |message: &DynamicMessage, name: &str| match message.get_field_by_name(name).as_deref() {
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    let pattern = message.descriptor().oneofs().find(|oneof| oneof.name() == "pattern");
    let field = pattern.and_then(|oneof| oneof.fields().find(|field| message.has_field(field)));
    let Some(field) = field else {
        return Err(BuildError::Unsupported { rpc: method.full_name().to_owned(), problem: "the rule has no path" });
    };
    // A `custom` pattern names its method inside, the others by the name of their field.
    let (verb, template) = match message.get_field(&field).as_ref() {
        Value::Message(custom) => (text(custom, "kind"), text(custom, "path")),
        _ => (field.name().to_uppercase(), text(message, field.name())),
    };
    Ok(Rule { method: verb, template, body: text(message, "body"), response_body: text(message, "response_body") })
}
