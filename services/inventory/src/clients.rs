//! The peer that inventory calls: the catalogue, to learn whether a product exists.

use contracts::products::v1::{GetProductRequest, product_service_client::ProductServiceClient};
use rpc::Channel;
use tonic::Status;

#[derive(Clone)]
pub struct Catalogue(ProductServiceClient<Channel>);

impl Catalogue {
    pub fn new(channel: Channel) -> Self {
        Self(ProductServiceClient::new(channel))
    }

    /// NOT_FOUND unless the product exists.
    pub async fn require(&self, product_id: &str) -> Result<(), Status> {
        let request = GetProductRequest { product_id: product_id.to_owned() };
        self.0.clone().get_product(request).await.map(|_| ())
    }
}
