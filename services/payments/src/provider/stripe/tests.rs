//! The Stripe adapter against the shapes of Stripe's public API: what it sends, and what it makes of the answers.

use super::Stripe;
use crate::{
    domain::{Movement, Outcome, ProviderEvent, Token},
    provider::{Charge, Notification, Payable, Provider, Rejected},
};
use axum::{Router, body::Body, extract::State, response::Response};
use contracts::money::{Money, currencies};
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;
use settings::Secret;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

const SECRET: &str = "whsec_test";

/// Answers every request with one shape, and keeps what was asked.
struct Recorded {
    stripe: Stripe,
    asked: Arc<Mutex<Vec<Asked>>>,
}

#[derive(Debug, Clone)]
struct Asked {
    method: Method,
    path: String,
    key: String,
    authorization: String,
    /// Query and form, decoded.
    fields: Vec<(String, String)>,
}

impl Asked {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

fn shape(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("tests/shapes.json")).expect("JSON");
    let shape = all[name].clone();
    assert!(!shape.is_null(), "there is no shape {name}");
    shape
}

type Answer = (StatusCode, String, Arc<Mutex<Vec<Asked>>>);

async fn answer(State((status, body, asked)): State<Answer>, request: axum::extract::Request) -> Response {
    let (parts, sent) = request.into_parts();
    let sent = axum::body::to_bytes(sent, 64 * 1024).await.expect("a small body");
    let text = format!("{}&{}", parts.uri.query().unwrap_or_default(), String::from_utf8_lossy(&sent));
    let url = reqwest::Url::parse(&format!("http://stripe/?{text}")).expect("a URL");
    let header =
        |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    asked.lock().unwrap().push(Asked {
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        key: header("idempotency-key"),
        authorization: header("authorization"),
        fields: url.query_pairs().into_owned().filter(|(name, _)| !name.is_empty()).collect(),
    });
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
}

impl Recorded {
    async fn answering(status: u16, name: &str) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answers = (StatusCode::from_u16(status).unwrap(), shape(name).to_string(), asked.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer).with_state(answers)).await });
        Self { stripe: Stripe::new(&url, Secret::new("sk_test_x"), Secret::new(SECRET)).unwrap(), asked }
    }

    fn last(&self) -> Asked {
        self.asked.lock().unwrap().last().expect("something was asked").clone()
    }
}

fn eur(cents: i64) -> Money {
    Money::from_minor("EUR", cents.into()).unwrap()
}

const KEY: &str = "pay_1/authorize";
const NAMED: Charge<'_> = Charge { key: KEY, reference: Some("pi_3Q0") };
const NAMELESS: Charge<'_> = Charge { key: KEY, reference: None };

fn done(ends_at: Option<i64>) -> Outcome {
    Outcome::Done {
        reference: "pi_3Q0".into(),
        ends_at: ends_at.map(|seconds| store::Time::from_millis(seconds * 1000)),
    }
}

fn declined(reason: &str) -> Outcome {
    Outcome::Declined { reason: reason.into() }
}

#[tokio::test]
async fn an_authorization_is_an_intent_with_manual_capture_under_our_key() {
    let recorded = Recorded::answering(200, "requires_capture").await;
    let outcome = recorded.stripe.authorize(KEY, &eur(1999), &Token::new("tok_visa")).await;
    assert_eq!(outcome, done(Some(1_730_604_800)));
    let asked = recorded.last();
    assert_eq!(
        (asked.method.clone(), asked.path.as_str(), asked.key.as_str()),
        (Method::POST, "/v1/payment_intents", KEY)
    );
    assert_eq!(asked.authorization, "Bearer sk_test_x");
    let expected = [
        ("amount", "1999"),
        ("currency", "eur"),
        ("capture_method", "manual"),
        ("confirm", "true"),
        ("metadata[key]", KEY),
        ("payment_method_data[type]", "card"),
        ("payment_method_data[card][token]", "tok_visa"),
    ];
    for (field, value) in expected {
        assert_eq!(asked.field(field), Some(value), "{field}");
    }
    recorded.stripe.authorize(KEY, &eur(1999), &Token::new("pm_card_visa")).await;
    assert_eq!(recorded.last().field("payment_method"), Some("pm_card_visa"));
}

#[tokio::test]
async fn each_answer_to_an_authorization_is_an_outcome_and_what_is_not_known_is_unknown() {
    let cases = [
        (200, "requires_action", Outcome::ActionRequired { reference: "pi_3Q0".into(), ends_at: None }),
        (402, "card_declined", declined("INSUFFICIENT_FUNDS")),
        (400, "no_such_token", declined("RESOURCE_MISSING")),
        (400, "unknown_parameter", Outcome::Unknown),
        (409, "idempotency_conflict", Outcome::Unknown),
        (429, "unknown_parameter", Outcome::Unknown),
        (500, "unknown_parameter", Outcome::Unknown),
        (200, "refund", Outcome::Unknown),
        (200, "list", Outcome::Unknown),
    ];
    for (status, name, expected) in cases {
        let recorded = Recorded::answering(status, name).await;
        assert_eq!(recorded.stripe.authorize(KEY, &eur(1999), &Token::new("tok_x")).await, expected, "{status} {name}");
    }
    let nobody = Stripe::new("http://127.0.0.1:9", Secret::new("sk"), Secret::new(SECRET)).unwrap();
    assert_eq!(nobody.authorize(KEY, &eur(1999), &Token::new("tok_x")).await, Outcome::Unknown);
}

