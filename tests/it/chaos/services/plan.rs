//! What one run does, drawn from its number: a labelled step, and the rest by chance.

use crate::{chaos::frame, email, webhooks};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use std::{fmt, time::Duration};

/// Who is killed at a random moment.
pub const SERVICES: [&str; 9] =
    ["users", "products", "baskets", "privacy", "email", "analytics", "audit", "webhooks", "order-history"];

/// The steps by service. Those of a relay are passed by each service that has events.
const STEPS: [(&str, &[&str]); 19] = [
    ("users", &["users.refresh.used", "users.password.reset", "users.delete.deleted"]),
    ("users", &["users.erase.writing", "users.erase.written"]),
    ("users", RELAY),
    ("products", &["categories.writing", "categories.committing", "categories.committed"]),
    ("products", &["products.writing", "products.committing", "products.committed"]),
    ("products", &["product_groups.writing", "product_groups.committing", "product_groups.committed"]),
    ("products", RELAY),
    ("baskets", &["baskets.checkout.begun", "baskets.checkout.ordered", "baskets.checkout.finished"]),
    ("baskets", &["baskets.merge.writing", "baskets.merge.committing", "baskets.merge.committed"]),
    ("baskets", &["baskets.erase.writing", "baskets.erase.written"]),
    ("baskets", RELAY),
    ("orders", &["orders.erase.writing", "orders.erase.written"]),
    ("shipping", &["shipments.erase.writing", "shipments.erase.written"]),
    ("email", &email::killed::LABELS),
    ("email", &["email.erase.removing", "email.erase.marking", "email.erase.marked"]),
    ("analytics", &["analytics.writing", "analytics.written", "consumer.applied"]),
    ("audit", &["audit.append.writing", "audit.append.committing", "audit.append.committed", "consumer.applied"]),
    ("webhooks", &webhooks::killed::LABELS),
    ("order-history", &["order_history.writing", "consumer.applied"]),
];

const RELAY: &[&str] = &["relay.appending", "relay.appended", "relay.publishing", "relay.acknowledged"];

/// The steps of an erasure, each with three moments.
const ERASURE: [&str; 6] = ["erase_users", "erase_email", "erase_baskets", "erase_orders", "erase_shipping", "pause"];
const MOMENTS: [&str; 3] = ["calling", "called", "recorded"];

/// A place at which a service is killed.
#[derive(Debug, Clone)]
pub struct Point {
    /// The service that passes it.
    pub service: &'static str,
    /// Its label of `telemetry::crash_point`.
    pub label: String,
}

/// All of them.
pub fn points() -> Vec<Point> {
    let listed =
        STEPS.iter().flat_map(|(service, labels)| labels.iter().map(move |label| (*service, (*label).to_owned())));
    let erasure = ERASURE.iter().flat_map(|step| MOMENTS.map(|moment| format!("saga.{step}.do.{moment}")));
    let others = RELAY.iter().chain(&["consumer.applied"]).map(|label| (*label).to_owned());
    let privacy = erasure.chain(others).map(|label| ("privacy", label));
    listed.chain(privacy).map(|(service, label)| Point { service, label }).collect()
}

/// How many there are.
pub const CELLS: u64 = {
    let (mut count, mut index) = (ERASURE.len() * MOMENTS.len() + RELAY.len() + 1, 0);
    while index < STEPS.len() {
        count += STEPS[index].1.len();
        index += 1;
    }
    count as u64
};

/// One run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where it comes from; writers draw from it too.
    pub seed: u64,
    /// Where a service is killed.
    pub point: Point,
    /// Who is killed beside it, and when.
    pub other: &'static str,
    pub after: Duration,
    /// Whether all consumers read all logs again afterwards.
    pub replays: bool,
}

impl frame::Plan for Plan {
    fn draw(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut points = points();
        let point = points.swap_remove(usize::try_from(seed % CELLS).expect("small"));
        let others: Vec<_> = SERVICES.into_iter().filter(|name| *name != point.service).collect();
        let other = others.choose(&mut random).expect("there are some");
        let after = Duration::from_millis(random.random_range(0..2_500));
        Self { seed, point, other, after, replays: seed.is_multiple_of(3) }
    }

    fn rows(&self) -> Vec<String> {
        let replay = self.replays.then(|| "all logs read again".to_owned());
        let kills =
            [format!("{} at {}", self.point.service, self.point.label), format!("{} at any moment", self.other)];
        kills.into_iter().chain(replay).collect()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { point, other, after, .. } = self;
        write!(f, "{} at {}, {other} after {after:?}", point.service, point.label)?;
        if self.replays { f.write_str(", and a replay") } else { Ok(()) }
    }
}
