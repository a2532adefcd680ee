//! The client of the service that has the products.

use crate::events::connect::{Bearer, System, explain};
use contracts::{events::v1::GetLagRequest, products::v1::product_service_client::ProductServiceClient};
use tonic::{service::interceptor::InterceptedService, transport::Channel};

/// The service that has the products.
pub const PRODUCTS: &str = "products";

pub type Client = ProductServiceClient<InterceptedService<Channel, Bearer>>;

/// A client with a token that staff have. To everybody else the catalogue is a smaller one, without an error.
pub async fn client(system: &System) -> anyhow::Result<Client> {
    let lag = system.client(PRODUCTS).await?.get_lag(GetLagRequest::default()).await;
    lag.map_err(|status| explain(PRODUCTS, &status))?;
    Ok(ProductServiceClient::new(system.channel(PRODUCTS).await?))
}
