//! The connection: bounded waits, majority and journaled writes, majority reads from the primary.

use crate::Error;
use mongodb::{
    Client, Database,
    options::{Acknowledgment, ClientOptions, ReadConcern, WriteConcern},
};
use std::time::Duration;

/// Opens `database`. Fails only on a malformed URI: the driver connects when it is first used.
pub async fn connect(uri: &str, database: &str, application: &str) -> Result<Database, Error> {
    let mut options = ClientOptions::parse(uri).await?;
    options.app_name = Some(application.to_owned());
    options.connect_timeout = Some(Duration::from_secs(3));
    options.server_selection_timeout = Some(Duration::from_secs(5));
    options.max_pool_size = options.max_pool_size.or(Some(64));
    options.read_concern = Some(ReadConcern::majority());
    options.write_concern = Some(
        WriteConcern::builder().w(Acknowledgment::Majority).journal(true).w_timeout(Duration::from_secs(10)).build(),
    );
    Ok(Client::with_options(options)?.database(database))
}
