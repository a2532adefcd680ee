//! Looking again at what seemed wrong, until it is gone or certain.

use super::{
    cluster::{Cluster, Scope},
    invariant::Invariant,
    snapshot,
    violation::{Examined, Violation},
};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// First pause before another look.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Longest pause before another look.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long the database may refuse a snapshot: an election, or a collection that was just made.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(20);

/// The times after which a suspect is a violation.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a suspect that does not change any more.
    pub settle: Duration,
    /// For a suspect that keeps changing.
    pub longest: Duration,
}

/// A line of the table.
#[derive(Debug)]
pub struct Row {
    pub invariant: Invariant,
    /// Subjects that were looked at.
    pub checked: u64,
    pub violations: Vec<Violation>,
    /// What a person should know all the same.
    pub notes: Vec<String>,
}

/// Looks at everything once, and at suspects until they are gone or certain.
pub async fn check(cluster: &Cluster, invariant: Invariant, patience: Patience) -> anyhow::Result<Row> {
    let first = examine(cluster, invariant, &Scope::All).await?;
    let (checked, notes, began, mut pause) = (first.checked, first.notes, Instant::now(), FIRST_PAUSE);
    let mut suspects = seen_since(HashMap::new(), first.suspects, began);
    let is_certain = |since: &Instant| since.elapsed() >= patience.settle || began.elapsed() >= patience.longest;
    while suspects.values().any(|(_, since)| !is_certain(since)) {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        let subjects = suspects.keys().cloned().collect();
        let again = examine(cluster, invariant, &Scope::Only(subjects)).await?;
        // What has become wrong since is not looked for: then there would be no end on a busy system.
        let still = again.suspects.into_iter().filter(|suspect| suspects.contains_key(&suspect.subject)).collect();
        suspects = seen_since(suspects, still, Instant::now());
    }
    let mut violations: Vec<Violation> = suspects.into_values().map(|(violation, _)| violation).collect();
    violations.sort_by(|a, b| a.subject.cmp(&b.subject));
    Ok(Row { invariant, checked, violations, notes })
}

/// The suspects of the last look, and since when each is as it is.
fn seen_since(
    before: HashMap<String, (Violation, Instant)>,
    now: Vec<Violation>,
    at: Instant,
) -> HashMap<String, (Violation, Instant)> {
    let since = |violation: &Violation| match before.get(&violation.subject) {
        Some((known, since)) if known == violation => *since,
        _ => at,
    };
    now.into_iter().map(|violation| (violation.subject.clone(), (violation.clone(), since(&violation)))).collect()
}

async fn examine(cluster: &Cluster, invariant: Invariant, scope: &Scope) -> anyhow::Result<Examined> {
    let began = Instant::now();
    loop {
        match invariant.examine(cluster, scope).await {
            Err(error) if snapshot::is_passing(&error) && began.elapsed() < SNAPSHOT_TIMEOUT => {
                tokio::time::sleep(FIRST_PAUSE).await;
            }
            examined => return examined,
        }
    }
}
