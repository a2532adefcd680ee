//! Coupons on the wire, and the events that tell of them.

use crate::domain::{Benefit, Coupon, CouponState, CouponTerms, Error, Minimum};
use ::store::{NewEvent, Versioned, fields::time};
use contracts::{
    google::r#type::Money as WireMoney,
    money::Money,
    orders::v1::{self as wire, CouponCreated, CouponDisabled, CouponRedeemed, CouponReleased, coupon},
};

/// A stored coupon on the wire.
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
fn terms_to_wire(terms: &CouponTerms) -> wire::Coupon {
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

/// What the caller of CreateCoupon wants.
pub fn terms(coupon: wire::Coupon) -> Result<CouponTerms, Error> {
    let benefit = match (coupon.percentage.as_str(), &coupon.amount) {
        ("", None) => return Err(Error::CouponField("amount", "either this or percentage is required")),
        ("", Some(amount)) => Benefit::Amount(money("amount", amount)?),
        (percentage, None) => Benefit::Percentage(hundredths(percentage)),
        (_, Some(_)) => return Err(Error::CouponField("amount", "either this or percentage, not both")),
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

fn money(field: &'static str, wire: &WireMoney) -> Result<Money, Error> {
    Money::from_wire(wire).map_err(|cause| Error::CouponMoney(field, cause))
}

/// Hundredths of a percent, of a text that the contract has admitted: up to three digits and up to two decimals.
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

/// `12.5`, without zeros that say nothing.
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

/// The event of a new coupon.
pub fn created(code: &str, coupon: &Coupon) -> NewEvent {
    let terms = terms_to_wire(&coupon.terms);
    let message = CouponCreated {
        code: code.to_owned(),
        percentage: terms.percentage,
        amount: terms.amount,
        max_redemptions: terms.max_redemptions,
        max_redemptions_per_user: terms.max_redemptions_per_user,
        minimum_subtotal: terms.minimum_subtotal,
        start_time: terms.start_time,
        expire_time: terms.expire_time,
    };
    NewEvent::of("created", &message)
}

/// The event of a coupon that has been ended.
pub fn disabled(code: &str) -> NewEvent {
    NewEvent::of("disabled", &CouponDisabled { code: code.to_owned() })
}

/// The event of a use, with the coupon after it.
pub fn redeemed(code: &str, order_id: &str, user_id: &str, coupon: &Coupon) -> NewEvent {
    let [code, order_id, user_id] = [code, order_id, user_id].map(str::to_owned);
    let message = CouponRedeemed { code, order_id, user_id, redemption_count: coupon.redemption_count };
    NewEvent::of("redeemed", &message)
}

/// The event of a use that is given back, with the coupon after it.
pub fn released(code: &str, order_id: &str, user_id: &str, coupon: &Coupon) -> NewEvent {
    let [code, order_id, user_id] = [code, order_id, user_id].map(str::to_owned);
    let message = CouponReleased { code, order_id, user_id, redemption_count: coupon.redemption_count };
    NewEvent::of("released", &message)
}
