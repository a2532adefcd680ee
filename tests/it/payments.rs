//! Payments: the service over gRPC as orders calls it, and over JSON as the payer does.

mod inbox;
mod release;
mod requests;
pub mod sandbox;
pub(crate) mod webhooks;

use anyhow::ensure;
use contracts::{
    google::r#type::Money as WireMoney,
    id::Kind as Id,
    money::Money,
    payments::v1::{
        AuthorizePaymentRequest, CancelPaymentRequest, CapturePaymentRequest, GetPaymentRequest, Payment as Reply,
        RefundPaymentRequest, ledger_entry, payment::State, payment_service_client::PaymentServiceClient,
    },
};
use kit::{Client, Stack, eventually, shared};
use mongodb::bson::{self, Document, doc};
use payments::Payment;
use rpc::{Channel, Signer, status::reason};
use serde_json::json;
use std::time::Duration;
use store::{Change, Documents, Time};
use tonic::{Code, Status};

/// The service as a runner of orders sees it, and what its database holds.
pub(crate) struct Payments {
    rpc: PaymentServiceClient<Channel>,
    pub database: mongodb::Database,
    epoch: i64,
}

/// A channel to `service` with the token of orders.
pub(crate) fn as_orders(stack: &Stack, service: &str) -> Channel {
    as_service(stack, "orders", service)
}

/// A channel to `service` with the token of another one.
pub(crate) fn as_service(stack: &Stack, caller: &str, service: &str) -> Channel {
    let pem = std::fs::read_to_string(stack.data().join(format!("keys/{caller}.pem"))).unwrap();
    Channel::new(stack.grpc(service), Some(Signer::new(caller, &pem).unwrap())).unwrap()
}

/// The names of the events of an aggregate, in order, once there are `count` of them in the log.
pub(crate) async fn event_names(database: &mongodb::Database, id: &str, count: usize) -> Vec<String> {
    let names = eventually(Duration::from_secs(10), || async {
        let found = kit::log(database, doc! { "aid": id }).await?;
        let names: Vec<String> =
            found.iter().filter_map(|entry| Some(entry.get_str("name").ok()?.to_owned())).collect();
        ensure!(names.len() >= count, "only {names:?}");
        Ok(names)
    });
    names.await
}

impl Payments {
    pub(crate) async fn connect(stack: &Stack) -> Self {
        let database = stack.connect().await.database("payments");
        Self { rpc: PaymentServiceClient::new(as_orders(stack, "payments")), database, epoch: 1 }
    }

    /// As a runner of another epoch.
    fn at(&self, epoch: i64) -> Self {
        Self { rpc: self.rpc.clone(), database: self.database.clone(), epoch }
    }

    pub async fn authorize(&self, id: &str, token: &str) -> Result<Reply, Status> {
        self.authorize_for(id, token, "usr_1", eur(1999)).await
    }

    async fn authorize_for(&self, id: &str, token: &str, user: &str, amount: Money) -> Result<Reply, Status> {
        let request = AuthorizePaymentRequest {
            payment_id: id.into(),
            order_id: "ord_1".into(),
            user_id: user.into(),
            amount: Some(amount.to_wire()),
            payment_token: token.into(),
            step_key: "ord_1/authorize/do".into(),
            epoch: self.epoch,
        };
        Ok(self.rpc.clone().authorize_payment(request).await?.into_inner())
    }

    pub async fn capture(&self, id: &str) -> Result<Reply, Status> {
        self.capture_part(id, None, "").await
    }

    pub async fn capture_part(&self, id: &str, amount: Option<WireMoney>, name: &str) -> Result<Reply, Status> {
        let (payment_id, step_key, capture_id) = (id.into(), "ord_1/capture/do".into(), name.into());
        let request = CapturePaymentRequest { payment_id, step_key, epoch: self.epoch, amount, capture_id };
        Ok(self.rpc.clone().capture_payment(request).await?.into_inner())
    }

