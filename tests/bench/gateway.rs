//! `make bench-gateway`: what a request costs at the gateway, beside Envoy's transcoder and beside a bare pass-through, in turn
//! in one run: the same upstream, the same clients, one worker each.
//!
//! CPU is that of the proxy's process alone, as Linux counts it. Allocations are those of another process of the same code, for
//! counting takes time.

#[path = "gateway/floor.rs"]
mod floor;
#[path = "gateway/load.rs"]
mod load;
#[path = "gateway/protocols.rs"]
mod protocols;
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
use std::{mem::discriminant, time::Duration};

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
    /// The first table alone: JSON, beside Envoy's transcoder
    Json,
    /// The second table alone: gRPC-Web, Connect and gRPC, beside Envoy's filters
    Rpc,
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
        Some(Part::Floor { upstream }) => floor::run(&upstream),
        Some(Part::Transcode) => transcoder::run(&upstream::replies(), &shapes::requests()),
        part => {
            let is_wanted = |table: &Part| part.as_ref().is_none_or(|part| discriminant(part) == discriminant(table));
            let tables = [Part::Json, Part::Rpc].map(|table| is_wanted(&table));
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(measure(tables, arguments.rounds, Duration::from_secs(arguments.seconds)))
        }
    }
}

async fn measure([json, rpc]: [bool; 2], rounds: usize, time: Duration) -> anyhow::Result<()> {
    let upstream = upstream::start().await?;
    let proxies = Proxies::start(&upstream).await?;
    println!(
        "{} clients that keep their connections, {rounds} rounds of {} s each, medians",
        load::CLIENTS,
        time.as_secs()
    );
    let mut shapes = Vec::new();
    if json {
        shapes.extend(shapes::bare());
        shapes.extend(shapes::full(&proxies.token));
    }
    if rpc {
        shapes.extend(protocols::all());
    }
    for shape in &shapes {
        let mut rows: Vec<Row> =
            shape.proxies.iter().map(|proxy| Row { proxy: *proxy, measured: Vec::new(), allocations: None }).collect();
        for _ in 0..rounds {
            for row in &mut rows {
                row.measured.push(load::run(row.proxy, proxies.of(row.proxy), shape, time).await?);
            }
        }
        for row in &mut rows {
            if let Some(running) = proxies.counted(row.proxy) {
                row.allocations = Some(load::allocations(row.proxy, running, shape, time).await?);
            }
        }
        print(shape, rows);
    }
    Ok(())
}

/// What was measured of a proxy with one shape.
struct Row {
    proxy: Proxy,
    measured: Vec<Measured>,
    allocations: Option<f64>,
}

fn print(shape: &Shape, rows: Vec<Row>) {
    println!(
        "\n{}\n{:<24} {:>10} {:>11} {:>8} {:>8} {:>12}",
        shape.name, "", "CPU µs", "requests/s", "p50 ms", "p99 ms", "allocations"
    );
    let mut medians = Vec::new();
    for Row { proxy, measured, allocations } in rows {
        let (name, row) = (proxy.name(), load::median(measured));
        let allocations = allocations.map_or("-".to_owned(), |count| format!("{count:.1}"));
        println!(
            "{name:<24} {:>10.1} {:>11.0} {:>8.2} {:>8.2} {allocations:>12}",
            row.cpu_us, row.rate, row.p50_ms, row.p99_ms
        );
        medians.push((proxy, row));
    }
    let cpu = |is: fn(Proxy) -> bool| medians.iter().find(|(proxy, _)| is(*proxy)).map(|(_, row)| row.cpu_us);
    let ours = cpu(|proxy| matches!(proxy, Proxy::Gateway | Proxy::GatewayFull));
    let envoy = cpu(|proxy| matches!(proxy, Proxy::Envoy | Proxy::EnvoyFull | Proxy::EnvoyRpc));
    if let (Some(ours), Some(envoy), Some(floor)) = (ours, envoy, cpu(|proxy| proxy == Proxy::Floor)) {
        println!("gateway: {:.2} of Envoy's CPU, {:.2} × the floor", ours / envoy, ours / floor);
    }
}
