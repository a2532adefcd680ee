//! A connection to an upstream.

use http::uri::Scheme;
use rpc::tls::Roots;
use std::time::Duration;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Error};

/// How long a connect may take, and then a handshake of TLS; within a cluster it takes milliseconds, or nobody listens.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Pings on a quiet connection, and the wait for their answers: an upstream whose host has died is noticed after 25 s, when
/// TCP would still wait for minutes.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// What is kept of a reply that its caller does not take: HTTP/2's own default, so that a reply waits for its caller alone.
const STREAM_WINDOW_BYTES: u32 = 65_535;

/// The same of all replies together. It is more than those of one connection may be: were it less, callers who take nothing of
/// their watches would hold up the replies of all others. The frames of small messages that h2 keeps are bounded by half of it,
/// above which it ends the connection and every call on it.
const CONNECTION_WINDOW_BYTES: u32 = 1 << 30;

/// A connection that is made when it is first used. Over `https` the server has a certificate of the web's authorities, or of
/// `roots`.
pub(crate) fn connect(uri: &str, roots: &Roots) -> Result<Channel, Error> {
    let mut endpoint = Endpoint::from_shared(uri.to_owned())?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        // Replies to calls that were given up may come late. They are no fault of the upstream, however many they are.
        .http2_max_local_error_reset_streams(None)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .tcp_nodelay(true);
    if endpoint.uri().scheme() == Some(&Scheme::HTTPS) {
        let tls = ClientTlsConfig::new().with_webpki_roots().trust_anchors(roots.anchors());
        endpoint = endpoint.tls_config(tls.timeout(CONNECT_TIMEOUT))?;
    }
    Ok(endpoint.connect_lazy())
}
