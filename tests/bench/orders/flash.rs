//! A flash sale: many clients hold one product at the same time, straight at inventory.

use anyhow::ensure;
use contracts::{
    id::Kind,
    inventory::v1::{HoldStockRequest, Reservation, ReservationLine, inventory_service_client::InventoryServiceClient},
};
use kit::Stack;
use rpc::{Channel, Signer};
use std::time::{Duration, Instant};
use tonic::{Code, Response, Status};

/// Holds per second.
pub async fn holds(stack: &Stack, product: &str, clients: usize, time: Duration) -> anyhow::Result<f64> {
    let hold = || {
        let lines = vec![ReservationLine { product_id: product.to_owned(), quantity: 1 }];
        let (reservation_id, step_key) = (Kind::Order.new_id(), "bench".to_owned());
        HoldStockRequest { reservation_id, lines, step_key, epoch: 1 }
    };
    rate(stack, clients, time, hold, |held| Ok(held.map(drop)?)).await
}

/// Calls per second that inventory refuses as soon as it has read them: what the calls of holds cost alone.
pub async fn refusals(stack: &Stack, clients: usize, time: Duration) -> anyhow::Result<f64> {
    let is_refused = |answer: Result<_, Status>| {
        let code = answer.map(drop).map_err(|status| status.code());
        ensure!(code == Err(Code::InvalidArgument), "an empty hold is not refused: {code:?}");
        Ok(())
    };
    rate(stack, clients, time, HoldStockRequest::default, is_refused).await
}

async fn rate(
    stack: &Stack,
    clients: usize,
    time: Duration,
    request: impl Fn() -> HoldStockRequest,
    check: impl Fn(Result<Response<Reservation>, Status>) -> anyhow::Result<()>,
) -> anyhow::Result<f64> {
    let key = std::fs::read_to_string(stack.data().join("keys/orders.pem"))?;
    let channel = Channel::new(stack.grpc("inventory"), Some(Signer::new("orders", &key)?))?;
    let (began, request, check) = (Instant::now(), &request, &check);
    let one = |_| {
        let mut inventory = InventoryServiceClient::new(channel.clone());
        async move {
            let mut answered = 0;
            while began.elapsed() < time {
                check(inventory.hold_stock(request()).await)?;
                answered += 1;
            }
            anyhow::Ok(answered)
        }
    };
    let counts = futures::future::try_join_all((0..clients).map(one)).await?;
    Ok(counts.iter().sum::<usize>() as f64 / began.elapsed().as_secs_f64())
}