#[tokio::test]
async fn money_is_taken_released_and_given_back_under_keys_of_their_own() {
    let recorded = Recorded::answering(200, "succeeded").await;
    assert_eq!(recorded.stripe.capture("pay_1/capture", NAMED, &eur(1999)).await, done(Some(1_730_604_800)));
    let asked = recorded.last();
    assert_eq!((asked.path.as_str(), asked.key.as_str()), ("/v1/payment_intents/pi_3Q0/capture", "pay_1/capture"));
    assert_eq!(asked.field("amount_to_capture"), Some("1999"));
    let recorded = Recorded::answering(200, "canceled").await;
    assert!(matches!(recorded.stripe.void("pay_1/void", NAMED).await, Outcome::Done { .. }));
    assert_eq!(recorded.last().path, "/v1/payment_intents/pi_3Q0/cancel");
    let recorded = Recorded::answering(200, "refund").await;
    assert_eq!(recorded.stripe.refund("pay_1/refund/rfd_1", NAMED, &eur(500)).await, done(None));
    let asked = recorded.last();
    assert_eq!((asked.path.as_str(), asked.key.as_str()), ("/v1/refunds", "pay_1/refund/rfd_1"));
    assert_eq!((asked.field("payment_intent"), asked.field("amount")), (Some("pi_3Q0"), Some("500")));
    let recorded = Recorded::answering(400, "unexpected_state").await;
    let refused = recorded.stripe.capture("pay_1/capture", NAMED, &eur(1999)).await;
    assert_eq!(refused, declined("PAYMENT_INTENT_UNEXPECTED_STATE"));
}

#[tokio::test]
async fn a_charge_is_asked_for_by_its_name_or_searched_by_its_key() {
    let recorded = Recorded::answering(200, "requires_capture").await;
    assert_eq!(recorded.stripe.query(NAMED).await, Some(done(Some(1_730_604_800))));
    assert_eq!(recorded.last().path, "/v1/payment_intents/pi_3Q0");
    let recorded = Recorded::answering(200, "found").await;
    assert_eq!(recorded.stripe.query(NAMELESS).await, Some(done(Some(1_730_604_800))));
    assert_eq!(recorded.last().field("query"), Some("metadata['key']:'pay_1/authorize'"));
    assert_eq!(Recorded::answering(200, "nothing_found").await.stripe.query(NAMELESS).await, None);
    assert_eq!(
        Recorded::answering(500, "unknown_parameter").await.stripe.query(NAMELESS).await,
        Some(Outcome::Unknown)
    );
}

#[tokio::test]
async fn amounts_are_counted_as_stripe_counts_them() {
    let cases = [
        ("JPY", "500", Some("500")),
        ("ISK", "500", Some("50000")),
        ("MGA", "500.00", Some("500")),
        ("MGA", "500.20", None),
        ("KWD", "1.230", Some("1230")),
        ("KWD", "1.234", None),
    ];
    for (currency, amount, expected) in cases {
        let recorded = Recorded::answering(200, "requires_capture").await;
        let outcome =
            recorded.stripe.authorize(KEY, &Money::parse(currency, amount).unwrap(), &Token::new("tok_visa")).await;
        match expected {
            Some(minor) => assert_eq!(recorded.last().field("amount"), Some(minor), "{amount} {currency}"),
            None => assert_eq!(outcome, declined("AMOUNT_NOT_REPRESENTABLE"), "{amount} {currency}"),
        }
    }
}

#[tokio::test]
async fn the_report_has_the_sums_of_each_intent() {
    let cases = [
        ("requires_capture", [1999, 0, 0, 0]),
        ("requires_action", [0, 0, 0, 0]),
        ("succeeded", [1999, 1999, 0, 0]),
        ("succeeded_in_part", [1999, 500, 1499, 0]),
        ("refunded_in_part", [1999, 1999, 0, 500]),
        ("canceled", [1999, 0, 1999, 0]),
        ("canceled_unpaid", [0, 0, 0, 0]),
    ];
    for (name, sums) in cases {
        let found = Recorded::answering(200, name).await.stripe.find(NAMED).await.unwrap().unwrap();
        let reported = [found.sums.authorized, found.sums.captured, found.sums.voided, found.sums.refunded];
        assert_eq!(reported, sums.map(eur), "{name}");
        assert_eq!((found.charge_key.as_str(), found.reference.as_str()), (KEY, "pi_3Q0"));
    }
    let recorded = Recorded::answering(200, "list").await;
    let page = recorded.stripe.report(store::Time::from_millis(1_730_000_000_000), Some("pi_3Pz")).await.unwrap();
    assert_eq!((page.charges.len(), page.next), (1, None));
    let asked = recorded.last();
    assert_eq!((asked.field("created[gte]"), asked.field("starting_after")), (Some("1730000000"), Some("pi_3Pz")));
}

