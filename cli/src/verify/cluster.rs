//! Connections to the system under examination, its MongoDB and its NATS, and paging through its documents.

use super::snapshot::Snapshot;
use crate::{Environment, dev::state::State, events::connect::running};
use anyhow::{Context, anyhow};
use async_nats::jetstream;
use bson::{Document, doc};
use mongodb::{Client, Collection, Database};
use std::{path::PathBuf, time::Duration};
use topology::Topology;

/// Documents in one snapshot.
pub const PAGE: i64 = 500;

/// How long a store may take to answer at first.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Which system to look at.
#[derive(Debug, clap::Args)]
pub struct Target {
    /// Data directory of a running `comptoir dev`; its addresses and the credentials in it are used
    #[arg(long, value_name = "DIR", default_value = ".comptoir")]
    pub data: PathBuf,
    /// MongoDB of a cluster instead, with a user who may read every database of mesh/topology.toml (role "read" on each)
    /// [env: COMPTOIR_MONGODB_URI]
    #[arg(long, value_name = "URI")]
    pub mongodb_uri: Option<String>,
    /// NATS of that cluster, nats://HOST:PORT [env: COMPTOIR_NATS_URL]
    #[arg(long, value_name = "URL")]
    pub nats_url: Option<String>,
    /// NATS user who may publish on $JS.API.STREAM.INFO.* and $JS.API.STREAM.MSG.GET.* and subscribe to _INBOX.>
    /// [env: COMPTOIR_NATS_USER]
    #[arg(long, value_name = "NAME")]
    pub nats_user: Option<String>,
    /// Its password [env: COMPTOIR_NATS_PASSWORD]
    #[arg(long, value_name = "PASSWORD")]
    pub nats_password: Option<String>,
}

/// Everything, or the subjects of these names.
pub enum Scope {
    All,
    Only(Vec<String>),
}

pub struct Cluster {
    mongodb: Client,
    pub nats: jetstream::Context,
}

impl Cluster {
    /// From the options, the environment, or the data directory of a running `comptoir dev`.
    pub async fn open(target: &Target, environment: &Environment) -> anyhow::Result<Self> {
        let or = |given: &Option<String>, variable: &str| {
            let found = given.clone().or_else(|| environment.get(variable).cloned());
            found.filter(|value| !value.is_empty())
        };
        let mongodb_uri = or(&target.mongodb_uri, "COMPTOIR_MONGODB_URI");
        let (uri, url, user, password) = if let Some(uri) = mongodb_uri {
            let url = or(&target.nats_url, "COMPTOIR_NATS_URL").context("--mongodb-uri needs --nats-url too")?;
            let user = or(&target.nats_user, "COMPTOIR_NATS_USER").unwrap_or_default();
            (uri, url, user, or(&target.nats_password, "COMPTOIR_NATS_PASSWORD").unwrap_or_default())
        } else {
            let State { mongodb_uri, nats_url, nats_user, nats_password, .. } = running(&target.data)?;
            (mongodb_uri, nats_url, nats_user, nats_password)
        };
        Ok(Self { mongodb: mongodb(&uri).await?, nats: nats(&url, user, password).await? })
    }

    /// A collection of a service, or of a program.
    pub fn collection(&self, service: &str, name: &str) -> anyhow::Result<Collection<Document>> {
        Ok(self.database(service)?.collection(name))
    }

    pub fn database(&self, service: &str) -> anyhow::Result<Database> {
        let database = Topology::get().database(service).ok_or_else(|| anyhow!("{service} is not in the topology"))?;
        Ok(self.mongodb.database(database))
    }

    /// One moment of all databases.
    pub async fn snapshot(&self) -> anyhow::Result<Snapshot> {
        Ok(Snapshot::new(self.mongodb.start_session().snapshot(true).await?))
    }
}

async fn mongodb(uri: &str) -> anyhow::Result<Client> {
    let mut options = mongodb::options::ClientOptions::parse(uri).await.context("the MongoDB URI")?;
    options.server_selection_timeout = Some(CONNECT_LIMIT);
    options.app_name = Some("comptoir-verify".to_owned());
    // Snapshot reads have a read concern of their own.
    options.read_concern = None;
    let client = Client::with_options(options)?;
    client.database("admin").run_command(doc! { "ping": 1 }).await.context("MongoDB does not answer")?;
    Ok(client)
}

async fn nats(url: &str, user: String, password: String) -> anyhow::Result<jetstream::Context> {
    let options = async_nats::ConnectOptions::new().connection_timeout(CONNECT_LIMIT);
    let options = if user.is_empty() { options } else { options.user_and_password(user, password) };
    let client = options.connect(url).await.with_context(|| format!("NATS does not answer at {url}"))?;
    Ok(jetstream::new(client))
}

/// Goes through a collection in the order of `_id`, page by page, or through the documents of some ids.
pub struct Pages {
    after: Option<String>,
    only: Option<Vec<String>>,
    is_over: bool,
}

impl Pages {
    /// All pages of `scope`; its subjects are ids.
    pub fn new(scope: &Scope) -> Self {
        let only = match scope {
            Scope::All => None,
            Scope::Only(ids) => Some(ids.clone()),
        };
        Self { after: None, only, is_over: false }
    }

    /// The next page of a collection and the snapshot in which it was read; none behind the last page.
    pub async fn read(
        &mut self,
        cluster: &Cluster,
        collection: &Collection<Document>,
        fields: Document,
    ) -> anyhow::Result<Option<(Snapshot, Vec<Document>)>> {
        let Some(filter) = self.next() else { return Ok(None) };
        let mut snapshot = cluster.snapshot().await?;
        let found = snapshot.find(collection, filter, fields, PAGE).await?;
        self.seen(&found);
        Ok(Some((snapshot, found)))
    }

    pub fn next(&mut self) -> Option<Document> {
        if self.is_over {
            return None;
        }
        let Some(only) = &mut self.only else {
            return Some(self.after.as_ref().map_or_else(Document::new, |after| doc! { "_id": { "$gt": after } }));
        };
        // In parts, because a filter of all ids could exceed the 16 MiB of a command.
        let page: Vec<String> = only.drain(..only.len().min(usize::try_from(PAGE).unwrap_or(1))).collect();
        self.is_over = only.is_empty();
        (!page.is_empty()).then(|| doc! { "_id": { "$in": page } })
    }

    pub fn seen(&mut self, documents: &[Document]) {
        if self.only.is_none() {
            self.after = documents.last().and_then(|last| last.get_str("_id").ok()).map(str::to_owned);
            self.is_over = documents.len() < usize::try_from(PAGE).unwrap_or(1) || self.after.is_none();
        }
    }
}