    pub async fn refund(&self, id: &str, amount: Option<WireMoney>, name: &str) -> Result<Reply, Status> {
        let (step_key, refund_id) = (format!("ord_1/{name}/do"), name.into());
        let (payment_id, epoch) = (id.into(), self.epoch);
        let request = RefundPaymentRequest { payment_id, step_key, epoch, amount, refund_id };
        Ok(self.rpc.clone().refund_payment(request).await?.into_inner())
    }

    pub async fn cancel(&self, id: &str) -> Result<Reply, Status> {
        let (order_id, user_id) = ("ord_1".into(), "usr_1".into());
        let (step_key, epoch) = ("ord_1/authorize/undo".into(), self.epoch);
        let request = CancelPaymentRequest { payment_id: id.into(), order_id, user_id, step_key, epoch };
        Ok(self.rpc.clone().cancel_payment(request).await?.into_inner())
    }

    async fn get(&self, id: &str) -> Result<Reply, Status> {
        Ok(self.rpc.clone().get_payment(GetPaymentRequest { payment_id: id.into() }).await?.into_inner())
    }

    async fn charges(&self, id: &str) -> u64 {
        let charges = self.database.client().database("sandbox_psp").collection::<Document>("charges");
        charges.count_documents(doc! { "_id": { "$regex": format!("^{id}/") } }).await.unwrap()
    }
}

pub fn eur(cents: i64) -> Money {
    Money::from_minor("EUR", cents.into()).unwrap()
}

/// An amount as payments stores it.
fn stored(cents: i64) -> Document {
    let amount: bson::Decimal128 = eur(cents).amount.to_string().parse().unwrap();
    doc! { "currency": "EUR", "amount": amount }
}

/// What a process has written before it asks the provider to move 19.99 EUR; the resolver must ask since 1970.
fn intent(operation: &str, key: &str) -> Document {
    doc! { "operation": operation, "key": key, "amount": stored(1999), "attempts": 0, "ask_at": Time::from_millis(0) }
}

