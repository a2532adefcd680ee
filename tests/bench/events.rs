//! `make bench-events`: the event backbone beside the floors of its parts, all measured in one run.
//!
//! The relay is the real one, alone in a process of its own (this program, started again as `relay`), so that its CPU can
//! be told apart. mongod and nats-server are those of `comptoir dev`, journaled and `sync_interval: always`.

#[path = "events/backlog.rs"]
mod backlog;
#[path = "events/floors.rs"]
mod floors;
#[path = "events/latency.rs"]
mod latency;
#[path = "events/site.rs"]
mod site;
#[path = "events/usage.rs"]
mod usage;
#[path = "events/writes.rs"]
mod writes;

use backlog::{CatchUp, Shape};
use kit::{Stack, StackOptions};
use site::Site;
use std::{path::Path, time::Duration};

/// Events of a backlog.
const EVENTS: usize = 100_000;

/// How long each rate of the latency measurement lasts.
const LATENCY: Duration = Duration::from_secs(20);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, state, name] = arguments.as_slice()
        && role == "relay"
    {
        return site::run_relay(Path::new(state), name).await;
    }
    let chosen = |part: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == part);
    let stack = Stack::start(StackOptions { services: Some(vec!["gateway".into()]), ..Default::default() }).await;
    if chosen("catch-up") {
        catch_up(&stack).await?;
    }
    if chosen("latency") {
        println!("\nfrom commit to consumer, open loop, {} s each; goal p50 <= 5 ms, p99 <= 25 ms", LATENCY.as_secs());
        println!("  floor: {}", floors::steps(&Site::new(&stack, "steps").await?).await?);
        for rate in [200, 1_000] {
            let site = Site::new(&stack, &format!("latency-{rate}")).await?;
            println!("{}", latency::measure(&site, rate, LATENCY).await?);
        }
    }
    if chosen("writes") {
        println!("\nDocuments::save with one event against a plain update_one; goal >= 0.85");
        let site = Site::new(&stack, "writes").await?;
        println!("  relay off   {}", writes::measure(&site).await?);
        let relay = site.start_relay()?;
        println!("  relay on    {}", writes::measure(&site).await?);
        site.stop_relay(relay).await?;
    }
    stack.stop().await;
    Ok(())
}

/// Each backlog in a database of its own: what the relay does with it, and how fast its parts are alone.
async fn catch_up(stack: &Stack) -> anyhow::Result<()> {
    println!("catch-up from {EVENTS} pending events; goal >= 20,000/s and >= 60 % of the slower floor");
    let publish = floors::publish(&Site::new(stack, "floor").await?, EVENTS).await?;
    println!("  floor: batches of 500, one in flight, nothing else             {publish:>8.0} events/s");
    let shapes = [
        Shape { documents: EVENTS / 4, each: 4, token: true },
        Shape { documents: EVENTS, each: 1, token: true },
        Shape { documents: EVENTS / 4, each: 4, token: false },
    ];
    for shape in shapes {
        let site = Site::new(stack, &shape.name()).await?;
        backlog::write(&site, shape).await?;
        println!("  {} documents with {} each, {}", shape.documents, shape.each, shape.start());
        let mut slower = publish;
        if shape.token {
            let changes = floors::drain(&site, shape.documents).await?;
            let drain = changes * shape.each as f64;
            println!("    floor: bare drain of the change stream {changes:>8.0} changes/s = {drain:>8.0} events/s");
            slower = slower.min(drain);
        }
        let CatchUp { per_second, cpu } = backlog::catch_up(&site, shape).await?;
        println!("    relay                                                        {per_second:>8.0} events/s");
        println!("    of the slower floor {:.0} %; CPU us per event: {cpu}", per_second / slower * 100.0);
    }
    Ok(())
}
