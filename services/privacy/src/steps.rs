//! The calls of the steps: each service is asked to erase, and a pause is waited for.

use crate::{
    clients::Peers,
    convert,
    domain::{Erasure, Receipt, definition::Step},
    store::Erasures,
};
use ::store::{Versioned, now};
use saga::{Call, Outcome, StepExecutor};
use std::time::Duration;
use tonic::{Code, Status};

pub struct Steps {
    pub peers: Peers,
    /// Pause after the first pass.
    pub pause: Duration,
}

#[tonic::async_trait]
impl StepExecutor<Erasures> for Steps {
    async fn execute(&self, erasure: &Versioned<Erasure>, step: Step, _: &Call) -> (Outcome, Vec<Receipt>) {
        match self.peers.erase(step, &erasure.id).await {
            Ok(Some(receipt)) => (Outcome::Done, vec![convert::receipt(step, &receipt, now())]),
            Ok(None) => (erasure.state.pause(self.pause, now()), Vec::new()),
            Err(status) => (failed(&status), Vec::new()),
        }
    }
}

/// A failed call is repeated, whatever its error: nothing may keep what is to be forgotten.
fn failed(status: &Status) -> Outcome {
    let error = format!("{} ({:?})", rpc::status::reason(status), status.code());
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown => Outcome::Transient(error),
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss
        | Code::Unauthenticated => Outcome::Undecided(error),
    }
}
