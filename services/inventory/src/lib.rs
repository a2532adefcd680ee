//! Stock and its reservations.
//!
//! **Owns** how many units of each product are on hand, reserved and committed, and what each order has set aside.
//! **RPCs** `InventoryService`: read and adjust stock, allow backorder, list movements; hold, extend,
//! commit, release, ship and restock a reservation.
//! **Collections** `stock` (`_id` prd_…), `reservations` (`_id` = the order's id; index state, expires_at), `movements`
//! (the ledger, a document for each batch; the `_id` of a movement names its cause, so that nothing moves twice; indexes
//! moves._id and moves.product_id, moves.seq; counters are its fold).
//! **Events out** `evt.inventory.{stock,reservation}.changed`. **Events in** none.
//!
//! All commands of a process pass through one batcher (`commands`): it takes what has queued up, decides every command in
//! `domain` against one reading, and writes all of it in one transaction guarded by revisions. So a hold takes all of
//! its lines or none, many holds of one product are one write, and a hot product is no queue of conflicts. What the
//! process wrote last it remembers (`memory`), so that most batches read nothing.
//!
//! Invariants: reserved and committed are never below 0; reserved + committed ≤ on_hand for every product without
//! backorder, and with it the difference is shown as `owed`; a reservation's units are counted once, and what comes back
//! of it is never more than what left; a step of an earlier epoch than one that has changed the reservation is refused.
//!
//! A crash before the transaction commits changes nothing; after it, the caller repeats and finds its reservation.

mod clients;
mod commands;
mod config;
mod convert;
mod domain;
mod error;
mod events;
mod memory;
mod rpc;
mod store;
mod sweep;

use ::store::Pager;
use contracts::inventory::v1::inventory_service_server::InventoryServiceServer;
use service::Service;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use config::{Config, KEYS};
pub use domain::{Reservation, Stock};
pub use store::movements;

pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), service::Error> {
    let Config { service, hold } = config;
    let mut service = Service::start(service, shutdown).await?;
    service.indexes(&store::indexes()).await?;
    service.prepare("the ledger", || store::take_over_singles(&service.database)).await;
    let store = store::Store::new(&service.database);
    let commands = commands::Commands::new(store.clone(), hold);
    service.spawn(sweep::run(store.clone(), commands.clone(), hold, service.background()));
    let catalogue = clients::Catalogue::new(service.peer("products")?);
    let pager = Pager::new(service.config.service_key.reveal(), "movements");
    let handler = rpc::Handler { store, commands, catalogue, pager };
    service.serve(listener, Routes::new(InventoryServiceServer::new(handler))).await
}
