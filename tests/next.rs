//! `comptoir serve` as the next build would be: place_order has a next version, which plans the shipment before it commits
//! the stock, beside this one's.

use clap::Parser;
use comptoir::{
    Environment,
    args::{Cli, Command},
    serve,
};
use orders::{CANCEL_ORDER, DISPATCH_ORDER, PLACE_ORDER, REFUND_ORDER};
use saga::{Definition, Registry, Step};

const NEXT_PLACE_ORDER: Definition = Definition {
    version: PLACE_ORDER.version + 1,
    steps: &[
        PLACE_ORDER.steps[0],
        PLACE_ORDER.steps[1],
        Step::new("create_shipment", "shipping"),
        Step::new("commit_stock", "inventory"),
    ],
    ..PLACE_ORDER
};

const NEXT: &Registry = &Registry(&[&PLACE_ORDER, &NEXT_PLACE_ORDER, &CANCEL_ORDER, &DISPATCH_ORDER, &REFUND_ORDER]);

fn main() -> anyhow::Result<()> {
    orders::know(NEXT);
    let Command::Serve(options) = Cli::parse().command else { anyhow::bail!("only serve is another one here") };
    let environment: Environment = std::env::vars().collect();
    tokio::runtime::Runtime::new()?.block_on(serve::run(options, &environment))
}
