//! Between the contract and the domain.

use crate::domain::{Erasure, Receipt, State, definition::Step};
use ::store::{Time, Versioned, fields::time};
use contracts::{
    erasure::v1::ErasureReceipt,
    privacy::v1::{self as wire, erasure},
};
use saga::Step as _;

/// The receipt of the service of a step, which may not have told the time.
pub fn receipt(step: Step, receipt: &ErasureReceipt, now: Time) -> Receipt {
    Receipt {
        service: step.peer().to_owned(),
        erased: receipt.erased_count,
        remaining: receipt.remaining_count,
        at: receipt.receipt_time.as_ref().map_or(now, time::from_wire),
    }
}

pub fn state(state: erasure::State) -> Option<State> {
    match state {
        erasure::State::Unspecified => None,
        erasure::State::Erasing => Some(State::Erasing),
        erasure::State::Waiting => Some(State::Waiting),
        erasure::State::Completed => Some(State::Completed),
    }
}

fn state_to_wire(state: State) -> erasure::State {
    match state {
        State::Erasing => erasure::State::Erasing,
        State::Waiting => erasure::State::Waiting,
        State::Completed => erasure::State::Completed,
    }
}

fn receipt_to_wire(receipt: &Receipt) -> ErasureReceipt {
    ErasureReceipt {
        service: receipt.service.clone(),
        erased_count: receipt.erased,
        remaining_count: receipt.remaining,
        receipt_time: Some(time::to_wire(receipt.at)),
    }
}

pub fn to_wire(found: &Versioned<Erasure>) -> wire::Erasure {
    let erasure = &found.state;
    let is_failing = erasure.saga.current().is_some_and(|step| step.failures > 0);
    let failing = erasure.saga.peer.clone().filter(|_| is_failing);
    let next_pass = erasure.saga.wake_at.filter(|_| erasure.state == State::Waiting);
    wire::Erasure {
        user_id: found.id.clone(),
        state: state_to_wire(erasure.state).into(),
        receipts: erasure.receipts.iter().map(receipt_to_wire).collect(),
        pass_count: erasure.passes,
        failing_service: failing.unwrap_or_default(),
        create_time: Some(time::to_wire(erasure.created_at)),
        update_time: Some(time::to_wire(erasure.updated_at)),
        next_pass_time: next_pass.map(time::to_wire),
        complete_time: erasure.completed_at.map(time::to_wire),
    }
}
