//! Search: `query` reads what is asked, `store` finds it by indexes, `facets` counts what was found.

pub mod facets;
pub mod filter;
pub mod query;
pub mod store;
