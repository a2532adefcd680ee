//! The durable consumer on a source's stream: made, compared, and made anew when it would not deliver what it should.
//!
//! No other program may use it, and an effect happens once however often its event comes. So a consumer that somebody has
//! made or changed so that it leaves events out is deleted and made again, and reads the stream from where consumers of
//! this service begin. A difference that does not matter for delivery is only set right.

use crate::{Error, Nats};
use async_nats::{
    datetime,
    jetstream::{
        ErrorCode,
        consumer::{AckPolicy, Config, Consumer, DeliverPolicy, Info, PullConsumer, ReplayPolicy, pull},
        stream::{ConsumerError, ConsumerErrorKind},
    },
};
use std::time::Duration;

/// After this time without an acknowledgement the broker delivers again; a lane that retries asks for more time.
const ACK_WAIT: Duration = Duration::from_secs(10);

/// Pull requests that may wait at the broker; its own default, which cannot be changed later.
const MAX_WAITING: i64 = 512;

/// A durable consumer of one service, on any of its sources.
#[derive(Clone)]
pub(crate) struct Durable {
    pub nats: Nats,
    pub name: String,
    pub from: DeliverPolicy,
    /// Events that may be delivered and not yet acknowledged.
    pub max_ack_pending: i64,
}

impl Durable {
    /// The consumer on the stream of `source`, made if it is not there, and anew if it is not as it should be.
    pub async fn open(&self, source: &str) -> Result<PullConsumer, Error> {
        let found = self.find(source).await?;
        let Some(found) = found else { return self.create(source, self.from).await };
        let config = &found.cached_info().config;
        if let Some(what) = self.fault(config) {
            return self.make_anew(source, &what).await;
        }
        match self.create(source, config.deliver_policy).await {
            // The broker refuses to change some settings of a consumer that exists.
            Err(Error::Durable { code: ErrorCode::CONSUMER_CREATE, cause, .. }) => self.make_anew(source, &cause).await,
            opened => opened,
        }
    }

    /// The state of the consumer; none when the consumer or its stream does not exist.
    pub async fn info(&self, source: &str) -> Result<Option<Info>, Error> {
        Ok(self.find(source).await?.map(|found| found.cached_info().clone()))
    }

    async fn find(&self, source: &str) -> Result<Option<Consumer<Config>>, Error> {
        let stream = topology::stream(source);
        present(self.nats.jetstream.get_consumer_from_stream(&self.name, stream).await)
    }

    async fn create(&self, source: &str, deliver_policy: DeliverPolicy) -> Result<PullConsumer, Error> {
        let config = pull::Config {
            durable_name: Some(self.name.clone()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            deliver_policy,
            max_ack_pending: self.max_ack_pending,
            max_waiting: MAX_WAITING,
            ..Default::default()
        };
        let stream = topology::stream(source);
        let created = self.nats.deliveries.create_consumer_on_stream(config, &stream).await;
        created.map_err(|error| self.refused(&stream, error))
    }

    async fn make_anew(&self, source: &str, what: &str) -> Result<PullConsumer, Error> {
        let stream = topology::stream(source);
        tracing::error!(alarm = "durable_made_anew", durable = %self.name, %stream, %what,
            "somebody has made or changed this consumer; it is made anew, and reads again what the stream has");
        let deleted = self.nats.jetstream.delete_consumer_from_stream(&self.name, &stream).await;
        present(deleted)?;
        self.create(source, self.from).await
    }

    /// The settings by which a consumer would leave events out, or could not be read.
    fn fault(&self, config: &Config) -> Option<String> {
        let begins_late = match (config.deliver_policy, self.from) {
            (DeliverPolicy::All, _) => false,
            (DeliverPolicy::ByStartTime { start_time }, DeliverPolicy::ByStartTime { start_time: ours }) => {
                start_time > ours
            }
            (found, ours) => found != ours,
        };
        let is_filtered = !config.filter_subject.is_empty() || !config.filter_subjects.is_empty();
        let faults = [
            (begins_late, format!("it delivers {:?}", config.deliver_policy)),
            (is_filtered, format!("it is filtered by {:?} {:?}", config.filter_subject, config.filter_subjects)),
            (config.ack_policy != AckPolicy::Explicit, format!("it acknowledges {:?}", config.ack_policy)),
            (config.max_deliver > 0, format!("it delivers at most {} times", config.max_deliver)),
            (config.headers_only, "it delivers headers alone".to_owned()),
            (config.replay_policy != ReplayPolicy::Instant, "it delivers as slowly as was published".to_owned()),
            (config.deliver_subject.is_some(), "it pushes".to_owned()),
            (!config.priority_groups.is_empty(), format!("it has the groups {:?}", config.priority_groups)),
        ];
        let found: Vec<String> = faults.into_iter().filter(|(is_so, _)| *is_so).map(|(_, what)| what).collect();
        (!found.is_empty()).then(|| found.join(", "))
    }

    fn refused(&self, stream: &str, error: ConsumerError) -> Error {
        match error.kind() {
            ConsumerErrorKind::JetStream(cause) if cause.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                Error::NoStream(stream.to_owned())
            }
            ConsumerErrorKind::JetStream(cause) => Error::Durable {
                code: cause.error_code(),
                durable: self.name.clone(),
                stream: stream.to_owned(),
                cause: cause.to_string(),
            },
            _ => Error::nats(error),
        }
    }
}

/// Whether a consumer is still as it was when it was opened; what the broker itself notes in it does not count.
pub(crate) fn is_unchanged(opened: &Info, now: &Info) -> bool {
    let plain = |info: &Info| Config { metadata: Default::default(), num_replicas: 0, ..info.config.clone() };
    opened.created == now.created && plain(opened) == plain(now)
}

/// Until when somebody has paused a consumer, if it is.
pub(crate) fn paused(info: &Info) -> Option<String> {
    let until = info.config.pause_until.filter(|until| *until > datetime::now())?;
    Some(format!("somebody has paused the durable consumer until {until}"))
}

/// None when the consumer or its stream does not exist.
pub(crate) fn present<T>(found: Result<T, ConsumerError>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) => match error.kind() {
            ConsumerErrorKind::JetStream(cause)
                if matches!(cause.error_code(), ErrorCode::CONSUMER_NOT_FOUND | ErrorCode::STREAM_NOT_FOUND) =>
            {
                Ok(None)
            }
            _ => Err(Error::nats(error)),
        },
    }
}
