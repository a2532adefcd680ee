//! Whether an upstream serves: one question at a time, whose answer all share who ask meanwhile.
//!
//! Anybody may ask for the readiness of the gateway, as often as they like, and may leave before the answer.

use super::{Upstream, whole};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tonic::{Code, Request};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tower::service_fn;

/// How long an upstream may take to answer; probes give up after a few seconds, and need the reply about the others.
const TIMEOUT: Duration = Duration::from_secs(2);

type Question = BoxFuture<'static, ServingStatus>;

/// The question that is under way, until nobody waits for it.
#[derive(Default)]
pub(super) struct Check(Mutex<Option<WeakShared<Question>>>);

impl Upstream {
    /// Asks also while the breaker is open: who is told that the upstream serves must be able to call it at once. A server that
    /// has no health service is taken for SERVING: it has answered.
    pub(crate) fn serving(self: &Arc<Self>) -> Shared<Question> {
        let mut running = self.check.0.lock().expect("no holder panics");
        if let Some(question) =
            running.as_ref().and_then(WeakShared::upgrade).filter(|question| question.peek().is_none())
        {
            return question;
        }
        let question = ask(self.clone()).boxed().shared();
        *running = question.downgrade();
        question
    }
}

async fn ask(upstream: Arc<Upstream>) -> ServingStatus {
    let mut request = Request::new(HealthCheckRequest { service: String::new() });
    request.set_timeout(TIMEOUT);
    let mut client = HealthClient::new(service_fn(|request| async {
        let (answered, place) = upstream.send(request, None).await;
        whole(answered, place)
    }));
    let state = match tokio::time::timeout(TIMEOUT, client.check(request)).await {
        Ok(Ok(response)) => response.into_inner().status(),
        Ok(Err(status)) if status.code() == Code::Unimplemented => ServingStatus::Serving,
        Ok(Err(_)) | Err(_) => return ServingStatus::Unknown,
    };
    upstream.breaker.reached();
    state
}
