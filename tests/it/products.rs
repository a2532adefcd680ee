//! The products service.

mod availability;
mod categories;
mod currencies;
mod drafts;
mod prices;
mod search;
mod variants;
