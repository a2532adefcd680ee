//! Between the contract and the coupons.

use crate::coupons::domain::{Benefit, Coupon, CouponState, CouponTerms, Minimum, TermsError};
use ::store::{Versioned, fields::time};
use contracts::{
    google::r#type::Money as WireMoney,
    money::Money,
    orders::v1::{self as wire, coupon},
};

pub fn to_wire(found: &Versioned<Coupon>) -> wire::Coupon {
    let coupon = &found.state;
    wire::Coupon {
        code: found.id.clone(),
        redemption_count: coupon.redemption_count,
        state: state_to_wire(coupon.state).into(),
        create_time: Some(time::to_wire(coupon.created_at)),
        update_time: Some(time::to_wire(coupon.updated_at)),
        etag: found.etag(),
        ..terms_to_wire(&coupon.terms)
    }
}

/// The terms alone; the rest of the resource is empty.
pub fn terms_to_wire(terms: &CouponTerms) -> wire::Coupon {
    let (percentage, amount) = benefit(&terms.benefit);
    wire::Coupon {
        percentage,
        amount,
        max_redemptions: terms.max_redemptions,
        max_redemptions_per_user: terms.max_redemptions_per_user,
        minimum_subtotal: terms.minimum.as_ref().map(|Minimum(minimum)| minimum.to_wire()),
        start_time: terms.starts_at.map(time::to_wire),
        expire_time: terms.expires_at.map(time::to_wire),
        ..Default::default()
    }
}

/// The terms of a request to create a coupon.
pub fn terms(coupon: wire::Coupon) -> Result<CouponTerms, TermsError> {
    let benefit = match (coupon.percentage.as_str(), &coupon.amount) {
        ("", None) => return Err(TermsError::Field("amount", "either this or percentage is required")),
        ("", Some(amount)) => Benefit::Amount(money("amount", amount)?),
        (percentage, None) => Benefit::Percentage(hundredths(percentage)),
        (_, Some(_)) => return Err(TermsError::Field("amount", "either this or percentage, not both")),
    };
    let minimum = coupon.minimum_subtotal.as_ref().map(|minimum| money("minimum_subtotal", minimum));
    Ok(CouponTerms {
        benefit,
        max_redemptions: coupon.max_redemptions,
        max_redemptions_per_user: coupon.max_redemptions_per_user,
        minimum: minimum.transpose()?.map(Minimum),
        starts_at: coupon.start_time.as_ref().map(time::from_wire),
        expires_at: coupon.expire_time.as_ref().map(time::from_wire),
    })
}

fn money(field: &'static str, wire: &WireMoney) -> Result<Money, TermsError> {
    Money::from_wire(wire).map_err(|cause| TermsError::Money(field, cause))
}

/// Hundredths of a percent. The contract has admitted the text: up to three digits and up to two decimals.
fn hundredths(percentage: &str) -> u32 {
    let (whole, part) = percentage.split_once('.').unwrap_or((percentage, ""));
    format!("{whole}{part:0<2}").parse().unwrap_or(0)
}

fn benefit(benefit: &Benefit) -> (String, Option<WireMoney>) {
    match benefit {
        Benefit::Percentage(part) => (percentage(*part), None),
        Benefit::Amount(amount) => (String::new(), Some(amount.to_wire())),
    }
}

/// As in `12.5`, without zeros at the end.
fn percentage(hundredths: u32) -> String {
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn state_to_wire(state: CouponState) -> coupon::State {
    match state {
        CouponState::Active => coupon::State::Active,
        CouponState::Disabled => coupon::State::Disabled,
    }
}
