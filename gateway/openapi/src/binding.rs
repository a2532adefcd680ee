//! All bindings that users can reach, with what must differ between them: paths, operation ids and tags.

use crate::{
    annotation::{Access, Rule, rules},
    error::Error,
    scalar,
    schemas::Output,
    template::Path,
};
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, ServiceDescriptor};
use std::collections::BTreeMap;

/// One `google.api.http` binding of an RPC.
#[derive(Debug)]
pub(crate) struct Binding {
    pub rpc: MethodDescriptor,
    pub rule: Rule,
    pub access: Access,
    pub path: Path,
    pub operation_id: String,
    /// The service's name; with its package where two services have one name.
    pub tag: String,
}

/// The bindings of all reachable RPCs: services by their full names, methods as they are declared.
pub(crate) fn all(pool: &DescriptorPool, default: &Access) -> Result<Vec<Binding>, Error> {
    let mut services: Vec<ServiceDescriptor> = pool.services().collect();
    // The pool promises no order, and the document must not change by itself.
    services.sort_by(|one, other| one.full_name().cmp(other.full_name()));
    let mut found = Vec::new();
    for service in &services {
        let is_double = services.iter().filter(|other| other.name() == service.name()).count() > 1;
        let tag = if is_double { service.full_name() } else { service.name() };
        for rpc in service.methods() {
            let access = Access::of(&rpc, default);
            // A stream of requests is in the body, so it has no path where nothing is.
            let is_unbound = rpc.is_client_streaming() && rules(&rpc).iter().any(|rule| rule.body.is_empty());
            if access.reachable() && !is_unbound {
                bindings(&rpc, &access, tag, &mut found)?;
            }
        }
    }
    unify(&mut found);
    Ok(found)
}

fn bindings(rpc: &MethodDescriptor, access: &Access, tag: &str, found: &mut Vec<Binding>) -> Result<(), Error> {
    for (index, rule) in rules(rpc).into_iter().enumerate() {
        let path = Path::parse(&rule.template).map_err(|problem| Error::Template {
            rpc: rpc.full_name().to_owned(),
            template: rule.template.clone(),
            problem,
        })?;
        let name = format!("{}_{}", tag.replace('.', "_"), rpc.name());
        let operation_id = if index == 0 { name } else { format!("{name}_{}", index + 1) };
        let (rpc, access, tag) = (rpc.clone(), access.clone(), tag.to_owned());
        found.push(Binding { rpc, rule, access, path, operation_id, tag });
    }
    Ok(())
}

/// Makes paths of one shape one path, and paths of different shapes different ones.
fn unify(bindings: &mut [Binding]) {
    let mut by_shape: BTreeMap<String, Path> = BTreeMap::new();
    for binding in bindings {
        if let Some(other) = by_shape.get(&binding.path.shape) {
            binding.path.rename(other);
            continue;
        }
        while !binding.path.parameters.is_empty() && by_shape.values().any(|other| other.text == binding.path.text) {
            binding.path.distinguish();
        }
        by_shape.insert(binding.path.shape.clone(), binding.path.clone());
    }
}

impl Binding {
    pub(crate) fn is_creation(&self) -> bool {
        self.rpc.name().strip_prefix("Create").is_some_and(|rest| rest.starts_with(char::is_uppercase))
    }

    /// The field of the request that the body stands for; none when it stands for all or for nothing.
    pub(crate) fn body_field(&self) -> Result<Option<FieldDescriptor>, Error> {
        match self.rule.body.as_str() {
            "" | "*" => Ok(None),
            name => self.named(&self.rpc.input(), name).map(Some),
        }
    }

    /// The field of the reply that is sent; none when all of it is.
    pub(crate) fn response_field(&self) -> Result<Option<FieldDescriptor>, Error> {
        match self.rule.response_body.as_str() {
            "" => Ok(None),
            name => self.named(&self.rpc.output(), name).map(Some),
        }
    }

    /// Whether the reply shows one resource that has a version.
    pub(crate) fn shows_version(&self) -> Result<bool, Error> {
        let shown = match self.response_field()? {
            Some(field) if field.is_list() || field.is_map() => None,
            Some(field) => scalar::plain_message(&field),
            None => Some(self.rpc.output()),
        };
        Ok(!self.rpc.is_server_streaming() && shown.is_some_and(|message| version(&message).is_some()))
    }

    /// Whether who has the current version already is told so.
    pub(crate) fn answers_not_modified(&self) -> Result<bool, Error> {
        Ok(self.rule.method == "GET" && self.shows_version()?)
    }

    /// The field at a dotted path of the request.
    pub(crate) fn request_field(&self, path: &str) -> Result<FieldDescriptor, Error> {
        let (mut message, mut names) = (self.rpc.input(), path.split('.').peekable());
        while let Some(name) = names.next() {
            let field = self.named(&message, name)?;
            if names.peek().is_none() {
                return Ok(field);
            }
            message = field.kind().as_message().cloned().ok_or_else(|| self.no_field(path))?;
        }
        Err(self.no_field(path))
    }

    /// A dotted path of the request as the document spells it.
    pub(crate) fn shown(&self, path: &str, output: Output) -> Result<String, Error> {
        let mut names = Vec::new();
        for (at, _) in path.match_indices('.').chain([(path.len(), "")]) {
            let field = self.request_field(path.get(..at).unwrap_or(path))?;
            names.push(output.name(&field));
        }
        Ok(names.join("."))
    }

    fn named(&self, message: &MessageDescriptor, name: &str) -> Result<FieldDescriptor, Error> {
        let field = message.get_field_by_name(name).or_else(|| message.get_field_by_json_name(name));
        field.ok_or_else(|| self.no_field(name))
    }

    fn no_field(&self, name: &str) -> Error {
        Error::Field { rpc: self.rpc.full_name().to_owned(), field: name.to_owned() }
    }
}

/// The field that holds the version of a resource.
pub(crate) fn version(message: &MessageDescriptor) -> Option<FieldDescriptor> {
    message.get_field_by_name("etag").filter(|field| !field.is_list() && field.kind() == Kind::String)
}
