//! The options of `comptoir dev`.

use std::{net::SocketAddr, path::PathBuf};

/// Options of `comptoir dev`.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Address of the JSON gateway; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub gateway: SocketAddr,
    /// Directory for data, keys, credentials and logs; kept over restarts
    #[arg(long, value_name = "DIR", default_value = ".comptoir")]
    pub data: PathBuf,
    /// Use a temporary directory instead and remove it at the end
    #[arg(long, conflicts_with = "data")]
    pub ephemeral: bool,
    /// First gRPC port; each service is at a fixed offset from it (mesh/topology.toml). 0 takes free ports
    #[arg(long, value_name = "N", default_value_t = topology::GRPC_BASE_PORT)]
    pub grpc_base_port: u16,
    /// Services, and "gateway", to run in this process, by name; for tests that run the others as processes of their own
    #[arg(long, value_name = "A,B", value_delimiter = ',', hide = true)]
    pub services: Option<Vec<String>>,
    /// Life of a stock hold, for tests that wait for its end
    #[arg(long, value_name = "SECONDS", hide = true)]
    pub hold_seconds: Option<u32>,
}
