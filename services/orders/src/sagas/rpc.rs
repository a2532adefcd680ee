//! `SagaService`: what staff may see of and do to sagas. Parse, call, reply.

use crate::{
    commands::Commands,
    domain::{self, Order},
    error::Error,
    sagas::convert,
};
use ::rpc::{Principal, principal, status, validated};
use ::store::{Pager, Versioned, limit, now};
use contracts::orders::v1::{
    self as wire, CompensateSagaRequest, FailedSaga, GetSagaRequest, InterveneInSagasRequest, InterveneInSagasResponse,
    ListSagasRequest, ListSagasResponse, RefusedSaga, ResumeSagaRequest, RetrySagaRequest, SkipSagaStepRequest,
    intervene_in_sagas_request::Action as WireAction, saga_service_server::SagaService,
};
use futures::StreamExt;
use prost::Message;
use saga::{Action, Operator};
use tonic::{Request, Response, Status};

/// Interventions of one request that are made at the same time.
const AT_A_TIME: usize = 16;

pub struct Handler {
    pub commands: Commands,
    pub pager: Pager,
}

impl Handler {
    async fn intervene(&self, id: &str, action: Action, operator: Operator) -> Result<Response<wire::Saga>, Status> {
        let order = self.commands.orders.get(id).await?;
        let changed = self.commands.intervene(order, action, &operator).await?;
        Ok(Response::new(convert::saga(&changed)))
    }

    /// Does it to each, or tells what would be done. One that fails does not keep the others from it.
    async fn intervene_in(
        &self,
        found: Vec<Versioned<Order>>,
        action: Action,
        operator: &Operator,
        dry_run: bool,
    ) -> InterveneInSagasResponse {
        let each = futures::stream::iter(found).map(async |order| {
            let id = order.id.clone();
            let done = if dry_run {
                let sagas = self.commands.orders.sagas;
                order.state.intervene(sagas, action, operator, now()).map(drop).map_err(Error::from)
            } else {
                self.commands.intervene(order, action, operator).await.map(drop)
            };
            (id, done)
        });
        let mut reply = InterveneInSagasResponse::default();
        // Side by side, so that the report comes before the caller's deadline when the store is slow to fail.
        let mut each = std::pin::pin!(each.buffered(AT_A_TIME));
        while let Some((order_id, done)) = each.next().await {
            match done {
                Ok(()) => reply.order_ids.push(order_id),
                Err(Error::Refused(domain::Error::Intervention(cause))) => {
                    reply.refused.push(RefusedSaga { order_id, message: cause.to_string() });
                }
                Err(error) => reply.failed.push(failed(order_id, error.into())),
            }
        }
        reply
    }
}

fn failed(order_id: String, status: Status) -> FailedSaga {
    FailedSaga { order_id, reason: ::rpc::status::reason(&status), message: status.message().to_owned() }
}

fn operator(caller: &Principal, reason: String) -> Operator {
    Operator { actor: caller.actor().to_owned(), reason }
}

fn action(wire: WireAction, acknowledged: bool) -> Result<Action, Status> {
    match wire {
        WireAction::Unspecified => Err(::rpc::status::violation("action", "must be set")),
        WireAction::Retry => Ok(Action::Retry),
        WireAction::Resume => Ok(Action::Resume),
        WireAction::Compensate => Ok(Action::Compensate),
        WireAction::Skip => Ok(Action::Skip { acknowledged }),
    }
}

#[tonic::async_trait]
impl SagaService for Handler {
    async fn list_sagas(&self, request: Request<ListSagasRequest>) -> Result<Response<ListSagasResponse>, Status> {
        let request = validated(request)?;
        let filter = request.filter.unwrap_or_default();
        // A token continues the list of its own filter only.
        let scope: String = filter.encode_to_vec().iter().map(|byte| format!("{byte:02x}")).collect();
        let limit = limit(request.page_size);
        let after = self.pager.after(&scope, &request.page_token).map_err(status::page_token)?;
        let found = self.commands.orders.sagas(&convert::filter(&filter, now()), after, limit).await?;
        let (sagas, next_page_token) =
            self.pager.page(&scope, found, |order| (order.id.clone(), convert::saga(&order)));
        Ok(Response::new(ListSagasResponse { sagas, next_page_token }))
    }

    async fn get_saga(&self, request: Request<GetSagaRequest>) -> Result<Response<wire::Saga>, Status> {
        let order = self.commands.orders.get(&validated(request)?.order_id).await?;
        Ok(Response::new(convert::saga(&order)))
    }

    async fn retry_saga(&self, request: Request<RetrySagaRequest>) -> Result<Response<wire::Saga>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        self.intervene(&request.order_id, Action::Retry, operator(&caller, request.reason)).await
    }

    async fn resume_saga(&self, request: Request<ResumeSagaRequest>) -> Result<Response<wire::Saga>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        self.intervene(&request.order_id, Action::Resume, operator(&caller, request.reason)).await
    }

    async fn compensate_saga(&self, request: Request<CompensateSagaRequest>) -> Result<Response<wire::Saga>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        self.intervene(&request.order_id, Action::Compensate, operator(&caller, request.reason)).await
    }

    async fn skip_saga_step(&self, request: Request<SkipSagaStepRequest>) -> Result<Response<wire::Saga>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        let skip = Action::Skip { acknowledged: request.acknowledge_effect };
        self.intervene(&request.order_id, skip, operator(&caller, request.reason)).await
    }

    async fn intervene_in_sagas(
        &self,
        request: Request<InterveneInSagasRequest>,
    ) -> Result<Response<InterveneInSagasResponse>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        let action = action(request.action(), request.acknowledge_effect)?;
        let filter = request.filter.unwrap_or_default();
        convert::narrow(&filter)?;
        let wanted = convert::filter(&filter, now());
        let found = self.commands.orders.sagas(&wanted, None, request.max_count.into()).await?;
        let operator = operator(&caller, request.reason);
        let reply = self.intervene_in(found.entries, action, &operator, request.dry_run).await;
        Ok(Response::new(InterveneInSagasResponse { is_cut_off: !found.is_last, ..reply }))
    }
}
