//! The payments service as orders calls it.

use anyhow::ensure;
use comptoir::healthcheck;
use contracts::{
    money::Money,
    payments::v1::{AuthorizePaymentRequest, payment::State, payment_service_client::PaymentServiceClient},
};
use kit::{Process, Stack, eventually};
use rpc::{Channel, Signer};
use std::time::Duration;

/// How long it may take to start or to drain.
const LIMIT: Duration = Duration::from_secs(60);

/// The service in a process of its own, and a client.
pub struct Service {
    process: Process,
    client: PaymentServiceClient<Channel>,
}

impl Service {
    /// Starts it.
    pub async fn start(stack: &Stack) -> anyhow::Result<Self> {
        let process = stack.serve("payments");
        eventually(LIMIT, || healthcheck::grpc(stack.grpc("payments"))).await;
        let pem = std::fs::read_to_string(stack.data().join("keys/orders.pem"))?;
        let channel = Channel::new(stack.grpc("payments"), Some(Signer::new("orders", &pem)?))?;
        Ok(Self { process, client: PaymentServiceClient::new(channel) })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Authorizes one payment.
    pub async fn authorize(&self, payment_id: String) -> anyhow::Result<()> {
        let request = AuthorizePaymentRequest {
            order_id: "ord_1".to_owned(),
            user_id: "usr_1".to_owned(),
            amount: Some(Money::from_minor("EUR", 1_250)?.to_wire()),
            payment_token: "tok_visa".to_owned(),
            step_key: format!("{payment_id}/authorize/do"),
            payment_id,
            epoch: 1,
        };
        let state = self.client.clone().authorize_payment(request).await?.into_inner().state();
        ensure!(state == State::Authorized, "{state:?}");
        Ok(())
    }

    /// Stops it.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.process.stop(LIMIT).await
    }
}
