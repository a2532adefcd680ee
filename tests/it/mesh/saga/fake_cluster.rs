//! A store in memory, with participants that the test plays and a clock that follows the runtime's paused one.

use saga::{Answer, Call, Due, Outcome, Recorded, Registry, Saga, SagaStore, Status, StepExecutor, StepSpec, Whose};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use store::Time;
use tokio::time::Instant;

/// An aggregate that is nothing but its saga.
#[derive(Debug, Clone)]
pub struct Item {
    pub id: String,
    pub rev: u64,
    pub saga: Saga,
}

/// When the patient peer lets a saga go on: two days after the beginning.
pub const LATER: Time = Time::from_millis(1_000_000 + 2 * 24 * 3_600_000);

/// The store and the participants, shared by all runners of a test.
pub struct FakeCluster {
    pub items: Mutex<BTreeMap<String, Item>>,
    began: Instant,
    /// The peer that does not answer, and whether it is down.
    pub dead: &'static str,
    pub is_down: AtomicBool,
    running: AtomicUsize,
    pub most_running: AtomicUsize,
}

/// A step of a test: its name, and the service that it calls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    name: &'static str,
    peer: &'static str,
}

impl saga::Step for Step {
    fn name(self) -> &'static str {
        self.name
    }

    fn peer(self) -> &'static str {
        self.peer
    }
}

/// A step that calls `peer`.
pub const fn step(name: &'static str, peer: &'static str) -> StepSpec<Step> {
    StepSpec::new(Step { name, peer })
}

/// What one process sees of the cluster: its build's definitions.
#[derive(Clone)]
pub struct Replica {
    pub cluster: Arc<FakeCluster>,
    pub registry: &'static Registry<Step>,
}

impl FakeCluster {
    pub fn new(dead: &'static str) -> Arc<Self> {
        Arc::new(Self {
            items: Mutex::default(),
            began: Instant::now(),
            dead,
            is_down: AtomicBool::new(true),
            running: AtomicUsize::new(0),
            most_running: AtomicUsize::new(0),
        })
    }

    pub fn now(&self) -> Time {
        Time::from_millis(1_000_000 + i64::try_from(self.began.elapsed().as_millis()).expect("small"))
    }

    pub fn heal(&self) {
        self.is_down.store(false, Ordering::Relaxed);
    }

    pub fn put(&self, id: String, saga: Saga) -> Item {
        let item = Item { id: id.clone(), rev: 1, saga };
        self.items.lock().expect("no holder panics").insert(id, item.clone());
        item
    }

    pub fn with(&self, is_wanted: impl Fn(&Saga) -> bool) -> Vec<Item> {
        let items = self.items.lock().expect("no holder panics");
        items.values().filter(|item| is_wanted(&item.saga)).cloned().collect()
    }

    pub fn count(&self, status: Status) -> usize {
        self.with(|saga| saga.status == status).len()
    }

    /// Compare and set, as the database does it.
    fn save(&self, old: &Item, saga: Saga) -> Option<Item> {
        let mut items = self.items.lock().expect("no holder panics");
        let stored = items.get_mut(&old.id).filter(|stored| stored.rev == old.rev)?;
        *stored = Item { id: old.id.clone(), rev: old.rev + 1, saga };
        Some(stored.clone())
    }
}

#[tonic::async_trait]
impl SagaStore for Replica {
    type Item = Item;
    type Fact = ();
    type Step = Step;
    type Error = Infallible;

    fn registry(&self) -> &'static Registry<Step> {
        self.registry
    }

    fn saga<'a>(&self, item: &'a Item) -> (&'a str, &'a Saga) {
        (&item.id, &item.saga)
    }

    fn now(&self) -> Time {
        self.cluster.now()
    }

    async fn due(&self, due: Due) -> Result<Vec<Item>, Infallible> {
        let is_ours = |saga: &Saga| {
            let is_known = saga.definition(self.registry).is_some();
            saga.is_due(due.until)
                && match due.whose {
                    Whose::Peer(peer) => is_known && saga.peer.as_deref() == Some(peer),
                    Whose::Unknown => !is_known,
                }
        };
        let mut found = self.cluster.with(is_ours);
        found.sort_by_key(|item| item.saga.wake_at);
        let skip = usize::try_from(due.skip).expect("small");
        Ok(found.into_iter().skip(skip).take(usize::try_from(due.limit).expect("small")).collect())
    }

    async fn next_wake(&self) -> Result<Option<Time>, Infallible> {
        let known = self.cluster.with(|saga| saga.definition(self.registry).is_some());
        Ok(known.iter().filter_map(|item| item.saga.wake_at).min())
    }

    async fn claim(&self, item: &Item, owner: &str) -> Result<Option<Item>, Infallible> {
        let mut saga = item.saga.clone();
        saga.claim(self.registry, owner, self.now());
        Ok(self.cluster.save(item, saga))
    }

    fn with_facts(&self, item: Item, _: &[()]) -> Item {
        item
    }

    async fn record(&self, item: Item, answers: Vec<Answer<()>>) -> Result<Recorded<Item>, Infallible> {
        let newest = self.cluster.items.lock().expect("no holder panics").get(&item.id).cloned().expect("it is there");
        let (mut saga, mut counted) = (newest.saga.clone(), false);
        for answer in &answers {
            counted |= saga.record(self.registry, &answer.call, answer.outcome.clone(), self.now(), rand::random());
        }
        let saved = self.cluster.save(&newest, saga).expect("nothing runs in between");
        Ok(Recorded { item: saved, counted })
    }

    async fn alarms(&self) -> Result<(u64, u64), Infallible> {
        Ok((0, 0))
    }
}

#[tonic::async_trait]
impl StepExecutor<Replica> for Replica {
    async fn execute(&self, _: &Item, step: Step, _: &Call) -> (Outcome, Vec<()>) {
        let cluster = &self.cluster;
        if step.peer == "unsure" {
            return (Outcome::Undecided("nobody knows yet".to_owned()), Vec::new());
        }
        if step.peer == "patient" && cluster.now() < LATER {
            return (Outcome::Later(LATER), Vec::new());
        }
        if step.peer != cluster.dead || !cluster.is_down.load(Ordering::Relaxed) {
            return (Outcome::Done, Vec::new());
        }
        let running = RunningCall::new(cluster);
        std::future::pending::<()>().await; // a black hole: the attempt's own deadline ends it
        drop(running);
        (Outcome::Done, Vec::new())
    }
}

/// Counts the calls that wait for the dead peer.
struct RunningCall<'a>(&'a FakeCluster);

impl<'a> RunningCall<'a> {
    fn new(cluster: &'a FakeCluster) -> Self {
        let now = cluster.running.fetch_add(1, Ordering::Relaxed) + 1;
        cluster.most_running.fetch_max(now, Ordering::Relaxed);
        Self(cluster)
    }
}

impl Drop for RunningCall<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}
