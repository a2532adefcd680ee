//! Who comes too late changes nothing: a runner whose saga somebody else has claimed, an answer after the end.

use crate::saga::order;
use anyhow::ensure;
use bson::DateTime;
use kit::eventually;
use orders::{Cancellation, PLACE_ORDER, State};
use saga::{Call, Host, Outcome, Runner, Saga};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};
use store::Time;
use tokio_util::sync::CancellationToken;

/// Every call works, and during the first one another runner claims the saga.
#[derive(Default)]
struct Overtaken {
    calls: Mutex<Vec<String>>,
}

#[tonic::async_trait]
impl Host for Overtaken {
    type Item = Saga;
    type Fact = ();
    type Error = Infallible;

    fn saga<'a>(&self, saga: &'a Saga) -> Option<(&'a str, &'a Saga)> {
        Some(("ord_1", saga))
    }

    async fn due(&self, _: DateTime, _: i64) -> Result<Vec<Saga>, Infallible> {
        Ok(Vec::new())
    }

    async fn claim(&self, _: Saga, _: &str) -> Result<Option<Saga>, Infallible> {
        Ok(None)
    }

    async fn call(&self, _: &Saga, call: &Call) -> (Outcome, Option<()>) {
        self.calls.lock().expect("no holder panics").push(call.name.clone());
        (Outcome::Done, None)
    }

    async fn record(&self, mut saga: Saga, call: &Call, outcome: Outcome, _: Option<()>) -> Result<Saga, Infallible> {
        let now = DateTime::now();
        saga.record(&PLACE_ORDER, call, outcome, now, 0.5);
        if call.step == 0 {
            saga.claim("another", now);
        }
        Ok(saga)
    }
}

#[tokio::test]
async fn a_runner_makes_no_further_call_for_a_saga_that_another_one_has_claimed() {
    let host = Arc::new(Overtaken::default());
    let runner = Runner::new(host.clone(), "here", CancellationToken::new());
    runner.spawn(Saga::start(&PLACE_ORDER, "here", DateTime::now()));
    // Nothing in this host waits: once the first call is seen, the runner has made all that it will.
    eventually(Duration::from_secs(10), || async {
        ensure!(!host.calls.lock().expect("no holder panics").is_empty(), "no call");
        Ok(())
    })
    .await;
    assert_eq!(*host.calls.lock().expect("no holder panics"), ["hold_stock"]);
}

#[test]
fn an_answer_after_the_end_and_a_second_wish_to_cancel_move_nothing() {
    let at = Time::from_millis;
    let hold = order().saga.call("ord_1").expect("a call");
    let refused = Outcome::Rejected("OUT_OF_STOCK".into());
    let rejected = order().record(&hold, refused.clone(), None, at(1), 0.5).expect("legal");
    assert_eq!(rejected.state, State::Rejected);
    let again = rejected.record(&hold, refused, None, at(2), 0.5).expect("to the same state is no transition");
    assert_eq!((again.state, &again.history, &again.saga), (State::Rejected, &rejected.history, &rejected.saga));

    let wish = || Cancellation { reason: "test".into(), actor: "usr_1".into() };
    let cancelling = order().cancel(wish(), at(1)).expect("legal").expect("it was pending");
    assert_eq!(cancelling.cancel(wish(), at(2)).expect("is answered"), None);
}
