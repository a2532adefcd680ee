//! The server of every service: health, reflection v1 and v1alpha, the gate, and a bounded drain.
//!
//! A message of more than [`MESSAGE_BYTES`] is refused with OUT_OF_RANGE: tonic's own limit, which no service raises.

use crate::{
    KeySet, Rules,
    gate::{self, Gate},
    health::Statuses,
    listen::{Limits, Port},
    reflection::Reflection,
};
use std::{sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{server::NamedService, service::Routes};
use tonic_health::pb::{health_check_response::ServingStatus, health_server::HealthServer};

/// Largest message that a service takes, and that callers take of it unless they raise it.
pub const MESSAGE_BYTES: usize = 4 << 20;

/// How long requests under way may go on after the signal. A pod has 30 s from its SIGTERM to SIGKILL, and background tasks
/// need another 10 s of them.
const GRACE: Duration = Duration::from_secs(10);

/// A server that is being put together.
pub struct Server {
    keys: KeySet,
    rules: Rules,
    routes: Routes,
    health: Statuses,
    names: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("reflection cannot be served: {0}")]
    Reflection(#[from] prost_reflect::DescriptorError),
    #[error(transparent)]
    Access(#[from] crate::access::Error),
}

impl Server {
    /// A server that knows `names` (full gRPC service names) by health; they start as NOT_SERVING.
    pub fn new(keys: KeySet, names: &[&str], routes: Routes) -> Result<Self, Error> {
        let health = Statuses::default();
        let listed = [HealthServer::<Statuses>::NAME, "grpc.reflection.v1.ServerReflection"];
        let listed = names.iter().chain(&listed).map(|name| (*name).to_owned()).collect();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).chain([String::new()]).collect();
        health.set(&names, ServingStatus::NotServing);
        // Liveness depends on nothing else: a restart brings no store back.
        health.set(&["live".to_owned()], ServingStatus::Serving);
        let reflection = Reflection::new(listed)?;
        let routes = routes
            .add_service(HealthServer::new(health.clone()))
            .add_service(reflection.clone().v1())
            .add_service(reflection.v1alpha());
        Ok(Self { keys, rules: Rules::from_descriptors(contracts::DESCRIPTORS)?, routes, health, names })
    }

    /// Sets readiness: whether the service answers SERVING to health checks.
    pub fn readiness(&self) -> Readiness {
        Readiness { health: self.health.clone(), names: self.names.clone() }
    }

    /// Serves until `shutdown`, then lets requests under way end, at most for the grace period. `port` names it in logs.
    pub async fn serve(self, port: &str, listener: TcpListener, limits: Limits, shutdown: CancellationToken) {
        let gate = Arc::new(Gate { keys: self.keys, rules: self.rules });
        let app = self.routes.into_axum_router().layer(axum::middleware::from_fn_with_state(gate, gate::pass));
        let readiness = Readiness { health: self.health, names: self.names };
        let stopped = async {
            shutdown.cancelled().await;
            // Load balancers send nothing more while the requests under way end.
            readiness.set(false);
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            () = Port::grpc(port, listener, limits).serve(app, shutdown.clone()) => {}
            () = stopped => {
                tracing::warn!("requests were still under way after {} s; they are cut off", GRACE.as_secs());
            }
        }
    }
}

/// The switch of a server's health.
#[derive(Clone)]
pub struct Readiness {
    health: Statuses,
    names: Vec<String>,
}

impl Readiness {
    /// SERVING or NOT_SERVING for the server and each of its services.
    pub fn set(&self, ready: bool) {
        self.health.set(&self.names, if ready { ServingStatus::Serving } else { ServingStatus::NotServing });
    }
}
