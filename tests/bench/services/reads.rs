//! Requests that only read: their latency, what mongod examined for them by its profiler, and a bare driver that sends mongod the
//! very commands that the service has sent.

use crate::table;
use anyhow::{Context, ensure};
use bson::{Bson, Document, doc};
use futures::{TryStreamExt, future::try_join_all};
use kit::Client;
use mongodb::Database;
use std::time::{Duration, Instant};

/// Most requests of one kind that are sent one after another.
const REQUESTS: usize = 200;

/// Requests that are sent before.
const WARM_UP: usize = 20;

/// Clients of all requests in turn.
const CLIENTS: usize = 8;

/// Fields of a command that say what is read; the others are of the session.
const COMMAND: [&str; 9] =
    ["find", "filter", "sort", "limit", "projection", "batchSize", "singleBatch", "hint", "readConcern"];

/// A kind of request.
pub struct Kind {
    pub name: String,
    pub path: String,
}

/// What mongod did for one request.
struct Profile {
    commands: Vec<Document>,
    /// Keys and documents examined by each command.
    keys: Vec<i64>,
    documents: Vec<i64>,
}

/// Prints a table of all kinds, one client at a time, and a line for many.
pub async fn measure(
    title: &str,
    (client, database): (&Client, &Database),
    kinds: &[Kind],
    time: Duration,
) -> anyhow::Result<()> {
    let columns = [
        "request",
        "p50 ms",
        "p99 ms",
        "bare p50 ms",
        "bare p99 ms",
        "commands",
        "keys examined",
        "documents examined",
    ];
    table::head(
        &format!("{title}: one client through the gateway, beside its commands sent by a bare driver"),
        &columns,
    );
    let mut profiles = Vec::new();
    for kind in kinds {
        // What a service looks for each minute, beside its requests, is in one of them at most.
        let looks = [profile(client, database, kind).await?, profile(client, database, kind).await?];
        let profile = looks.into_iter().min_by_key(|look| look.commands.len()).context("there are two")?;
        let through = repeated(time, async || get(client, &kind.path).await).await?;
        let bare = repeated(time, async || send(database, &profile.commands).await).await?;
        let ([p50, p99], [bare_p50, bare_p99]) = (table::latencies(through), table::latencies(bare));
        let counts = [profile.commands.len().to_string(), sum(&profile.keys), sum(&profile.documents)];
        table::row(&[[kind.name.clone(), p50, p99, bare_p50, bare_p99].as_slice(), &counts].concat());
        profiles.push(profile);
    }
    let columns = ["all of them in turn", "requests/s", "p50 ms", "p99 ms"];
    table::head(&format!("{title}: {CLIENTS} clients, {} s each", time.as_secs()), &columns);
    let through = crowd(time, kinds.len(), async |index: usize| get(client, &kinds[index].path).await).await?;
    crowd_row("service, through the gateway", through);
    let bare = crowd(time, kinds.len(), async |index: usize| send(database, &profiles[index].commands).await).await?;
    crowd_row("bare driver", bare);
    Ok(())
}

/// `1 + 20 + 5001`.
fn sum(counts: &[i64]) -> String {
    counts.iter().map(i64::to_string).collect::<Vec<_>>().join(" + ")
}

fn crowd_row(name: &str, (rate, latencies): (f64, Vec<Duration>)) {
    let [p50, p99] = table::latencies(latencies);
    table::row(&[name.to_owned(), format!("{rate:.0}"), p50, p99]);
}

async fn get(client: &Client, path: &str) -> anyhow::Result<()> {
    let reply = client.get(path).await;
    ensure!(reply.status == 200, "{path} is {reply:?}");
    Ok(())
}

async fn send(database: &Database, commands: &[Document]) -> anyhow::Result<()> {
    for command in commands {
        let mut cursor = database.run_cursor_command(command.clone()).await?;
        while cursor.try_next().await?.is_some() {}
    }
    Ok(())
}

/// One after the other, as often as they are, and no longer than `time`.
async fn repeated(time: Duration, once: impl AsyncFn() -> anyhow::Result<()>) -> anyhow::Result<Vec<Duration>> {
    for _ in 0..WARM_UP {
        once().await?;
    }
    let (began, mut latencies) = (Instant::now(), Vec::new());
    while latencies.len() < REQUESTS && began.elapsed() < time {
        let asked = Instant::now();
        once().await?;
        latencies.push(asked.elapsed());
    }
    Ok(latencies)
}

/// Requests a second of several clients, each of which begins at another kind, and the latencies.
async fn crowd(
    time: Duration,
    kinds: usize,
    once: impl AsyncFn(usize) -> anyhow::Result<()>,
) -> anyhow::Result<(f64, Vec<Duration>)> {
    let (began, once) = (Instant::now(), &once);
    let clients = (0..CLIENTS).map(|first| async move {
        let mut latencies = Vec::new();
        for number in first.. {
            if began.elapsed() > time {
                break;
            }
            let asked = Instant::now();
            once(number % kinds).await?;
            latencies.push(asked.elapsed());
        }
        anyhow::Ok(latencies)
    });
    let latencies = try_join_all(clients).await?.concat();
    Ok((latencies.len() as f64 / began.elapsed().as_secs_f64(), latencies))
}

/// What mongod does for the request when it is sent for the second time: the first one may read what is kept afterwards.
async fn profile(client: &Client, database: &Database, kind: &Kind) -> anyhow::Result<Profile> {
    get(client, &kind.path).await?;
    let profiled = database.collection::<Document>("system.profile");
    profiled.drop().await?;
    database.run_command(doc! { "profile": 2 }).await?;
    let answered = get(client, &kind.path).await;
    database.run_command(doc! { "profile": 0 }).await?;
    answered?;
    // Services find; change streams and the relay aggregate, and the relay finds in `events`, which no request does.
    let found = doc! { "$or": [
        { "command.find": { "$exists": true, "$nin": ["events", "relay"] } },
        { "originatingCommand.find": { "$exists": true, "$nin": ["events", "relay"] } },
    ] };
    let found: Vec<Document> = profiled.find(found).sort(doc! { "ts": 1 }).await?.try_collect().await?;
    let mut profile = Profile { commands: Vec::new(), keys: Vec::new(), documents: Vec::new() };
    for one in &found {
        let [keys, documents] =
            ["keysExamined", "docsExamined"].map(|field| one.get(field).and_then(number).unwrap_or(0));
        let command = one.get_document("command")?;
        if command.contains_key("find") {
            let fields = COMMAND.iter().filter_map(|key| Some(((*key).to_owned(), command.get(key)?.clone())));
            profile.commands.push(without_session(fields.collect()));
            profile.keys.push(keys);
            profile.documents.push(documents);
        } else if let (Some(all_keys), Some(all_documents)) = (profile.keys.last_mut(), profile.documents.last_mut()) {
            // The rest of what the command before has begun to read.
            *all_keys += keys;
            *all_documents += documents;
        }
    }
    ensure!(!profile.commands.is_empty(), "mongod was asked nothing");
    Ok(profile)
}

/// A time of the cluster is of the session that had it.
fn without_session(mut command: Document) -> Document {
    if let Ok(concern) = command.get_document_mut("readConcern") {
        let level = concern.get("level").cloned();
        concern.clear();
        concern.extend(level.map(|level| ("level".to_owned(), level)));
    }
    command
}

fn number(value: &Bson) -> Option<i64> {
    match value {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        _ => None,
    }
}
