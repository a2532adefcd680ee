//! The peers that baskets calls: orders for prices and the order of a basket, the catalogue, and stock.

use contracts::{
    inventory::v1::{GetStockRequest, inventory_service_client::InventoryServiceClient},
    orders::v1::{
        CreateOrderOfBasketRequest, GetOrderOfBasketRequest, Order, OrderDraft, OrderQuote, QuoteOrderOfBasketRequest,
        QuoteOrderRequest, order_service_client::OrderServiceClient,
    },
    products::v1::{BatchGetProductsRequest, Product, product_service_client::ProductServiceClient},
};
use futures::{StreamExt, stream};
use rpc::Channel;
use service::Service;
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use tonic::{Code, Status};

/// How long orders may take to place one: as long as an order may be waited for, and the time to place it.
const ORDER_DEADLINE: Duration = Duration::from_secs(40);

/// How long orders may take to tell a price, or whether a basket has an order. Whoever reads a basket waits for that.
const READ_DEADLINE: Duration = Duration::from_secs(3);

/// Questions about stock that are asked at a time.
const STOCK_QUESTIONS: usize = 16;

/// Clients of the three peers. Cheap to clone.
#[derive(Clone)]
pub struct Peers {
    /// For what places orders.
    orders: OrderServiceClient<Channel>,
    /// For what a reader waits for.
    order_reads: OrderServiceClient<Channel>,
    products: ProductServiceClient<Channel>,
    inventory: InventoryServiceClient<Channel>,
}

impl Peers {
    pub fn new(service: &Service) -> Result<Self, service::Error> {
        Ok(Self {
            orders: OrderServiceClient::new(service.peer("orders")?.with_deadline(ORDER_DEADLINE)),
            order_reads: OrderServiceClient::new(service.peer("orders")?.with_deadline(READ_DEADLINE)),
            products: ProductServiceClient::new(service.peer("products")?),
            inventory: InventoryServiceClient::new(service.peer("inventory")?),
        })
    }

    /// The order of a basket, placed now or before.
    pub async fn order(
        &self,
        basket_id: &str,
        user_id: &str,
        order: OrderDraft,
        wait: Duration,
    ) -> Result<Order, Status> {
        let (basket_id, user_id) = (basket_id.to_owned(), user_id.to_owned());
        let (order, wait) = (Some(order), wait.try_into().ok());
        let request = CreateOrderOfBasketRequest { basket_id, user_id, order, wait };
        Ok(self.orders.clone().create_order_of_basket(request).await?.into_inner())
    }

    /// The order that a basket has; NOT_FOUND without one.
    pub async fn order_of(&self, basket_id: &str, user_id: &str) -> Result<Order, Status> {
        let request = GetOrderOfBasketRequest { basket_id: basket_id.to_owned(), user_id: user_id.to_owned() };
        Ok(self.order_reads.clone().get_order_of_basket(request).await?.into_inner())
    }

    pub async fn quote(&self, user_id: &str, quote: QuoteOrderRequest) -> Result<OrderQuote, Status> {
        let request = QuoteOrderOfBasketRequest { user_id: user_id.to_owned(), quote: Some(quote) };
        Ok(self.order_reads.clone().quote_order_of_basket(request).await?.into_inner())
    }

    /// Those of these products that there are, by id.
    pub async fn products(&self, mut product_ids: Vec<String>) -> Result<HashMap<String, Product>, Status> {
        if product_ids.is_empty() {
            return Ok(HashMap::new());
        }
        let found = match self.batch(product_ids.clone()).await {
            Err(status) if status.code() == Code::NotFound => {
                let absent = rpc::status::metadata(&status, "resource").unwrap_or_default();
                let absent: HashSet<&str> =
                    absent.split(',').map(|name| name.strip_prefix("products/").unwrap_or(name)).collect();
                product_ids.retain(|id| !absent.contains(id.as_str()));
                if product_ids.is_empty() { Vec::new() } else { self.batch(product_ids).await? }
            }
            found => found?,
        };
        Ok(found.into_iter().map(|product| (product.product_id.clone(), product)).collect())
    }

    async fn batch(&self, product_ids: Vec<String>) -> Result<Vec<Product>, Status> {
        let request = BatchGetProductsRequest { product_ids };
        Ok(self.products.clone().batch_get_products(request).await?.into_inner().products)
    }

    /// Units that can be sold of each of these products; none where that cannot be told now. Of what is sold without stock
    /// there is any number.
    pub async fn available(&self, product_ids: Vec<String>) -> HashMap<String, Option<i32>> {
        let asked = stream::iter(product_ids).map(|product_id| async {
            let request = GetStockRequest { product_id: product_id.clone() };
            let available = match self.inventory.clone().get_stock(request).await.map(tonic::Response::into_inner) {
                Ok(stock) if stock.backorder => Some(i32::MAX),
                Ok(stock) => Some(stock.available.max(0)),
                Err(status) if status.code() == Code::NotFound => Some(0),
                Err(_) => None,
            };
            (product_id, available)
        });
        asked.buffer_unordered(STOCK_QUESTIONS).collect().await
    }
}
