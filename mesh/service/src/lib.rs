//! What every service is made of: configuration, database, broker, relay, consumer, server; started and stopped here.
//!
//! `start` connects, the service adds its handlers, `serve` answers until the shutdown token is cancelled: first the
//! requests under way end, then relay, consumer and the service's own tasks. A service starts and stays up without
//! MongoDB, NATS or its peers; its health tells NOT_SERVING until both stores answer.

mod config;
mod ready;
mod store_status;

pub use config::{Config, KEYS};
pub use store_status::store_status;

use async_nats::jetstream::consumer::DeliverPolicy;
use contracts::events::v1::event_service_server::EventServiceServer;
use events::{
    Color, Consumers, EventSources, EventsRpc, Handler, Nats, Parts, Projection, ReadModel, Reads, Relay, Settling,
    Source,
};
use mongodb::{IndexModel, bson::Document};
use revocations::{Feed, LOAD_TIMEOUT};
use rpc::{Channel, KeySet, Server, Signer};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use store::Index;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

/// How long the background tasks may take to end: as long as the requests before them, so both fit the 30 s of a pod.
const GRACE: Duration = Duration::from_secs(10);

/// The service about events, which every service serves.
const EVENT_SERVICE: &str = "comptoir.events.v1.EventService";

/// Why a service could not start or ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0:?} is not a service of mesh/topology.toml")]
    UnknownService(String),
    #[error("no address for the peer {0:?}: set it in COMPTOIR_PEERS")]
    UnknownPeer(String),
    #[error(transparent)]
    Token(#[from] rpc::token::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Events(#[from] events::Error),
    #[error(transparent)]
    Channel(#[from] rpc::channel::Error),
    #[error(transparent)]
    Server(#[from] rpc::server::Error),
}

pub struct Service {
    pub config: Config,
    pub database: store::Database,
    nats: Nats,
    keys: KeySet,
    signer: Signer,
    table: &'static topology::Service,
    shutdown: CancellationToken,
    background: CancellationToken,
    reads: Reads,
    /// What readiness hangs on: nothing where replies do without the events.
    needed_reads: Reads,
    tasks: JoinSet<()>,
    /// Cancelled when the revoked tokens of the last minutes are known.
    revocations_loaded: CancellationToken,
}

impl Service {
    /// Connects to the stores and starts the relay.
    pub async fn start(config: Config, shutdown: CancellationToken) -> Result<Self, Error> {
        let unknown = || Error::UnknownService(config.name.clone());
        let table = topology::Topology::get().service(&config.name).ok_or_else(unknown)?;
        let keys = KeySet::from_jwks(&config.jwks)?.issued_by(&config.issuer);
        let signer = Signer::new(&config.name, config.service_key.reveal())?;
        let database = store::connect(config.mongodb_uri.reveal(), &config.database, &config.name).await?;
        let (login, reads_events) = ((&*config.nats_user, config.nats_password.reveal()), !table.consumes.is_empty());
        let nats = events::connect(&config.nats_url, &config.name, login, reads_events).await?;
        let background = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let feed = Feed::new(nats.jetstream.clone(), keys.revocations().clone());
        let (revocations_loaded, stop) = (feed.loaded(), background.clone());
        tasks.spawn(async move { stop.run_until_cancelled(feed.follow()).await.unwrap_or_default() });
        let reads = Reads::Nothing;
        let mut service = Self {
            config,
            database,
            nats,
            keys,
            signer,
            table,
            shutdown,
            background,
            needed_reads: reads.clone(),
            reads,
            tasks,
            revocations_loaded,
        };
        service.relay();
        Ok(service)
    }

    fn relay(&mut self) {
        if self.table.aggregates.is_empty() {
            return;
        }
        let relay = Relay {
            database: self.database.clone(),
            nats: self.nats.clone(),
            source: self.source(),
            replicas: self.config.stream_replicas,
            owner: format!("{}-{}-{:08x}", self.config.name, std::process::id(), rand::random::<u32>()),
        };
        self.tasks.spawn(relay.run(self.background.clone()));
        let limit = self.database.event_limit().clone();
        self.tasks.spawn(self.nats.clone().watch_limit(self.config.name.clone(), limit, self.background.clone()));
    }

    /// What this service publishes.
    fn source(&self) -> Source {
        Source {
            service: self.config.name.clone(),
            aggregates: self.table.aggregates.clone(),
            removes: self.table.removes.clone(),
        }
    }

    /// Makes indexes; waits for the database as long as it takes.
    pub async fn indexes(&self, indexes: &[Index]) -> Result<(), Error> {
        for Index { collection, model } in indexes {
            self.index(collection, model.clone()).await?;
        }
        Ok(())
    }

    /// Creates one index with options of its own, once the store is there; not after shutdown.
    pub async fn index(&self, collection: &str, index: IndexModel) -> Result<(), Error> {
        let collection = self.database.collection::<Document>(collection);
        self.prepare("an index", || async { collection.create_index(index.clone()).await.map(drop) }).await;
        Ok(())
    }

    /// Repeats `step`, without which the service must not serve, until it has worked: a service starts without its stores.
    /// Gives up at shutdown.
    pub async fn prepare<F>(&self, what: &str, step: impl Fn() -> F)
    where
        F: Future<Output = Result<(), mongodb::error::Error>>,
    {
        while let Err(error) = step().await {
            tracing::warn!(service = %self.config.name, %error, "{what} cannot be made ready; trying again");
            if self.shutdown.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await.is_none() {
                return;
            }
        }
    }

    /// A channel to a peer of the topology.
    pub fn peer(&self, name: &str) -> Result<Channel, Error> {
        let uri = self.config.peers.get(name).ok_or_else(|| Error::UnknownPeer(name.to_owned()))?;
        Ok(Channel::new(uri, Some(self.signer.clone()))?)
    }

    /// Reads the events that the topology says this service consumes, each from its beginning.
    pub fn consume(&mut self, handler: Arc<dyn Handler>) -> Result<(), Error> {
        self.consume_optional(handler)?;
        self.needed_reads = self.reads.clone();
        Ok(())
    }

    /// Like [`Service::consume`], for a service whose replies do without these events: it stays ready while they cannot be
    /// read.
    pub fn consume_optional(&mut self, handler: Arc<dyn Handler>) -> Result<(), Error> {
        let settling =
            Settling { handler, event_sources: self.event_sources()?, from: DeliverPolicy::All, color: Color::Blue };
        let name = &self.config.name;
        let consumers = Consumers::new(self.nats.clone(), &self.database, name, &self.table.consumes, settling);
        self.tasks.spawn(consumers.clone().run(self.background.clone()));
        self.reads = Reads::Events(Box::new(consumers));
        Ok(())
    }

    /// Folds the events that the topology says this service consumes into a read model, which can be built anew.
    pub fn project(&mut self, projection: Arc<dyn Projection>) -> Result<ReadModel, Error> {
        let model = ReadModel::new(Parts {
            nats: self.nats.clone(),
            database: (*self.database).clone(),
            service: self.config.name.clone(),
            sources: self.table.consumes.clone(),
            event_sources: self.event_sources()?,
            projection,
            shutdown: self.shutdown.clone(),
            current: Mutex::default(),
        });
        self.tasks.spawn(model.clone().run(self.background.clone()));
        self.reads = Reads::Into(model.clone());
        self.needed_reads = self.reads.clone();
        Ok(model)
    }

    /// Whom to ask for events that are missing.
    fn event_sources(&self) -> Result<EventSources, Error> {
        let sources = self.table.consumes.iter();
        let channels: Result<HashMap<String, Channel>, Error> =
            sources.map(|source| Ok((source.clone(), self.peer(source)?))).collect();
        Ok(EventSources::new(channels?))
    }

    /// Cancelled when the service's own tasks must end: after the last request has been answered.
    pub fn background(&self) -> CancellationToken {
        self.background.clone()
    }

    /// Runs a task of the service until it ends by itself on [`Service::background`].
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Serves until shutdown, then ends everything that was started.
    pub async fn serve(mut self, listener: TcpListener, routes: Routes) -> Result<(), Error> {
        let rules = rpc::Rules::from_descriptors(contracts::DESCRIPTORS).map_err(rpc::server::Error::from)?;
        let prefix = format!("/{}.", self.table.proto);
        let mut names: Vec<&str> = rules
            .iter()
            .filter(|(path, _)| path.starts_with(&prefix))
            .filter_map(|(path, _)| path.split('/').nth(1))
            .collect();
        names.push(EVENT_SERVICE);
        names.sort_unstable();
        names.dedup();
        let secret = self.config.service_key.reveal();
        let about_events =
            EventsRpc::new((*self.database).clone(), self.source(), self.reads.clone(), secret, self.shutdown.clone());
        let routes = routes.add_service(EventServiceServer::new(about_events));
        let (source, stop) = (self.source(), self.background.clone());
        self.tasks.spawn(events::record_gauges((*self.database).clone(), source, self.reads.clone(), stop));
        let server = Server::new(self.keys.clone(), &names, routes)?;
        let (database, nats, reads) = ((*self.database).clone(), self.nats.clone(), self.needed_reads.clone());
        let watched = ready::Watched { database, nats, reads };
        self.tasks.spawn(ready::watch(watched, server.readiness(), self.shutdown.clone()));
        // A restart must not let in whom it would have refused before.
        drop(tokio::time::timeout(LOAD_TIMEOUT, self.revocations_loaded.cancelled()).await);
        server.serve(&self.config.name, listener, self.config.limits.clone(), self.shutdown.clone()).await;
        // Only after the last request: its events can still go out by the relay of this process.
        self.background.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            tracing::warn!(service = %self.config.name, "background tasks did not end in time; they are cut off");
        }
        Ok(())
    }
}
