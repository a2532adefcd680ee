//! What the provider notifies of is recorded as its replies are.

use super::*;

#[test]
fn a_webhook_without_a_reply_is_recorded_as_the_reply_would_be() {
    let asked = begun();
    let news = ProviderEvent::Authorized { key: Operation::Authorize.key(ID), ends_at: None };
    let heard = asked.apply(ID, "sbx_1", &news, now()).unwrap().unwrap();
    assert_eq!(heard, answered(&asked, &done()));
    assert_eq!(heard.apply(ID, "sbx_1", &news, now()).unwrap(), None, "the second webhook is nothing new");
    assert_eq!(heard.record(&Operation::Authorize.key(ID), &done(), now()).unwrap(), None, "nor is the late reply");
}

#[test]
fn a_charge_back_freezes_the_payment() {
    let captured = answered(&commanded(&answered(&begun(), &done()), whole_capture()), &done());
    let news = ProviderEvent::Moved { movement: Movement::ChargeBack, key: "dp_1".into(), amount: eur(1999) };
    let frozen = captured.apply(ID, "sbx_1", &news, now()).unwrap().unwrap();
    assert_eq!(frozen.apply(ID, "sbx_1", &news, now()).unwrap(), None);
    for command in [Command::Cancel, Command::Refund(part(1, "a"))] {
        assert!(matches!(frozen.decide(ID, &command, Some(&caller("step", 1)), now()), Err(Error::Frozen(_))));
    }
}

#[test]
fn an_approval_heard_of_after_its_action_was_called_off_is_noted_with_its_void() {
    let waits = Outcome::ActionRequired { reference: "sbx_1".into(), ends_at: None };
    let voided = answered(&commanded(&answered(&begun(), &waits), Command::Cancel), &done());
    let news = ProviderEvent::Authorized { key: "elsewhere".into(), ends_at: None };
    let noted = voided.apply(ID, "sbx_1", &news, now()).unwrap().unwrap();
    let sums = noted.amounts().unwrap().unwrap();
    assert_eq!((noted.state, sums.authorized, sums.voided), (State::Voided, eur(1999), eur(1999)));
}
