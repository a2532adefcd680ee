//! Who causes what is done: known to all that a request does, and stored with its events.

tokio::task_local! {
    static ACTOR: Option<String>;
}

/// Does `work` as `actor`.
pub async fn acting<F: Future>(actor: String, work: F) -> F::Output {
    ACTOR.scope(Some(actor), work).await
}

/// Does `work`, which a request has found to be done, as the service itself.
pub async fn by_itself<F: Future>(work: F) -> F::Output {
    ACTOR.scope(None, work).await
}

/// Who causes what is done here; none outside of requests, where a service acts by itself.
pub fn actor() -> Option<String> {
    ACTOR.try_with(Clone::clone).ok().flatten()
}
