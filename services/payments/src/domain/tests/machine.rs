//! The machine of payments: no sequence of commands and answers reaches an illegal transition.

use super::*;

fn at(ms: i64) -> Time {
    Time::from_millis(ms)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100_000))]

    #[test]
    fn no_sequence_of_commands_brings_a_payment_to_an_illegal_transition(bytes in prop::collection::vec(any::<u8>(), 1..16)) {
        let mut payment = Payment::begin(ID, start(1_000), now()).unwrap();
        for (ms, byte) in (1_000_001i64..).zip(bytes) {
            let reference = "ref".to_owned();
            let asked = |command: Command| payment.decide(ID, &command, Some(&caller("step", 1)), at(ms));
            let told = |outcome: Outcome| {
                let key = payment.intent.as_ref().map(|intent| intent.key.clone()).unwrap_or_default();
                payment.record(&key, &outcome, at(ms))
            };
            let decided = match byte % 8 {
                0 => asked(Command::Capture(Portion::default())),
                1 => asked(Command::Cancel),
                2 => asked(Command::CompleteAction { approve: byte >= 128 }),
                3 => told(Outcome::Unknown),
                4 | 5 => told(Outcome::Done { reference, ends_at: None }),
                6 => told(Outcome::Declined { reason: "NO".into() }),
                _ => told(Outcome::ActionRequired { reference, ends_at: None }),
            };
            match decided {
                Ok(Some(next)) => {
                    let is_legal = payment.state == next.state || payment.state.next().contains(&next.state);
                    prop_assert!(is_legal, "{:?} to {:?}", payment.state, next.state);
                    payment = next;
                }
                Ok(None) => {}
                Err(error @ (Error::Transition(_) | Error::Ledger(_))) => {
                    return Err(TestCaseError::fail(format!("{error} in {payment:?}")));
                }
                Err(_) => {}
            }
        }
        let sums = payment.amounts().unwrap().unwrap();
        prop_assert!(sums.open().unwrap().amount >= 0.into() && sums.refundable().unwrap().amount >= 0.into());
        prop_assert!(sums.authorized.amount <= 10.into(), "authorized twice: {:?}", payment.ledger);
    }
}
