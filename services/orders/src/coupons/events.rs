//! Events out: what happens to coupons.

use crate::coupons::{convert, domain::Coupon};
use ::store::NewEvent;
use contracts::orders::v1::{CouponCreated, CouponDisabled, CouponRedeemed, CouponReleased};

pub fn created(code: &str, coupon: &Coupon) -> NewEvent {
    let terms = convert::terms_to_wire(&coupon.terms);
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
