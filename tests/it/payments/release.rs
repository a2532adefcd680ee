//! Giving back what was authorized and is not captured.

use super::{Payments, kinds};
use contracts::{
    id::Kind as Id,
    payments::v1::{Payment as Reply, ReleasePaymentRequest, ledger_entry::Kind, payment::State},
};
use kit::shared;
use rpc::status::reason;
use tonic::Status;

impl Payments {
    async fn release(&self, id: &str) -> Result<Reply, Status> {
        let (payment_id, step_key, epoch) = (id.into(), "ord_1/release/do".into(), self.epoch);
        let request = ReleasePaymentRequest { payment_id, step_key, epoch };
        Ok(self.rpc.clone().release_payment(request).await?.into_inner())
    }
}

#[tokio::test]
async fn what_is_open_is_given_back_once_and_what_was_captured_stays() {
    let (payments, id) = (Payments::connect(shared().await).await, Id::Payment.new_id());
    let early = payments.release(&id).await.unwrap_err();
    assert_eq!(reason(&early), "NOT_FOUND");
    payments.authorize(&id, "tok_visa").await.unwrap();
    let part = super::eur(500).to_wire();
    payments.capture_part(&id, Some(part.clone()), "shp_1").await.unwrap();
    for _ in 0..2 {
        let released = payments.release(&id).await.unwrap();
        assert_eq!(released.state(), State::Captured);
        assert_eq!(
            (&released.captured_amount, &released.voided_amount),
            (&Some(part.clone()), &Some(super::eur(1499).to_wire()))
        );
        assert_eq!(kinds(&released), [Kind::Authorization, Kind::Capture, Kind::Void]);
    }
    let late = payments.capture_part(&id, Some(part), "shp_2").await.unwrap_err();
    assert_eq!(reason(&late), "CAPTURE_EXCEEDS_AUTHORIZATION");
}

#[tokio::test]
async fn nothing_is_released_while_the_payer_is_awaited_and_all_that_was_never_captured() {
    let payments = Payments::connect(shared().await).await;
    let (waits, whole) = (Id::Payment.new_id(), Id::Payment.new_id());
    payments.authorize(&waits, "tok_action_required").await.unwrap();
    assert_eq!(reason(&payments.release(&waits).await.unwrap_err()), "PAYMENT_NOT_AUTHORIZED");
    payments.authorize(&whole, "tok_visa").await.unwrap();
    for _ in 0..2 {
        assert_eq!(payments.release(&whole).await.unwrap().state(), State::Voided);
    }
}
