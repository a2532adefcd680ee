//! Waiting for an order: until its outcome is known, or for each of its changes.

use crate::{convert, domain::Order, error::Error, store::Orders};
use ::store::{ChangeNotifier, Versioned};
use contracts::orders::v1;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// Orders that a slow watcher may be behind.
const QUEUE: usize = 8;

/// A read without a notification, in case one was lost.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// An order, and what becomes of it when this process has just started its saga.
pub struct Watched {
    pub order: Versioned<Order>,
    pub moving: Option<watch::Receiver<Versioned<Order>>>,
}

/// The order once its outcome is known, or as it is after `wait`. What follows the outcome, such as the record of the
/// shipment, is not waited for: the order may not name its shipment yet.
pub async fn until_decided(
    orders: &Orders,
    changes: &ChangeNotifier,
    watched: Watched,
    wait: Duration,
) -> Result<Versioned<Order>, Error> {
    let mut newest = watched.order;
    let decided = async {
        if let Some(mut moving) = watched.moving {
            // The receiver fails when the saga has stopped short of an outcome; the loop below then goes on with it.
            let _ = moving.wait_for(|order| order.state.state.is_decided()).await;
            newest = moving.borrow().clone();
        }
        let mut notified = changes.subscribe(&newest.id);
        while !newest.state.state.is_decided() {
            // Marked before the read: a change between the read and the wait then ends the wait at once.
            notified.mark_unchanged();
            newest = orders.get(&newest.id).await?;
            if !newest.state.state.is_decided() {
                let _ = tokio::time::timeout(POLL_INTERVAL, notified.changed()).await;
            }
        }
        Ok(())
    };
    match tokio::time::timeout(wait, decided).await {
        Ok(Err(error)) => Err(error),
        Ok(Ok(())) | Err(_) => Ok(newest),
    }
}

/// Each version of an order from now to its last. Ends early when the watcher leaves or the service stops.
pub fn follow(
    orders: Orders,
    changes: &ChangeNotifier,
    first: Versioned<Order>,
    shutdown: CancellationToken,
) -> mpsc::Receiver<Result<v1::Order, Status>> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let mut notified = changes.subscribe(&first.id);
    tokio::spawn(async move {
        let mut newest = first;
        loop {
            if sender.send(Ok(convert::to_wire(&newest))).await.is_err() || newest.state.state.is_final() {
                return;
            }
            newest = loop {
                let notice = tokio::time::timeout(POLL_INTERVAL, notified.changed());
                tokio::select! {
                    _ = notice => {}
                    () = sender.closed() => return,
                    () = shutdown.cancelled() => {
                        let stopping = rpc::status::unavailable("SERVICE_STOPPING", "watch again: this server is stopping");
                        let _ = sender.send(Err(stopping)).await;
                        return;
                    }
                }
                match orders.get(&newest.id).await {
                    // A poll without a change sends nothing: a watcher sees each version once.
                    Ok(order) if order.rev != newest.rev => break order,
                    Ok(_) => {}
                    Err(error) => {
                        let _ = sender.send(Err(error.into())).await;
                        return;
                    }
                }
            };
        }
    });
    receiver
}
