//! The handshake of TLS, which has the time of a head: who doesn't finish it in time has sent no request.

use super::{seats::Seat, tally::Reason};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

/// The stream once both ends have agreed; none when the connection has to end.
pub(super) async fn handshake<S>(
    acceptor: TlsAcceptor,
    stream: S,
    seat: &Seat,
    shutdown: &CancellationToken,
) -> Option<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    tokio::select! {
        agreed = acceptor.accept(stream) => {
            let failed = |error| {
                tracing::debug!(%error, "a TLS handshake failed");
                seat.note(Reason::Handshake);
            };
            agreed.map_err(failed).ok()
        }
        reason = seat.expired() => {
            seat.note(reason);
            None
        }
        () = shutdown.cancelled() => None,
    }
}
