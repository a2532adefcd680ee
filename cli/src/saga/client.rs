//! The client of the service that has the sagas.

use crate::events::connect::{Bearer, System};
use contracts::orders::v1::saga_service_client::SagaServiceClient;
use tonic::{service::interceptor::InterceptedService, transport::Channel};

/// The service that has the sagas.
pub const ORDERS: &str = "orders";

pub type Client = SagaServiceClient<InterceptedService<Channel, Bearer>>;

pub async fn client(system: &System) -> anyhow::Result<Client> {
    Ok(SagaServiceClient::new(system.channel(ORDERS).await?))
}
