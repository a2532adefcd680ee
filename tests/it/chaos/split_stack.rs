//! A stack of which some services are processes of their own, so that they can be killed.

use crate::cli::verify::is_clean;
use kit::{
    Process, Stack, StackOptions,
    shop::{TIMEOUT, sagas_have_ended},
};
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::Mutex;

/// How long all sagas may take to come to an end.
pub const LIMIT: Duration = Duration::from_secs(180);

pub struct SplitStack {
    pub stack: Stack,
    apart: Mutex<BTreeMap<&'static str, Process>>,
}

impl SplitStack {
    pub async fn start(apart: &[&'static str]) -> Self {
        let stack = Stack::start(StackOptions::without(apart)).await;
        let apart = Mutex::new(apart.iter().map(|name| (*name, stack.serve(name))).collect());
        Self { stack, apart }
    }

    /// Kills one of the processes, at whatever it is doing, and starts it again.
    pub async fn kill(&self, name: &'static str) {
        let mut apart = self.apart.lock().await;
        apart[name].kill().await;
        apart.insert(name, self.stack.serve(name));
    }

    /// Waits until every saga has ended; then `comptoir verify` must find nothing.
    pub async fn is_sound(&self) {
        sagas_have_ended(&self.stack, LIMIT).await;
        is_clean(&self.stack).await;
    }

    pub async fn stop(self) {
        for process in self.apart.lock().await.values() {
            process.stop(TIMEOUT).await.expect("it drains");
        }
        self.stack.stop().await;
    }
}