fn notification(stripe: &Stripe, name: &str) -> Result<Notification, Rejected> {
    let (body, mut headers) = (shape(name).to_string(), HeaderMap::new());
    let signature = rpc::signature::sign(SECRET, 1_730_000_001, body.as_bytes());
    headers.insert("stripe-signature", signature.parse().unwrap());
    stripe.notification(&headers, body.as_bytes(), 1_730_000_002)
}

#[tokio::test]
async fn events_tell_what_happened_under_the_key_of_the_request_that_caused_it() {
    let stripe = Recorded::answering(200, "list").await.stripe;
    let (key, moved) = (KEY.to_owned(), |movement, key: &str, cents| ProviderEvent::Moved {
        movement,
        key: key.into(),
        amount: eur(cents),
    });
    let cases = [
        ("event_authorized", ProviderEvent::Authorized { key: key.clone(), ends_at: None }),
        ("event_requires_action", ProviderEvent::ActionRequired { key: key.clone(), ends_at: None }),
        ("event_failed", ProviderEvent::Declined { key, reason: "INSUFFICIENT_FUNDS".into() }),
        ("event_captured", moved(Movement::Capture, "pay_1/capture", 1999)),
        ("event_succeeded_in_part", moved(Movement::Void, "pi_3Q0/rest", 1499)),
        ("event_voided", moved(Movement::Void, "pay_1/void", 1999)),
        ("event_expired", moved(Movement::Expiry, "evt_3Q0", 1999)),
        ("event_abandoned", ProviderEvent::Declined { key: "evt_3Q0".into(), reason: "ABANDONED".into() }),
        ("event_refunded", moved(Movement::Refund, "pay_1/refund/rfd_2", 500)),
        ("event_released", ProviderEvent::Nothing),
        ("event_dispute", moved(Movement::ChargeBack, "dp_1Q0", 1999)),
        ("event_other", ProviderEvent::Nothing),
    ];
    for (name, expected) in cases {
        let notification = notification(&stripe, name).unwrap();
        assert_eq!((notification.event_id.as_str(), notification.event), ("evt_3Q0", expected), "{name}");
        let has_key = !matches!(name, "event_dispute" | "event_other");
        assert_eq!(notification.charge_key == KEY, has_key, "{name}");
    }
    assert_eq!(notification(&stripe, "event_dispute").unwrap().reference, "pi_3Q0");
}

#[tokio::test]
async fn an_event_that_stripe_has_not_signed_now_is_refused() {
    let stripe = Recorded::answering(200, "list").await.stripe;
    let body = shape("event_authorized").to_string();
    let notification = |signature: String, now: i64| {
        let mut headers = HeaderMap::new();
        headers.insert("stripe-signature", signature.parse().unwrap());
        stripe.notification(&headers, body.as_bytes(), now)
    };
    let signed = |secret: &str| rpc::signature::sign(secret, 1_730_000_001, body.as_bytes());
    assert!(
        notification(
            signed(SECRET) + ",v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39",
            1_730_000_001
        )
        .is_ok()
    );
    assert!(matches!(notification(signed("whsec_other"), 1_730_000_001), Err(Rejected::Signature(_))));
    assert!(matches!(notification(signed(SECRET), 1_730_000_302), Err(Rejected::Signature(_))));
}

#[test]
fn each_currency_has_a_step_and_bounds_that_agree_or_none_at_all() {
    let stripe = Stripe::new("http://127.0.0.1:9", Secret::new("sk"), Secret::new(SECRET)).unwrap();
    let mut refused = Vec::new();
    for (currency, _) in currencies() {
        let Some(Payable { step, least, most }) = stripe.payable(currency) else {
            refused.push(currency);
            continue;
        };
        assert!(step > 0 && least >= step && least < most, "{currency}");
        assert_eq!((least % step, most % step), (0, 0), "{currency}");
    }
    assert!(refused.contains(&"CLF") && refused.contains(&"XAD") && refused.len() == 17, "{refused:?}");
    for (currency, step, least, most) in [
        ("EUR", 1, 50, 99_999_999),
        ("GBP", 1, 30, 99_999_999),
        ("KWD", 10, 10, 99_999_990),
        ("BHD", 10, 10, 99_999_990),
        ("MGA", 100, 100, 9_999_999_900),
        ("JPY", 1, 50, 999_999_999_999),
        ("IDR", 1, 1, 999_999_999_999),
        ("ISK", 1, 1, 9_999_999_999),
        ("HUF", 1, 17_500, 999_999_999_999),
    ] {
        assert_eq!(stripe.payable(currency), Some(Payable { step, least, most }), "{currency}");
    }
}
