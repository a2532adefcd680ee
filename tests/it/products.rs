//! The products service.

mod prices;
