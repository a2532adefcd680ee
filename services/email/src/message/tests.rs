//! Headers: a name stays within its own, and a repeat has the same Message-ID.

use crate::{
    consumer::email,
    message::{build, message_id},
    templates::Rendered,
};
use ::events::Event;
use ::store::Time;
use contracts::orders::v1::OrderChanged;
use lettre::message::Mailbox;
use prost::{Message, Name};

fn confirmed() -> Event {
    let data = OrderChanged { order_id: "ord_1".to_owned(), user_id: "usr_1".to_owned(), ..OrderChanged::default() };
    Event {
        id: "evt_1".to_owned(),
        service: "orders".to_owned(),
        aggregate: "order".to_owned(),
        aggregate_id: "ord_1".to_owned(),
        seq: 2,
        log_sequence: 7,
        r#type: OrderChanged::full_name(),
        name: "confirmed".to_owned(),
        at: Time::now(),
        trace: None,
        actor: None,
        data: data.encode_to_vec().into(),
    }
}

fn built(name: &str) -> String {
    let from: Mailbox = "Shop <shop@example.com>".parse().expect("a sender");
    let mail = email(&confirmed(), Time::now()).expect("well-formed").expect("it asks for a mail");
    let to = "customer@example.com".parse().expect("an address");
    let rendered =
        Rendered { subject: "Café".to_owned(), text: "Text é\n.\nend\n".to_owned(), html: "<p>é</p>".to_owned() };
    String::from_utf8(build(&mail, &from, (name, to), rendered).expect("a message")).expect("ASCII")
}

/// The headers, unfolded.
fn headers(message: &str) -> Vec<String> {
    let head = message.split("\r\n\r\n").next().expect("a head").replace("\r\n ", " ");
    head.split("\r\n").map(str::to_owned).collect()
}

#[test]
fn a_name_adds_no_header() {
    let plain = headers(&built("Customer"));
    for hostile in ["Customer\r\nBcc: other@example.com", "\"x\" <other@example.com>, y", "Zoë\n\nbody", "a\u{0}b"] {
        let found = headers(&built(hostile));
        let names = |all: &[String]| -> Vec<String> {
            all.iter().map(|header| header.split(':').next().unwrap_or_default().to_owned()).collect()
        };
        assert_eq!(names(&found), names(&plain), "{found:?}");
        let to = found.iter().find(|header| header.starts_with("To:")).expect("a recipient");
        assert!(to.ends_with("<customer@example.com>"), "{to}");
    }
}

#[test]
fn a_repeat_has_the_same_message_id_and_date_and_says_that_no_person_wrote_it() {
    let (first, from) = (headers(&built("Customer")), "Shop <shop@example.com>".parse().expect("a sender"));
    let mail = email(&confirmed(), Time::now()).expect("well-formed").expect("it asks for a mail");
    let id = message_id(&mail.id, &from);
    assert!(id.starts_with("<eml_") && id.ends_with("@example.com>"), "{id}");
    assert!(first.iter().any(|header| header == "Auto-Submitted: auto-generated"), "{first:?}");
    assert!(first.iter().any(|header| header.starts_with("Message-ID: <eml_")), "{first:?}");
    assert!(first.iter().any(|header| header.starts_with("Content-Type: multipart/alternative")), "{first:?}");
}
