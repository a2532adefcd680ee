//! Why connections were closed or refused: counted each, logged once a minute.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};
use telemetry::metrics::{CONNECTIONS_CLOSED, CONNECTIONS_OPEN};

/// Pause between two lines in the log about one reason.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Why a connection was closed or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// No complete head in time.
    Header,
    /// No TLS, or none that the port speaks.
    Handshake,
    /// No request for the idle timeout.
    Idle,
    /// The peer took nothing of its reply for the idle timeout.
    Stalled,
    /// It waited longest when room was needed, and had never sent a request.
    Unused,
    /// It waited longest when room was needed.
    Longest,
    /// Refused: there are too many in all, each with a request under way.
    Full,
    /// Refused: there are too many of its address, each with a request under way.
    FullAddress,
    /// The system gave no connection.
    NotAccepted,
}

impl Reason {
    /// Whether the connection is cut off; otherwise it is closed in good order.
    pub(super) fn is_abrupt(self) -> bool {
        !matches!(self, Reason::Idle | Reason::Longest)
    }

    fn name(self) -> &'static str {
        match self {
            Reason::Header => "header_timeout",
            Reason::Handshake => "tls_handshake",
            Reason::Idle => "idle_timeout",
            Reason::Stalled => "reply_not_read",
            Reason::Unused => "room_needed_unused",
            Reason::Longest => "room_needed_idle",
            Reason::Full => "too_many",
            Reason::FullAddress => "too_many_of_one_address",
            Reason::NotAccepted => "not_accepted",
        }
    }
}

/// The counts of one port.
pub(super) struct Tally {
    port: String,
    /// For each reason, as far as it has occurred.
    lines: Mutex<Vec<Line>>,
}

struct Line {
    reason: Reason,
    logged_at: Instant,
    /// Since then.
    unlogged: u64,
}

impl Tally {
    pub(super) fn new(port: String) -> Self {
        Self { port, lines: Mutex::default() }
    }

    /// Counts one. An idle connection's end is no news for the log, and whoever scans ports shakes no hands.
    pub(super) fn note(&self, reason: Reason, why: &str) {
        CONNECTIONS_CLOSED.add_one([self.port.as_str(), reason.name()]);
        if matches!(reason, Reason::Idle | Reason::Handshake) {
            return;
        }
        let Some(connections) = self.to_log(reason) else { return };
        let (port, reason) = (self.port.as_str(), reason.name());
        tracing::warn!(
            port,
            reason,
            connections,
            why,
            "connections are closed or refused; counted, logged once a minute"
        );
    }

    /// How many there have been since the last line, when there may be another one.
    fn to_log(&self, reason: Reason) -> Option<u64> {
        let mut lines = self.lines.lock().expect("no holder panics");
        // The first of its kind is logged at once, those of the next minute are counted.
        let Some(line) = lines.iter_mut().find(|line| line.reason == reason) else {
            lines.push(Line { reason, logged_at: Instant::now(), unlogged: 0 });
            return Some(1);
        };
        line.unlogged += 1;
        if line.logged_at.elapsed() < LOG_EVERY {
            return None;
        }
        line.logged_at = Instant::now();
        Some(std::mem::take(&mut line.unlogged))
    }

    /// How many are open.
    pub(super) fn open(&self, connections: usize) {
        CONNECTIONS_OPEN.record(connections, [self.port.as_str()]);
    }
}
