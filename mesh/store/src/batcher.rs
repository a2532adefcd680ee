//! Requests in batches: those that come while a batch is on its way, or just after it began, are the next batch.
//!
//! After a pause a request goes out at once. Where many come, batches begin some milliseconds apart, because a command
//! costs the server as much as several of its writes do. A deferred request, for which nobody waits, lets others come first and
//! goes with them.

use crate::Error;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

/// Bytes of one command; the server takes 48 MB, a document 16 MiB.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Requests that may wait, 16 full batches; one more is refused. A store that is further behind is not helped by waiting
/// requests, which would only take memory.
const QUEUE: usize = 4096;

/// Longest wait of a deferred request for others to go with. The next step of its saga comes so much later, and a person
/// who looks does not notice.
const DEFERRAL: Duration = Duration::from_millis(100);

/// Carries out batches of requests.
pub trait BatchWorker: Send + Sync + 'static {
    type Request: Send + 'static;
    type Outcome: Send + 'static;

    /// Batches begin at least this far apart, but for one that is full.
    const MIN_INTERVAL: Duration;

    /// Most requests of a batch.
    const MAX_BATCH: usize = 256;

    /// Carries out a batch: one outcome for each request, in their order.
    fn run(&self, requests: Vec<Self::Request>) -> impl Future<Output = Vec<Self::Outcome>> + Send;
}

/// Collects requests into batches for its worker. Cheap to clone.
pub struct Batcher<W: BatchWorker>(Arc<Inner<W>>);

impl<W: BatchWorker> Clone for Batcher<W> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

struct Inner<W: BatchWorker> {
    worker: W,
    queue: Mutex<Queue<W>>,
    /// Told when a full batch waits, or one is due earlier than before.
    earlier: Notify,
}

struct Queue<W: BatchWorker> {
    waiting: VecDeque<Waiting<W>>,
    /// Whether a task is at work; it takes what is added until nothing is left.
    is_served: bool,
    /// When the last batch was taken.
    taken_at: Option<Instant>,
    /// When the first of those that wait must go.
    due: Instant,
}

struct Waiting<W: BatchWorker> {
    request: W::Request,
    bytes: usize,
    reply: oneshot::Sender<W::Outcome>,
}

impl<W: BatchWorker> Batcher<W> {
    pub fn new(worker: W) -> Self {
        let queue = Queue { waiting: VecDeque::new(), is_served: false, taken_at: None, due: Instant::now() };
        Self(Arc::new(Inner { worker, queue: Mutex::new(queue), earlier: Notify::new() }))
    }

    /// The outcome of `request`, which adds `bytes` to its batch. [`Error::Busy`] when too many wait.
    pub async fn submit(&self, request: W::Request, bytes: usize) -> Result<W::Outcome, Error> {
        self.submit_until(Instant::now(), request, bytes).await
    }

    /// [`Batcher::submit`] for a request that may wait a tenth of a second for others to go with.
    pub async fn submit_deferred(&self, request: W::Request, bytes: usize) -> Result<W::Outcome, Error> {
        self.submit_until(Instant::now() + DEFERRAL, request, bytes).await
    }

    async fn submit_until(&self, due: Instant, request: W::Request, bytes: usize) -> Result<W::Outcome, Error> {
        let (reply, outcome) = oneshot::channel();
        let starts = {
            let mut queue = self.0.queue();
            if queue.waiting.len() >= QUEUE {
                return Err(Error::Busy);
            }
            if queue.waiting.is_empty() || due < queue.due {
                queue.due = due;
                self.0.earlier.notify_one();
            }
            queue.waiting.push_back(Waiting { request, bytes, reply });
            if queue.waiting.len() == W::MAX_BATCH {
                self.0.earlier.notify_one();
            }
            // The flag changes under the lock under which the task finds the queue empty: a request is either taken
            // by the task that is about to end, or starts the next one.
            !std::mem::replace(&mut queue.is_served, true)
        };
        if starts {
            // A task of its own: a caller that leaves does not take the others' requests with it.
            tokio::spawn(Serving(self.0.clone()).run());
        }
        outcome.await.map_err(|_| Error::Unknown)
    }
}

/// The task at work. Should it panic, the next request starts another.
struct Serving<W: BatchWorker>(Arc<Inner<W>>);

impl<W: BatchWorker> Drop for Serving<W> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.queue().is_served = false;
        }
    }
}

impl<W: BatchWorker> Serving<W> {
    async fn run(self) {
        loop {
            while let Some(next_at) = self.0.next_at() {
                let _ = tokio::time::timeout_at(next_at, self.0.earlier.notified()).await;
            }
            let Some(batch) = self.0.take() else { return };
            let (requests, replies): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|waiting| (waiting.request, waiting.reply)).unzip();
            // A worker that panics drops the replies, and their callers learn that the outcome is unknown: the
            // command may have been sent.
            for (reply, outcome) in replies.into_iter().zip(self.0.worker.run(requests).await) {
                let _ = reply.send(outcome); // the caller may have gone; what was done stands
            }
        }
    }
}

impl<W: BatchWorker> Inner<W> {
    fn queue(&self) -> MutexGuard<'_, Queue<W>> {
        self.queue.lock().expect("no holder panics")
    }

    /// When the next batch may be taken, unless that is now. The end of the task at work need not wait for it.
    fn next_at(&self) -> Option<Instant> {
        let queue = self.queue();
        let rested = queue.taken_at.map_or(queue.due, |taken_at| taken_at + W::MIN_INTERVAL);
        let next_at = queue.due.max(rested);
        ((1..W::MAX_BATCH).contains(&queue.waiting.len()) && next_at > Instant::now()).then_some(next_at)
    }

    /// The next batch; `None` ends the task at work.
    fn take(&self) -> Option<Vec<Waiting<W>>> {
        let mut queue = self.queue();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(next) = queue.waiting.front() {
            bytes += next.bytes;
            if batch.len() == W::MAX_BATCH || (bytes > BATCH_BYTES && !batch.is_empty()) {
                break;
            }
            batch.extend(queue.waiting.pop_front());
        }
        queue.is_served = !batch.is_empty();
        if queue.is_served {
            (queue.taken_at, queue.due) = (Some(Instant::now()), Instant::now());
        }
        queue.is_served.then_some(batch)
    }
}
