//! How many streams each caller has open. A stream may be left unread, and holds memory until its caller ends it: one caller must
//! not take the memory, or the places of an upstream, that all others need.

use crate::{
    client::{self, TrustedProxies},
    error::Failure,
};
use http::{StatusCode, request::Parts};
use settings::Key;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

pub(crate) const STREAMS_PER_CALLER: Key = Key::new(
    "streams-per-caller",
    "COMPTOIR_STREAMS_PER_CALLER",
    "Streams that one user, or one address without a token, may have open at once at each replica",
)
.default("100");

/// When a caller who had too many may try again.
const WAIT: Duration = Duration::from_secs(1);

/// The open streams of all callers; who has none is not in it.
pub(crate) struct Streams {
    limit: usize,
    open: Mutex<HashMap<String, usize>>,
}

/// One open stream, until it is dropped.
pub(crate) struct Stream {
    streams: Arc<Streams>,
    caller: String,
}

impl Streams {
    pub(crate) fn new(limit: usize) -> Self {
        Streams { limit, open: Mutex::default() }
    }

    /// Opens a stream of the user, or of the address that the request comes from.
    pub(crate) fn open(
        this: &Arc<Self>,
        user: Option<&str>,
        request: &Parts,
        proxies: &TrustedProxies,
    ) -> Result<Stream, Failure> {
        let caller = user.map_or_else(|| client::name(proxies, request), str::to_owned);
        let mut open = this.open.lock().expect("no holder panics");
        let count = open.entry(caller.clone()).or_default();
        if *count >= this.limit {
            let message = format!("{} streams of this caller are open; end one of them first", this.limit);
            let status = rpc::status::exhausted("TOO_MANY_STREAMS", message, WAIT);
            return Err(Failure::with_http(StatusCode::TOO_MANY_REQUESTS, status));
        }
        *count += 1;
        Ok(Stream { streams: this.clone(), caller })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().expect("no holder panics");
        if let Some(count) = open.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.caller);
            }
        }
    }
}
