//! The catalogue.
//!
//! **Owns** products: name, description, SKU, price, status.
//! **RPCs** `ProductService`: list, read, read several, create, update.
//! **Collections** `products` (`_id` prd_…; unique `sku`, and `sku_key` where there is one; unique sparse `request_id` by a derived key).
//! **Events out** `evt.products.product.{created,updated}`. **Events in** none.
//!
//! Invariants: a SKU names one product, in whatever case and encoding it is written; a price is not negative and no finer than its currency allows. Orders keep what
//! they saw: an update here never changes an order.
//!
//! A crash between the write and the reply: repeating the call with the same request_id answers with the same product.

mod config;
mod convert;
mod domain;
mod error;
mod events;
mod rpc;
mod store;

use ::store::{Aggregate, Pager};
use contracts::products::v1::product_service_server::ProductServiceServer;
use service::Service;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use config::{Config, KEYS};
pub use domain::Product;

pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), service::Error> {
    let service = Service::start(config.service, shutdown).await?;
    service.indexes(&store::indexes()).await?;
    service.index(Product::COLLECTION, store::sku_index()).await?;
    let products = store::Products::new(&service.database);
    // After its index: of two older products with one key, only one gets it.
    if let Err(error) = products.add_sku_keys().await {
        tracing::warn!(%error, "products of before have not been given the key of their SKU; the next start tries again");
    }
    let handler = rpc::Handler { products, pager: Pager::new(service.config.service_key.reveal(), "products") };
    let routes = Routes::new(ProductServiceServer::new(handler));
    service.serve(listener, routes).await
}
