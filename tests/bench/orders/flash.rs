//! A flash sale: many clients hold one product at the same time, straight at inventory.

use contracts::{
    id::Kind,
    inventory::v1::{HoldStockRequest, ReservationLine, inventory_service_client::InventoryServiceClient},
};
use kit::Stack;
use rpc::{Channel, Signer};
use std::time::{Duration, Instant};

/// Holds per second.
pub async fn holds(stack: &Stack, product: &str, clients: usize, time: Duration) -> anyhow::Result<f64> {
    let key = std::fs::read_to_string(stack.data().join("keys/orders.pem"))?;
    let channel = Channel::new(stack.grpc("inventory"), Some(Signer::new("orders", &key)?))?;
    let began = Instant::now();
    let one = |_| {
        let mut inventory = InventoryServiceClient::new(channel.clone());
        async move {
            let mut held = 0;
            while began.elapsed() < time {
                let lines = vec![ReservationLine { product_id: product.to_owned(), quantity: 1 }];
                let (reservation_id, step_key) = (Kind::Order.new_id(), "bench".to_owned());
                let hold = HoldStockRequest { reservation_id, lines, step_key, epoch: 1 };
                inventory.hold_stock(hold).await?;
                held += 1;
            }
            anyhow::Ok(held)
        }
    };
    let counts = futures::future::try_join_all((0..clients).map(one)).await?;
    Ok(counts.iter().sum::<usize>() as f64 / began.elapsed().as_secs_f64())
}
