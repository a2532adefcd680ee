//! Personal data by the contracts alone: what is called as it is has the option, and who is given it erases it.

use comptoir::docs::fields;
use contracts::api::v1::Data;
use prost_reflect::{DescriptorPool, Kind, MessageDescriptor, ServiceDescriptor};
use std::collections::BTreeSet;
use topology::Topology;

/// What people are known by, beside the names that some field with the option has.
const NAMES: &str = "first_name last_name phone phone_number birth_date street ip_address";

/// What only some fields of the name have: a name that is a person's, a reason that tells of one.
const OF_SOME: [&str; 2] = ["name", "reason"];

/// Messages whose name is that of a thing.
const THINGS: &str = "users.v1.Client users.v1.CreateClientRequest orders.v1.ProductSnapshot orders.v1.SagaStep \
    products.v1.Product products.v1.Category products.v1.ProductGroup products.v1.ProductOption shipping.v1.ShippingRate baskets.v1.BasketLine events.v1.Event \
    audit.v1.Entry analytics.v1.ProductRow";

/// Reasons that are codes, words of a program, or tell of a thing.
const REASONS: &str = "orderhistory.v1.OrderHistory.reason orders.v1.OrderChanged.reason orders.v1.OrderFrozen.reason \
    orders.v1.Order.frozen_reason orders.v1.Saga.reason orders.v1.Saga.parked_reason orders.v1.FailedSaga.reason \
    payments.v1.Payment.decline_reason payments.v1.Payment.frozen_reason payments.v1.PaymentChanged.decline_reason \
    payments.v1.Webhook.reason webhooks.v1.Endpoint.reason email.v1.Email.reason events.v1.DeadLetter.reason \
    inventory.v1.AdjustStockRequest.reason";

/// Shows what others keep, and keeps none of it.
const SHOWS: &str = "privacy";

fn pool() -> DescriptorPool {
    DescriptorPool::decode(contracts::DESCRIPTORS).expect("the contracts")
}

/// The texts of the messages of our own, with whether each is personal data: message, field, whether.
fn texts() -> Vec<(String, String, bool)> {
    let messages =
        pool().all_messages().filter(|message| message.full_name().starts_with("comptoir.")).collect::<Vec<_>>();
    let of = |message: &MessageDescriptor| {
        let own = fields(message).expect("its options can be read");
        let own = own.into_iter().filter(|field| !field.path.contains('.') && field.field.kind() == Kind::String);
        own.map(|field| {
            let message = message.full_name().trim_start_matches("comptoir.").to_owned();
            (message, field.field.name().to_owned(), field.data == Data::Pii)
        })
        .collect::<Vec<_>>()
    };
    messages.iter().flat_map(of).collect()
}

#[test]
fn a_field_that_is_called_like_personal_data_is_marked_as_personal_data() {
    let texts = texts();
    let marked = texts.iter().filter(|(_, name, is_personal)| *is_personal && !OF_SOME.contains(&name.as_str()));
    let names: BTreeSet<&str> = marked.map(|(_, name, _)| name.as_str()).chain(NAMES.split(' ')).collect();
    assert!(names.contains("email") && names.contains("line1"), "{names:?}");
    let bare = texts.iter().filter(|(message, name, is_personal)| {
        let is_one = |known: &str| name == known || name.ends_with(&format!("_{known}"));
        let is_in = |list: &str, entry: &str| list.split_whitespace().any(|listed| listed == entry);
        let is_like_it = if is_one("name") {
            !is_in(THINGS, message)
        } else if is_one("reason") {
            !is_in(REASONS, &format!("{message}.{name}"))
        } else {
            let has_part = name.split('_').any(|part| ["email", "phone"].contains(&part)) && !is_one("id");
            has_part || names.iter().any(|known| is_one(known))
        };
        is_like_it && !is_personal
    });
    let bare: Vec<_> = bare.collect();
    assert!(
        bare.is_empty(),
        "{bare:?} need (comptoir.api.v1.data) = PII, or tell of things: then say so in THINGS or REASONS"
    );
}

/// Whether a request of the service, or a reply, has a field that is personal data, at any depth.
fn is_given_personal_data(service: &ServiceDescriptor) -> bool {
    let has = |message: MessageDescriptor| {
        fields(&message).expect("its options can be read").iter().any(|field| field.data == Data::Pii)
    };
    service.methods().any(|method| has(method.input()) || has(method.output()))
}

#[test]
fn each_service_that_is_given_personal_data_has_a_step_in_the_erasure_of_a_user() {
    let pool = pool();
    let name =
        |service: &ServiceDescriptor| Topology::get().by_proto(service.package_name()).map(|(name, _)| name.to_owned());
    let given = pool.services().filter(is_given_personal_data).filter_map(|service| name(&service));
    let given: BTreeSet<String> = given.filter(|name| name != SHOWS).collect();
    let erases = |service: &ServiceDescriptor| service.methods().any(|method| method.name() == "EraseUserData");
    let erasing: BTreeSet<String> = pool.services().filter(erases).filter_map(|service| name(&service)).collect();
    assert_eq!(given, erasing, "EraseUserData is an RPC of those that are given personal data");
    assert_eq!(erasing, privacy::participants().map(str::to_owned).collect(), "the saga asks each of them");
}
