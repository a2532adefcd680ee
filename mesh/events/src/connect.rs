//! The connection to NATS, with this service's own user and inbox.

use crate::Error;
use async_nats::{Client, ConnectOptions, jetstream};
use std::time::Duration;

/// A connected client and its JetStream context.
#[derive(Clone)]
pub struct Nats {
    /// The client.
    pub client: Client,
    /// JetStream over it.
    pub jetstream: jetstream::Context,
}

impl Nats {
    /// Whether the connection stands.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }
}

/// Connects as `user`; keeps trying in the background, so that a service starts without its broker.
pub async fn connect(url: &str, service: &str, user: &str, password: &str) -> Result<Nats, Error> {
    let client = ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned())
        .name(format!("comptoir {service}"))
        .custom_inbox_prefix(format!("_INBOX_{service}"))
        .retry_on_initial_connect()
        .ping_interval(Duration::from_secs(5))
        .connect(url)
        .await
        .map_err(Error::nats)?;
    let jetstream = jetstream::new(client.clone());
    Ok(Nats { client, jetstream })
}
