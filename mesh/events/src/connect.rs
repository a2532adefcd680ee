//! The connection to NATS, with this service's own user and inbox, and the limits that the broker announces.

use crate::Error;
use async_nats::{Client, ConnectOptions, ServerAddr, ServerInfo, jetstream};
use std::{sync::Arc, time::Duration};
use store::EventLimit;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

/// How often the limits of the broker are read: a raised limit lets an event through within this time.
const LIMIT_INTERVAL: Duration = Duration::from_secs(5);

/// Longest wait for the greeting of the broker; less than the interval, so that reads do not pile up.
const LIMIT_TIMEOUT: Duration = Duration::from_secs(2);

/// Most bytes of a greeting; a real one has about one KiB.
const GREETING_BYTES: u64 = 64 * 1024;

#[derive(Clone)]
pub struct Nats {
    pub client: Client,
    pub jetstream: jetstream::Context,
    /// What events are delivered on: a connection of its own where the service reads events. The client drops a connection
    /// over a message that it cannot read, and with it every answer that is under way.
    pub(crate) deliveries: jetstream::Context,
    url: Arc<str>,
}

impl Nats {
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }

    /// Keeps the limit of the client and of the store for messages on the stream of `service` true until `shutdown`.
    ///
    /// The broker announces `max_payload` to a client that connects, and not when it is changed. A client that connected
    /// before would refuse messages that are allowed by now, or be cut off for messages that no longer are. So it connects
    /// again after a change.
    pub async fn watch_limit(self, service: String, limit: EventLimit, shutdown: CancellationToken) {
        let stream = topology::stream(&service);
        loop {
            if self.is_connected() {
                let of_broker = self.announced_limit().await;
                limit.set(self.limit_of(&stream).await.map_or(of_broker, |bytes| bytes.min(of_broker)));
            }
            if shutdown.run_until_cancelled(tokio::time::sleep(LIMIT_INTERVAL)).await.is_none() {
                return;
            }
        }
    }

    async fn announced_limit(&self) -> usize {
        let known = self.client.max_payload();
        match tokio::time::timeout(LIMIT_TIMEOUT, greeting(&self.url)).await {
            // Another server of the cluster may have another limit, and is not the one that this client publishes through.
            Ok(Ok(info)) if info.server_id == self.client.server_info().server_id => {
                if info.max_payload != known {
                    tracing::info!(
                        known,
                        now = info.max_payload,
                        "the broker's max_payload has changed; connecting anew"
                    );
                    if let Err(error) = self.client.force_reconnect().await {
                        tracing::debug!(%error, "the client has ended");
                    }
                }
                return info.max_payload;
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the broker's limits cannot be read"),
            Err(_) => tracing::debug!("the broker does not send its limits in time"),
        }
        known
    }

    /// The limit of a stream, if it has one of its own.
    async fn limit_of(&self, stream: &str) -> Option<usize> {
        let found = self.jetstream.get_stream(stream).await.ok()?;
        usize::try_from(found.cached_info().config.max_message_size).ok().filter(|bytes| *bytes > 0)
    }
}

/// The greeting of a server, which it sends to every connection before any login.
async fn greeting(url: &str) -> Result<ServerInfo, Error> {
    let address: ServerAddr = url.parse().map_err(Error::nats)?;
    let stream = TcpStream::connect((address.host(), address.port())).await.map_err(Error::nats)?;
    let mut line = String::new();
    BufReader::new(stream.take(GREETING_BYTES)).read_line(&mut line).await.map_err(Error::nats)?;
    let info = line.strip_prefix("INFO ").ok_or_else(|| Error::Nats("it is no NATS server".to_owned()))?;
    serde_json::from_str(info).map_err(Error::nats)
}

/// Connects as `user`; keeps trying in the background, so that a service starts without its broker.
pub async fn connect(url: &str, service: &str, login: (&str, &str), reads_events: bool) -> Result<Nats, Error> {
    let client = dial(url, service, login).await?;
    let jetstream = jetstream::new(client.clone());
    let deliveries = if reads_events { jetstream::new(dial(url, service, login).await?) } else { jetstream.clone() };
    Ok(Nats { client, jetstream, deliveries, url: url.into() })
}

async fn dial(url: &str, service: &str, (user, password): (&str, &str)) -> Result<Client, Error> {
    ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned())
        .name(format!("comptoir {service}"))
        .custom_inbox_prefix(format!("_INBOX_{service}"))
        .retry_on_initial_connect()
        .ping_interval(Duration::from_secs(5))
        .connect(url)
        .await
        .map_err(Error::nats)
}
