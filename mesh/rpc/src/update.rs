//! Partial updates by AIP-134, 161 and 203, from the descriptors and `google.api.field_behavior` of the contracts alone.
//!
//! - Without a mask, what is set changes. `*` is every field: what is not set gets its default.
//! - OUTPUT_ONLY fields are ignored wherever they come from, and so is the etag, which guards an update.
//! - IMMUTABLE and IDENTIFIER fields may come with the value that they have; with another one they are refused.

use contracts::{Normalize, validate::Violation};
use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, ReflectMessage, Value};
use std::sync::LazyLock;

pub use prost_types::FieldMask;

static CONTRACTS: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(contracts::DESCRIPTORS).expect("the build linked these descriptors"));

/// Numbers of `google.api.FieldBehavior`.
const OUTPUT_ONLY: i32 = 3;
const IMMUTABLE: i32 = 5;
const IDENTIFIER: i32 = 8;

/// What of a message changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// The fields that are set.
    Set,
    /// All fields.
    All,
}

/// A message that changes by another one; `at` is their path in the request.
struct Pair<'a> {
    into: &'a mut DynamicMessage,
    from: &'a DynamicMessage,
    at: String,
}

/// `current` as `wanted` makes it under `mask`, or every field at fault. `at` is the field of the request that holds the
/// resource, such as `product`.
pub fn apply<M>(current: &M, wanted: &M, mask: Option<&FieldMask>, at: &str) -> Result<M, Vec<Violation>>
where
    M: Message + Name + Default + Clone + Normalize,
{
    let (mut into, mut from, mut faults) = (reflect(current), reflect(wanted), Vec::new());
    let mut canonical = current.clone();
    canonical.normalize();
    keep_fixed(&mut from, &into, &reflect(&canonical));
    let mut pair = Pair { into: &mut into, from: &from, at: at.to_owned() };
    match mask.map_or(&[][..], |mask| &mask.paths) {
        [] => pair.take(Scope::Set, &mut faults),
        paths if paths.iter().any(|path| path == "*") => pair.take(Scope::All, &mut faults),
        paths => {
            // All paths of the mask are tried, so that the caller learns every fault at once.
            for path in paths.iter().filter(|path| !pair.take_path(path, &mut faults)).collect::<Vec<_>>() {
                let description = format!("{path} is not a field of {}", M::NAME);
                faults.push(Violation { field: "update_mask".to_owned(), description });
            }
        }
    }
    if faults.is_empty() { Ok(into.transcode_to().expect("it has the type of M")) } else { Err(faults) }
}

/// Gives `from` the fixed values of `current` where it has their canonical form: requests have all texts in that form, and what
/// is stored may be older than it.
fn keep_fixed(from: &mut DynamicMessage, current: &DynamicMessage, canonical: &DynamicMessage) {
    for field in current.descriptor().fields().filter(is_fixed) {
        if from.has_field(&field) && from.get_field(&field) == canonical.get_field(&field) {
            from.set_field(&field, current.get_field(&field).into_owned());
        }
    }
}

fn reflect<M: Message + Name>(message: &M) -> DynamicMessage {
    let descriptor = CONTRACTS.get_message_by_name(&M::full_name()).expect("M is a message of the contracts");
    DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).expect("an encoded M decodes as one")
}

impl Pair<'_> {
    fn take(&mut self, scope: Scope, faults: &mut Vec<Violation>) {
        for field in self.from.descriptor().fields() {
            let is_set = self.from.has_field(&field);
            if is_set || (scope == Scope::All && !is_fixed(&field)) {
                self.take_field(&field, scope, faults);
            }
        }
    }

    /// Whether there is such a field.
    fn take_path(&mut self, path: &str, faults: &mut Vec<Violation>) -> bool {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let Some(field) = self.from.descriptor().get_field_by_name(name) else { return false };
        if is_ignored(&field) {
            return true;
        }
        match (rest, self.inner(&field)) {
            (None, _) => {
                self.take_field(&field, Scope::All, faults);
                true
            }
            (Some(rest), Some((from, at))) => match self.into.get_field_mut(&field) {
                Value::Message(into) => Pair { into, from: &from, at }.take_path(rest, faults),
                _ => false,
            },
            (Some(_), None) => false,
        }
    }

    fn take_field(&mut self, field: &FieldDescriptor, scope: Scope, faults: &mut Vec<Violation>) {
        if is_ignored(field) {
            return;
        }
        if is_fixed(field) {
            if self.into.get_field(field) != self.from.get_field(field) {
                let (field, description) = (format!("{}.{}", self.at, field.name()), "cannot be changed".to_owned());
                faults.push(Violation { field, description });
            }
            return;
        }
        if let Some((from, at)) = self.inner(field).filter(|_| is_ours(field))
            && let Value::Message(into) = self.into.get_field_mut(field)
        {
            Pair { into, from: &from, at }.take(scope, faults);
        } else if self.from.has_field(field) {
            self.into.set_field(field, self.from.get_field(field).into_owned());
        } else {
            // A path of the mask whose field is not set means the default (AIP-134).
            self.into.clear_field(field);
        }
    }

    /// The wanted message of `field` with its path, when it is one message.
    fn inner(&self, field: &FieldDescriptor) -> Option<(DynamicMessage, String)> {
        match self.from.get_field(field).into_owned() {
            Value::Message(inner) => Some((inner, format!("{}.{}", self.at, field.name()))),
            _ => None,
        }
    }
}

/// Whether the field's message changes field by field: others, such as an amount of money, change as a whole.
fn is_ours(field: &FieldDescriptor) -> bool {
    matches!(field.kind(), Kind::Message(message) if message.package_name().starts_with("comptoir."))
}

fn is_ignored(field: &FieldDescriptor) -> bool {
    field.name() == "etag" || behaves(field, &[OUTPUT_ONLY])
}

fn is_fixed(field: &FieldDescriptor) -> bool {
    behaves(field, &[IMMUTABLE, IDENTIFIER])
}

fn behaves(field: &FieldDescriptor, as_one_of: &[i32]) -> bool {
    let behavior = CONTRACTS.get_extension_by_name("google.api.field_behavior").expect("the contracts import it");
    let options = field.options();
    let values = options.get_extension(&behavior);
    let is_one = |value: &Value| value.as_enum_number().is_some_and(|number| as_one_of.contains(&number));
    values.as_list().is_some_and(|values| values.iter().any(is_one))
}
