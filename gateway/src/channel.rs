//! A channel to an upstream: one HTTP/2 connection at a time, which all new calls share.
//!
//! It is hyper's own client and not tonic's, which keeps a timer for each call that has a `grpc-timeout`, and resets its stream
//! when that is over. When a stream is reset is for `upstream` to say.

use futures::{
    TryFutureExt,
    future::{BoxFuture, MapOk},
};
use http::{
    HeaderValue, Request, Response,
    header::USER_AGENT,
    uri::{Authority, PathAndQuery, Scheme, Uri},
};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{
        Client, Error, ResponseFuture,
        connect::{CaptureConnection, HttpConnector, capture_connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rpc::tls::Roots;
use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};
use tonic::{ConnectError, body::Body};
use tower::{BoxError, Service, ServiceExt};

/// How long a connect may take, with the handshake of TLS; within a cluster it takes milliseconds, or nobody listens.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

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

const AGENT: HeaderValue = HeaderValue::from_static(concat!("comptoir/", env!("CARGO_PKG_VERSION")));

/// A call until the head of its reply has come; dropped before that, its stream is reset.
pub(crate) type Called = MapOk<ResponseFuture, fn(Response<Incoming>) -> Response<Body>>;

/// Connects when it is first called and again whenever it must. Calls that wait before a connection when it ends are sent on the
/// next one. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Channel {
    client: Client<Connector, Body>,
    scheme: Scheme,
    authority: Authority,
}

impl Channel {
    /// A channel to the server at `uri`; none where that is no address of a server. Over `https` it has a certificate of the
    /// web's authorities, or of `roots`.
    pub(crate) fn new(uri: &str, roots: &Roots) -> Option<Self> {
        let uri = uri.parse::<Uri>().ok()?.into_parts();
        let scheme = uri.scheme.filter(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme))?;
        Some(Self { client: client(Connector::new(roots)), scheme, authority: uri.authority? })
    }

    /// Calls the path of `request`, and tells when that has a connection. A call that is dropped before that ends the connect,
    /// for all who wait for it.
    pub(crate) fn send(&self, request: Request<Body>) -> (Called, CaptureConnection) {
        let (mut head, body) = request.into_parts();
        let path = head.uri.into_parts().path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let uri = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone()).path_and_query(path);
        head.uri = uri.build().expect("it has all of its parts");
        head.version = http::Version::HTTP_2;
        head.headers.insert(USER_AGENT, AGENT);
        let mut request = Request::from_parts(head, body);
        let connected = capture_connection(&mut request);
        (self.client.request(request).map_ok(|response| response.map(Body::new)), connected)
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Error;
    type Future = Called;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Called {
        self.send(request).0
    }
}

/// Makes connections. The client clones it for each call.
#[derive(Clone)]
struct Connector(Arc<HttpsConnector<HttpConnector>>);

impl Connector {
    fn new(roots: &Roots) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // Divided among the addresses of a name, so that one that is dead does not hide the others.
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT * 2 / 3));
        let tls = HttpsConnectorBuilder::new().with_tls_config(roots.client()).https_or_http().enable_http2();
        Self(Arc::new(tls.wrap_connector(tcp)))
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = ConnectError;
    type Future = BoxFuture<'static, Result<Self::Response, ConnectError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = HttpsConnector::clone(&self.0);
        Box::pin(async {
            let connected = timeout(CONNECT_TIMEOUT, connector.oneshot(uri)).await;
            connected.map_err(BoxError::from).flatten().map_err(ConnectError)
        })
    }
}

fn client(connector: Connector) -> Client<Connector, Body> {
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(None)
        .http2_only(true)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .http2_keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .http2_keep_alive_while_idle(true)
        // Replies to calls that were given up may come late. They are no fault of the upstream, however many they are.
        .http2_max_local_error_reset_streams(None)
        .http2_initial_stream_window_size(STREAM_WINDOW_BYTES)
        .http2_initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .build(connector)
}
