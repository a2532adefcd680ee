//! Orders, and the sagas that carry them through stock, payment and shipping.
//!
//! **Owns** orders: lines, prices and addresses frozen at purchase, the state with its history, and the saga that moves it.
//! **RPCs** `OrderService`: quote, create, read, list, cancel, refund, watch, details, saga, erase. `SagaService`, for staff: list, read, retry,
//! resume, compensate, skip, and these for many at once. `CouponService`, for staff: create, read, list, disable.
//! **Collections** `orders` (`_id` ord_…; unique `request_key`; indexes `user_id`; `saga.peer, saga.wake_at` for those who
//! look for due sagas; `saga.status` for those who look after them). `coupons` (`_id` the code; unique `request_key`) and
//! `redemptions` (`_id` ord_…: that the order uses a coupon, or gave it back; index `code, user_id, state`).
//! **Events out** `evt.orders.order.{created,confirmed,shipped,delivered,rejected,cancelling,cancelled,progressed}`,
//! `{refunded,refund_refused,frozen}`, and
//! of its saga `{intervened,alarmed,parked}`; `evt.orders.coupon.{created,disabled,redeemed,released}`.
//! **Events in** shipping (lines and state of each shipment → the sagas that capture and ship), payments (an answer that a saga waits for; money
//! for an order that has ended; a charge-back, which freezes the order).
//!
//! The way of an order: `rpc` parses, `commands/place` asks users and products and writes order and first saga intent in one
//! insert; `sagas/steps` makes the saga's calls through `clients`; `domain` decides what each answer means; `events` tells it.
//! Whatever else changes an order, a request or an event that `consumer` takes in, is one of `commands`, which moves a saga
//! that became due.
//!
//! Invariants: an accepted order ends in CONFIRMED or REJECTED (or CANCELLED on request); it is CONFIRMED only while its
//! hold lives and its payment is authorized; an order that ends otherwise holds no stock and no money. What its shipments
//! capture sums to its total, less the share of those that were stopped.
//!
//! Several shipments: an order stays CONFIRMED, and cannot be cancelled any more, from the first that leaves until none is
//! to come; `shipment_state` then is DISPATCHED. Each that leaves captures its share in a saga of its own (`dispatch_shipment`).
//! Once none is to come `close_order` gives back what was set aside for stopped ones, and the order is SHIPPED; DELIVERED
//! once all that left were delivered. A lost or returned one keeps it SHIPPED, and staff refund. When all are stopped before
//! any has left, the order is cancelled.
//!
//! Coupons: the discount is computed and frozen when the order is placed; the use is counted by the saga's first step
//! (`place_order_with_coupon`), in one transaction of the coupon's count and the order's redemption, and refuses the order when
//! the coupon can no longer be used. An order that is rejected, or cancelled before anything has left, gives its use back; one
//! that is refunded does not.
//!
//! An order that has nothing to pay has no payment: its saga is `place_free_order`, and no step calls payments for it.
//!
//! A crash at any point: the intent is in the document; when its lease runs out any replica repeats the same call.

mod clients;
mod commands;
mod config;
mod consumer;
mod convert;
mod coupons;
mod domain;
mod error;
mod events;
mod pricing;
mod rpc;
mod sagas;
mod store;
mod watch;

use ::store::{ChangeNotifier, Pager, transaction::keep_ending_abandoned};
use contracts::orders::v1::{
    coupon_service_server::CouponServiceServer, order_service_server::OrderServiceServer,
    saga_service_server::SagaServiceServer,
};
use saga::Runner;
use service::Service;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use config::{Config, KEYS};
pub use coupons::{domain::Coupon, store::Coupons};
pub use domain::Order;
pub use sagas::definitions::{CANCEL_ORDER, DISPATCH_ORDER, Definition, PLACE_ORDER, REFUND_ORDER, SAGAS, Sagas};

pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), service::Error> {
    let Config { service, taxes, free_orders, sagas } = config;
    let mut service = Service::start(service, shutdown.clone()).await?;
    service.indexes(&store::indexes()).await?;
    service.indexes(&coupons::store::indexes()).await?;
    let orders = store::Orders::new(&service.database, sagas);
    let coupons = coupons::store::Coupons::new(&service.database);
    let peers = clients::Peers::new(&service)?;
    let steps = sagas::steps::Steps { coupons: coupons.clone(), peers: peers.clone() };
    let owner = format!("orders-{}-{:08x}", std::process::id(), rand::random::<u32>());
    let runner = Runner::new(orders.clone(), steps, &owner, service.background());
    service.spawn(runner.clone().run());
    service.spawn(keep_ending_abandoned(service.database.client().clone(), service.background()));
    let commands = commands::Commands { orders: orders.clone(), runner };
    service.consume(Arc::new(consumer::Consumer { commands: commands.clone() }))?;
    let changes = ChangeNotifier::start(orders.collection().clone(), service.background());
    let secret = service.config.service_key.reveal();
    let sagas = sagas::rpc::Handler { commands: commands.clone(), pager: Pager::new(secret, "sagas") };
    let pager = Pager::new(secret, "orders");
    let signer = pricing::quote::QuoteSigner::new(secret);
    let payable = pricing::payable::Payable::new(peers.clone());
    let pricer = pricing::pricer::Pricer { peers, coupons: coupons.clone(), taxes, signer, payable, free_orders };
    let orders = rpc::Handler { commands, pricer, changes, pager, shutdown };
    let coupons = coupons::rpc::Handler { coupons, pager: Pager::new(secret, "coupons") };
    let routes = Routes::new(OrderServiceServer::new(orders))
        .add_service(SagaServiceServer::new(sagas))
        .add_service(CouponServiceServer::new(coupons));
    service.serve(listener, routes).await
}
