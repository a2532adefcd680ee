//! The RPCs: parse, authorise, call, reply.

use crate::{convert, domain::Entry, error::Error, store::ReadModel};
use ::rpc::{principal, status, validated};
use ::store::{Found, Pager, limit};
use contracts::orderhistory::v1::{
    GetOrderHistoryRequest, ListOrderHistoriesRequest, ListOrderHistoriesResponse, OrderHistory,
    order_history_service_server::OrderHistoryService,
};
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// Scope of the page tokens of staff, who see everyone's entries; no user id looks like it.
const EVERYONE: &str = "*";

pub struct Handler {
    pub model: Arc<ReadModel>,
    pub pager: Pager,
}

#[tonic::async_trait]
impl OrderHistoryService for Handler {
    async fn get_order_history(
        &self,
        request: Request<GetOrderHistoryRequest>,
    ) -> Result<Response<OrderHistory>, Status> {
        let caller = principal(&request);
        let id = validated(request)?.order_id;
        let is_callers = |entry: &Entry| entry.order.as_ref().is_some_and(|order| caller.may_act_for(&order.user_id));
        let histories = self.model.current().await?;
        // An order of somebody else is not found, as if it did not exist.
        let found = histories.get(&id).await?.filter(is_callers);
        let entry = found.ok_or_else(|| Error::NotFound(id.clone()))?;
        let names = histories.names(std::slice::from_ref(&entry)).await?;
        Ok(Response::new(convert::to_wire(&entry, &names).ok_or(Error::NotFound(id))?))
    }

    async fn list_order_histories(
        &self,
        request: Request<ListOrderHistoriesRequest>,
    ) -> Result<Response<ListOrderHistoriesResponse>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        let user = (!caller.acts_for_all()).then(|| caller.user_id().unwrap_or_default());
        let (scope, limit) = (user.unwrap_or(EVERYONE), limit(request.page_size));
        let after = self.pager.after(scope, &request.page_token).map_err(status::page_token)?;
        let histories = self.model.current().await?;
        let Found { entries, is_last } = histories.list(user, after, limit).await?;
        let names = histories.names(&entries).await?;
        let entries: Vec<OrderHistory> = entries.iter().filter_map(|entry| convert::to_wire(entry, &names)).collect();
        let message = |history: OrderHistory| (history.order_id.clone(), history);
        let (order_histories, next_page_token) = self.pager.page(scope, Found { entries, is_last }, message);
        Ok(Response::new(ListOrderHistoriesResponse { order_histories, next_page_token }))
    }
}
