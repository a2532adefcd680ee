//! The targets.

mod connect;
mod json;
mod path;
mod query;
mod web;
mod wire;

use crate::target::Target;

pub static TARGETS: [Target; 6] =
    [json::TARGET, wire::TARGET, path::TARGET, query::TARGET, connect::TARGET, web::TARGET];
