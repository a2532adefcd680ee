//! The catalogue.
//!
//! **Owns** products: name, description, SKU, prices in several currencies, status, media, the categories that they are in; the tree of categories, and the
//! groups that products are variants of.
//! **RPCs** `ProductService`: list, read, read several, search, create, update. `CategoryService`: list, create, update, delete.
//! `ProductGroupService`: list, read, create, update.
//! **Collections** `products` (`_id` prd_…; unique `sku`, and `sku_key` where there is one; unique `request_key`), `categories` (`_id` cat_…; unique
//! `request_key`), `category_tree` (one document: the version of the tree), `early_stock` (`_id` prd_…: stock of products
//! that are not there), `product_groups` (`_id` grp_…; unique `request_key`). Of `products` unique `variant_key` where there is one.
//! **Events out** `evt.products.product.{created,updated}`, `evt.products.category.{created,updated,deleted}`,
//! `evt.products.product_group.{created,updated}`. **Events in**
//! `evt.inventory.stock.changed`.
//!
//! Invariants: a SKU names one product, in whatever case and encoding it is written; a price is not negative and no finer than its currency allows. Orders keep what
//! they saw: an update here never changes an order. A draft is seen by staff and services only. The categories are a tree: a change of one is written only while
//! the tree is the one that it was decided on (`categories/store`). A product's words and the key of its name
//! are those of its texts, in one write. Its stock is what the newest event of inventory says, whatever came in between; it is in no version and no event. A product may name a category that was deleted while it was put there.
//!
//! No two variants of a group have one combination of options, a group has at most 100 of them and keeps its options while it has one
//! (`groups/store`).
//!
//! A crash between the write and the reply: repeating the call with the same request_id answers with the same product.

mod backfill;
mod categories;
mod config;
mod convert;
mod domain;
mod error;
mod events;
mod groups;
mod rpc;
mod search;
mod stock;
mod store;

use ::store::{Aggregate, Batcher, Pager, transaction::keep_ending_abandoned};
use contracts::products::v1::{
    category_service_server::CategoryServiceServer, product_group_service_server::ProductGroupServiceServer,
    product_service_server::ProductServiceServer,
};
use service::Service;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use categories::domain::Category;
pub use config::{Config, KEYS};
pub use domain::Product;
pub use groups::domain::ProductGroup;

pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), service::Error> {
    let mut service = Service::start(config.service, shutdown).await?;
    service.indexes(&store::indexes()).await?;
    service.indexes(&categories::store::indexes()).await?;
    service.indexes(&search::store::indexes()).await?;
    service.indexes(&groups::store::indexes()).await?;
    service.index(Product::COLLECTION, store::sku_index()).await?;
    let categories = categories::store::Categories::new(&service.database);
    categories.prepare().await?;
    service.spawn(keep_ending_abandoned(service.database.client().clone(), service.background()));
    let backfill = backfill::Backfill::new(&service.database);
    backfill.run().await;
    service.spawn(backfill.keep_running(service.background()));
    let stocks = stock::store::Stocks::new(&service.database);
    service.consume_optional(Arc::new(stock::consumer::Consumer(Batcher::new(stocks))))?;
    let secret = service.config.service_key.reveal();
    let handler = rpc::Handler {
        products: store::Products::new(&service.database),
        categories: categories.clone(),
        search: search::store::Search::new(&service.database),
        pager: Pager::new(secret, "products"),
        search_pager: Pager::new(secret, "search"),
    };
    let categories = categories::rpc::Handler { categories, pager: Pager::new(secret, "categories") };
    let groups = groups::rpc::Handler {
        groups: groups::store::Groups::new(&service.database),
        pager: Pager::new(secret, "groups"),
    };
    let routes = Routes::new(ProductServiceServer::new(handler))
        .add_service(CategoryServiceServer::new(categories))
        .add_service(ProductGroupServiceServer::new(groups));
    service.serve(listener, routes).await
}
