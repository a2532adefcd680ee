//! The tables against Envoy's transcoder, which shares no code with them nor with prost-reflect: the same JSON becomes the same
//! message, and the same message the same JSON. Whatever differs is in a table of `differences`, or fails. `COUNT` messages,
//! 100,000 by `make differential`, and as many whose JSON is disturbed.

mod caller;
mod differences;
mod entries;
mod paths;
mod proxy;
mod texts;
mod upstream;

use super::{
    differential::theirs,
    generate::{Random, disturb, message},
    zoo::{OWN, Types, ZOO},
};
use caller::{Answer, Caller};
use differences::{Case, Tally};
use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use proxy::{Envoy, WAYS, messages};
use std::sync::{Arc, Mutex};

/// How many calls are under way at a time.
const CALLERS: u64 = 16;

fn count() -> u64 {
    std::env::var("COUNT").map_or(400, |count| count.parse().expect("COUNT is a number"))
}

/// What is sent in one call, and how Envoy prints the reply.
struct Sent<'s> {
    types: &'static Types,
    of: &'s MessageDescriptor,
    way: usize,
    is_disturbed: bool,
}

/// Sends `COUNT` messages and compares what Envoy makes of them and of the replies.
async fn compare(is_disturbed: bool) {
    let envoy = Arc::new(Envoy::start().await);
    let tally = Arc::new(Mutex::new(Tally::default()));
    let caller = |first| call_all(envoy.clone(), tally.clone(), first, is_disturbed);
    for caller in (0..CALLERS).map(|first| tokio::spawn(caller(first))).collect::<Vec<_>>() {
        caller.await.expect("a caller ends");
    }
    tally.lock().expect("nobody panics with it").finish(if is_disturbed { "disturbed JSON" } else { "messages" });
}

/// Sends each of the messages from `first` on that is this caller's.
async fn call_all(envoy: Arc<Envoy>, tally: Arc<Mutex<Tally>>, first: u64, is_disturbed: bool) {
    let mut sets = [("zoo", &*ZOO), ("own", &*OWN)].map(|(name, types)| {
        let callers = [0, 1].map(|way| Caller::new(&envoy, name, way));
        (types, messages(types), callers)
    });
    for seed in (first..count()).step_by(CALLERS as usize) {
        let mut random = Random(seed);
        let [zoo, own] = &mut sets;
        let (types, all, callers) = if (seed / CALLERS).is_multiple_of(2) { zoo } else { own };
        let (of, way) = (random.pick(all), random.below(WAYS.len()));
        let case = call(&mut callers[way], Sent { types, of: &of, way, is_disturbed }, seed).await;
        tally.lock().expect("nobody panics with it").add(&case);
    }
}

async fn call(caller: &mut Caller<'_>, sent: Sent<'_>, seed: u64) -> Case {
    let Sent { types, of, way, is_disturbed } = sent;
    let mut random = Random(seed);
    let mut json = loop {
        if let Ok(json) = theirs(&message(types, of, 3, &mut random), &WAYS[way]) {
            break json;
        }
    };
    if is_disturbed {
        disturb(&mut json, &mut random);
    }
    let reply = entries::whole(types, of, &message(types, of, 3, &mut random).encode_to_vec());
    let (name, text) = (of.full_name(), json.to_string());
    let Answer { sent, status, body } = caller.call(name, &seed.to_string(), text.as_bytes(), &reply).await;
    let decode = |bytes: &[u8]| DynamicMessage::decode(of.clone(), bytes);
    let replies = sent.is_some().then(|| {
        let ours = types.write(name, &reply, WAYS[way]);
        let envoy = (status == 200).then(|| serde_json::from_slice(&body).ok()).flatten();
        (ours.map(|json| serde_json::from_slice(&json).expect("JSON")), envoy)
    });
    Case {
        of: name.to_owned(),
        json,
        ours: types.read(name, text.as_bytes()).map(|bytes| decode(&bytes).expect("a message")),
        envoy: sent.map(|bytes| decode(&bytes).map_err(|error| error.to_string())),
        told: (status, String::from_utf8_lossy(&body).into_owned()),
        replies,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoy_makes_the_same_of_messages_there_and_back() {
    compare(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoy_makes_the_same_of_disturbed_json_or_refuses_it_too() {
    compare(true).await;
}
