//! Captures and refunds are amounts that the payment provider takes, and none of the money is lost.

use super::{
    shares::{confirmed, parcels, run},
    *,
};
use crate::domain::{Disposition, Extent, RefundRequest, ReturnedUnits};

/// A confirmed order whose total is a multiple of 10, and must be captured in such.
fn coarse(lines: &[(i32, i64)]) -> Order {
    let order = confirmed("KWD", lines, 0);
    let total = order.total.floor_to(10).and_then(|total| total.add(&Money::from_minor("KWD", 10)?)).expect("money");
    Order { total, step: Some(10), ..order }
}

fn wish(id: &str, extent: Extent) -> RefundRequest {
    let (request_id, digest, reason) = (String::new(), String::new(), String::new());
    RefundRequest { id: id.to_owned(), request_id, digest, extent, reason, actor: "usr_staff".to_owned() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn captures_of_shipments_are_amounts_that_the_provider_takes_and_sum_to_the_total(
        lines in prop::collection::vec((1..12_i32, 0..40_000_i64), 1..4),
        splits in prop::collection::vec(any::<u8>(), 0..10),
    ) {
        let (mut order, mut captured) = (coarse(&lines), Vec::new());
        for parcel in &mut parcels(&lines, &splits, 0) {
            while let Some(told) = parcel.news.pop_front() {
                order = order.apply_shipments(SAGAS, told, at(1)).expect("legal").unwrap_or(order);
            }
        }
        order = run(order, &mut captured);
        prop_assert!(captured.iter().all(|(_, amount)| amount % 10 == 0), "{:?}", &captured);
        prop_assert_eq!(captured.iter().map(|(_, amount)| amount).sum::<i128>(), order.total.minor());
        prop_assert_eq!(order.state, State::Shipped);
    }

    #[test]
    fn refunds_of_units_are_amounts_that_the_provider_takes_and_the_rest_is_not_lost(
        parts in prop::collection::vec(1..20_i32, 1..8), price in 1..10_000_i64,
    ) {
        let quantity = parts.iter().sum();
        let mut order = Order { state: State::Delivered, ..coarse(&[(quantity, price)]) };
        for (index, part) in parts.iter().enumerate() {
            let (product_id, quantity, disposition) = ("prd_0".to_owned(), *part, Disposition::Scrap);
            let units = Extent::Units(vec![ReturnedUnits { product_id, quantity, disposition }]);
            order = order.refund(SAGAS, wish(&format!("rfd_{index}"), units), at(1)).expect("units are left").expect("a new refund");
        }
        let given: i128 = order.refunds.iter().map(|refund| refund.amount.minor()).sum();
        prop_assert!(order.refunds.iter().all(|refund| refund.amount.is_multiple_of(10)));
        prop_assert!(given <= order.total.minor() && order.total.minor() - given <= 20);
        let fine = Money::from_minor("KWD", 5).expect("money");
        prop_assert!(order.refund(SAGAS, wish("rfd_fine", Extent::Amount(fine)), at(2)).is_err());
        if given < order.total.minor() {
            order = order.refund(SAGAS, wish("rfd_rest", Extent::Rest), at(2)).expect("some is left").expect("a new refund");
            let all: i128 = order.refunds.iter().map(|refund| refund.amount.minor()).sum();
            prop_assert_eq!(all, order.total.minor());
        }
    }
}
