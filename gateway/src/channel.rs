//! A connection to an upstream.

use std::time::Duration;
use tonic::transport::{Channel, Endpoint, Error};

/// How long a connect may take; within a cluster it takes milliseconds, or nobody listens.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Pings on a quiet connection, and the wait for their answers: an upstream whose host has died is noticed after 25 s, when
/// TCP would still wait for minutes.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that is made when it is first used.
pub(crate) fn connect(uri: &str) -> Result<Channel, Error> {
    let endpoint = Endpoint::from_shared(uri.to_owned())?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true);
    Ok(endpoint.connect_lazy())
}
