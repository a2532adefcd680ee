//! `comptoir saga`: see what moves the orders, and repair it.
//!
//! Every command is a call of `comptoir.orders.v1.SagaService`, so it works on this machine and on a cluster alike.

mod intervene;
mod list;
mod show;

use crate::{
    Environment,
    events::{Target, connect::System, since::Since},
};
use clap::{Args, Subcommand, ValueEnum};
use contracts::orders::v1::{SagaFilter, saga::State as WireState, saga_service_client::SagaServiceClient};
use std::time::Duration;

/// The service that has the sagas.
const ORDERS: &str = "orders";

/// Options of `comptoir saga`.
#[derive(Debug, Args)]
pub struct Options {
    /// Which system.
    #[command(flatten)]
    pub target: Target,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List sagas, those of the newest orders first
    ///
    /// `comptoir saga list --state parked` shows what waits for a person.
    List {
        /// Which.
        #[command(flatten)]
        filter: Filter,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Show a saga: each step with its attempts, times and last error, and what people did to it
    Show {
        /// The order, ord_…
        #[arg(value_name = "ORDER")]
        order: String,
        /// Print JSON instead of tables
        #[arg(long)]
        json: bool,
    },
    /// Make the call that a saga waits to repeat now
    ///
    /// For a saga whose step fails and pauses. A parked one is resumed.
    Retry(Intervention),
    /// Go on with a parked saga, in the direction in which it was going
    Resume(Intervention),
    /// Turn back a saga that has not passed its pivot: everything that it did is undone
    Compensate(Intervention),
    /// Count the current step as done, or as undone while the saga goes back, without its call
    ///
    /// The step must be parked or failing, and cannot be the pivot. What it would have done in the world will be missing:
    /// do it by hand first, then say so with --acknowledge-effect.
    Skip {
        /// To which, and why.
        #[command(flatten)]
        intervention: Intervention,
        /// I know that the step's effect will be missing, or stay
        #[arg(long)]
        acknowledge_effect: bool,
    },
}

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

/// To which sagas, and why.
#[derive(Debug, Args)]
pub struct Intervention {
    /// Orders, ord_…; or none, and a filter
    #[arg(value_name = "ORDER")]
    pub orders: Vec<String>,
    /// Which.
    #[command(flatten)]
    pub filter: Filter,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// With a filter: at most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i32).range(1..=500))]
    pub max: i32,
    /// With a filter: only tell what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Runs one command.
pub async fn run(options: Options, environment: &Environment) -> anyhow::Result<()> {
    use contracts::orders::v1::intervene_in_sagas_request::Action;
    let system = System::open(&options.target, environment)?;
    match options.command {
        Command::List { filter, limit, json } => list::run(&system, &filter, limit, json).await,
        Command::Show { order, json } => show::run(&system, &order, json).await,
        Command::Retry(wish) => intervene::run(&system, Action::Retry, &wish, false).await,
        Command::Resume(wish) => intervene::run(&system, Action::Resume, &wish, false).await,
        Command::Compensate(wish) => intervene::run(&system, Action::Compensate, &wish, false).await,
        Command::Skip { intervention, acknowledge_effect } => {
            intervene::run(&system, Action::Skip, &intervention, acknowledge_effect).await
        }
    }
}

/// A client of the service that has the sagas.
type Client = SagaServiceClient<
    tonic::service::interceptor::InterceptedService<tonic::transport::Channel, crate::events::connect::Bearer>,
>;

async fn client(system: &System) -> anyhow::Result<Client> {
    Ok(SagaServiceClient::new(system.channel(ORDERS).await?))
}

impl Filter {
    fn to_wire(&self) -> SagaFilter {
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
