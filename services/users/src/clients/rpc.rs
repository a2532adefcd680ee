//! `ClientService`: what admins do with clients. Parse, authorise, call, reply.

use crate::{
    clients::{convert, store::Clients},
    standing::Standing,
};
use ::rpc::{principal, status, validated};
use ::store::{Pager, limit};
use contracts::users::v1::{
    ClientCredentials, CreateClientRequest, DeleteClientRequest, ListClientsRequest, ListClientsResponse,
    RotateClientSecretRequest, client_service_server::ClientService,
};
use tonic::{Request, Response, Status};

pub struct Handler {
    pub clients: Clients,
    pub standing: Standing,
    pub pager: Pager,
}

#[tonic::async_trait]
impl ClientService for Handler {
    async fn create_client(
        &self,
        request: Request<CreateClientRequest>,
    ) -> Result<Response<ClientCredentials>, Status> {
        let caller = principal(&request);
        let CreateClientRequest { name, role } = validated(request)?;
        self.standing.unrevoked(&caller).await?;
        Ok(Response::new(convert::issued(self.clients.create(name, &role).await?)))
    }

    async fn list_clients(
        &self,
        request: Request<ListClientsRequest>,
    ) -> Result<Response<ListClientsResponse>, Status> {
        let request = validated(request)?;
        let limit = limit(request.page_size);
        let after = self.pager.after("", &request.page_token).map_err(status::page_token)?;
        let found = self.clients.list(after, limit).await?;
        let (clients, next_page_token) =
            self.pager.page("", found, |client| (client.id.clone(), convert::to_wire(&client)));
        Ok(Response::new(ListClientsResponse { clients, next_page_token }))
    }

    async fn rotate_client_secret(
        &self,
        request: Request<RotateClientSecretRequest>,
    ) -> Result<Response<ClientCredentials>, Status> {
        let caller = principal(&request);
        let id = validated(request)?.client_id;
        self.standing.unrevoked(&caller).await?;
        Ok(Response::new(convert::issued(self.clients.rotate(&id).await?)))
    }

    async fn delete_client(&self, request: Request<DeleteClientRequest>) -> Result<Response<()>, Status> {
        let caller = principal(&request);
        let id = validated(request)?.client_id;
        self.standing.unrevoked(&caller).await?;
        self.clients.delete(&id).await?;
        Ok(Response::new(()))
    }
}
