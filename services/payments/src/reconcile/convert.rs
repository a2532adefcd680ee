//! A comparison with the provider's report, on the wire.

use super::{Difference, Kind, Reconciliation};
use crate::domain::Amounts;
use contracts::payments::v1 as wire;

/// Differences in one answer.
const MAX_DIFFERENCES: usize = 1_000;

pub fn to_wire(found: &Reconciliation) -> wire::ReconcilePaymentsResponse {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    wire::ReconcilePaymentsResponse {
        charges: count(found.charges),
        payments: count(found.payments),
        under_way: count(found.under_way),
        differences: found.differences.iter().take(MAX_DIFFERENCES).map(difference).collect(),
        difference_count: count(found.differences.len()),
    }
}

fn difference(found: &Difference) -> wire::Difference {
    let kind = match found.kind() {
        Kind::NoPayment => wire::difference::Kind::NoPayment,
        Kind::NoCharge => wire::difference::Kind::NoCharge,
        Kind::Amounts => wire::difference::Kind::Amounts,
    };
    wire::Difference {
        kind: kind.into(),
        payment_id: found.payment_id.clone(),
        provider_reference: found.reference.clone(),
        ledger: found.ledger.as_ref().map(sums),
        provider: found.provider.as_ref().map(sums),
        advice: found.advice().to_owned(),
    }
}

fn sums(of: &Amounts) -> wire::LedgerSums {
    wire::LedgerSums {
        authorized_amount: Some(of.authorized.to_wire()),
        captured_amount: Some(of.captured.to_wire()),
        voided_amount: Some(of.voided.to_wire()),
        refunded_amount: Some(of.refunded.to_wire()),
        charged_back_amount: Some(of.charged_back.to_wire()),
    }
}
