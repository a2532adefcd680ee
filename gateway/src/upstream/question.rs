//! A question that is asked once at a time, however many want to know.

use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use std::sync::Mutex;

type Asking<T> = BoxFuture<'static, T>;

/// The question that is under way, until nobody waits for its answer.
pub(super) struct Question<T>(Mutex<Option<WeakShared<Asking<T>>>>);

impl<T> Default for Question<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Question<T> {
    /// The answer of the question that is under way, which is asked now when there is none.
    pub(super) fn ask(&self, asking: impl Future<Output = T> + Send + 'static) -> Shared<Asking<T>> {
        let mut running = self.0.lock().expect("no holder panics");
        let under_way = running.as_ref().and_then(WeakShared::upgrade).filter(|asked| asked.peek().is_none());
        under_way.unwrap_or_else(|| {
            let asked = asking.boxed().shared();
            *running = asked.downgrade();
            asked
        })
    }
}
