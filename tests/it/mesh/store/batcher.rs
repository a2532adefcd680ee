//! The batcher: a request after a pause is served at once, those that come fast go together.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use store::{BatchWorker, Batcher};
use tokio::time::Instant;

/// Returns what it was given, and notes how much came together and when.
#[derive(Clone, Default)]
struct Echo(Arc<Mutex<Vec<(Instant, usize)>>>);

impl BatchWorker for Echo {
    type Request = usize;
    type Outcome = usize;
    const MIN_INTERVAL: Duration = Duration::from_millis(10);

    async fn run(&self, requests: Vec<usize>) -> Vec<usize> {
        self.0.lock().expect("no holder panics").push((Instant::now(), requests.len()));
        assert!(!requests.contains(&PANICS), "it was asked to");
        requests
    }
}

/// The request whose batch panics.
const PANICS: usize = 1_000_000;

impl Echo {
    fn batches(&self) -> Vec<(Instant, usize)> {
        self.0.lock().expect("no holder panics").clone()
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_goes_at_once_and_those_who_come_fast_share_a_batch() {
    let echo = Echo::default();
    let (batcher, began) = (Batcher::new(echo.clone()), Instant::now());
    assert_eq!(batcher.submit(0, 1).await.expect("an answer"), 0);
    let all = futures::future::join_all((1..=100).map(|number| batcher.submit(number, 1))).await;
    assert_eq!(all.into_iter().collect::<Result<Vec<_>, _>>().expect("answers"), Vec::from_iter(1..=100));
    assert_eq!(echo.batches(), [(began, 1), (began + Echo::MIN_INTERVAL, 100)]);
    tokio::time::sleep(Echo::MIN_INTERVAL).await;
    let paused = Instant::now();
    batcher.submit(0, 1).await.expect("an answer");
    assert_eq!(echo.batches()[2], (paused, 1), "after a pause nobody waits");
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_full_does_not_wait() {
    let echo = Echo::default();
    let (batcher, began) = (Batcher::new(echo.clone()), Instant::now());
    batcher.submit(0, 1).await.expect("an answer");
    let mut waiting = std::pin::pin!(batcher.submit(1, 1));
    assert!(futures::poll!(waiting.as_mut()).is_pending());
    tokio::task::yield_now().await; // the task at work waits for the interval to pass
    let rest = futures::future::join_all((2..=Echo::MAX_BATCH).map(|number| batcher.submit(number, 1)));
    assert!(rest.await.iter().all(Result::is_ok) && waiting.await.is_ok());
    assert_eq!(echo.batches(), [(began, 1), (began, Echo::MAX_BATCH)]);
}

#[tokio::test(start_paused = true)]
async fn a_deferred_request_goes_with_the_next_one_or_alone_after_a_tenth_of_a_second() {
    let echo = Echo::default();
    let (batcher, began) = (Batcher::new(echo.clone()), Instant::now());
    let mut deferred = std::pin::pin!(batcher.submit_deferred(1, 1));
    assert!(futures::poll!(deferred.as_mut()).is_pending());
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert_eq!(batcher.submit(2, 1).await.expect("an answer"), 2);
    assert_eq!(deferred.await.expect("an answer"), 1);
    let went = began + Duration::from_millis(40);
    assert_eq!(echo.batches(), [(went, 2)], "who does not wait takes it along at once");
    batcher.submit_deferred(3, 1).await.expect("an answer");
    assert_eq!(echo.batches()[1], (went + Duration::from_millis(100), 1), "nobody came");
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_panics_is_unknown_to_its_requests_and_the_next_is_served() {
    let batcher = Batcher::new(Echo::default());
    let lost = batcher.submit(PANICS, 1).await;
    assert!(matches!(lost, Err(store::Error::Unknown)), "{lost:?}");
    assert_eq!(batcher.submit(1, 1).await.expect("an answer"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_large_does_not_go_together_and_who_is_one_too_many_is_refused() {
    const HALF: usize = 5 * 1024 * 1024;
    let echo = Echo::default();
    let batcher = Batcher::new(echo.clone());
    let (one, other) = tokio::join!(batcher.submit(1, HALF), batcher.submit(2, HALF));
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(echo.batches().iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1, 1]);
    let crowd = futures::future::join_all((0..5000).map(|number| batcher.submit(number, 1))).await;
    let busy = crowd.iter().filter(|outcome| matches!(outcome, Err(store::Error::Busy))).count();
    assert_eq!((busy, crowd.len() - busy), (904, 4096));
}
