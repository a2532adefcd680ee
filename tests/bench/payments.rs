//! `make bench-payments`: authorizations through the payments service and the sandbox provider, beside a bare driver that
//! does the same writes and HTTP calls to the same stores and provider in the same run.

#[path = "payments/bare.rs"]
mod bare;
#[path = "payments/load.rs"]
mod load;
#[path = "payments/through.rs"]
mod through;
#[path = "orders/usage.rs"]
mod usage;

use bare::Bare;
use kit::{Stack, StackOptions};
use load::Measured;
use std::time::Duration;
use through::Service;
use usage::{Memory, Pids, memory};

/// How long each load is measured, after a warm-up of a fifth of it.
const TIME: Duration = Duration::from_secs(12);

/// How many authorize at the same time.
const CLIENTS: [usize; 2] = [1, 32];

/// Goal: of what the bare driver does.
const GOAL: f64 = 60.0;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // The stores and the provider; payments is a process of its own, so that its CPU can be told.
    let stack = Stack::start(StackOptions { services: Some(Vec::new()), ..StackOptions::default() }).await;
    println!("authorizations through the sandbox provider, closed loop, {} s each", TIME.as_secs());
    println!("{}", Measured::HEADER);
    for clients in CLIENTS {
        let through = service(&stack, clients).await?;
        let bare = bare(&stack, clients).await?;
        let (of, each) = (100.0 * through.per_second / bare.per_second, through.cpu.sum());
        println!(
            "  {clients} clients: {of:.0} % of the bare driver (goal >= {GOAL} %), {each:.2} ms of CPU each, of all\n"
        );
    }
    stack.stop().await;
    Ok(())
}

/// What the stack has running, and this process: the clients, and in the bare case the driver.
fn pids(stack: &Stack) -> Pids {
    let mut pids: Pids = ["mongod", "sandbox-psp"].map(|name| (name.to_owned(), stack.state().pids[name])).into();
    pids.insert("clients".to_owned(), std::process::id());
    pids
}

async fn service(stack: &Stack, clients: usize) -> anyhow::Result<Measured> {
    let service = Service::start(stack).await?;
    let mut pids = pids(stack);
    pids.insert("payments".to_owned(), service.pid());
    let measured = load::measure(stack, &pids, clients, async |id| service.authorize(id).await).await?;
    let Memory { resident, own, peak } = memory(service.pid());
    println!("{measured}  payments {resident:.0} MB, allocated {own:.0} of them, at most {peak:.0}");
    service.stop().await?;
    Ok(measured)
}

async fn bare(stack: &Stack, clients: usize) -> anyhow::Result<Measured> {
    let bare = Bare::start(stack).await?;
    let measured = load::measure(stack, &pids(stack), clients, async |id| bare.authorize(id).await).await?;
    println!("{measured}  bare driver");
    bare.stop().await?;
    Ok(measured)
}
