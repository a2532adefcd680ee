//! The server of every service: health, reflection v1 and v1alpha, the gate, and a bounded drain.
//!
//! A message of more than 4 MiB is refused with OUT_OF_RANGE: tonic's own limit, which no service raises.

use crate::{
    KeySet, Rules,
    gate::{self, Gate},
};
use std::{sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::{ServingStatus, server::HealthReporter};

/// How long requests under way may go on after the signal.
const GRACE: Duration = Duration::from_secs(10);

/// A server that is being put together.
pub struct Server {
    keys: KeySet,
    rules: Rules,
    routes: Routes,
    health: HealthReporter,
    names: Vec<String>,
}

/// Why a server could not serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The contracts' descriptors.
    #[error("reflection cannot be served: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The access rules.
    #[error(transparent)]
    Access(#[from] crate::access::Error),
    /// The port, or the connection.
    #[error("the gRPC server ended: {0}")]
    Transport(#[from] tonic::transport::Error),
}

impl Server {
    /// A server that knows `names` (full gRPC service names) by health; they start as NOT_SERVING.
    pub async fn new(keys: KeySet, names: &[&str], routes: Routes) -> Result<Self, Error> {
        let (reporter, health) = tonic_health::server::health_reporter();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).chain([String::new()]).collect();
        for name in &names {
            reporter.set_service_status(name, ServingStatus::NotServing).await;
        }
        reporter.set_service_status("live", ServingStatus::Serving).await;
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(contracts::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let with_names = |mut builder: tonic_reflection::server::Builder<'static>| {
            for name in names.iter().filter(|name| !name.is_empty()) {
                builder = builder.with_service_name(name.as_str());
            }
            builder.with_service_name("grpc.health.v1.Health")
        };
        let routes = routes
            .add_service(health)
            .add_service(with_names(reflection()).build_v1()?)
            .add_service(with_names(reflection()).build_v1alpha()?);
        Ok(Self { keys, rules: Rules::from_descriptors(contracts::DESCRIPTORS)?, routes, health: reporter, names })
    }

    /// Sets readiness: whether the service answers SERVING to health checks.
    pub fn readiness(&self) -> Readiness {
        Readiness { health: self.health.clone(), names: self.names.clone() }
    }

    /// Serves until `shutdown`, then lets requests under way end, at most for the grace period.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> Result<(), Error> {
        let gate = Arc::new(Gate { keys: self.keys, rules: self.rules });
        let router = self.routes.into_axum_router().layer(axum::middleware::from_fn_with_state(gate, gate::pass));
        let readiness = Readiness { health: self.health, names: self.names };
        let stop = shutdown.clone();
        let serving = tonic::transport::Server::builder()
            .tcp_nodelay(true)
            .http2_keepalive_interval(Some(Duration::from_secs(30)))
            .add_routes(Routes::from(router))
            .serve_with_incoming_shutdown(TcpListenerStream::new(listener), async move {
                stop.cancelled().await;
                readiness.set(false).await;
            });
        tokio::select! {
            served = serving => Ok(served?),
            () = async { shutdown.cancelled().await; tokio::time::sleep(GRACE).await } => {
                tracing::warn!("requests were still under way after {} s; they are cut off", GRACE.as_secs());
                Ok(())
            }
        }
    }
}

/// The switch of a server's health.
#[derive(Clone)]
pub struct Readiness {
    health: HealthReporter,
    names: Vec<String>,
}

impl Readiness {
    /// SERVING or NOT_SERVING for the server and each of its services.
    pub async fn set(&self, ready: bool) {
        let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in &self.names {
            self.health.set_service_status(name, status).await;
        }
    }
}
