//! Every event of the system as data: the messages with `(comptoir.api.v1.event)`, their fields with comments and
//! `(comptoir.api.v1.data)`, and from the topology who publishes and who reads them.

use anyhow::Context;
use contracts::api::v1::{Data, Event as EventOption};
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor};
use std::collections::BTreeMap;
use topology::Topology;

/// A header of the messages on the streams.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    /// Its name, in the spelling of the wire.
    pub name: &'static str,
    pub is_always_there: bool,
    pub meaning: &'static str,
}

const fn header(name: &'static str, is_always_there: bool, meaning: &'static str) -> Header {
    Header { name, is_always_there, meaning }
}

/// CloudEvents 1.0 in the binary mode of the NATS binding. A test compares them with messages of a running system.
pub const HEADERS: [Header; 13] = [
    header("ce-specversion", true, "Always `1.0`."),
    header("ce-id", true, "Event id, `evt_` and a UUIDv7. The same on every delivery and after every replay."),
    header("ce-source", true, "`/comptoir/<service>`, the publisher."),
    header("ce-type", true, "Full name of the protobuf message, with its version: `comptoir.orders.v1.OrderCreated`."),
    header("ce-subject", true, "`<aggregate>/<aggregate id>`."),
    header("ce-time", true, "When it happened, RFC 3339."),
    header("ce-partitionkey", true, "The aggregate id: what must be handled in order has the same key."),
    header("ce-sequence", true, "Place among the events of its aggregate, a decimal from 1, without gaps."),
    header("ce-logsequence", true, "Place in the log of its publisher, a decimal from 1, without gaps."),
    header("content-type", true, "Always `application/protobuf`: the payload is the encoded message."),
    header("traceparent", false, "W3C trace context of the request that caused it."),
    header(
        "ce-actor",
        false,
        "Who caused it: `ROLE:USER_ID`, `service:NAME` or `anonymous`; absent where a service acts by itself.",
    ),
    header("Nats-Msg-Id", true, "The event id again, for the broker's window of duplicates."),
];

#[derive(Debug)]
pub struct Catalogue {
    pub publishers: Vec<Publisher>,
}

#[derive(Debug)]
pub struct Publisher {
    pub service: String,
    pub consumers: Vec<String>,
    pub events: Vec<Event>,
}

#[derive(Debug)]
pub struct Event {
    pub message: MessageDescriptor,
    /// Its option: aggregate, names, field of the aggregate's id.
    pub option: EventOption,
    pub comment: String,
    /// Its fields and those inside them.
    pub fields: Vec<Field>,
}

/// A field of an event, or of a message inside it.
#[derive(Debug)]
pub struct Field {
    /// Where it is: `items[].product_snapshot.name`.
    pub path: String,
    pub field: FieldDescriptor,
    pub comment: String,
    /// How far it may travel.
    pub data: Data,
}

impl Catalogue {
    /// The events of the contracts and the topology that this build was made of.
    pub fn of_this_build() -> anyhow::Result<Self> {
        Self::new(&DescriptorPool::decode(contracts::DESCRIPTORS)?, Topology::get())
    }

    /// The events of `pool`; the baseline of the last release is one, too.
    pub fn new(pool: &DescriptorPool, topology: &Topology) -> anyhow::Result<Self> {
        let mut by_service: BTreeMap<String, Vec<Event>> = BTreeMap::new();
        for message in pool.all_messages() {
            let Some(option) = option::<EventOption>(pool, "event", &message.options())? else { continue };
            let (service, _) = topology
                .by_proto(message.package_name())
                .with_context(|| format!("{}: no service of the topology has this package", message.full_name()))?;
            let fields = fields(&message)?;
            let comment = comment(&message.parent_file(), message.path());
            by_service.entry(service.to_owned()).or_default().push(Event { message, option, comment, fields });
        }
        let publisher = |(service, mut events): (String, Vec<Event>)| {
            // The pool has its messages in no promised order, and the document must not change by itself.
            events.sort_by_key(|event| event.message.path().to_vec());
            let readers = topology.service.iter().filter(|(_, table)| table.consumes.contains(&service));
            Publisher { consumers: readers.map(|(name, _)| name.clone()).collect(), service, events }
        };
        Ok(Self { publishers: by_service.into_iter().map(publisher).collect() })
    }

