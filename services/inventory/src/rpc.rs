//! The RPCs: parse, call, reply.

use crate::{
    clients::Catalogue,
    combine::Combiner,
    convert,
    domain::{Command, Outcome},
    error::Error,
    store::Store,
};
use ::rpc::{principal, status, validated};
use contracts::{
    id::Kind,
    inventory::v1::{
        AdjustStockRequest, CommitReservationRequest, ExtendReservationRequest, GetReservationRequest, GetStockRequest,
        HoldStockRequest, ReleaseReservationRequest, Reservation, ShipReservationRequest, Stock,
        inventory_service_server::InventoryService,
    },
};
use tonic::{Request, Response, Status};

/// Answers `InventoryService`.
pub struct Handler {
    /// Reads.
    pub store: Store,
    /// Writes.
    pub combiner: Combiner,
    /// The catalogue.
    pub catalogue: Catalogue,
}

impl Handler {
    async fn reserve(&self, id: String, command: Command) -> Result<Response<Reservation>, Status> {
        reservation(&id, self.combiner.send(command).await?)
    }
}

fn reservation(id: &str, outcome: Outcome) -> Result<Response<Reservation>, Status> {
    match outcome {
        Outcome::Reservation(reservation) => Ok(Response::new(convert::reservation_to_wire(id, &reservation))),
        Outcome::Stock(_) => Err(status::internal()),
    }
}

#[tonic::async_trait]
impl InventoryService for Handler {
    async fn get_stock(&self, request: Request<GetStockRequest>) -> Result<Response<Stock>, Status> {
        let request = validated(request)?;
        let found = self.store.stock(&request.product_id).await?;
        Ok(Response::new(convert::stock_to_wire(&found)))
    }

    async fn adjust_stock(&self, request: Request<AdjustStockRequest>) -> Result<Response<Stock>, Status> {
        let caller = principal(&request);
        let AdjustStockRequest { product_id, delta, reason, request_id } = validated(request)?;
        if matches!(self.store.stock(&product_id).await, Err(Error::NotFound(_))) {
            self.catalogue.require(&product_id).await?;
        }
        let request_id = if request_id.is_empty() { Kind::Event.new_id() } else { request_id };
        let key = format!("{}/ADJUST/{request_id}/{product_id}", caller.actor());
        self.combiner.send(Command::Adjust { product_id: product_id.clone(), delta, key, reason }).await?;
        let found = self.store.stock(&product_id).await?;
        Ok(Response::new(convert::stock_to_wire(&found)))
    }

    async fn hold_stock(&self, request: Request<HoldStockRequest>) -> Result<Response<Reservation>, Status> {
        let request = validated(request)?;
        let held = self.combiner.hold(request.reservation_id.clone(), convert::lines(request.lines)).await?;
        reservation(&request.reservation_id, held)
    }

    async fn extend_reservation(
        &self,
        request: Request<ExtendReservationRequest>,
    ) -> Result<Response<Reservation>, Status> {
        let id = validated(request)?.reservation_id;
        reservation(&id, self.combiner.extend(id.clone()).await?)
    }

    async fn commit_reservation(
        &self,
        request: Request<CommitReservationRequest>,
    ) -> Result<Response<Reservation>, Status> {
        let id = validated(request)?.reservation_id;
        self.reserve(id.clone(), Command::Commit(id)).await
    }

    async fn release_reservation(
        &self,
        request: Request<ReleaseReservationRequest>,
    ) -> Result<Response<Reservation>, Status> {
        let id = validated(request)?.reservation_id;
        self.reserve(id.clone(), Command::Release(id)).await
    }

    async fn ship_reservation(
        &self,
        request: Request<ShipReservationRequest>,
    ) -> Result<Response<Reservation>, Status> {
        let id = validated(request)?.reservation_id;
        self.reserve(id.clone(), Command::Ship(id)).await
    }

    async fn get_reservation(&self, request: Request<GetReservationRequest>) -> Result<Response<Reservation>, Status> {
        let request = validated(request)?;
        let found = self.store.reservation(&request.reservation_id).await?;
        Ok(Response::new(convert::reservation_to_wire(&found.id, &found.state)))
    }
}
