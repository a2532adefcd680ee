//! The products service.

mod categories;
mod currencies;
mod drafts;
mod prices;
mod search;
