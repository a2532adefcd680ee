//! A quota and its arithmetic. Of each caller one number is kept: the time at which nothing will be counted any more.

use std::{str::FromStr, time::Duration};

/// Nanoseconds since 1970.
pub(crate) type Nanos = u64;

/// How many requests a caller may send in a time. Who has sent none for that time may send all of them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// 1 to 1,000,000.
    pub requests: u32,
    /// 1 s to a day.
    pub window: Duration,
}

/// The text is no quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a quota is REQUESTS/SECONDS, such as 300/60: 1 to 1000000 requests in 1 to 86400 s")]
pub struct NoQuota;

impl FromStr for Quota {
    type Err = NoQuota;

    fn from_str(text: &str) -> Result<Self, NoQuota> {
        let (requests, seconds) = text.split_once('/').ok_or(NoQuota)?;
        let (requests, seconds): (u32, u64) =
            (requests.parse().map_err(|_| NoQuota)?, seconds.parse().map_err(|_| NoQuota)?);
        let is_sane = (1..=1_000_000).contains(&requests) && (1..=86_400).contains(&seconds);
        if is_sane { Ok(Self { requests, window: Duration::from_secs(seconds) }) } else { Err(NoQuota) }
    }
}

/// Requests that have been counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    pub requests: u32,
    /// When nothing of them will be counted any more.
    pub clear_at: Nanos,
}

impl Quota {
    /// Counts as many requests as are free at `now`, at most `wanted`; when none is, tells after which time one will be.
    pub(crate) fn take(self, clear_at: Nanos, now: Nanos, wanted: u32) -> Result<Taken, Duration> {
        let (each, window) = (self.each(), self.window());
        // A replica whose clock is ahead does not lock callers out for longer than a window.
        let used = clear_at.saturating_sub(now).min(window);
        let free = u32::try_from((window - used) / each).unwrap_or(u32::MAX).min(wanted);
        if free == 0 {
            return Err(Duration::from_nanos(used + each - window));
        }
        Ok(Taken { requests: free, clear_at: now + used + u64::from(free) * each })
    }

    /// When nothing will be counted any more against who is refused at `now` for `wait`.
    pub(crate) fn clear_after(self, now: Nanos, wait: Duration) -> Nanos {
        now + (self.window() - self.each()) + wait.as_nanos() as Nanos
    }

    /// How many requests are free at `now`.
    pub(crate) fn free(self, clear_at: Nanos, now: Nanos) -> u32 {
        let used = clear_at.saturating_sub(now);
        u32::try_from(self.window().saturating_sub(used) / self.each()).unwrap_or(u32::MAX)
    }

    /// What a replica takes at once: one request, and twice as many as the last time where these did not last, at most a
    /// twentieth of the quota. So what it takes it uses, and a caller below the quota is admitted whatever replicas it meets.
    pub(crate) fn portion(self, last: u32, has_not_lasted: bool) -> u32 {
        let most = (self.requests / 20).max(1);
        if has_not_lasted { last.saturating_mul(2).clamp(1, most) } else { 1 }
    }

    /// How long a portion is kept: in that time as much becomes free again.
    pub(crate) fn keep(self, portion: u32) -> Nanos {
        u64::from(portion) * self.each()
    }

    /// The time after which one request is not counted any more.
    fn each(self) -> Nanos {
        (self.window() / u64::from(self.requests)).max(1)
    }

    fn window(self) -> Nanos {
        u64::try_from(self.window.as_nanos()).unwrap_or(u64::MAX)
    }
}
