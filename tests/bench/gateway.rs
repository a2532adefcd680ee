//! `make bench-gateway`: what a request costs at the gateway, beside Envoy's transcoder and beside a bare pass-through, in turn
//! in one run: the same upstream, the same clients, one worker each.
//!
//! CPU is that of the proxy's process alone, as Linux counts it.

#[path = "gateway/load.rs"]
mod load;
#[path = "gateway/proxies.rs"]
mod proxies;
#[path = "gateway/shapes.rs"]
mod shapes;
#[path = "gateway/transcode.rs"]
mod transcoder;
#[path = "gateway/upstream.rs"]
mod upstream;

use clap::{Parser, Subcommand};
use load::Measured;
use proxies::{Proxies, Proxy};
use shapes::Shape;
use std::time::Duration;

/// CPU, rate and latency of requests through the gateway, through Envoy and through a bare pass-through.
#[derive(Parser)]
#[command(name = "bench-gateway")]
struct Arguments {
    /// How often each is measured; the medians count
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    rounds: usize,
    /// How long each is measured in a round, after a warm-up of a fifth of it
    #[arg(long, value_name = "SECONDS", default_value_t = 4)]
    seconds: u64,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// The transcoder alone, beside messages of prost-reflect
    Transcode,
    /// The bare pass-through; the benchmark starts it
    #[command(hide = true)]
    Floor {
        /// Address of the upstream
        upstream: String,
    },
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.part {
        Some(Part::Floor { upstream }) => proxies::floor::run(&upstream),
        Some(Part::Transcode) => transcoder::run(&upstream::replies(), &shapes::requests()),
        None => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(measure(arguments.rounds, Duration::from_secs(arguments.seconds)))
        }
    }
}

async fn measure(rounds: usize, time: Duration) -> anyhow::Result<()> {
    let upstream = upstream::start().await?;
    let proxies = Proxies::start(&upstream).await?;
    println!(
        "{} clients that keep their connections, {rounds} rounds of {} s each, medians",
        load::CLIENTS,
        time.as_secs()
    );
    for set in [shapes::bare(), shapes::full(&proxies.token)] {
        for shape in &set {
            let mut rows: Vec<(Proxy, Vec<Measured>)> =
                shape.proxies.iter().map(|proxy| (*proxy, Vec::new())).collect();
            for _ in 0..rounds {
                for (proxy, measured) in &mut rows {
                    measured.push(load::run(proxies.of(*proxy), shape, time).await?);
                }
            }
            print(shape, rows);
        }
    }
    Ok(())
}

fn print(shape: &Shape, rows: Vec<(Proxy, Vec<Measured>)>) {
    println!("\n{}\n{:<24} {:>10} {:>11} {:>8} {:>8}", shape.name, "", "CPU µs", "requests/s", "p50 ms", "p99 ms");
    let medians: Vec<(Proxy, Measured)> =
        rows.into_iter().map(|(proxy, measured)| (proxy, load::median(measured))).collect();
    for (proxy, row) in &medians {
        let name = proxy.name();
        println!("{name:<24} {:>10.1} {:>11.0} {:>8.2} {:>8.2}", row.cpu_us, row.rate, row.p50_ms, row.p99_ms);
    }
    let cpu = |is: fn(Proxy) -> bool| medians.iter().find(|(proxy, _)| is(*proxy)).map(|(_, row)| row.cpu_us);
    let ours = cpu(|proxy| matches!(proxy, Proxy::Gateway | Proxy::GatewayFull));
    let envoy = cpu(|proxy| matches!(proxy, Proxy::Envoy | Proxy::EnvoyFull));
    if let (Some(ours), Some(envoy), Some(floor)) = (ours, envoy, cpu(|proxy| proxy == Proxy::Floor)) {
        println!("gateway: {:.2} of Envoy's CPU, {:.2} × the floor", ours / envoy, ours / floor);
    }
}