    pub fn events(&self) -> impl Iterator<Item = (&Publisher, &Event)> {
        self.publishers.iter().flat_map(|publisher| publisher.events.iter().map(move |event| (publisher, event)))
    }
}

impl Event {
    /// Pattern of its subjects: `evt.orders.order.created.{order_id}`, or with `{event}` when it has several names.
    pub fn address(&self, service: &str) -> String {
        let name = if let [only] = self.option.names.as_slice() { only } else { "{event}" };
        format!("evt.{service}.{}.{name}.{{{}}}", self.option.aggregate, self.id_name())
    }

    /// Name of the field that holds the aggregate's identifier.
    pub fn id_name(&self) -> &str {
        self.option.id_field.rsplit('.').next().unwrap_or_default()
    }
}

impl Field {
    /// Its type as a reader of the contract knows it: `repeated OrderItem`, `Payment.State`, `google.type.Money`.
    pub fn type_name(&self) -> String {
        let name = kind_name(&self.field.kind());
        if self.field.is_list() { format!("repeated {name}") } else { name }
    }
}

/// The fields of a message, each followed by those inside it. Types of google are not opened.
pub fn fields(message: &MessageDescriptor) -> anyhow::Result<Vec<Field>> {
    let mut found = Vec::new();
    collect(message, "", &mut vec![message.full_name().to_owned()], &mut found)?;
    Ok(found)
}

fn collect(
    message: &MessageDescriptor,
    prefix: &str,
    open: &mut Vec<String>,
    found: &mut Vec<Field>,
) -> anyhow::Result<()> {
    let pool = message.parent_pool();
    for field in message.fields() {
        let path = format!("{prefix}{}{}", field.name(), if field.is_list() || field.is_map() { "[]" } else { "" });
        let data = option_value(pool, "data", &field.options())?.and_then(|value| value.as_enum_number());
        let data = data.map_or(Ok(Data::Unspecified), Data::try_from)?;
        let (kind, comment) = (field.kind(), comment(&field.parent_message().parent_file(), field.path()));
        found.push(Field { path: path.clone(), field, comment, data });
        if let Kind::Message(inner) = kind
            && !inner.package_name().starts_with("google.")
            // A message inside itself would be opened for ever.
            && !open.iter().any(|name| name == inner.full_name())
        {
            open.push(inner.full_name().to_owned());
            collect(&inner, &format!("{path}."), open, found)?;
            open.pop();
        }
    }
    Ok(())
}

/// Name of a type, without the package when it is ours.
pub(super) fn kind_name(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => short(message.package_name(), message.full_name()),
        Kind::Enum(enumeration) => short(enumeration.package_name(), enumeration.full_name()),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

fn short(package: &str, name: &str) -> String {
    let ours = package.starts_with("comptoir.").then(|| name.strip_prefix(package)?.strip_prefix('.')).flatten();
    ours.unwrap_or(name).to_owned()
}

/// The comment above an element, as one line.
pub(super) fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let location = info.and_then(|info| info.location.iter().find(|location| location.path == path));
    let text = location.map(|location| location.leading_comments()).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn option_value(
    pool: &DescriptorPool,
    name: &str,
    options: &DynamicMessage,
) -> anyhow::Result<Option<prost_reflect::Value>> {
    let name = format!("comptoir.api.v1.{name}");
    let extension =
        pool.get_extension_by_name(&name).with_context(|| format!("the contracts have no option {name}"))?;
    Ok(options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned()))
}

/// An option of ours as a message.
pub(super) fn option<M: prost::Message + Default>(
    pool: &DescriptorPool,
    name: &str,
    options: &DynamicMessage,
) -> anyhow::Result<Option<M>> {
    let value = option_value(pool, name, options)?;
    let message = value.as_ref().and_then(prost_reflect::Value::as_message);
    Ok(message.map(DynamicMessage::transcode_to).transpose()?)
}
