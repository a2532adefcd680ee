//! Search: `query` reads what is asked, `store` finds it by indexes, in each currency by a `price_key`; `facets` counts what was found.

pub mod facets;
pub mod filter;
pub mod price_key;
pub mod query;
pub mod store;
