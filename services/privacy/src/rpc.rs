//! The RPCs: parse, call, reply.

use crate::{clients::Peers, convert, error::Error, export, store::Erasures};
use ::rpc::{principal, status, validated};
use ::store::{Pager, limit};
use contracts::privacy::v1::{
    Erasure, ExportUserRequest, ExportedRecord, GetErasureRequest, ListErasuresRequest, ListErasuresResponse,
    privacy_service_server::PrivacyService,
};
use futures::stream::BoxStream;
use tonic::{Request, Response, Status};

pub struct Handler {
    pub erasures: Erasures,
    pub peers: Peers,
    pub pager: Pager,
}

#[tonic::async_trait]
impl PrivacyService for Handler {
    type ExportUserStream = BoxStream<'static, Result<ExportedRecord, Status>>;

    async fn get_erasure(&self, request: Request<GetErasureRequest>) -> Result<Response<Erasure>, Status> {
        let found = self.erasures.get(&validated(request)?.user_id).await?;
        Ok(Response::new(convert::to_wire(&found)))
    }

    async fn list_erasures(
        &self,
        request: Request<ListErasuresRequest>,
    ) -> Result<Response<ListErasuresResponse>, Status> {
        let request = validated(request)?;
        let (state, limit) = (request.state(), limit(request.page_size));
        let scope = state.as_str_name();
        let after = self.pager.after(scope, &request.page_token).map_err(status::page_token)?;
        let found = self.erasures.list(convert::state(state), after, limit).await?;
        let (erasures, next_page_token) =
            self.pager.page(scope, found, |erasure| (erasure.id.clone(), convert::to_wire(&erasure)));
        Ok(Response::new(ListErasuresResponse { erasures, next_page_token }))
    }

    async fn export_user(
        &self,
        request: Request<ExportUserRequest>,
    ) -> Result<Response<Self::ExportUserStream>, Status> {
        let caller = principal(&request);
        let id = validated(request)?.user_id;
        if !caller.may_act_for(&id) {
            return Err(Error::NoUser(id).into());
        }
        let mut user = self.peers.user(&id).await?.ok_or(Error::NoUser(id))?;
        if !caller.acts_for_all() {
            // As in GetUser.
            user.lock_reason.clear();
        }
        Ok(Response::new(export::records(self.peers.clone(), user)))
    }
}
