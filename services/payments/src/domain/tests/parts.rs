//! Parts of a payment: captures and refunds under names.

use super::*;

pub(super) fn part(cents: i64, name: &str) -> Portion {
    Portion { amount: Some(eur(cents)), name: name.into() }
}

#[test]
fn partial_captures_and_refunds_add_up_and_their_names_count_once() {
    let mut payment = answered(&begun(), &done());
    for (cents, name) in [(500, "shp_1"), (1_499, "shp_2")] {
        payment = answered(&commanded(&payment, Command::Capture(part(cents, name))), &done());
        let again = payment.decide(ID, &Command::Capture(part(cents, name)), Some(&caller("step", 1)), now()).unwrap();
        assert_eq!((again, payment.state), (None, State::Captured));
        let other = payment.decide(ID, &Command::Capture(part(cents + 1, name)), Some(&caller("step", 1)), now());
        assert!(matches!(other, Err(Error::Mismatch)));
    }
    for (cents, name) in [(1, "rfd_1"), (1_998, "rfd_2")] {
        payment = answered(&commanded(&payment, Command::Refund(part(cents, name))), &done());
        assert_eq!(payment.state, State::Refunded);
    }
    let sums = payment.amounts().unwrap().unwrap();
    assert_eq!([sums.authorized, sums.captured, sums.refunded], [eur(1999), eur(1999), eur(1999)]);
}

#[test]
fn an_amount_of_zero_of_another_currency_or_beyond_what_is_there_is_a_typed_error() {
    let authorized = answered(&begun(), &done());
    let captured = answered(&commanded(&authorized, Command::Capture(part(500, "a"))), &done());
    let dollars = Portion { amount: Some(Money::new("USD", 1.into()).unwrap()), name: "b".into() };
    let refused = |payment: &Payment, command: Command| {
        payment.decide(ID, &command, Some(&caller("step", 1)), now()).unwrap_err()
    };
    for cents in [0, -1] {
        assert!(matches!(refused(&authorized, Command::Capture(part(cents, "b"))), Error::NotPositive));
        assert!(matches!(refused(&captured, Command::Refund(part(cents, "b"))), Error::NotPositive));
    }
    assert!(matches!(refused(&authorized, Command::Capture(dollars.clone())), Error::Currency(_)));
    assert!(matches!(refused(&captured, Command::Refund(dollars)), Error::Currency(_)));
    assert!(matches!(refused(&captured, Command::Capture(part(1_500, "b"))), Error::MoreThanAuthorized(_)));
    assert!(matches!(refused(&captured, Command::Refund(part(501, "b"))), Error::MoreThanCaptured(_)));
    assert!(matches!(refused(&authorized, Command::Refund(part(1, "b"))), Error::NotCaptured(_)));
}

#[test]
fn a_cancellation_after_a_partial_capture_voids_the_rest_and_refunds_the_part() {
    let captured = answered(&commanded(&answered(&begun(), &done()), Command::Capture(part(500, "a"))), &done());
    let voided = answered(&commanded(&captured, Command::Cancel), &done());
    assert_eq!(voided.state, State::Captured);
    let refunded = answered(&commanded(&voided, Command::Cancel), &done());
    let sums = refunded.amounts().unwrap().unwrap();
    assert_eq!([sums.captured, sums.voided, sums.refunded], [eur(500), eur(1499), eur(500)]);
    assert_eq!(
        (refunded.state, refunded.decide(ID, &Command::Cancel, Some(&caller("step", 1)), now()).unwrap()),
        (State::Refunded, None)
    );
}
