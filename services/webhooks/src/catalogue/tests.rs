//! Types and bodies.

use crate::catalogue::Catalogue;
use contracts::orders::v1::{OrderChanged, order};
use prost_reflect::{DescriptorPool, DynamicMessage, Value, prost::Message};
use serde_json::json;

#[test]
fn a_body_has_type_time_and_the_event_in_the_json_of_the_contracts() {
    let changed =
        OrderChanged { order_id: "ord_1".to_owned(), to: order::State::Confirmed.into(), ..OrderChanged::default() };
    let catalogue = Catalogue::new();
    let body =
        catalogue.body("order.confirmed", "2026-01-02T03:04:05Z", &changed.encode_to_vec()).expect("it is known");
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((&body["type"], &body["timestamp"]), (&json!("order.confirmed"), &json!("2026-01-02T03:04:05Z")));
    assert_eq!((&body["data"]["orderId"], &body["data"]["to"]), (&json!("ord_1"), &json!("CONFIRMED")));
    assert_eq!(catalogue.body("order.eaten", "", &[]), None);
    assert_eq!(catalogue.body("order.confirmed", "", &[0xff]), None);
}

#[test]
fn what_is_personal_is_left_out_of_whatever_message() {
    let pool = DescriptorPool::decode(contracts::DESCRIPTORS).expect("descriptors");
    let mut message = DynamicMessage::new(pool.get_message_by_name("comptoir.users.v1.User").expect("it is there"));
    for (name, text) in [("user_id", "usr_1"), ("email", "customer@example.com")] {
        message.set_field_by_name(name, Value::String(text.to_owned()));
    }
    Catalogue::new().redact(&mut message);
    let text = |name: &str| message.get_field_by_name(name).and_then(|value| value.as_str().map(str::to_owned));
    assert_eq!((text("user_id").as_deref(), text("email").as_deref()), (Some("usr_1"), Some("")));
}
