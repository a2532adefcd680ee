//! The passes of an erasure: how many there are, what lies between them, and what the receipts add up to.

use crate::domain::{
    Erasure, Receipt, State,
    definition::{SAGAS, Step},
};
use ::store::Time;
use saga::{Answer, Direction, Outcome, Status, Step as _};
use std::time::Duration;

const PAUSE: Duration = Duration::from_secs(300);

/// An erasure, and the time, which moves as the test says.
struct Run {
    erasure: Erasure,
    now: Time,
}

impl Run {
    fn start() -> Self {
        let now = Time::from_millis(1_000_000_000);
        Self { erasure: Erasure::start("test", now), now }
    }

    fn answer(&mut self, outcome: Outcome, facts: Vec<Receipt>) {
        let call = self.erasure.saga.call("usr_1").expect("a call is made");
        let answer = Answer { call, outcome, facts };
        self.erasure = self.erasure.record(&answer, self.now, 0.5).expect("the answer counts");
    }

    /// Answers of all services, each of which has erased one document, and keeps as many.
    fn pass(&mut self, remaining: i64) {
        while !self.erasure.saga.awaits(Step::Pause, Direction::Do) {
            assert_eq!(self.erasure.state, State::Erasing);
            let service = self.erasure.saga.peer.clone().expect("a peer");
            self.answer(Outcome::Done, vec![Receipt { service, erased: 1, remaining, at: self.now }]);
        }
    }

    /// Waits for the next pass; whether there is one, and after how many seconds.
    fn pause(&mut self) -> Option<i64> {
        let began = self.now;
        loop {
            match self.erasure.pause(PAUSE, self.now) {
                Outcome::Later(at) => {
                    self.answer(Outcome::Later(at), Vec::new());
                    assert_eq!((self.erasure.state, self.erasure.saga.wake_at), (State::Waiting, Some(at)));
                    self.now = at;
                }
                outcome => {
                    self.answer(outcome, Vec::new());
                    let waited = (self.now.timestamp_millis() - began.timestamp_millis()) / 1000;
                    return (self.erasure.completed_at.is_none()).then_some(waited);
                }
            }
        }
    }
}

#[test]
fn an_erasure_of_which_nothing_remains_takes_two_passes_and_no_third() {
    let mut run = Run::start();
    run.pass(0);
    assert_eq!(run.pause(), Some(300));
    run.pass(0);
    let over = run.now;
    assert_eq!(run.pause(), None);
    let Erasure { state, passes, completed_at, ref saga, .. } = run.erasure;
    assert_eq!((state, passes, completed_at, saga.status), (State::Completed, 2, Some(over), Status::Completed));
}

#[test]
fn passes_go_on_while_something_remains_with_pauses_that_grow_to_an_hour() {
    let mut run = Run::start();
    let mut pauses = Vec::new();
    for _ in 0..14 {
        run.pass(1);
        pauses.push(run.pause().expect("something remains"));
        assert_eq!(run.erasure.state, State::Erasing);
    }
    assert_eq!(pauses, [300, 600, 900, 1200, 1500, 1800, 2100, 2400, 2700, 3000, 3300, 3600, 3600, 3600]);
    assert_eq!(run.erasure.saga.alarm_at, None);
    run.pass(0);
    assert_eq!((run.pause(), run.erasure.passes), (None, 15));
}

#[test]
fn a_receipt_is_the_last_one_of_its_service_with_what_all_have_erased() {
    let mut run = Run::start();
    run.pass(5);
    run.pause();
    run.pass(0);
    let told: Vec<_> =
        run.erasure.receipts.iter().map(|one| (one.service.as_str(), one.erased, one.remaining)).collect();
    assert_eq!(told, crate::participants().map(|service| (service, 2, 0)).collect::<Vec<_>>());
}

#[test]
fn a_service_that_fails_is_asked_for_ever_and_people_are_told() {
    let mut run = Run::start();
    for _ in 0..20_000 {
        run.answer(Outcome::Transient("UNAVAILABLE".to_owned()), Vec::new());
        run.now = run.erasure.saga.wake_at.expect("it is asked again");
        run.erasure.saga.claim(SAGAS, "test", run.now);
    }
    assert!(run.erasure.saga.alarm_at.is_some(), "an alarm is raised");
    assert_eq!(
        (run.erasure.saga.status, run.erasure.saga.peer.as_deref()),
        (Status::Running, Some(Step::Users.peer()))
    );
}