fn kinds(payment: &Reply) -> Vec<ledger_entry::Kind> {
    payment.ledger.iter().map(|entry| entry.kind()).collect()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(reply: Result<T, Status>) -> (Code, String) {
    let status = reply.unwrap_err();
    (status.code(), reason(&status))
}

#[tokio::test]
async fn a_payment_is_authorized_captured_and_refunded_once_however_often_it_is_asked() {
    let (payments, id) = (Payments::connect(shared().await).await, Id::Payment.new_id());
    for _ in 0..2 {
        assert_eq!(payments.authorize(&id, "tok_visa").await.unwrap().state(), State::Authorized);
    }
    for _ in 0..2 {
        assert_eq!(payments.capture(&id).await.unwrap().state(), State::Captured);
    }
    for _ in 0..2 {
        assert_eq!(payments.cancel(&id).await.unwrap().state(), State::Refunded);
    }
    let payment = payments.get(&id).await.unwrap();
    use ledger_entry::Kind::{Authorization, Capture, Refund};
    assert_eq!(kinds(&payment), [Authorization, Capture, Refund]);
    let whole = Some(eur(1999).to_wire());
    assert_eq!(
        [payment.authorized_amount, payment.captured_amount, payment.refunded_amount],
        [whole.clone(), whole.clone(), whole]
    );
    let names = event_names(&payments.database, &id, 4).await;
    assert_eq!(names, ["authorizing", "authorized", "captured", "refunded"]);
    assert_eq!(refused(payments.capture(&id).await), (Code::FailedPrecondition, "PAYMENT_NOT_AUTHORIZED".into()));
}

#[tokio::test]
async fn a_lost_reply_is_unknown_and_asking_again_finds_the_one_authorization() {
    let (payments, id) = (Payments::connect(shared().await).await, Id::Payment.new_id());
    assert_eq!(payments.authorize(&id, "tok_timeout").await.unwrap().state(), State::Unknown);
    let payment = payments.authorize(&id, "tok_timeout").await.unwrap();
    assert_eq!((payment.state(), kinds(&payment)), (State::Authorized, vec![ledger_entry::Kind::Authorization]));
    assert_eq!(payments.charges(&id).await, 1);
    assert_eq!(event_names(&payments.database, &id, 3).await, ["authorizing", "unknown", "authorized"]);
}

#[tokio::test]
async fn an_unknown_payment_ends_without_its_caller() {
    let (payments, id) = (Payments::connect(shared().await).await, Id::Payment.new_id());
    assert_eq!(payments.authorize(&id, "tok_timeout").await.unwrap().state(), State::Unknown);
    let payment = eventually(Duration::from_secs(15), || async {
        let payment = payments.get(&id).await?;
        ensure!(payment.state() == State::Authorized, "state is {:?}", payment.state());
        Ok(payment)
    })
    .await;
    assert_eq!(kinds(&payment), [ledger_entry::Kind::Authorization]);
}

#[tokio::test]
async fn a_payment_that_a_crash_left_in_authorizing_is_sent_under_its_own_key() {
    let (payments, id) = (Payments::connect(shared().await).await, Id::Payment.new_id());
    let documents = Documents::<Payment>::new(&payments.database.clone().into());
    let begun = doc! {
        "order_id": "ord_1", "user_id": "usr_1", "state": "Authorizing", "asked": { "amount": stored(1999) },
        "token": "tok_visa", "decline_reason": "", "ledger": [], "intent": intent("Authorize", &format!("{id}/authorize")),
        "created_at": Time::from_millis(0), "updated_at": Time::from_millis(0),
    };
    let begun = bson::deserialize_from_document(begun).unwrap();
    documents.insert(&id, begun, Vec::new()).await.unwrap();
    eventually(Duration::from_secs(15), || async {
        let payment = payments.get(&id).await?;
        ensure!(payment.state() == State::Authorized, "state is {:?}", payment.state());
        Ok(())
    })
    .await;
    assert_eq!(payments.charges(&id).await, 1);
}

#[tokio::test]
async fn a_capture_that_a_crash_left_open_is_carried_out() {
    let (payments, id) = (Payments::connect(shared().await).await, Id::Payment.new_id());
    payments.authorize(&id, "tok_visa").await.unwrap();
    let documents = Documents::<Payment>::new(&payments.database.clone().into());
    let found = documents.load(&id).await.unwrap().unwrap();
    let intent = bson::deserialize_from_document(intent("Capture", &format!("{id}/capture"))).unwrap();
    let state = Payment { intent: Some(intent), ..found.state.clone() };
    documents.save(&found, Change { state, events: Vec::new() }).await.unwrap();
    eventually(Duration::from_secs(15), || async {
        let payment = payments.get(&id).await?;
        ensure!(payment.state() == State::Captured, "state is {:?}", payment.state());
        Ok(())
    })
    .await;
    assert_eq!(event_names(&payments.database, &id, 3).await, ["authorizing", "authorized", "captured"]);
}

#[tokio::test]
async fn a_replaced_runner_moves_no_money_and_its_successors_repeat_writes_nothing() {
    let (payments, id) = (Payments::connect(shared().await).await, Id::Payment.new_id());
    let (zombie, successor) = (payments.at(6), payments.at(7));
    let stored = async || payments.database.collection::<Document>("payments").find_one(doc! { "_id": &id }).await;
    zombie.authorize(&id, "tok_visa").await.unwrap();
    let authorized = stored().await.unwrap();
    successor.authorize(&id, "tok_visa").await.unwrap();
    assert_eq!(stored().await.unwrap(), authorized, "a repeat that has no effect writes nothing");
    assert_eq!(successor.capture(&id).await.unwrap().state(), State::Captured);
    let captured = stored().await.unwrap();
    let late = [zombie.authorize(&id, "tok_visa").await, zombie.capture(&id).await, zombie.cancel(&id).await];
    for reply in late {
        assert_eq!(refused(reply), (Code::Aborted, "STALE_EPOCH".into()));
    }
    assert_eq!(stored().await.unwrap(), captured);
}

#[tokio::test]
async fn forty_equal_requests_at_once_make_one_charge() {
    for token in ["tok_visa", "tok_timeout"] {
        let (payments, id) = (Payments::connect(shared().await).await, Id::Payment.new_id());
        let requests = (0..40).map(|_| payments.authorize(&id, token));
        for reply in futures::future::join_all(requests).await {
            let state = reply.unwrap().state();
            assert!(matches!(state, State::Authorized | State::Unknown), "{state:?}");
        }
        let payment = payments.authorize(&id, token).await.unwrap();
        assert_eq!((payment.state(), kinds(&payment).len()), (State::Authorized, 1));
        assert_eq!(payments.charges(&id).await, 1);
    }
}

#[tokio::test]
async fn a_capture_and_a_cancellation_at_once_leave_no_money_behind() {
    let payments = Payments::connect(shared().await).await;
    for _ in 0..8 {
        let id = Id::Payment.new_id();
        payments.authorize(&id, "tok_visa").await.unwrap();
        let (_, cancelled) = tokio::join!(payments.capture(&id), payments.cancel(&id));
        let state = cancelled.unwrap().state();
        assert!(matches!(state, State::Voided | State::Refunded), "{state:?}");
        let payment = payments.get(&id).await.unwrap();
        assert_eq!((payment.state(), payment.captured_amount), (state, payment.refunded_amount));
    }
}

#[tokio::test]
async fn a_refused_card_is_declined_with_the_providers_reason() {
    let payments = Payments::connect(shared().await).await;
    let tokens =
        [("tok_declined", "CARD_DECLINED"), ("tok_insufficient_funds", "INSUFFICIENT_FUNDS"), ("x", "INVALID_TOKEN")];
    for (token, reason) in tokens {
        let id = Id::Payment.new_id();
        let payment = payments.authorize(&id, token).await.unwrap();
        assert_eq!((payment.state(), payment.decline_reason.as_str()), (State::Declined, reason));
        assert_eq!(payments.cancel(&id).await.unwrap().state(), State::Declined);
        assert_eq!(event_names(&payments.database, &id, 2).await, ["authorizing", "declined"]);
    }
}

#[tokio::test]
async fn a_cancellation_that_comes_first_refuses_the_late_authorization() {
    let (payments, id) = (Payments::connect(shared().await).await, Id::Payment.new_id());
    for _ in 0..2 {
        let mark = payments.cancel(&id).await.unwrap();
        assert_eq!((mark.state(), mark.amount), (State::Voided, None));
    }
    assert_eq!(
        refused(payments.authorize(&id, "tok_visa").await),
        (Code::FailedPrecondition, "PAYMENT_CANCELLED".into())
    );
    assert_eq!(payments.charges(&id).await, 0);
    assert_eq!(event_names(&payments.database, &id, 1).await, ["voided"]);
}

#[tokio::test]
async fn an_unknown_payment_is_resolved_before_it_is_voided() {
    let (payments, id) = (Payments::connect(shared().await).await, Id::Payment.new_id());
    assert_eq!(payments.authorize(&id, "tok_timeout").await.unwrap().state(), State::Unknown);
    let payment = payments.cancel(&id).await.unwrap();
    use ledger_entry::Kind::{Authorization, Void};
    assert_eq!((payment.state(), kinds(&payment)), (State::Voided, vec![Authorization, Void]));
    let late = payments.authorize(&id, "tok_timeout").await;
    assert_eq!(refused(late), (Code::FailedPrecondition, "PAYMENT_CANCELLED".into()));
}

#[tokio::test]
async fn a_request_that_was_lost_before_the_charge_is_sent_again_under_its_key() {
    let (payments, id) = (Payments::connect(shared().await).await, Id::Payment.new_id());
    assert_eq!(payments.authorize(&id, "tok_timeout_before").await.unwrap().state(), State::Unknown);
    assert_eq!(payments.charges(&id).await, 0);
    assert_eq!(payments.authorize(&id, "tok_timeout_before").await.unwrap().state(), State::Authorized);
    assert_eq!(payments.charges(&id).await, 1);
}
