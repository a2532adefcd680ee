//! The RPCs: parse, authorise, call, reply.

use crate::{
    convert,
    domain::Entry,
    error::Error,
    filter::{Filter, Place},
    store::ReadModel,
    version::Version,
};
use ::events::ProjectionLag;
use ::rpc::{Principal, principal, status, validated};
use ::store::{Found, InvalidToken, Pager, limit};
use contracts::orderhistory::v1::{
    GetOrderHistoryRequest, ListOrderHistoriesRequest, ListOrderHistoriesResponse, OrderHistory,
    order_history_service_server::OrderHistoryService,
};
use std::{sync::Arc, time::Duration};
use tonic::{Request, Response, Status, metadata::MetadataValue};

/// Metadata of each reply: how far the entries are behind, in milliseconds.
const LAG: &str = "x-projection-lag-ms";

pub struct Handler {
    pub model: Arc<ReadModel>,
    pub lag: ProjectionLag,
    pub pager: Pager,
}

#[tonic::async_trait]
impl OrderHistoryService for Handler {
    async fn get_order_history(
        &self,
        request: Request<GetOrderHistoryRequest>,
    ) -> Result<Response<OrderHistory>, Status> {
        let caller = principal(&request);
        let GetOrderHistoryRequest { order_id: id, min_version } = validated(request)?;
        let version = Version::parse(&min_version).map_err(Error::from)?;
        if version.as_ref().is_some_and(|version| version.order_id != id) {
            return Err(Error::OtherVersion.into());
        }
        let lag = self.reach(version.as_ref(), &caller).await?;
        let is_callers = |entry: &Entry| entry.order.as_ref().is_some_and(|order| caller.may_act_for(&order.user_id));
        let histories = self.model.current().await?;
        // An order of somebody else is not found, as if it did not exist.
        let found = histories.get(&id).await?.filter(is_callers);
        let entry = found.ok_or_else(|| Error::NotFound(id.clone()))?;
        let names = histories.names(std::slice::from_ref(&entry)).await?;
        Ok(with_lag(convert::to_wire(&entry, &names).ok_or(Error::NotFound(id))?, lag))
    }

    async fn list_order_histories(
        &self,
        request: Request<ListOrderHistoriesRequest>,
    ) -> Result<Response<ListOrderHistoriesResponse>, Status> {
        let caller = principal(&request);
        let request = validated(request)?;
        let mut filter = convert::filter(&request)?;
        let lag = self.reach(Version::parse(&request.min_version).map_err(Error::from)?.as_ref(), &caller).await?;
        if !caller.acts_for_all() {
            let own = caller.user_id().unwrap_or_default().to_owned();
            // Whose entries are not the caller's are not there.
            if filter.user_id.is_some_and(|asked| asked != own) {
                return Ok(with_lag(ListOrderHistoriesResponse::default(), lag));
            }
            filter.user_id = Some(own);
        }
        Ok(with_lag(self.page(&filter, &request).await?, lag))
    }
}

/// A reply with the lag that its entries have at most.
fn with_lag<T>(message: T, lag: Duration) -> Response<T> {
    let mut response = Response::new(message);
    let millis = u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
    response.metadata_mut().insert(LAG, MetadataValue::from(millis));
    response
}

impl Handler {
    /// Waits for the version that is asked for, and returns the lag of what is read after that.
    async fn reach(&self, version: Option<&Version>, caller: &Principal) -> Result<Duration, Error> {
        if let Some(version) = version {
            self.model.reach(version, caller).await?;
        }
        Ok(self.lag.age().await)
    }

    async fn page(
        &self,
        filter: &Filter,
        request: &ListOrderHistoriesRequest,
    ) -> Result<ListOrderHistoriesResponse, Status> {
        // A token continues the list that it was made for.
        let scope = format!("{filter:?}");
        let behind = self.pager.after(&scope, &request.page_token).map_err(status::page_token)?;
        let place = |text: String| Place::parse(&text).ok_or_else(|| status::page_token(InvalidToken));
        let behind = behind.map(place).transpose()?;
        let histories = self.model.current().await?;
        let found = histories.list(filter, behind.as_ref(), limit(request.page_size)).await?;
        let names = histories.names(&found.entries).await?;
        let entries = found.entries.iter().filter_map(|entry| {
            let place = Place { created_at: entry.order.as_ref()?.created_at, order_id: entry.order_id.clone() };
            Some((place.text(), convert::to_wire(entry, &names)?))
        });
        let found = Found { entries: entries.collect(), is_last: found.is_last };
        let (order_histories, next_page_token) = self.pager.page(&scope, found, |entry: (String, OrderHistory)| entry);
        Ok(ListOrderHistoriesResponse { order_histories, next_page_token })
    }
}
