//! mesh/service: what every service answers over gRPC.

pub mod grpc;
mod reflection;
