//! The RPCs: parse, call, reply.

use crate::{
    clients::Catalogue,
    commands::Commands,
    convert,
    domain::{Command, Line, Outcome},
    error::Error,
    store::Store,
};
use ::rpc::{Principal, principal, status, validated};
use ::saga::StepCall;
use ::store::{Pager, RequestKey, limit};
use contracts::{
    id::Kind,
    inventory::v1::{
        AdjustStockRequest, CommitReservationRequest, ExtendReservationRequest, GetReservationRequest, GetStockRequest,
        HoldStockRequest, ListMovementsRequest, ListMovementsResponse, ReleaseReservationRequest, Reservation,
        RestockReservationRequest, SetBackorderRequest, ShipReservationRequest, Stock,
        inventory_service_server::InventoryService,
    },
};
use tonic::{Request, Response, Status};

pub struct Handler {
    pub store: Store,
    pub commands: Commands,
    pub catalogue: Catalogue,
    pub pager: Pager,
}

impl Handler {
    async fn reserve(&self, id: String, command: Command) -> Result<Response<Reservation>, Status> {
        reservation(&id, self.commands.send(command).await?)
    }

    /// A product that was never stocked is asked for in the catalogue: it may exist all the same.
    async fn known(&self, product_id: &str) -> Result<(), Status> {
        if matches!(self.store.stock(product_id).await, Err(Error::NotFound(_))) {
            self.catalogue.require(product_id).await?;
        }
        Ok(())
    }

    async fn change(&self, product_id: &str, command: Command) -> Result<Response<Stock>, Status> {
        self.commands.send(command).await?;
        // Read after the write: the reply has the counters with all commands of the batch.
        let found = self.store.stock(product_id).await?;
        Ok(Response::new(convert::stock_to_wire(&found)))
    }
}

/// The caller's key of a request; without an id of the request nothing repeats it.
fn request_key(caller: &Principal, verb: &str, request_id: String, of: &str) -> String {
    // An id of its own keeps the keys of such requests apart.
    let request_id = if request_id.is_empty() { Kind::Event.new_id() } else { request_id };
    RequestKey::name_of(caller.actor(), &format!("{verb}/{request_id}/{of}"))
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
        let product_id = validated(request)?.product_id;
        match self.store.stock(&product_id).await {
            Ok(found) => Ok(Response::new(convert::stock_to_wire(&found))),
            Err(Error::NotFound(_)) => {
                self.catalogue.require(&product_id).await?;
                Ok(Response::new(convert::no_stock(&product_id)))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn adjust_stock(&self, request: Request<AdjustStockRequest>) -> Result<Response<Stock>, Status> {
        let caller = principal(&request);
        let AdjustStockRequest { product_id, delta, reason, request_id } = validated(request)?;
        self.known(&product_id).await?;
        let key = request_key(&caller, "ADJUST", request_id, &product_id);
        self.change(&product_id.clone(), Command::Adjust { product_id, delta, key, reason }).await
    }

    async fn set_backorder(&self, request: Request<SetBackorderRequest>) -> Result<Response<Stock>, Status> {
        let caller = principal(&request);
        let SetBackorderRequest { product_id, allowed, request_id } = validated(request)?;
        self.known(&product_id).await?;
        let key = request_key(&caller, "BACKORDER", request_id, &product_id);
        self.change(&product_id.clone(), Command::SetBackorder { product_id, allowed, key }).await
    }

    async fn list_movements(
        &self,
        request: Request<ListMovementsRequest>,
    ) -> Result<Response<ListMovementsResponse>, Status> {
        let ListMovementsRequest { product_id, page_size, page_token } = validated(request)?;
        self.known(&product_id).await?;
        let limit = limit(page_size);
        let before = self
            .pager
            .after(&product_id, &page_token)
            .map_err(status::page_token)?
            .and_then(|before| before.parse().ok());
        let found = self.store.movements(&product_id, before, limit).await?;
        let (movements, next_page_token) = self
            .pager
            .page(&product_id, found, |movement| (movement.seq.to_string(), convert::movement_to_wire(&movement)));
        Ok(Response::new(ListMovementsResponse { movements, next_page_token }))
    }

    async fn restock_reservation(
        &self,
        request: Request<RestockReservationRequest>,
    ) -> Result<Response<Reservation>, Status> {
        let caller = principal(&request);
        let RestockReservationRequest { reservation_id: id, product_id, quantity, request_id } = validated(request)?;
        let key = request_key(&caller, "RESTOCK", request_id, &format!("{id}/{product_id}"));
        self.reserve(id.clone(), Command::Restock { id, line: Line { product_id, quantity }, key }).await
    }

    async fn hold_stock(&self, request: Request<HoldStockRequest>) -> Result<Response<Reservation>, Status> {
        let HoldStockRequest { reservation_id: id, lines, step_key, epoch } = validated(request)?;
        let held = self.commands.hold(id.clone(), StepCall { step_key, epoch }, convert::lines(lines)).await?;
        reservation(&id, held)
    }

    async fn extend_reservation(
        &self,
        request: Request<ExtendReservationRequest>,
    ) -> Result<Response<Reservation>, Status> {
        let ExtendReservationRequest { reservation_id: id, step_key, epoch } = validated(request)?;
        reservation(&id, self.commands.extend(id.clone(), StepCall { step_key, epoch }).await?)
    }

    async fn commit_reservation(
        &self,
        request: Request<CommitReservationRequest>,
    ) -> Result<Response<Reservation>, Status> {
        let CommitReservationRequest { reservation_id: id, step_key, epoch } = validated(request)?;
        self.reserve(id.clone(), Command::Commit(id, StepCall { step_key, epoch })).await
    }

    async fn release_reservation(
        &self,
        request: Request<ReleaseReservationRequest>,
    ) -> Result<Response<Reservation>, Status> {
        let ReleaseReservationRequest { reservation_id: id, step_key, epoch } = validated(request)?;
        self.reserve(id.clone(), Command::Release(id, StepCall { step_key, epoch })).await
    }

    async fn ship_reservation(
        &self,
        request: Request<ShipReservationRequest>,
    ) -> Result<Response<Reservation>, Status> {
        let ShipReservationRequest { reservation_id: id, step_key, epoch } = validated(request)?;
        self.reserve(id.clone(), Command::Ship(id, StepCall { step_key, epoch })).await
    }

    async fn get_reservation(&self, request: Request<GetReservationRequest>) -> Result<Response<Reservation>, Status> {
        let request = validated(request)?;
        let found = self.store.reservation(&request.reservation_id).await?;
        Ok(Response::new(convert::reservation_to_wire(&found.id, &found.state)))
    }
}
