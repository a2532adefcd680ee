//! Follows the revocations of access tokens: the events `evt.users.{user,client}.tokens_revoked.*` into the list that tokens are checked
//! against, at the gateway and at every service.
//!
//! A start reads what was published within the life of a token, then what follows, over an ephemeral consumer that
//! acknowledges nothing. Whatever breaks it, it is opened anew and reads those minutes again: a repeated revocation has no
//! effect. While the broker is away the list stays as it was: what was revoked stays so, what is revoked meanwhile counts
//! once the broker is back, or when the token expires. ADR 10 says why.

use async_nats::jetstream::{
    Context, Message,
    consumer::{AckPolicy, DeliverPolicy, push},
};
use contracts::users::v1::{ClientTokensRevoked, UserTokensRevoked};
use futures::StreamExt;
use prost::Message as _;
use rpc::revocations::{KEPT, Revocations};
use std::time::{Duration, Instant, SystemTime};
use tokio_util::sync::CancellationToken;

/// What is followed: revocations of accounts and of clients.
pub const SUBJECT: &str = "evt.users.*.tokens_revoked.*";

/// How the subjects of the latter begin.
const OF_CLIENTS: &str = "evt.users.client.";

/// Whose events they are.
const SERVICE: &str = "users";

/// The broker tells this often that it is there; twice without it, the consumer is opened anew.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// How long opening may take, and the pause after a failure.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_secs(1);

/// Pause between two lines in the log.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// How long a start should wait for the list; without a broker the process serves with an empty one.
pub const LOAD_TIMEOUT: Duration = Duration::from_secs(2);

/// Why the broker is not followed.
#[derive(Debug, thiserror::Error)]
enum Away {
    #[error("the consumer cannot be made: {0}")]
    Open(#[from] async_nats::jetstream::stream::ConsumerError),
    #[error("the deliveries cannot be heard: {0}")]
    Hear(#[from] push::MessagesError),
    #[error("the broker does not answer in time")]
    Timeout,
    #[error("a delivery was lost")]
    Gap,
    #[error("a delivery cannot be read: {0}")]
    Malformed(async_nats::Error),
    #[error("the deliveries have ended")]
    Ended,
}

/// The way of the revocations into a list.
pub struct Feed {
    jetstream: Context,
    list: Revocations,
    loaded: CancellationToken,
}

impl Feed {
    pub fn new(jetstream: Context, list: Revocations) -> Self {
        Self { jetstream, list, loaded: CancellationToken::new() }
    }

    /// Cancelled when all that was published before has been read.
    pub fn loaded(&self) -> CancellationToken {
        self.loaded.clone()
    }

    /// Follows; never ends.
    pub async fn follow(self) {
        let mut logged: Option<Instant> = None;
        loop {
            let away = self.once().await;
            if self.is_without_stream(&away) {
                // Before the first start of users nobody has a token that could be revoked.
                self.loaded.cancel();
            } else if logged.is_none_or(|logged| logged.elapsed() > LOG_EVERY) {
                logged = Some(Instant::now());
                tracing::warn!(error = %away, "revoked access tokens are not heard of; logged once a minute");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn is_without_stream(&self, away: &Away) -> bool {
        use async_nats::jetstream::{ErrorCode, stream::ConsumerErrorKind};
        match away {
            Away::Open(error) => {
                matches!(error.kind(), ConsumerErrorKind::JetStream(cause) if cause.error_code() == ErrorCode::STREAM_NOT_FOUND)
            }
            _ => false,
        }
    }

    /// Reads until something breaks, and tells what.
    async fn once(&self) -> Away {
        match self.read().await {
            Ok(()) => Away::Ended,
            Err(away) => away,
        }
    }

    async fn read(&self) -> Result<(), Away> {
        let opened = tokio::time::timeout(OPEN_TIMEOUT, self.open()).await.map_err(|_| Away::Timeout)?;
        let (mut deliveries, is_empty) = opened?;
        if is_empty {
            self.loaded.cancel();
        }
        let mut expected = 1;
        while let Some(delivery) = deliveries.next().await {
            let delivery = delivery?;
            let info = delivery.info().map_err(Away::Malformed)?;
            if info.consumer_sequence != expected {
                return Err(Away::Gap);
            }
            expected += 1;
            let is_last = info.pending == 0;
            self.note(&delivery);
            if is_last {
                self.loaded.cancel();
            }
        }
        Ok(())
    }

    /// The deliveries from the life of a token ago, and whether there are none yet.
    async fn open(&self) -> Result<(push::Messages, bool), Away> {
        let config = push::Config {
            name: Some(format!("revocations-{:016x}", rand::random::<u64>())),
            deliver_subject: self.jetstream.client().new_inbox(),
            filter_subject: SUBJECT.to_owned(),
            deliver_policy: DeliverPolicy::ByStartTime { start_time: (SystemTime::now() - KEPT).into() },
            ack_policy: AckPolicy::None,
            idle_heartbeat: HEARTBEAT,
            memory_storage: true,
            num_replicas: 1,
            inactive_threshold: 3 * HEARTBEAT,
            ..push::Config::default()
        };
        let stream = topology::stream(SERVICE);
        let consumer = self.jetstream.create_consumer_on_stream(config, stream).await?;
        let is_empty = consumer.cached_info().num_pending == 0;
        Ok((consumer.messages().await.map_err(|_| Away::Ended)?, is_empty))
    }

    fn note(&self, delivery: &Message) {
        let payload = delivery.payload.clone();
        let revoked = match delivery.subject.starts_with(OF_CLIENTS) {
            true => ClientTokensRevoked::decode(payload).map(|of| (of.client_id, of.generation)),
            false => UserTokensRevoked::decode(payload).map(|of| (of.user_id, of.generation)),
        };
        match revoked {
            Ok((subject, generation)) => self.list.note(&subject, generation, Instant::now()),
            Err(error) => {
                tracing::error!(%error, subject = %delivery.subject, "a revocation cannot be read; it is passed over")
            }
        }
    }
}
