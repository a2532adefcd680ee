//! All logs are read again by all consumers: no mail and no webhook goes again, and analytics, history and audit stay as they are.

use super::cluster::Cluster;
use crate::{analytics, audit, order_history::rebuild::event_service};
use anyhow::{Context, ensure};
use contracts::events::v1::{
    ConsumerLag, GetLagRequest, RebuildProgress, RebuildProjectionRequest, rebuild_progress::Phase,
};
use kit::within;
use std::time::Duration;

/// Consumers whose effects are documents of their own, or changes of aggregates.
const CONSUMERS: [&str; 5] = ["email", "webhooks", "audit", "privacy", "orders"];

/// Consumers that have a read model.
const READ_MODELS: [&str; 2] = ["analytics", "order-history"];

const LIMIT: Duration = Duration::from_secs(90);

pub async fn changes_nothing(cluster: &mut Cluster) -> anyhow::Result<()> {
    let counts = |cluster: &Cluster| (cluster.mails.mails().len(), cluster.receiver.taken().len());
    let before = (counts(cluster), audit::stored(&cluster.stack).await, analytics::facts(&cluster.stack).await?);
    for service in CONSUMERS {
        read_again(cluster, service).await.with_context(|| format!("{service} reads all logs again"))?;
    }
    for service in READ_MODELS {
        let built = rebuild(cluster, service).await.with_context(|| format!("{service} is built anew"))?;
        ensure!(built.old_hash == built.new_hash, "{service} was another one: {built:?}");
    }
    let after = (counts(cluster), audit::stored(&cluster.stack).await, analytics::facts(&cluster.stack).await?);
    ensure!(after.0 == before.0, "mails and webhooks were {:?} and are {:?}", before.0, after.0);
    ensure!(after.1 == before.1, "the audit trail has changed");
    ensure!(after.2 == before.2, "the facts have changed");
    Ok(())
}

/// As when all consumers of a service are lost: each event of each source is delivered once more.
async fn read_again(cluster: &mut Cluster, service: &'static str) -> anyhow::Result<()> {
    cluster.stop(service).await?;
    let jetstream = async_nats::jetstream::new(cluster.stack.nats().await);
    let sources = &topology::Topology::get().service[service].consumes;
    for source in sources {
        let stream = jetstream.get_stream(topology::stream(source)).await?;
        stream.delete_consumer(service).await?;
    }
    cluster.start(service, "").await?;
    within(LIMIT, || async {
        let lag = event_service(&cluster.stack, service).await.get_lag(GetLagRequest {}).await?.into_inner();
        let is_read = |one: &ConsumerLag| one.pending == 0 && one.unacknowledged == 0;
        ensure!(lag.consumers.len() == sources.len() && lag.consumers.iter().all(is_read), "{lag:?}");
        Ok(())
    })
    .await
}

/// Builds a read model from the logs; the last report.
async fn rebuild(cluster: &Cluster, service: &str) -> anyhow::Result<RebuildProgress> {
    let mut operator = event_service(&cluster.stack, service).await;
    let mut reports = operator.rebuild_projection(RebuildProjectionRequest {}).await?.into_inner();
    let mut last = RebuildProgress::default();
    while let Some(report) = reports.message().await? {
        last = report;
    }
    ensure!(last.phase() == Phase::Done, "{last:?}");
    Ok(last)
}
