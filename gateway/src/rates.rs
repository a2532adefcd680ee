//! The rate limits as they are configured, and who counts them.

use limit::{NoQuota, Quota};
use settings::{Error, Key, Secret, Settings};
use std::{collections::BTreeMap, str::FromStr, time::Duration};

pub(crate) use settings::{NATS_PASSWORD, NATS_URL, NATS_USER};

pub(crate) const RATE_LIMITS: Key = Key::new(
    "rate-limits",
    "COMPTOIR_RATE_LIMITS",
    "Requests that each caller may send in a time, WHAT=REQUESTS/SECONDS,… where WHAT is user, address, sign-in (by address) \
     or the full name of an RPC; sign-in=0 takes that limit away. Replicas count together where they have a NATS server",
)
.default(RateLimits::USUAL);

/// How long a request waits for its limit: within a cluster an answer takes some milliseconds.
const PATIENCE: Duration = Duration::from_millis(100);

pub(crate) const USER: &str = "user";
pub(crate) const ADDRESS: &str = "address";
pub(crate) const SIGN_IN: &str = "sign-in";

/// What is limited, by name: `user`, `address`, `sign-in`, or the full name of an RPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimits(pub(crate) BTreeMap<String, Quota>);

impl RateLimits {
    /// Sign-ins of one address, whether they succeed or not: a large office signs in, and no flood comes through.
    pub const USUAL: &str = "sign-in=300/60";

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The longest time that anything is counted for.
    pub(crate) fn longest(&self) -> Duration {
        self.0.values().map(|quota| quota.window).max().unwrap_or_default()
    }
}

impl FromStr for RateLimits {
    type Err = String;

    /// A limit that is not named keeps its default; `0` takes it away.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut limits = BTreeMap::new();
        for entry in
            RateLimits::USUAL.split(',').chain(text.split(',')).map(str::trim).filter(|entry| !entry.is_empty())
        {
            let (name, quota) =
                entry.split_once('=').ok_or_else(|| format!("{entry:?} is not WHAT=REQUESTS/SECONDS"))?;
            let is_known = matches!(name, USER | ADDRESS | SIGN_IN) || name.contains('.');
            if !is_known {
                return Err(format!("{name:?} is not user, address, sign-in or the full name of an RPC"));
            }
            match quota {
                "0" => drop(limits.remove(name)),
                _ => {
                    let quota = quota.parse().map_err(|error: NoQuota| format!("{entry:?}: {error}"))?;
                    limits.insert(name.to_owned(), quota);
                }
            }
        }
        Ok(Self(limits))
    }
}

/// A user of NATS.
#[derive(Clone, Debug)]
pub struct Nats {
    pub url: String,
    pub user: String,
    pub password: Secret,
    /// How long a count may take; without an answer in that time the replica counts for itself.
    pub patience: Duration,
}

impl Nats {
    pub(crate) fn resolve(settings: &Settings) -> Result<Option<Self>, Error> {
        let url = settings.value(&NATS_URL);
        if url.is_empty() {
            return Ok(None);
        }
        let (user, password) = (settings.required(&NATS_USER)?.to_owned(), settings.secret(&NATS_PASSWORD)?);
        Ok(Some(Nats { url: url.to_owned(), user, password, patience: PATIENCE }))
    }
}
