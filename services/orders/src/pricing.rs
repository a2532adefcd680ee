//! What an order costs: `pricer` asks the catalogue, shipping, the coupon and `taxes`, or opens a `quote`; `payable` knows
//! which totals the payment provider takes. `domain::pricing` computes.

pub mod payable;
pub mod pricer;
pub mod quote;
pub mod taxes;
