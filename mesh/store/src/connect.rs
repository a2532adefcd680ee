//! The connection: bounded waits, majority and journaled writes, majority reads from the primary.

use crate::{Error, EventLimit, HintSender};
use mongodb::{
    Client,
    options::{Acknowledgment, ClientOptions, ReadConcern, WriteConcern},
};
use std::{ops::Deref, time::Duration};

/// A database, the hints of what this process writes to it, and how large an event of it may be. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Database {
    database: mongodb::Database,
    hints: HintSender,
    limit: EventLimit,
}

impl Deref for Database {
    type Target = mongodb::Database;

    fn deref(&self) -> &mongodb::Database {
        &self.database
    }
}

impl From<mongodb::Database> for Database {
    fn from(database: mongodb::Database) -> Self {
        Self { database, hints: HintSender::default(), limit: EventLimit::default() }
    }
}

impl Database {
    /// Hints of what this process writes to it with events, through this value and its clones.
    pub fn hints(&self) -> &HintSender {
        &self.hints
    }

    /// How large an event may be that this process writes to it, through this value and its clones.
    pub fn event_limit(&self) -> &EventLimit {
        &self.limit
    }
}

/// Opens `database`. Fails only on a malformed URI: the driver connects when it is first used.
pub async fn connect(uri: &str, database: &str, application: &str) -> Result<Database, Error> {
    let mut options = ClientOptions::parse(uri).await?;
    options.app_name = Some(application.to_owned());
    // A call between services has 5 s: the driver, which would wait 30 s for a server, must give up no later.
    options.connect_timeout = Some(Duration::from_secs(3));
    options.server_selection_timeout = Some(Duration::from_secs(5));
    // A connection of the pool costs mongod about 1 MB; a URI with `maxPoolSize` wins.
    options.max_pool_size = options.max_pool_size.or(Some(64));
    options.read_concern = Some(ReadConcern::majority());
    options.write_concern = Some(
        WriteConcern::builder().w(Acknowledgment::Majority).journal(true).w_timeout(Duration::from_secs(10)).build(),
    );
    Ok(Client::with_options(options)?.database(database).into())
}
