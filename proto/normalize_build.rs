//! Build script part: gives every text of a request its canonical form (`text.rs`). A field has the form of its name, which
//! it shares with all fields of that name; the build fails on a name without one, so that no text is forgotten.

use prost_reflect::{Cardinality, DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use std::{collections::BTreeMap, error::Error, fmt::Write};

/// What becomes of a text before it is checked.
#[derive(Clone, Copy)]
pub enum Form {
    /// Nothing: keys, tokens and secrets are compared byte by byte.
    Exact,
    /// It is checked in the canonical form of this function and handed over as it was typed: what is older than canonical
    /// forms was stored as it was typed.
    Typed(&'static str),
    /// It is replaced by the canonical form of this function.
    Canonical(&'static str),
}

use Form::{Canonical, Exact, Typed};

const FORMS: [(Form, &str); 12] = [
    (
        Exact,
        "request_id step_key page_token etag payment_token quote_id refresh_token assertion token token_type_hint grant_type \
         basket_token client_secret url min_version",
    ),
    (Typed("password"), "password"),
    (Typed("email"), "username"),
    (Canonical("email"), "email"),
    (
        Canonical("id"),
        "user_id product_id product_ids order_id payment_id shipment_id reservation_id refund_id capture_id aggregate_id \
         event_id source kind step error basket_id into_basket_id merged_into client_id \
          email_id category_id category_ids parent_id actor endpoint_id delivery_id group_id",
    ),
    (
        Canonical("line"),
        "name line1 line2 city region location avatar reason lock_reason sku skus carrier language timezone path uri \
         alt_text query filter order_by varies_by value",
    ),
    (Canonical("paragraphs"), "description bio"),
    (Canonical("code"), "code coupon_code country_code currency_code start_date end_date"),
    (Canonical("category"), "tax_category"),
    (Canonical("postal_code"), "postal_code"),
    (Canonical("number"), "percentage"),
    (Canonical("word"), "role roles event_types"),
];

/// What a pattern asks for, by the name of its field: nobody who types should have to read the pattern.
const WORDS: [(&str, &str); 8] = [
    ("code", "must be 3 to 32 letters, digits and hyphens, such as SUMMER-25"),
    ("coupon_code", "must be 3 to 32 letters, digits and hyphens, such as SUMMER-25"),
    ("currency_code", "must be a currency code of three letters (ISO 4217), such as EUR"),
    ("tax_category", "must be at most 32 letters, digits and underscores, such as FOOD"),
    ("start_date", "must be a day, such as 2026-03-29"),
    ("end_date", "must be a day, such as 2026-03-29"),
    ("uri", "must be a URL that starts with https://, such as https://example.com/lamp.jpg"),
    ("percentage", "must be a number from 0 to 100 with at most 2 decimals, such as 12.5"),
];

/// Fields whose texts are what a service has accepted and kept: they are taken as they are, so that what is older than
/// canonical forms stays equal to itself.
const KEPT: [&str; 1] = ["comptoir.shipping.v1.CreateShipmentRequest.address"];

pub fn form(field: &str) -> Option<Form> {
    FORMS.iter().find(|(_, names)| names.split(' ').any(|name| name == field)).map(|(form, _)| *form)
}

/// What the pattern of a field of this name asks for.
pub fn words(field: &str) -> Option<&'static str> {
    WORDS.iter().find(|(name, _)| *name == field).map(|(_, words)| *words)
}

/// Rust source with one `impl Normalize` per message that is part of a request.
pub fn generate(set: &[u8]) -> Result<String, Box<dyn Error>> {
    let pool = DescriptorPool::decode(set)?;
    let mut messages = BTreeMap::new();
    for service in pool.services().filter(|service| service.full_name().starts_with("comptoir.")) {
        for method in service.methods() {
            collect(&mut messages, method.input());
        }
    }
    let mut source = String::new();
    for message in messages.values() {
        let mut body = String::new();
        for field in message.fields() {
            body.push_str(&statement(&field).map_err(|error| format!("{}: {error}", field.full_name()))?);
        }
        let module = message.package_name().replace('.', "::");
        let name = message.name();
        writeln!(
            source,
            "impl crate::text::Normalize for {module}::{name} {{\n    fn normalize(&mut self) {{\n{body}    }}\n}}"
        )?;
    }
    Ok(source)
}

fn collect(found: &mut BTreeMap<String, MessageDescriptor>, message: MessageDescriptor) {
    let is_ours = message.package_name().starts_with("comptoir.");
    if !is_ours || found.insert(message.full_name().to_owned(), message.clone()).is_some() {
        return;
    }
    for field in message.fields() {
        if let Kind::Message(inner) = field.kind() {
            collect(found, inner);
        }
    }
}

fn statement(field: &FieldDescriptor) -> Result<String, Box<dyn Error>> {
    let (name, is_list) = (field.name(), field.cardinality() == Cardinality::Repeated);
    match field.kind() {
        Kind::Message(inner) if has_texts(&inner) && !KEPT.contains(&field.full_name()) => {
            Ok(format!("        self.{name}.iter_mut().for_each(crate::text::Normalize::normalize);\n"))
        }
        Kind::String if field.containing_oneof().is_some() => Err("a text in a oneof is not known here".into()),
        Kind::String => match form(name).ok_or("say the canonical form of this text in proto/normalize_build.rs")? {
            Exact | Typed(_) => Ok(String::new()),
            Canonical(form) if is_list => {
                Ok(format!("        self.{name}.iter_mut().for_each(|text| *text = crate::text::{form}(text));\n"))
            }
            Canonical(form) => Ok(format!("        self.{name} = crate::text::{form}(&self.{name});\n")),
        },
        _ => Ok(String::new()),
    }
}

fn has_texts(message: &MessageDescriptor) -> bool {
    message.package_name().starts_with("comptoir.") || message.full_name() == "google.type.Money"
}
