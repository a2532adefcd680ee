//! Baskets: what somebody means to order, signed in or not.
//!
//! **Owns** baskets: whose they are, products with quantities, country and coupon, and the order that each became.
//! **RPCs** `BasketService`: create, read, list, quote, update, add an item, delete, merge, check out, erase.
//! **Collections** `baskets` (`_id` bsk_…; unique `request_key`; indexes `user_id, _id`, and `checkout.at` for those who
//! look for checkouts that were cut off; `expires_at, _id` for those that remove what has expired).
//! **Events out** `evt.baskets.basket.{created,updated,merged,checked_out,deleted}`: ids and quantities. **Events in** none.
//!
//! A basket is a user's, or a guest's: then whoever has its token may read and change it. The token is 32 random bytes, told
//! once, and kept as its SHA-256. Prices are never kept: a quote asks catalogue, inventory and orders each time.
//!
//! A checkout is three writes. The basket becomes CHECKING_OUT, which freezes its lines; orders places the order, whose key is
//! the basket; the basket becomes CHECKED_OUT. Orders knows one order of a basket, whatever a repeat says, so each of the
//! three can be repeated. Address and payment token go through to orders and are not kept here.
//!
//! Invariants: a basket has at most one order, and that order one basket, its owner and its lines. A guest's basket is merged
//! into one basket, in one transaction with it. What is in a basket that is CHECKING_OUT, CHECKED_OUT or MERGED stays.
//!
//! A crash during a checkout leaves the basket CHECKING_OUT. The caller's repeat, the next read and `sweep` ask orders: with
//! an order it is CHECKED_OUT, and without one it is OPEN again once no call can be under way any more. A crash elsewhere
//! loses nothing that was answered.
//!
//! An expired basket is there for nobody; `sweep` removes it once all of its events are in the log.

mod clients;
mod commands;
mod config;
mod convert;
mod domain;
mod error;
mod events;
mod quote;
mod rpc;
mod store;
mod sweep;

use ::store::{Pager, transaction::keep_ending_abandoned};
use contracts::baskets::v1::basket_service_server::BasketServiceServer;
use service::Service;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use config::{Config, KEYS};
pub use domain::Basket;

pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), service::Error> {
    let Config { service, life } = config;
    let mut service = Service::start(service, shutdown).await?;
    service.indexes(&store::indexes()).await?;
    let commands = commands::Commands {
        baskets: store::Baskets::new(&service.database),
        peers: clients::Peers::new(&service)?,
        life,
    };
    service.spawn(sweep::run(commands.clone(), service.background()));
    service.spawn(keep_ending_abandoned(service.database.client().clone(), service.background()));
    let pager = Pager::new(service.config.service_key.reveal(), "baskets");
    let handler = rpc::Handler { commands, pager };
    service.serve(listener, Routes::new(BasketServiceServer::new(handler))).await
}
