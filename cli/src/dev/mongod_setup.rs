//! What makes a listening mongod ours: the replica set, `root`, and one user per service. Each step may be repeated.

use super::credentials::Credentials;
use crate::child::Child;
use anyhow::{Context, bail};
use bson::{Document, doc};
use mongodb::{
    Client, Database,
    error::{Error, ErrorKind},
};
use std::time::{Duration, Instant};
use topology::Topology;

/// Name of the replica set.
pub const REPLICA_SET: &str = "rs0";

const ROOT: &str = "root";

/// How long the election of the only member may take; after a crash it catches up with its own log first.
const ELECTION_LIMIT: Duration = Duration::from_secs(60);

/// Time between two looks.
const POLL: Duration = Duration::from_millis(10);

/// Codes of the server's `error_codes.yml`.
const ALREADY_INITIALIZED: i32 = 23;
const NOT_YET_INITIALIZED: i32 = 94;
const USER_EXISTS: i32 = 51003;

/// Brings the replica set and the users up; the connection string of `root`.
pub async fn prepare(port: u16, credentials: &Credentials, child: &Child) -> anyhow::Result<String> {
    let direct = "directConnection=true";
    let root_uri = format!("mongodb://{ROOT}:{}@127.0.0.1:{port}/?authSource=admin&{direct}", credentials.mongodb_root);
    let anyone = Client::with_uri_str(format!("mongodb://127.0.0.1:{port}/?{direct}")).await?.database("admin");
    let has_root = follow_port(&root_uri, port).await?;
    if !has_root {
        initiate(&anyone, port).await?;
    }
    elected(&anyone, child).await?;
    if !has_root {
        // Through the localhost exception, which ends with this first user.
        let create = doc! { "createUser": ROOT, "pwd": &credentials.mongodb_root, "roles": ["root"] };
        anyone.run_command(create).await.context("make the MongoDB user root")?;
    }
    let root = Client::with_uri_str(&root_uri).await?;
    let topology = Topology::get();
    let users =
        topology.stores().filter_map(|name| Some((name, topology.database(name)?))).map(|(name, database)| {
            let (database, password) = (root.database(database), &credentials.services[name].mongodb);
            async move {
                ensure_user(&database, name, password).await.with_context(|| format!("make the MongoDB user {name}"))
            }
        });
    futures::future::try_join_all(users).await?;
    Ok(root_uri.replace(direct, &format!("replicaSet={REPLICA_SET}")))
}

/// On a later start, when `root` exists: the set names its member by address; when the port is another one, tell it.
/// False on the first start. Its client is used for nothing else: after a failed sign-in the driver thinks the server
/// unknown until the next heartbeat, 10 s later.
async fn follow_port(root_uri: &str, port: u16) -> anyhow::Result<bool> {
    let admin = Client::with_uri_str(root_uri).await?.database("admin");
    let began = Instant::now();
    let reply = loop {
        match admin.run_command(doc! { "replSetGetConfig": 1 }).await {
            Ok(reply) => break reply,
            Err(error) if matches!(*error.kind, ErrorKind::Authentication { .. }) => return Ok(false),
            // It listens before it has read its own configuration.
            Err(error) if code(&error) == Some(NOT_YET_INITIALIZED) && began.elapsed() < ELECTION_LIMIT => {
                tokio::time::sleep(POLL).await;
            }
            Err(error) => return Err(error).context("read the replica set"),
        }
    };
    let config = reply.get_document("config")?.clone();
    rename_member(&admin, config, &host(port)).await?;
    Ok(true)
}

async fn rename_member(admin: &Database, mut config: Document, host: &str) -> anyhow::Result<()> {
    let version = config.get_i32("version")?;
    let member = config.get_array_mut("members")?.first_mut().and_then(|member| member.as_document_mut());
    let member = member.context("the replica set has no member; remove the data directory to start afresh")?;
    if member.get_str("host")? == host {
        return Ok(());
    }
    member.insert("host", host);
    config.insert("version", version + 1);
    // By force: under its old address the only member cannot elect itself.
    let reconfig = doc! { "replSetReconfig": config, "force": true };
    admin.run_command(reconfig).await.context("move the replica set to another port")?;
    Ok(())
}

/// The first start: a set of one.
async fn initiate(anyone: &Database, port: u16) -> anyhow::Result<()> {
    let config = doc! { "_id": REPLICA_SET, "members": [{ "_id": 0, "host": host(port) }] };
    match anyone.run_command(doc! { "replSetInitiate": config }).await {
        Ok(_) => Ok(()),
        Err(error) if code(&error) == Some(ALREADY_INITIALIZED) => Ok(()),
        Err(error) => Err(error).context("make the replica set"),
    }
}

/// Waits until the member has elected itself.
async fn elected(anyone: &Database, child: &Child) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let state = anyone.run_command(doc! { "hello": 1 }).await;
        if state.as_ref().is_ok_and(|reply| reply.get_bool("isWritablePrimary").unwrap_or(false)) {
            return Ok(());
        }
        if child.exit_status().is_some() || began.elapsed() > ELECTION_LIMIT {
            bail!("mongod did not become primary: {}", child.end_report());
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A user who reads and writes one database and sees no other.
async fn ensure_user(database: &Database, name: &str, password: &str) -> Result<(), Error> {
    let roles = vec![doc! { "role": "readWrite", "db": database.name() }];
    let create = doc! { "createUser": name, "pwd": password, "roles": roles.clone() };
    match database.run_command(create).await {
        Ok(_) => Ok(()),
        Err(error) if code(&error) == Some(USER_EXISTS) => {
            database.run_command(doc! { "updateUser": name, "roles": roles }).await.map(drop)
        }
        Err(error) => Err(error),
    }
}

fn host(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn code(error: &Error) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => Some(command.code),
        _ => None,
    }
}
