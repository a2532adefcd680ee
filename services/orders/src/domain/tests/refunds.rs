//! What is given back for units is what they had cost.

use super::*;
use crate::domain::{Disposition, Extent, RefundRequest, ReturnedUnits};

/// An order that has left, of so many units of one product that have cost so much.
fn left(quantity: i32, cents: i64) -> Order {
    let amount = Money::from_minor("EUR", cents.into()).expect("money");
    let item = item(quantity, amount.clone(), amount.clone());
    let mut order = order();
    order.saga.status = Status::Completed;
    Order { items: vec![item], total: amount, state: State::Delivered, ..order }
}

fn wish(quantity: i32) -> RefundRequest {
    RefundRequest {
        id: "rfd_1".into(),
        request_id: String::new(),
        digest: String::new(),
        extent: Extent::Units(vec![ReturnedUnits {
            product_id: "prd_1".into(),
            quantity,
            disposition: Disposition::Scrap,
        }]),
        reason: String::new(),
        actor: "usr_staff".into(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100_000))]

    #[test]
    fn however_units_come_back_what_is_given_for_them_sums_to_what_they_had_cost(
        parts in prop::collection::vec(1..20_i32, 1..8),
        cents in 200..1_000_000_i64,
    ) {
        let quantity = parts.iter().sum();
        let mut order = left(quantity, cents);
        for part in &parts {
            order = order.refund(SAGAS, wish(*part), at(1)).expect("units are left").expect("a new refund");
        }
        let amounts = order.refunds.iter().map(|refund| refund.amount.minor());
        prop_assert_eq!(amounts.sum::<i128>(), i128::from(cents));
        prop_assert!(order.refund(SAGAS, wish(1), at(2)).is_err());
    }
}
