//! The accept loop of every HTTP and gRPC port: how many connections there may be, and how long one may be kept without
//! being used.
//!
//! A connection brings its first request within the header timeout (HTTP/2: its preface), and so does each head that has
//! begun. One without a request under way is closed after the idle timeout. HTTP/2 peers are pinged: one that doesn't
//! answer is dead, and one that does keeps its connection once it has sent a request, as the channels between services
//! must. A peer that takes no byte of its reply for the idle timeout is cut off. A watch, which has a request under way,
//! has no end here.
//!
//! A port with a certificate speaks TLS alone. The handshake is part of the time of the first head.
//!
//! When there are too many, the one that has waited longest goes: first those that never sent a request, then idle ones.
//! Only when all have a request under way is the new one refused. What is closed is counted
//! (`comptoir.connections.closed`) and logged once a minute, not once a connection.

mod handshake;
mod incoming;
mod limits;
mod outgoing;
mod seats;
mod tally;

use crate::tls::Tls;
use axum::{BoxError, body::HttpBody, extract::ConnectInfo};
use bytes::Bytes;
use handshake::handshake;
use http::{Request, Response};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
pub use limits::Limits;
use outgoing::Outgoing;
use seats::{Busy, Seat, Seats};
use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{either::Either, sync::CancellationToken};
use tower::{Service, ServiceExt};

/// Requests at once on one connection between services. All watches of a gateway share one connection to a service, and
/// what is above the bound waits; so it is above what the gateway has connections.
const STREAMS: u32 = 16_384;

/// Pause after the system gave no connection, for example because the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A port that is about to be served.
pub struct Port {
    listener: TcpListener,
    builder: Builder<TokioExecutor>,
    seats: Arc<Seats>,
    tls: Option<Arc<Tls>>,
}

impl Port {
    /// HTTP/1.1 and HTTP/2; `name` stands in logs and metrics.
    pub fn http(name: impl Into<String>, listener: TcpListener, limits: Limits) -> Self {
        Self::new(name.into(), listener, limits, Builder::new(TokioExecutor::new()))
    }

    /// HTTP/2 alone, for gRPC.
    pub fn grpc(name: impl Into<String>, listener: TcpListener, limits: Limits) -> Self {
        let mut builder = Builder::new(TokioExecutor::new()).http2_only();
        // Its peers are of the house, and share a connection among callers who give up when they like.
        builder.http2().max_concurrent_streams(STREAMS).max_pending_accept_reset_streams(STREAMS as usize);
        Self::new(name.into(), listener, limits, builder)
    }

    fn new(name: String, listener: TcpListener, limits: Limits, mut builder: Builder<TokioExecutor>) -> Self {
        // The seat of a connection watches over its heads, so hyper's own timer is off.
        builder.http1().timer(TokioTimer::new()).header_read_timeout(None);
        let timeout = limits.header_timeout;
        // A dead peer is found after three header timeouts: a ping every two, and one for its answer.
        let pings = Some(timeout.saturating_mul(2));
        builder.http2().timer(TokioTimer::new()).keep_alive_interval(pings).keep_alive_timeout(timeout);
        Self { listener, builder, seats: Arc::new(Seats::new(name, limits)), tls: None }
    }

    /// The same port, over TLS where there is a certificate.
    pub fn with_tls(self, tls: Option<Arc<Tls>>) -> Self {
        Self { tls, ..self }
    }

    /// Answers with `app` until `shutdown`, then until the requests under way have ended. Dropping it cuts them off.
    pub async fn serve<A, B>(self, app: A, shutdown: CancellationToken)
    where
        A: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>
            + Clone
            + Send
            + 'static,
        B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
    {
        let Self { listener, builder, seats, tls } = self;
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                // In this order, because a shutdown must not wait behind a queue of new connections; and connections
                // that have ended are collected, or the set would grow for ever.
                biased;
                () = shutdown.cancelled() => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        let Some(seat) = seats.take(peer.ip()) else { continue };
                        let connection = Connection { seat, peer, app: app.clone(), builder: builder.clone() };
                        let acceptor = tls.as_ref().map(|tls| tls.acceptor());
                        connections.spawn(connection.run(stream, acceptor, shutdown.clone()));
                    }
                    Err(error) => {
                        seats.not_accepted(&error);
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    }
}

/// One connection and what answers on it.
struct Connection<A> {
    seat: Arc<Seat>,
    peer: SocketAddr,
    app: A,
    builder: Builder<TokioExecutor>,
}

impl<A, B> Connection<A>
where
    A: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    async fn run(self, stream: TcpStream, acceptor: Option<TlsAcceptor>, shutdown: CancellationToken) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY is not set on a connection");
        }
        let stream = Outgoing { stream, seat: self.seat.clone() };
        let stream = match acceptor {
            None => Either::Left(stream),
            Some(acceptor) => match handshake(acceptor, stream, &self.seat, &shutdown).await {
                Some(stream) => Either::Right(Box::new(stream)),
                None => return,
            },
        };
        self.serve(stream, shutdown).await;
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, shutdown: CancellationToken) {
        let Self { seat, peer, app, builder } = self;
        let io = TokioIo::new(incoming::told(stream, seat.clone()));
        let busy_seat = seat.clone();
        let service = service_fn(move |request| answer(app.clone(), Arc::clone(&busy_seat).begin(), peer, request));
        let mut serving = pin!(builder.serve_connection(io, service));
        let mut leaving = false;
        loop {
            tokio::select! {
                served = serving.as_mut() => {
                    if let Err(error) = served {
                        tracing::debug!(%error, "a connection broke off");
                    }
                    return;
                }
                () = shutdown.cancelled(), if !leaving => leaving = true,
                reason = seat.expired() => {
                    if leaving {
                        return; // The goodbye was not answered in time.
                    }
                    seat.note(reason);
                    if reason.is_abrupt() {
                        return;
                    }
                    leaving = true;
                }
            }
            seat.leave();
            serving.as_mut().graceful_shutdown();
        }
    }
}

async fn answer<A, B>(
    mut app: A,
    busy: Busy,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<Response<Held<B>>, Infallible>
where
    A: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
{
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = app.ready().await?.call(request).await?;
    Ok(response.map(|body| Held { body, _busy: busy }))
}

/// A reply's body. Until its end the connection has a request under way.
struct Held<B> {
    body: B,
    _busy: Busy,
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Held<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
