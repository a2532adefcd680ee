//! Build script part: turns `buf.validate` field rules into Rust. It knows the rules that the contracts use and fails
//! the build on any other, so that no rule is ever written and not checked.

use crate::normalize::{self, Form};
use prost_reflect::{Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use std::{collections::BTreeMap, error::Error, fmt::Write};

/// Rust source with one `impl Validate` per message of `comptoir.*`.
pub fn generate(set: &[u8]) -> Result<String, Box<dyn Error>> {
    let pool = DescriptorPool::decode(set)?;
    let rules = pool.get_extension_by_name("buf.validate.field").ok_or("buf.validate is not among the imports")?;
    let mut source = String::new();
    for message in pool.all_messages().filter(|message| message.package_name().starts_with("comptoir.")) {
        if message.parent_message().is_some() {
            continue; // map entries
        }
        let module = message.package_name().replace('.', "::");
        let mut body = String::new();
        for field in message.fields() {
            let options = field.options();
            let rule = options.has_extension(&rules).then(|| options.get_extension(&rules).into_owned());
            let rule = rule.as_ref().and_then(Value::as_message);
            write_field(&mut body, &field, rule).map_err(|error| format!("{}: {error}", field.full_name()))?;
        }
        let (path, found) = if body.is_empty() { ("_path", "_found") } else { ("path", "found") };
        writeln!(
            source,
            "impl crate::validate::Validate for {module}::{} {{\n    \
             fn check(&self, {path}: &str, {found}: &mut Vec<crate::validate::Violation>) {{\n{body}    }}\n}}",
            message.name()
        )?;
    }
    write_checks(&mut source, &pool)?;
    Ok(source)
}

/// The check of each request by the name of its message, for who has no types.
fn write_checks(source: &mut String, pool: &DescriptorPool) -> Result<(), std::fmt::Error> {
    let ours = pool.services().filter(|service| service.full_name().starts_with("comptoir."));
    let inputs = ours.flat_map(|service| service.methods().map(|method| method.input()).collect::<Vec<_>>());
    let ours: BTreeMap<String, MessageDescriptor> = inputs
        .filter(|message| message.package_name().starts_with("comptoir."))
        .map(|message| (message.full_name().to_owned(), message))
        .collect();
    writeln!(
        source,
        "pub(crate) fn check_of(message: &str) -> Option<crate::validate::Check> {{\n    match message {{"
    )?;
    for (name, message) in ours {
        let module = message.package_name().replace('.', "::");
        writeln!(source, "        {name:?} => Some(crate::validate::encoded::<{module}::{}>),", message.name())?;
    }
    writeln!(source, "        _ => None,\n    }}\n}}")
}

type Rule<'a> = Option<&'a DynamicMessage>;

fn write_field(out: &mut String, field: &FieldDescriptor, rule: Rule) -> Result<(), Box<dyn Error>> {
    let name = field.name();
    let nested = matches!(field.kind(), Kind::Message(ref m) if m.package_name().starts_with("comptoir."));
    if field.is_map() {
        return Ok(());
    }
    if field.cardinality() == Cardinality::Repeated {
        if nested {
            writeln!(
                out,
                "for (index, item) in self.{name}.iter().enumerate() {{\n    \
                 item.check(&crate::validate::join(path, &format!(\"{name}[{{index}}]\")), found);\n}}"
            )?;
        }
    } else if nested {
        writeln!(
            out,
            "if let Some(value) = &self.{name} {{ value.check(&crate::validate::join(path, \"{name}\"), found); }}"
        )?;
    }
    if name == "request_id" && matches!(field.kind(), Kind::String) {
        // Empty is no key; blanks are a key that somebody lost.
        let condition = format!("!self.{name}.is_empty() && self.{name}.trim().is_empty()");
        refuse_if(out, name, &condition, "must not be blank; leave it out to send no key")?;
    }
    let Some(rule) = rule else { return Ok(()) };
    for (kind, value) in rule.fields() {
        match (kind.name(), value) {
            ("required", Value::Bool(true)) => {
                refuse_if(out, name, &format!("self.{name}.is_none()"), "is required")?;
            }
            ("string" | "repeated" | "int32" | "int64" | "enum" | "duration", Value::Message(rules)) => {
                for (rule, value) in rules.fields() {
                    write_rule(out, name, kind.name(), rule.name(), value)?;
                }
            }
            (other, _) => return Err(format!("rule {other} is not known to proto/validate_build.rs").into()),
        }
    }
    Ok(())
}

fn write_rule(out: &mut String, name: &str, kind: &str, rule: &str, value: &Value) -> Result<(), Box<dyn Error>> {
    let text = match normalize::form(name) {
        Some(Form::Typed(canonical)) => format!("crate::text::{canonical}(&self.{name})"),
        _ => format!("self.{name}"),
    };
    let (condition, description) = match (kind, rule, value) {
        ("string", "min_len", Value::U64(n)) => {
            (format!("{text}.chars().count() < {n}"), format!("needs at least {n} characters"))
        }
        ("string", "max_len", Value::U64(n)) => {
            (format!("{text}.chars().count() > {n}"), format!("may have at most {n} characters"))
        }
        ("string", "email", Value::Bool(true)) => {
            (format!("!crate::validate::is_email(&self.{name})"), "is not an e-mail address".to_owned())
        }
        ("string", "pattern", Value::String(pattern)) => return write_pattern(out, name, pattern),
        ("repeated", "min_items", Value::U64(n)) => {
            (format!("self.{name}.len() < {n}"), format!("needs at least {n} items"))
        }
        ("repeated", "max_items", Value::U64(n)) => {
            (format!("self.{name}.len() > {n}"), format!("may have at most {n} items"))
        }
        ("int32", "gte", Value::I32(n)) => (format!("self.{name} < {n}"), format!("must be at least {n}")),
        ("int32", "lte", Value::I32(n)) => (format!("self.{name} > {n}"), format!("must be at most {n}")),
        ("int32", "not_in", Value::List(values)) => {
            let values = values.iter().filter_map(Value::as_i32).collect::<Vec<_>>();
            (format!("{values:?}.contains(&self.{name})"), format!("must not be one of {values:?}"))
        }
        ("int64", "gte", Value::I64(n)) => (format!("self.{name} < {n}"), format!("must be at least {n}")),
        ("int64", "lte", Value::I64(n)) => (format!("self.{name} > {n}"), format!("must be at most {n}")),
        ("int64", "gt", Value::I64(n)) => (format!("self.{name} <= {n}"), format!("must be above {n}")),
        ("enum", "defined_only", Value::Bool(true)) => (
            format!("{{ let mut copy = self.clone(); copy.set_{name}(self.{name}()); copy.{name} != self.{name} }}"),
            "is not a known value".to_owned(),
        ),
        ("duration", "gte" | "lte", Value::Message(bound)) => {
            let bound =
                bound.get_field_by_name("seconds").and_then(|v| v.as_i64()).ok_or("duration without seconds")?;
            if rule == "gte" {
                let condition = format!("self.{name}.is_some_and(|d| d.seconds < {bound} || d.nanos < 0)");
                (condition, format!("must be at least {bound} s"))
            } else {
                let condition = format!(
                    "self.{name}.is_some_and(|d| d.seconds > {bound} || (d.seconds == {bound} && d.nanos > 0))"
                );
                (condition, format!("must be at most {bound} s"))
            }
        }
        _ => return Err(format!("rule {kind}.{rule} is not known to proto/validate_build.rs").into()),
    };
    refuse_if(out, name, &condition, &description)
}

/// Refuses in words: a country that may have been meant is named.
fn write_pattern(out: &mut String, name: &str, pattern: &str) -> Result<(), Box<dyn Error>> {
    let condition = format!(
        "{{ static PATTERN: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| \
         crate::validate::pattern({pattern:?})); !PATTERN.is_match(&self.{name}) }}"
    );
    if name == "country_code" {
        let words = format!("&crate::country::expected(&self.{name})");
        writeln!(out, "if {condition} {{ crate::validate::refuse(found, path, {name:?}, {words}); }}")?;
        return Ok(());
    }
    let words = normalize::words(name).ok_or("say in words what the pattern asks for, in proto/normalize_build.rs")?;
    refuse_if(out, name, &condition, words)
}

fn refuse_if(out: &mut String, name: &str, condition: &str, description: &str) -> Result<(), Box<dyn Error>> {
    writeln!(out, "if {condition} {{ crate::validate::refuse(found, path, {name:?}, {description:?}); }}")?;
    Ok(())
}
