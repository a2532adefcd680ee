//! A message as protobuf source that stands alone: what it refers to is nested inside it. Names of nested types are not
//! on the wire, so who compiles this text reads the same bytes as who compiles proto/.

use super::catalogue::{comment, kind_name};
use anyhow::ensure;
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// Types inside the message, by the path of their short names; a path without a type is only a scope.
#[derive(Default)]
struct Scope {
    message: Option<MessageDescriptor>,
    enumeration: Option<EnumDescriptor>,
    inner: BTreeMap<String, Scope>,
}

/// The source of a file whose only top-level message is `message`.
pub fn proto_text(message: &MessageDescriptor) -> anyhow::Result<String> {
    let mut root = Scope { message: Some(message.clone()), ..Scope::default() };
    let (mut imports, mut seen) = (BTreeSet::new(), BTreeSet::new());
    gather(message, &mut root, &mut imports, &mut seen)?;
    let mut out = format!("syntax = \"proto3\";\n\npackage {};\n", message.package_name());
    for (index, file) in imports.iter().enumerate() {
        writeln!(out, "{}import \"{file}\";", if index == 0 { "\n" } else { "" })?;
    }
    out.push('\n');
    write_scope(&mut out, message.name(), &root, 0)?;
    Ok(out)
}

fn gather(
    message: &MessageDescriptor,
    root: &mut Scope,
    imports: &mut BTreeSet<String>,
    seen: &mut BTreeSet<String>,
) -> anyhow::Result<()> {
    for field in message.fields() {
        let is_in_a_choice = field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic());
        // Loud, because a field that is left out would be missing in the clients that others generate.
        ensure!(!field.is_map() && !is_in_a_choice, "{}: cli/src/docs knows no maps and oneofs", field.full_name());
        let kind = field.kind();
        match &kind {
            Kind::Message(inner) if inner.package_name() == "google.protobuf" => {
                imports.insert(inner.parent_file().name().to_owned());
            }
            Kind::Message(inner) if seen.insert(inner.full_name().to_owned()) => {
                let before = scope(root, &kind).message.replace(inner.clone());
                ensure!(before.is_none(), "{}: another package has a type of this name", inner.full_name());
                gather(inner, root, imports, seen)?;
            }
            Kind::Enum(inner) => {
                let before = scope(root, &kind).enumeration.replace(inner.clone());
                let is_same = before.is_none_or(|before| before == *inner);
                ensure!(is_same, "{}: another package has a type of this name", inner.full_name());
            }
            _ => {}
        }
    }
    Ok(())
}

fn scope<'a>(root: &'a mut Scope, kind: &Kind) -> &'a mut Scope {
    let name = local_name(kind);
    name.split('.').fold(root, |scope, part| scope.inner.entry(part.to_owned()).or_default())
}

/// Name inside the text: without the package.
fn local_name(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) if message.package_name() == "google.protobuf" => message.full_name().to_owned(),
        Kind::Message(message) => {
            message.full_name()[message.package_name().len()..].trim_start_matches('.').to_owned()
        }
        other => kind_name(other),
    }
}

fn write_scope(out: &mut String, name: &str, scope: &Scope, depth: usize) -> anyhow::Result<()> {
    let indent = "  ".repeat(depth);
    if let Some(found) = &scope.enumeration {
        write_comment(out, &indent, &comment(&found.parent_file(), found.path()))?;
        writeln!(out, "{indent}enum {name} {{")?;
        for value in found.values() {
            write_comment(out, &format!("{indent}  "), &comment(&found.parent_file(), value.path()))?;
            writeln!(out, "{indent}  {} = {};", value.name(), value.number())?;
        }
        writeln!(out, "{indent}}}")?;
        return Ok(());
    }
    let message = scope.message.as_ref();
    if let Some(message) = message {
        write_comment(out, &indent, &comment(&message.parent_file(), message.path()))?;
    }
    writeln!(out, "{indent}message {name} {{")?;
    for field in message.iter().flat_map(|message| message.fields()) {
        write_field(out, &format!("{indent}  "), &field)?;
    }
    for (name, inner) in &scope.inner {
        write_scope(out, name, inner, depth + 1)?;
    }
    writeln!(out, "{indent}}}")?;
    Ok(())
}

fn write_field(out: &mut String, indent: &str, field: &FieldDescriptor) -> anyhow::Result<()> {
    write_comment(out, indent, &comment(&field.parent_message().parent_file(), field.path()))?;
    let label = match field.field_descriptor_proto() {
        _ if field.is_list() => "repeated ",
        proto if proto.proto3_optional() => "optional ",
        _ => "",
    };
    writeln!(out, "{indent}{label}{} {} = {};", local_name(&field.kind()), field.name(), field.number())?;
    Ok(())
}

fn write_comment(out: &mut String, indent: &str, text: &str) -> anyhow::Result<()> {
    if !text.is_empty() {
        writeln!(out, "{indent}// {text}")?;
    }
    Ok(())
}
