//! The products service.

mod availability;
mod categories;
mod drafts;
mod prices;
mod search;
mod variants;
