//! Between the contract and the sagas.

use crate::{domain::Order, sagas::store::Filter};
use ::store::{Time, Versioned, fields::time};
use contracts::{
    orders::v1::{self as wire, saga::State, saga_step},
    validate::Violation,
};
use saga::{Progress, Status, StepState};
use std::time::Duration;
use tonic::Status as Refusal;

pub fn saga(order: &Versioned<Order>) -> wire::Saga {
    let saga = &order.state.saga;
    let moment = |at: Option<Time>| at.map(time::to_wire);
    wire::Saga {
        order_id: order.id.clone(),
        kind: saga.kind.clone(),
        version: saga.version,
        state: state(saga.status).into(),
        step: saga.current().map(|step| step.name.clone()).unwrap_or_default(),
        steps: saga.steps.iter().map(step).collect(),
        reason: saga.reason.clone().unwrap_or_default(),
        parked_reason: saga.parked.clone().unwrap_or_default(),
        alarm_time: moment(saga.alarm_at),
        wake_time: moment(saga.wake_at),
        owner: saga.owner.clone(),
        epoch: saga.epoch,
        start_time: Some(time::to_wire(saga.started_at)),
        deadline: Some(time::to_wire(saga.deadline_at)),
        interventions: saga.interventions.iter().map(intervention).collect(),
    }
}

fn step(step: &StepState) -> wire::SagaStep {
    wire::SagaStep {
        name: step.name.clone(),
        progress: progress(step.progress).into(),
        attempts: step.attempts,
        undo_attempts: step.undo_attempts,
        failures: step.failures,
        start_time: step.started_at.map(time::to_wire),
        end_time: step.ended_at.map(time::to_wire),
        error: step.error.clone().unwrap_or_default(),
    }
}

fn intervention(done: &saga::Intervention) -> wire::SagaIntervention {
    wire::SagaIntervention {
        action: done.action.clone(),
        step: done.step.clone(),
        actor: done.actor.clone(),
        reason: done.reason.clone(),
        time: Some(time::to_wire(done.at)),
    }
}

fn state(status: Status) -> State {
    match status {
        Status::Running => State::Running,
        Status::Compensating => State::Compensating,
        Status::Completed => State::Completed,
        Status::Compensated => State::Compensated,
        Status::Parked => State::Parked,
    }
}

fn progress(progress: Progress) -> saga_step::Progress {
    match progress {
        Progress::Pending => saga_step::Progress::Pending,
        Progress::Attempted => saga_step::Progress::Attempted,
        Progress::Done => saga_step::Progress::Done,
        Progress::Rejected => saga_step::Progress::Rejected,
        Progress::Compensated => saga_step::Progress::Compensated,
        Progress::Skipped => saga_step::Progress::Skipped,
    }
}

fn status(state: State) -> Option<Status> {
    match state {
        State::Unspecified => None,
        State::Running => Some(Status::Running),
        State::Compensating => Some(Status::Compensating),
        State::Completed => Some(Status::Completed),
        State::Compensated => Some(Status::Compensated),
        State::Parked => Some(Status::Parked),
    }
}

pub fn filter(wire: &wire::SagaFilter, now: Time) -> Filter {
    let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let age = wire.min_age.and_then(|age| Duration::try_from(age).ok());
    let age = age.map(|age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    Filter {
        kind: text(&wire.kind),
        status: status(wire.state()),
        step: text(&wire.step),
        error: text(&wire.error),
        started_by: age.map(|millis| Time::from_millis(now.timestamp_millis().saturating_sub(millis))),
    }
}

/// Refuses a filter that every saga matches.
pub fn narrow(filter: &wire::SagaFilter) -> Result<(), Refusal> {
    if filter != &wire::SagaFilter::default() {
        return Ok(());
    }
    let description = "must name at least one of kind, state, step, error and min_age".to_owned();
    Err(rpc::status::violations(vec![Violation { field: "filter".to_owned(), description }]))
}
