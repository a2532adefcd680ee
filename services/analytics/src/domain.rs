//! Facts, periods and reports. Pure.

mod calendar;
mod fact;
mod report;
#[cfg(test)]
mod tests;

pub use calendar::{Bucket, Calendar, Period, RangeError};
pub use fact::{Amount, Change, Fact, FoldError, Line, Placed, What, fold};
pub use report::{Entered, FunnelRow, Layout, Moved, ReportError, RevenueRow};
