//! The products service.

mod categories;
mod drafts;
mod prices;
mod search;
