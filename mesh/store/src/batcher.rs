//! Work that is shared: what comes while some is on its way, or just after it began, goes together in the next.
//!
//! After a pause a request goes out at once. Where many come, they go at the errand's pace: a command costs the server as
//! much as several of its writes do.

use crate::Error;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

/// Bytes of one command; the server takes 48 MB, a document 16 MiB.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Requests that may wait; one more is refused.
const QUEUE: usize = 4096;

/// What is done for many at once.
pub trait Errand: Send + Sync + 'static {
    /// What one of them asks for.
    type Request: Send + 'static;
    /// What became of it.
    type Outcome: Send + 'static;

    /// It begins at most so often.
    const PACE: Duration;

    /// Requests that go together, at most.
    const BATCH: usize = 256;

    /// Does it: one outcome for each request, in their order.
    fn run(&self, requests: Vec<Self::Request>) -> impl Future<Output = Vec<Self::Outcome>> + Send;
}

/// Those who share the work. Cheap to clone.
pub struct Company<E: Errand>(Arc<Inner<E>>);

impl<E: Errand> Clone for Company<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

struct Inner<E: Errand> {
    errand: E,
    queue: Mutex<Queue<E>>,
}

struct Queue<E: Errand> {
    waiting: VecDeque<Waiting<E>>,
    /// Whether a task is at work; it takes what is added until nothing is left.
    is_served: bool,
    /// When the last batch was taken.
    taken_at: Option<Instant>,
}

struct Waiting<E: Errand> {
    request: E::Request,
    bytes: usize,
    reply: oneshot::Sender<E::Outcome>,
}

impl<E: Errand> Company<E> {
    /// Runs `errand`.
    pub fn new(errand: E) -> Self {
        let queue = Mutex::new(Queue { waiting: VecDeque::new(), is_served: false, taken_at: None });
        Self(Arc::new(Inner { errand, queue }))
    }

    /// Has `request`, of so many `bytes`, done together with others. [`Error::Busy`] when too many wait.
    pub async fn join(&self, request: E::Request, bytes: usize) -> Result<E::Outcome, Error> {
        let (reply, outcome) = oneshot::channel();
        let starts = {
            let mut queue = self.0.queue();
            if queue.waiting.len() >= QUEUE {
                return Err(Error::Busy);
            }
            queue.waiting.push_back(Waiting { request, bytes, reply });
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
struct Serving<E: Errand>(Arc<Inner<E>>);

impl<E: Errand> Drop for Serving<E> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.queue().is_served = false;
        }
    }
}

impl<E: Errand> Serving<E> {
    async fn run(self) {
        loop {
            if let Some(next_at) = self.0.next_at() {
                tokio::time::sleep_until(next_at).await;
            }
            let Some(batch) = self.0.take() else { return };
            let (requests, replies): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|waiting| (waiting.request, waiting.reply)).unzip();
            for (reply, outcome) in replies.into_iter().zip(self.0.errand.run(requests).await) {
                let _ = reply.send(outcome); // the caller may have gone; what was done stands
            }
        }
    }
}

impl<E: Errand> Inner<E> {
    fn queue(&self) -> MutexGuard<'_, Queue<E>> {
        self.queue.lock().expect("no holder panics")
    }

    /// When the next batch may be taken, unless that is now. The end of the task at work need not wait for it.
    fn next_at(&self) -> Option<Instant> {
        let queue = self.queue();
        let next_at = queue.taken_at? + E::PACE;
        (!queue.waiting.is_empty() && next_at > Instant::now()).then_some(next_at)
    }

    /// The next batch; `None` ends the task at work.
    fn take(&self) -> Option<Vec<Waiting<E>>> {
        let mut queue = self.queue();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(next) = queue.waiting.front() {
            bytes += next.bytes;
            if batch.len() == E::BATCH || (bytes > BATCH_BYTES && !batch.is_empty()) {
                break;
            }
            batch.extend(queue.waiting.pop_front());
        }
        queue.is_served = !batch.is_empty();
        if queue.is_served {
            queue.taken_at = Some(Instant::now());
        }
        queue.is_served.then_some(batch)
    }
}
