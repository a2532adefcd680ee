//! Campaigns of random faults: a seed draws what each run does, and after each run the same must hold.

mod crash;
mod events;
pub mod frame;
mod inputs;
mod orders;
pub mod payments;
mod services;
mod split_stack;
