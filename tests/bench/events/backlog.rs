//! A backlog as a service leaves it when its relay is off, and how fast the relay works it off.

use crate::{
    site::{Item, Site, event, id},
    usage::PerEvent,
};
use anyhow::ensure;
use bson::{Document, doc};
use std::time::{Duration, Instant};

/// Documents in one insert.
const CHUNK: usize = 1_000;

/// Longest catch-up.
const LIMIT: Duration = Duration::from_secs(180);

/// How the backlog lies.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Documents.
    pub documents: usize,
    /// Events pending in each.
    pub each: usize,
    /// Whether a relay was there before and saved its token; without, all outboxes are read.
    pub token: bool,
}

impl Shape {
    /// Part of the site's name.
    pub fn name(self) -> String {
        format!("{}-{}", self.each, if self.token { "resume" } else { "scan" })
    }

    /// How the relay will begin.
    pub fn start(self) -> &'static str {
        if self.token { "relay restarted: change stream resumed" } else { "resume token lost: all outboxes read" }
    }

    fn events(self) -> usize {
        self.documents * self.each
    }
}

/// The result of a catch-up.
pub struct CatchUp {
    /// Events per second from the start of the relay's process to the last event on the stream.
    pub per_second: f64,
    /// CPU by process.
    pub cpu: PerEvent,
}

/// Writes the backlog, after a first event that a relay has published when there is to be a token.
pub async fn write(site: &Site, shape: Shape) -> anyhow::Result<()> {
    if shape.token {
        site.items.insert(&id(), Item::of(0), vec![event()]).await?;
        let relay = site.start_relay()?;
        site.wait_published(1, LIMIT).await?;
        wait_for_token(site).await?;
        site.stop_relay(relay).await?;
    }
    let mut left = shape.documents;
    while left > 0 {
        let count = left.min(CHUNK);
        let insert = async |id: String| {
            let events = (0..shape.each).map(|_| event()).collect();
            site.items.insert(&id, Item::of(0), events).await
        };
        futures::future::try_join_all((0..count).map(|_| insert(id()))).await?;
        left -= count;
    }
    Ok(())
}

async fn wait_for_token(site: &Site) -> anyhow::Result<()> {
    let relay = site.database.collection::<Document>("relay");
    for _ in 0..500 {
        if relay.find_one(doc! { "token": { "$ne": null } }).await?.is_some() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    anyhow::bail!("the relay saved no token")
}

/// Starts the relay and waits until the stream has everything.
pub async fn catch_up(site: &Site, shape: Shape) -> anyhow::Result<CatchUp> {
    let first = usize::from(shape.token);
    ensure!(site.published().await == first, "the stream should have {first} events");
    let began = Instant::now();
    let relay = site.start_relay()?;
    let before = site.usage(&relay, false);
    site.wait_published(first + shape.events(), LIMIT).await?;
    let per_second = shape.events() as f64 / began.elapsed().as_secs_f64();
    let cpu = site.usage(&relay, false).since(&before, shape.events());
    site.stop_relay(relay).await?;
    Ok(CatchUp { per_second, cpu })
}
