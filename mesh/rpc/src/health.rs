//! `grpc.health.v1.Health`: what the health of a server is, and each change of it.
//!
//! Written here because tonic-health refuses to watch a name that it does not know; by the protocol such a watch says
//! SERVICE_UNKNOWN, stays open, and tells when the name becomes known.

use crate::status;
use futures::stream::{BoxStream, StreamExt, unfold};
use std::collections::BTreeMap;
use tokio::sync::watch;
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_server::Health,
};

type Known = BTreeMap<String, ServingStatus>;

/// The health of one server, which knows no name at first. A clone is the same health.
#[derive(Clone, Default)]
pub(crate) struct Statuses(watch::Sender<Known>);

impl Statuses {
    /// Sets the status of all `names` at once.
    pub(crate) fn set<'a>(&self, names: impl IntoIterator<Item = &'a String>, status: ServingStatus) {
        self.0.send_modify(|statuses| statuses.extend(names.into_iter().map(|name| (name.clone(), status))));
    }
}

#[tonic::async_trait]
impl Health for Statuses {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let name = request.into_inner().service;
        let status = self.0.borrow().get(&name).copied();
        status.map(reply).map(Response::new).ok_or_else(|| status::not_found("service", &name))
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let name = request.into_inner().service;
        let watching = Watching { name, statuses: self.0.subscribe(), told: None };
        Ok(Response::new(unfold(watching, Watching::next).boxed()))
    }
}

struct Watching {
    name: String,
    statuses: watch::Receiver<Known>,
    told: Option<ServingStatus>,
}

impl Watching {
    /// The next status that differs from the last one. Ends with the server.
    async fn next(mut self) -> Option<(Result<HealthCheckResponse, Status>, Self)> {
        let (name, told) = (&self.name, self.told);
        let status = |statuses: &Known| statuses.get(name).copied().unwrap_or(ServingStatus::ServiceUnknown);
        let now =
            self.statuses.wait_for(|statuses| Some(status(statuses)) != told).await.ok().map(|now| status(&now))?;
        self.told = Some(now);
        Some((Ok(reply(now)), self))
    }
}

fn reply(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
