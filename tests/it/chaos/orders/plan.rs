//! What one run does, drawn from its number: a cell of the matrix, and the rest by chance.

use crate::chaos::frame;
use rand::{Rng, SeedableRng, rngs::StdRng};
use saga::LEASE;
use std::{fmt, time::Duration};

/// What is done to whom, while a service is at the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Victim {
    /// SIGKILL of this service, which may be the one at the step.
    Service(&'static str),
    /// SIGKILL of the database.
    Mongod,
    /// SIGKILL of the broker.
    Nats,
    /// SIGSTOP of the orchestrator, which another one replaces, and SIGCONT.
    Stopped,
}

/// Who is killed at each step.
const KILLED: [Victim; 6] = [
    Victim::Service("orders"),
    Victim::Service("inventory"),
    Victim::Service("payments"),
    Victim::Service("shipping"),
    Victim::Mongod,
    Victim::Nats,
];

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Service(name) => name,
            Self::Mongod => "mongod",
            Self::Nats => "nats-server",
            Self::Stopped => "orders stopped",
        })
    }
}

/// How long an orchestrator stands still in the matrix.
const A_MINUTE: Duration = Duration::from_secs(60);

/// A place before or after an input or output of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// The service that passes it.
    pub service: &'static str,
    /// Its label of `telemetry::crash_point`.
    pub label: &'static str,
}

const fn point(label: &'static str) -> Point {
    let bytes = label.as_bytes();
    let service = match bytes[0] {
        b'o' => "orders",
        b's' if bytes[1] == b'a' => "orders",
        b'i' => "inventory",
        b'p' => "payments",
        _ => "shipping",
    };
    Point { service, label }
}

/// All of them, those of the orchestrator first.
pub const POINTS: [Point; 63] = [
    point("orders.accepting"),
    point("orders.accepted"),
    point("saga.hold_stock.do.calling"),
    point("saga.hold_stock.do.called"),
    point("saga.authorize_payment.do.calling"),
    point("saga.authorize_payment.do.called"),
    point("saga.authorize_payment.do.recorded"),
    point("saga.commit_stock.do.calling"),
    point("saga.commit_stock.do.called"),
    point("saga.create_shipment.do.calling"),
    point("saga.create_shipment.do.called"),
    point("saga.create_shipment.do.recorded"),
    point("saga.authorize_payment.undo.calling"),
    point("saga.authorize_payment.undo.called"),
    point("saga.authorize_payment.undo.recorded"),
    point("saga.hold_stock.undo.calling"),
    point("saga.hold_stock.undo.called"),
    point("saga.hold_stock.undo.recorded"),
    point("saga.cancel_shipment.do.calling"),
    point("saga.cancel_shipment.do.called"),
    point("saga.cancel_shipment.do.recorded"),
    point("saga.release_stock.do.calling"),
    point("saga.release_stock.do.called"),
    point("saga.cancel_payment.do.calling"),
    point("saga.cancel_payment.do.called"),
    point("saga.cancel_payment.do.recorded"),
    point("saga.capture_payment.do.calling"),
    point("saga.capture_payment.do.called"),
    point("saga.capture_payment.do.recorded"),
    point("saga.ship_stock.do.calling"),
    point("saga.ship_stock.do.called"),
    point("saga.ship_stock.do.recorded"),
    point("inventory.hold.reading"),
    point("inventory.hold.writing"),
    point("inventory.hold.written"),
    point("inventory.committing"),
    point("inventory.commit.reading"),
    point("inventory.commit.writing"),
    point("inventory.commit.written"),
    point("inventory.release.reading"),
    point("inventory.release.writing"),
    point("inventory.release.written"),
    point("inventory.ship.reading"),
    point("inventory.ship.writing"),
    point("inventory.ship.written"),
    point("payments.authorize.intending"),
    point("payments.authorize.asking"),
    point("payments.authorize.asked"),
    point("payments.authorize.recorded"),
    point("payments.capture.intending"),
    point("payments.capture.asking"),
    point("payments.capture.asked"),
    point("payments.capture.recorded"),
    point("payments.cancel.intending"),
    point("payments.void.asking"),
    point("payments.void.asked"),
    point("payments.void.recorded"),
    point("shipping.create.writing"),
    point("shipping.create.written"),
    point("shipping.cancel.writing"),
    point("shipping.cancel.written"),
    point("shipping.dispatch.writing"),
    point("shipping.dispatch.written"),
];

/// How many are the orchestrator's.
const ORCHESTRATED: usize = {
    let mut count = 0;
    while POINTS[count].service.as_bytes()[0] == b'o' {
        count += 1;
    }
    count
};

/// Cells of the matrix: each victim killed at each point, and the orchestrator stopped at each of its own.
pub const CELLS: u64 = (POINTS.len() * KILLED.len() + ORCHESTRATED) as u64;

/// One run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where it comes from; clients draw from it too.
    pub seed: u64,
    /// Where it happens.
    pub point: Point,
    /// To whom.
    pub victim: Victim,
    /// At which pass of that point.
    pub pass: u32,
    /// For how long the victim is away: longer than a saga's lease when it is stopped.
    pub lasts: Duration,
    /// Whether leases run out by themselves, as they do for users: 5 s for a relay, 15 s for a saga. In the other runs
    /// they are made to, for a matrix that can be played in an hour.
    pub is_patient: bool,
}

impl frame::Plan for Plan {
    fn draw(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let cell = usize::try_from(seed % CELLS).expect("small");
        let victim = KILLED.get(cell / POINTS.len()).copied().unwrap_or(Victim::Stopped);
        let (pass, away) = (random.random_range(1..=3), Duration::from_millis(random.random_range(0..800)));
        let lasts = match victim {
            // What `make test` plays. An orchestrator stands still for little more than its lease.
            Victim::Stopped if std::env::var("SEEDS").is_err() => LEASE + away,
            Victim::Stopped => A_MINUTE,
            Victim::Service(_) | Victim::Mongod | Victim::Nats => away,
        };
        let is_patient = random.random_bool(0.25);
        Self { seed, point: POINTS[cell % POINTS.len()], victim, pass, lasts, is_patient }
    }

    fn rows(&self) -> Vec<String> {
        vec![self.point.label.to_owned(), format!("at any step: {}", self.victim)]
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.victim, self.label())
    }
}

impl Plan {
    /// Whether the service that comes to the step is killed by it, not stopped.
    pub fn kills_itself(&self) -> bool {
        self.victim == Victim::Service(self.point.service)
    }

    /// `orders.accepted:2`.
    pub fn label(&self) -> String {
        format!("{}:{}", self.point.label, self.pass)
    }
}
