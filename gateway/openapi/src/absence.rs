//! Whether a request may do without a field: where the value of an absent field breaks a rule, it may not.

use crate::{
    annotation::{self, Behavior},
    constraint::{self, Set, plain, sets},
};
use prost_reflect::{DynamicMessage, FieldDescriptor, Value as Reflected};
use regex::Regex;

/// Whether a request without the field is refused.
pub(crate) fn is_refused(field: &FieldDescriptor) -> bool {
    annotation::has(field, Behavior::Required)
        || annotation::constraints(field).is_some_and(|rules| breaks_a_rule(field, &rules))
}

fn breaks_a_rule(field: &FieldDescriptor, rules: &DynamicMessage) -> bool {
    if constraint::ignore(rules) != 0 {
        return false;
    }
    if rules.get_field_by_name("required").and_then(|value| value.as_bool()).unwrap_or_default() {
        return true;
    }
    // The rules of a field with presence are about a value that is there.
    !field.supports_presence() && sets(rules).iter().any(refuses_zero)
}

fn refuses_zero(set: &Set) -> bool {
    set.rules.fields().any(|(rule, value)| match set.kind.as_str() {
        "string" => refuses_empty(rule.name(), value),
        "bytes" => matches!(rule.name(), "min_len" | "len") && number(value) > 0.0,
        "repeated" => rule.name() == "min_items" && number(value) > 0.0,
        "map" => rule.name() == "min_pairs" && number(value) > 0.0,
        "bool" => value.as_bool() == Some(true),
        _ => refuses_nought(rule.name(), value),
    })
}

fn refuses_empty(rule: &str, value: &Reflected) -> bool {
    let is_empty = |value: &Reflected| value.as_str() == Some("");
    let has_empty = || value.as_list().unwrap_or_default().iter().any(is_empty);
    match rule {
        "min_len" | "len" | "min_bytes" | "len_bytes" => number(value) > 0.0,
        "const" | "prefix" | "suffix" | "contains" => !is_empty(value),
        "pattern" => value.as_str().and_then(|pattern| Regex::new(pattern).ok()).is_some_and(|it| !it.is_match("")),
        "in" => !has_empty(),
        "not_in" => has_empty(),
        // The empty text is a reference to where it stands.
        "uri_ref" | "max_len" | "max_bytes" | "not_contains" | "strict" | "example" | "well_known_regex" => false,
        // The well-known formats: email, hostname, uuid, …
        _ => value.as_bool() == Some(true),
    }
}

fn refuses_nought(rule: &str, value: &Reflected) -> bool {
    let has_nought = || value.as_list().unwrap_or_default().iter().any(|value| number(value) == 0.0);
    match rule {
        "gt" => number(value) >= 0.0,
        "gte" => number(value) > 0.0,
        "lt" => number(value) <= 0.0,
        "lte" => number(value) < 0.0,
        "const" => number(value) != 0.0,
        "in" => !has_nought(),
        "not_in" => has_nought(),
        _ => false,
    }
}

fn number(value: &Reflected) -> f64 {
    plain(value).as_f64().unwrap_or_default()
}
