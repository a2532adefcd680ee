//! An order, as orders stores it.

use ::orders::{Order, PLACE_ORDER};
use bson::{Bson, Document, doc};
use saga::Saga;
use store::Time;

/// An amount as it is stored.
pub fn euros(amount: &str) -> Document {
    doc! { "currency": "EUR", "amount": Bson::Decimal128(amount.parse().expect("a decimal")) }
}

/// An order of ten euros that is about to hold its stock.
pub fn order() -> Order {
    let saga: Saga = Saga::start(&PLACE_ORDER, "here", Time::from_millis(0));
    let stored = doc! {
        "user_id": "usr_1", "user": { "name": "Test Customer", "email": "customer@example.com" }, "items": [],
        "total": euros("10.00"), "state": "Pending", "reason": "", "payment_state": "Unspecified",
        "shipment_state": "Unspecified", "payment_id": "pay_1", "shipment_id": "shp_1",
        "address": {
            "name": "Test Customer", "line1": "1 rue de la Paix", "line2": "", "city": "Paris", "region": "",
            "postal_code": "75002", "country_code": "FR",
        },
        "payment_token": "tok_visa", "saga": bson::serialize_to_bson(&saga).expect("a saga can be stored"),
        "history": [], "created_at": Time::from_millis(0), "updated_at": Time::from_millis(0), "request_key": "key",
        "request_digest": "",
    };
    bson::deserialize_from_document(stored).expect("an order can be read")
}
