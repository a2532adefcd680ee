//! The RPCs: parse, call, reply.

use crate::{
    convert,
    error::Error,
    store::{Entries, Filter},
    verification,
};
use ::rpc::{status, validated};
use ::store::{Pager, limit};
use contracts::audit::v1::{
    Entry, ExportEntriesRequest, ListEntriesRequest, ListEntriesResponse, VerifyEntriesRequest, VerifyEntriesResponse,
    audit_service_server::AuditService,
};
use futures::{StreamExt, stream::BoxStream};
use tonic::{Request, Response, Status};

pub struct Handler {
    pub entries: Entries,
    pub pager: Pager,
}

#[tonic::async_trait]
impl AuditService for Handler {
    type ExportEntriesStream = BoxStream<'static, Result<Entry, Status>>;

    async fn list_entries(
        &self,
        request: Request<ListEntriesRequest>,
    ) -> Result<Response<ListEntriesResponse>, Status> {
        let request = validated(request)?;
        let range = convert::range(request.start_date, request.end_date)?;
        let filter = Filter { aggregate_id: request.aggregate_id, actor: request.actor, range };
        // A token continues the list that it was made for.
        let scope = format!("{filter:?}");
        let limit = limit(request.page_size);
        let after = self.pager.after(&scope, &request.page_token).map_err(status::page_token)?;
        let found = self.entries.list(&filter, after, limit).await.map_err(Error::from)?;
        let (entries, next_page_token) = self.pager.page(&scope, found, |stored| {
            let entry = convert::entry(&stored);
            (entry.entry_id.clone(), entry)
        });
        Ok(Response::new(ListEntriesResponse { entries, next_page_token }))
    }

    async fn verify_entries(
        &self,
        request: Request<VerifyEntriesRequest>,
    ) -> Result<Response<VerifyEntriesResponse>, Status> {
        let request = validated(request)?;
        let range = convert::range(request.start_date, request.end_date)?;
        Ok(Response::new(verification::of(&self.entries, range).await?))
    }

    async fn export_entries(
        &self,
        request: Request<ExportEntriesRequest>,
    ) -> Result<Response<Self::ExportEntriesStream>, Status> {
        let request = validated(request)?;
        let range = convert::range(request.start_date, request.end_date)?;
        let entries = self.entries.all(&range).await.map_err(Error::from)?;
        let sent =
            entries.map(|entry| entry.map(|stored| convert::entry(&stored)).map_err(|error| Error::from(error).into()));
        Ok(Response::new(sent.boxed()))
    }
}
