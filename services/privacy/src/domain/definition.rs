//! The saga of an erasure, as data: a step for each service that keeps personal data, and the pause before the next pass.

use saga::{Registry, RetryPolicy, StepSpec};
use std::time::Duration;

pub type Sagas = Registry<Step>;

/// The steps; `steps` makes the call of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Users,
    Email,
    Baskets,
    Orders,
    Shipping,
    /// No call: the pass is over, and the next one begins after a pause, or never.
    Pause,
}

impl saga::Step for Step {
    fn name(self) -> &'static str {
        match self {
            Step::Users => "erase_users",
            Step::Email => "erase_email",
            Step::Baskets => "erase_baskets",
            Step::Orders => "erase_orders",
            Step::Shipping => "erase_shipping",
            Step::Pause => "pause",
        }
    }

    fn peer(self) -> &'static str {
        match self {
            Step::Users => "users",
            Step::Email => "email",
            Step::Baskets => "baskets",
            Step::Orders => "orders",
            Step::Shipping => "shipping",
            Step::Pause => "privacy",
        }
    }
}

/// Longer than any erasure may take.
const A_CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// An erasure is never given up: people are alarmed while a service fails, and it goes on once that works again.
const NEVER_GIVEN_UP: RetryPolicy =
    RetryPolicy { attempt_timeout: Duration::from_secs(12), max_attempts: i32::MAX, total_timeout: A_CENTURY };

const fn ask(step: Step) -> StepSpec<Step> {
    StepSpec::new(step).retried(NEVER_GIVEN_UP)
}

/// One pass. The account goes first, as what others still do reads it. Orders go before their shipments: when no order is under
/// way any more no shipment is.
pub const ERASE_USER: saga::Definition<Step> = saga::Definition {
    kind: "erase_user",
    version: 1,
    steps: &[
        ask(Step::Users),
        ask(Step::Email),
        ask(Step::Baskets),
        ask(Step::Orders),
        ask(Step::Shipping),
        ask(Step::Pause),
    ],
    starts_past_pivot: true,
    deadline: A_CENTURY,
    after_pivot: NEVER_GIVEN_UP,
    alarm_after: 15, // some minutes
};

pub const SAGAS: &Sagas = &Registry(&[&ERASE_USER]);

/// The services that are asked to erase, in that order.
pub fn participants() -> impl Iterator<Item = &'static str> {
    let asked = ERASE_USER.steps.iter().filter(|spec| spec.step != Step::Pause);
    asked.map(|spec| saga::Step::peer(spec.step))
}
