//! The transcoder alone, beside the messages of prost-reflect: microseconds of one thread for one message, in turn.

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, SerializeOptions};
use std::{hint::black_box, time::Instant};
use transcode::Router;

const TIMES: u32 = 20_000;
const ROUNDS: usize = 5;

/// A message: what it is, and the path of an RPC that replies with it, or takes it.
pub type Sample = (&'static str, &'static str, Vec<u8>);

/// Prints a row for each reply, which is written, and for each JSON of a request, which is read.
pub fn run(replies: &[Sample], requests: &[Sample]) -> anyhow::Result<()> {
    let router = Router::from_descriptors(contracts::DESCRIPTORS)?;
    let pool = DescriptorPool::decode(contracts::DESCRIPTORS)?;
    let options = SerializeOptions::new().skip_default_fields(false);
    println!("{:<34} {:>9} {:>14} {:>8}", "one message, microseconds", "tables", "prost-reflect", "times");
    for (name, path, bytes) in replies {
        let rpc = router.rpc(path).ok_or_else(|| anyhow::anyhow!("{path} is no RPC"))?;
        let reply = method(&pool, path)?.output();
        let ours = median(|| drop(black_box(router.write(rpc, black_box(bytes)))));
        let theirs = median(|| {
            let message = DynamicMessage::decode(reply.clone(), bytes.as_slice()).expect("a message");
            let mut out = serde_json::Serializer::new(Vec::with_capacity(bytes.len() * 2));
            message.serialize_with_options(&mut out, &options).expect("it has JSON");
            black_box(out.into_inner());
        });
        row(name, ours, theirs);
    }
    for (name, path, json) in requests {
        let rpc = router.rpc(path).ok_or_else(|| anyhow::anyhow!("{path} is no RPC"))?;
        let request = method(&pool, path)?.input();
        let ours = median(|| drop(black_box(router.read(rpc, black_box(json)))));
        let theirs = median(|| {
            let mut source = serde_json::Deserializer::from_slice(json);
            let message = DynamicMessage::deserialize(request.clone(), &mut source).expect("a message");
            black_box(message.encode_to_vec());
        });
        row(name, ours, theirs);
    }
    Ok(())
}

fn method(pool: &DescriptorPool, path: &str) -> anyhow::Result<MethodDescriptor> {
    let (service, name) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
    let service = pool.get_service_by_name(service).ok_or_else(|| anyhow::anyhow!("{path} is no RPC"))?;
    service.methods().find(|one| one.name() == name).ok_or_else(|| anyhow::anyhow!("{path} is no RPC"))
}

fn row(name: &str, ours: f64, theirs: f64) {
    println!("{name:<34} {ours:>9.2} {theirs:>14.2} {:>8.1}", theirs / ours);
}

/// The median of the rounds, in microseconds for one call.
fn median(mut call: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..TIMES).for_each(|_| call());
            start.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds.get(ROUNDS / 2).copied().unwrap_or_default()
}
