//! What an event adds to a write: `Documents::save` against a bare `update_one` with the same concern.

use crate::site::{Item, Site, event, id};
use bson::doc;
use std::time::{Duration, Instant};
use store::{Change, Versioned};

/// Writers at once.
const WRITERS: usize = 16;

/// Documents of each writer.
const EACH: usize = 400;

/// Rounds of each kind, in turn.
const ROUNDS: usize = 4;

/// How long a round lasts.
const ROUND: Duration = Duration::from_secs(3);

/// A line of the report.
pub async fn measure(site: &Site) -> anyhow::Result<String> {
    let (mut plain, mut saved) = (0.0, 0.0);
    for _ in 0..ROUNDS {
        plain += round(site, false).await?;
        saved += round(site, true).await?;
    }
    let rounds = ROUNDS as f64;
    Ok(format!("update_one {:.0}/s   save {:.0}/s   ratio {:.2}", plain / rounds, saved / rounds, saved / plain))
}

/// Writes per second.
async fn round(site: &Site, with_event: bool) -> anyhow::Result<f64> {
    let mut writers = Vec::new();
    for _ in 0..WRITERS {
        let insert = async |id: String| site.items.insert(&id, Item::of(0), Vec::new()).await;
        writers.push(futures::future::try_join_all((0..EACH).map(|_| insert(id()))).await?);
    }
    let began = Instant::now();
    let writing = writers.into_iter().map(|items| writer(site, items, with_event, began + ROUND));
    let counts = futures::future::try_join_all(writing).await?;
    Ok(counts.iter().sum::<usize>() as f64 / began.elapsed().as_secs_f64())
}

async fn writer(site: &Site, mut items: Vec<Versioned<Item>>, with_event: bool, end: Instant) -> anyhow::Result<usize> {
    let mut count = 0;
    while Instant::now() < end {
        for item in &mut items {
            if Instant::now() >= end {
                break;
            }
            if with_event {
                let change = Change { state: Item::of(item.rev), events: vec![event()] };
                *item = site.items.save(item, change).await?;
            } else {
                plain(site, item).await?;
            }
            count += 1;
        }
    }
    Ok(count)
}

/// The same change of state, guarded by the revision, without an event.
async fn plain(site: &Site, item: &mut Versioned<Item>) -> anyhow::Result<()> {
    let state = Item::of(item.rev);
    let set = doc! { "$set": { "number": state.number, "updated_at": state.updated_at, "rev": item.rev + 1 } };
    let filter = doc! { "_id": &item.id, "rev": item.rev };
    let result = site.items.collection().update_one(filter, set).await?;
    anyhow::ensure!(result.matched_count == 1, "nobody else writes here");
    item.rev += 1;
    Ok(())
}
