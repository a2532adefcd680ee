//! The registry of what is measured. Nothing else makes an instrument; `docs/TELEMETRY.md` is written from it.

use crate::instrument::{Counter, Gauge};

/// An instrument as it is documented.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// Its name in OpenTelemetry.
    pub name: &'static str,
    /// `Gauge` or `Counter`.
    pub kind: &'static str,
    /// Of its values, in UCUM.
    pub unit: &'static str,
    pub attributes: &'static [&'static str],
    /// What it measures, in sentences.
    pub meaning: &'static str,
}

macro_rules! registry {
    ($($(#[doc = $meaning:literal])+ $instrument:ident: $kind:ident = $name:literal, $unit:literal, [$($attribute:literal),*];)+) => {
        $($(#[doc = $meaning])+
        pub static $instrument: $kind<{ <[&str]>::len(&[$($attribute),*]) }> = $kind::new($name, $unit, [$($attribute),*]);)+

        /// All instruments, in the order of the registry.
        pub const ALL: &[Described] = &[$(Described {
            name: $name,
            kind: stringify!($kind),
            unit: $unit,
            attributes: &[$($attribute),*],
            meaning: concat!($($meaning),+),
        }),+];
    };
}

registry! {
    /// Events in the log of a service that its relay has not yet published.
    RELAY_LAG: Gauge = "comptoir.relay.lag", "{event}", ["service"];
    /// Events of a source that a consumer has not yet applied: those it was not sent, and those it has not acknowledged.
    EVENTS_LAG: Gauge = "comptoir.events.lag", "{event}", ["consumer", "source"];
    /// Events of a source that a consumer has set aside, because it could not apply them.
    EVENTS_DEAD_LETTERS: Gauge = "comptoir.events.dead_letters", "{event}", ["consumer", "source"];
    /// Sagas that wait for a person.
    SAGA_PARKED: Gauge = "comptoir.saga.parked", "{saga}", [];
    /// Sagas whose step has failed for so long that somebody should look.
    SAGA_FAILING: Gauge = "comptoir.saga.failing", "{saga}", [];
    /// Of the breaker before a peer: 0 closed, 1 half-open, 2 open.
    BREAKER_STATE: Gauge = "comptoir.breaker.state", "1", ["peer"];
    /// Calls of a peer that were refused without being made: UPSTREAM_OVERLOADED or UPSTREAM_UNAVAILABLE.
    CALLS_REFUSED: Counter = "comptoir.calls.refused", "{call}", ["peer", "reason"];
    /// Connections of callers that a port has open.
    CONNECTIONS_OPEN: Gauge = "comptoir.connections.open", "{connection}", ["port"];
    /// Connections of callers that a port has closed or refused, by the reason.
    CONNECTIONS_CLOSED: Counter = "comptoir.connections.closed", "{connection}", ["port", "reason"];
    /// For how long the certificate of a port is still good; negative after its end.
    CERTIFICATE_EXPIRY: Gauge = "comptoir.tls.certificate.expires_in_seconds", "s", ["port"];
}
