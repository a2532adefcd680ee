//! Who may ask what of a payment, and for which amounts.

use super::*;

#[tokio::test]
async fn a_payment_id_belongs_to_one_order_user_and_amount() {
    let (payments, id) = (Payments::connect(shared().await).await, Id::Payment.new_id());
    payments.authorize(&id, "tok_visa").await.unwrap();
    let mismatch = (Code::AlreadyExists, "PAYMENT_MISMATCH".to_owned());
    assert_eq!(refused(payments.authorize_for(&id, "tok_visa", "usr_1", eur(2000)).await), mismatch);
    assert_eq!(refused(payments.authorize_for(&id, "tok_visa", "usr_2", eur(1999)).await), mismatch);
    let nothing = payments.authorize_for(&Id::Payment.new_id(), "tok_visa", "usr_1", eur(0)).await;
    assert_eq!(refused(nothing), (Code::InvalidArgument, "INVALID_FIELD".into()));
    assert_eq!(refused(payments.get("pay_absent").await), (Code::NotFound, "NOT_FOUND".into()));
    assert_eq!(refused(payments.capture("pay_absent").await), (Code::NotFound, "NOT_FOUND".into()));
}

#[tokio::test]
async fn the_payer_approves_or_abandons_and_a_stranger_sees_nothing() {
    let stack = shared().await;
    let payments = Payments::connect(stack).await;
    let (payer, user) = Client::register(stack).await;
    let (stranger, _) = Client::register(stack).await;
    let cases = [(true, "AUTHORIZED", "", "approved"), (false, "DECLINED", "ACTION_ABANDONED", "abandoned")];
    for (approve, state, reason, case) in cases {
        let id = Id::Payment.new_id();
        let user_id = user["userId"].as_str().unwrap();
        let waiting = payments.authorize_for(&id, "tok_action_required", user_id, eur(500)).await.unwrap();
        assert_eq!(waiting.state(), State::ActionRequired);
        let path = format!("/v1/payments/{id}:completeAction");
        stranger.post(&path, json!({ "approve": approve })).await.expect(404);
        stranger.get(&format!("/v1/payments/{id}")).await.expect(404);
        for _ in 0..2 {
            let payment = payer.post(&path, json!({ "approve": approve })).await.expect(200);
            assert_eq!((payment["state"].as_str(), payment["declineReason"].as_str()), (Some(state), Some(reason)));
        }
        let seen = payer.get(&format!("/v1/payments/{id}")).await.expect(200);
        assert_eq!(seen["state"], state, "{case}");
        payer.post(&path, json!({ "approve": !approve })).await.expect(400);
    }
}

#[tokio::test]
async fn the_token_is_gone_when_the_outcome_is_known_and_never_in_an_event() {
    let (payments, id) = (Payments::connect(shared().await).await, Id::Payment.new_id());
    payments.authorize(&id, "tok_visa").await.unwrap();
    event_names(&payments.database, &id, 2).await;
    for (collection, filter) in [("payments", doc! { "_id": &id }), ("events", doc! { "entries.aid": &id })] {
        let mut found = payments.database.collection::<Document>(collection).find(filter).await.unwrap();
        while found.advance().await.unwrap() {
            let bytes = found.current().as_bytes();
            assert!(!bytes.windows(8).any(|window| window == b"tok_visa"), "{collection} keeps the token");
        }
    }
}

#[tokio::test]
async fn parts_are_captured_and_refunded_to_the_cent() {
    let (payments, id) = (Payments::connect(shared().await).await, Id::Payment.new_id());
    payments.authorize(&id, "tok_visa").await.unwrap();
    for _ in 0..2 {
        payments.capture_part(&id, Some(eur(999).to_wire()), "shp_1").await.unwrap();
    }
    payments.capture_part(&id, Some(eur(1000).to_wire()), "shp_2").await.unwrap();
    for (cents, name) in [(333, "rfd_1"), (333, "rfd_2"), (333, "rfd_3"), (1000, "rfd_4")] {
        payments.refund(&id, Some(eur(cents).to_wire()), name).await.unwrap();
    }
    let payment = payments.get(&id).await.unwrap();
    let whole = Some(eur(1999).to_wire());
    assert_eq!([payment.captured_amount, payment.refunded_amount], [whole.clone(), whole]);
    assert_eq!(payment.ledger.len(), 7);
    let too_much = payments.refund(&id, Some(eur(1).to_wire()), "rfd_5").await;
    assert_eq!(refused(too_much), (Code::FailedPrecondition, "REFUND_EXCEEDS_CAPTURE".into()));
}

#[tokio::test]
async fn amounts_that_are_zero_negative_foreign_or_too_large_change_nothing() {
    let (payments, id) = (Payments::connect(shared().await).await, Id::Payment.new_id());
    payments.authorize(&id, "tok_visa").await.unwrap();
    payments.capture_part(&id, Some(eur(500).to_wire()), "shp_1").await.unwrap();
    let before = payments.get(&id).await.unwrap();
    let dollars = Money::new("USD", 1.into()).unwrap();
    let field = (Code::InvalidArgument, "INVALID_FIELD".to_owned());
    for amount in [eur(0), eur(-1), dollars] {
        assert_eq!(refused(payments.capture_part(&id, Some(amount.to_wire()), "shp_2").await), field);
        assert_eq!(refused(payments.refund(&id, Some(amount.to_wire()), "rfd_1").await), field);
    }
    let finer = WireMoney { currency_code: "EUR".into(), units: 1, nanos: 5_000_000 };
    assert_eq!(refused(payments.refund(&id, Some(finer), "rfd_1").await), field);
    let precondition = |reason: &str| (Code::FailedPrecondition, reason.to_owned());
    let capture = payments.capture_part(&id, Some(eur(1500).to_wire()), "shp_2").await;
    assert_eq!(refused(capture), precondition("CAPTURE_EXCEEDS_AUTHORIZATION"));
    let refund = payments.refund(&id, Some(eur(501).to_wire()), "rfd_1").await;
    assert_eq!(refused(refund), precondition("REFUND_EXCEEDS_CAPTURE"));
    let other = payments.capture_part(&id, Some(eur(501).to_wire()), "shp_1").await;
    assert_eq!(refused(other), (Code::AlreadyExists, "PAYMENT_MISMATCH".into()));
    assert_eq!(payments.get(&id).await.unwrap(), before);
}
