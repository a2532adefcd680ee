//! The sagas that a command is about.

use crate::events::since::Since;
use clap::{Args, ValueEnum};
use contracts::orders::v1::{SagaFilter, saga::State as WireState};
use std::time::Duration;

/// Which sagas.
#[derive(Debug, Args)]
pub struct Filter {
    /// Only of this kind: place_order, place_order_with_coupon, place_free_order, cancel_order, cancel_order_with_coupon, dispatch_order
    /// or refund_order
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// Only those that are there in their life
    #[arg(long, value_name = "STATE")]
    pub state: Option<State>,
    /// Only those at this step, for example capture_payment
    #[arg(long, value_name = "STEP")]
    pub step: Option<String>,
    /// Only those whose current step's last error contains this
    #[arg(long, value_name = "TEXT")]
    pub error: Option<String>,
    /// Only those that started at least so long ago: 90s, 15m, 2h, 7d
    #[arg(long, value_name = "DURATION", value_parser = age)]
    pub min_age: Option<Duration>,
}

/// Where a saga is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// Going forward
    Running,
    /// Going back
    Compensating,
    /// Every step is done
    Completed,
    /// Every effect is undone
    Compensated,
    /// Waits for a person
    Parked,
}

impl Filter {
    pub fn to_wire(&self) -> SagaFilter {
        let state = match self.state {
            None => WireState::Unspecified,
            Some(State::Running) => WireState::Running,
            Some(State::Compensating) => WireState::Compensating,
            Some(State::Completed) => WireState::Completed,
            Some(State::Compensated) => WireState::Compensated,
            Some(State::Parked) => WireState::Parked,
        };
        let seconds = |age: Duration| i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        SagaFilter {
            kind: self.kind.clone().unwrap_or_default(),
            state: state.into(),
            step: self.step.clone().unwrap_or_default(),
            error: self.error.clone().unwrap_or_default(),
            min_age: self.min_age.map(|age| prost_types::Duration { seconds: seconds(age), nanos: 0 }),
        }
    }
}

fn age(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(Since::Ago(age)) => Ok(age),
        Ok(Since::At(_)) | Err(_) => Err("it is not a duration such as 90s, 15m, 2h or 7d".to_owned()),
    }
}
