//! The RPCs: parse, call, reply.

use crate::{
    catalogue::Catalogue,
    convert,
    domain::{Endpoint, Secret},
    error::Error,
    network::Policy,
    signature,
    store::{Deliveries, Endpoints},
};
use ::rpc::{status, validated};
use ::store::{Pager, limit, now};
use contracts::{
    id::Kind,
    webhooks::v1::{
        self as wire, CreateEndpointRequest, DeleteEndpointRequest, EnableEndpointRequest, EndpointSecret,
        GetEndpointRequest, ListDeliveriesRequest, ListDeliveriesResponse, ListEndpointsRequest, ListEndpointsResponse,
        RedeliverDeliveryRequest, RotateEndpointSecretRequest, webhook_service_server::WebhookService,
    },
};
use std::{sync::Arc, time::Duration};
use tonic::{Request, Response, Status};

/// How long secrets sign after a rotation that does not say so.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);

pub struct Handler {
    pub endpoints: Endpoints,
    pub deliveries: Deliveries,
    pub catalogue: Arc<Catalogue>,
    pub policy: Policy,
    pub endpoint_pager: Pager,
    pub delivery_pager: Pager,
}

impl Handler {
    async fn found(&self, id: String) -> Result<Endpoint, Error> {
        let found = self.endpoints.find(&id).await?;
        found.ok_or(Error::NotFound { collection: "webhooks/endpoints", id })
    }

    async fn create(&self, request: CreateEndpointRequest) -> Result<EndpointSecret, Error> {
        let CreateEndpointRequest { url, mut event_types } = request;
        if let Some(index) = event_types.iter().position(|event_type| !self.catalogue.knows(event_type)) {
            return Err(Error::Unknown {
                index,
                event_type: event_types.swap_remove(index).chars().take(100).collect(),
            });
        }
        event_types.sort_unstable();
        event_types.dedup();
        let url = Policy::parse(&url)?;
        self.policy.check(&url).await?;
        let (secret, created_at) = (signature::secret(), now());
        let endpoint = Endpoint {
            id: Kind::Endpoint.new_id(),
            slot: 0,
            url: url.into(),
            event_types,
            secrets: vec![Secret { value: secret.clone(), created_at, until: None }],
            disabled: None,
            failing_since: None,
            created_at,
            certain_from: None,
        };
        let endpoint = self.endpoints.create(endpoint).await?.ok_or(Error::Full)?;
        self.endpoints.make_certain(&endpoint.id, now()).await?;
        Ok(EndpointSecret { endpoint: Some(convert::endpoint(endpoint, now())), secret })
    }

    async fn rotate(&self, id: String, overlap: Duration) -> Result<EndpointSecret, Error> {
        loop {
            let (old, secret) = (self.found(id.clone()).await?, signature::secret());
            let secrets = old.rotated(secret.clone(), overlap, now());
            if let Some(endpoint) = self.endpoints.replace_secrets(&old, &secrets).await? {
                return Ok(EndpointSecret { endpoint: Some(convert::endpoint(endpoint, now())), secret });
            }
        }
    }
}

#[tonic::async_trait]
impl WebhookService for Handler {
    async fn create_endpoint(
        &self,
        request: Request<CreateEndpointRequest>,
    ) -> Result<Response<EndpointSecret>, Status> {
        Ok(Response::new(self.create(validated(request)?).await?))
    }

    async fn get_endpoint(&self, request: Request<GetEndpointRequest>) -> Result<Response<wire::Endpoint>, Status> {
        let found = self.found(validated(request)?.endpoint_id).await?;
        Ok(Response::new(convert::endpoint(found, now())))
    }

    async fn list_endpoints(
        &self,
        request: Request<ListEndpointsRequest>,
    ) -> Result<Response<ListEndpointsResponse>, Status> {
        let request = validated(request)?;
        let (pager, limit) = (&self.endpoint_pager, limit(request.page_size));
        let after = pager.after("", &request.page_token).map_err(status::page_token)?;
        let found = self.endpoints.list(after, limit).await.map_err(Error::from)?;
        let to_wire = |endpoint: Endpoint| (endpoint.id.clone(), convert::endpoint(endpoint, now()));
        let (endpoints, next_page_token) = pager.page("", found, to_wire);
        Ok(Response::new(ListEndpointsResponse { endpoints, next_page_token }))
    }

    async fn delete_endpoint(&self, request: Request<DeleteEndpointRequest>) -> Result<Response<()>, Status> {
        let id = validated(request)?.endpoint_id;
        if !Kind::Endpoint.matches(&id) {
            return Err(Error::NotFound { collection: "webhooks/endpoints", id }.into());
        }
        // The endpoint first: nothing new is written for it then.
        self.endpoints.delete(&id).await.map_err(Error::from)?;
        self.deliveries.delete_of(&id).await.map_err(Error::from)?;
        Ok(Response::new(()))
    }

    async fn enable_endpoint(
        &self,
        request: Request<EnableEndpointRequest>,
    ) -> Result<Response<wire::Endpoint>, Status> {
        let id = validated(request)?.endpoint_id;
        if self.endpoints.enable(&id).await.map_err(Error::from)? {
            self.deliveries.wake_all(&id, now()).await.map_err(Error::from)?;
        }
        Ok(Response::new(convert::endpoint(self.found(id).await?, now())))
    }

    async fn rotate_endpoint_secret(
        &self,
        request: Request<RotateEndpointSecretRequest>,
    ) -> Result<Response<EndpointSecret>, Status> {
        let RotateEndpointSecretRequest { endpoint_id, overlap } = validated(request)?;
        let overlap = overlap.map_or(OVERLAP, |overlap| overlap.try_into().unwrap_or(Duration::ZERO));
        Ok(Response::new(self.rotate(endpoint_id, overlap).await?))
    }

    async fn list_deliveries(
        &self,
        request: Request<ListDeliveriesRequest>,
    ) -> Result<Response<ListDeliveriesResponse>, Status> {
        let request = validated(request)?;
        let (pager, limit) = (&self.delivery_pager, limit(request.page_size));
        let scope = format!("{}/{}", request.endpoint_id, request.state);
        let after = pager.after(&scope, &request.page_token).map_err(status::page_token)?;
        let state = convert::state(request.state());
        let found = self.deliveries.list(&request.endpoint_id, state, after, limit).await.map_err(Error::from)?;
        let to_wire = |delivery: crate::domain::Delivery| (delivery.id.clone(), convert::delivery(delivery));
        let (deliveries, next_page_token) = pager.page(&scope, found, to_wire);
        Ok(Response::new(ListDeliveriesResponse { deliveries, next_page_token }))
    }

    async fn redeliver_delivery(
        &self,
        request: Request<RedeliverDeliveryRequest>,
    ) -> Result<Response<wire::Delivery>, Status> {
        let id = validated(request)?.delivery_id;
        let found = self.deliveries.redeliver(&id, now()).await.map_err(Error::from)?;
        let found = found.ok_or(Error::NotFound { collection: "webhooks/deliveries", id })?;
        Ok(Response::new(convert::delivery(found)))
    }
}
