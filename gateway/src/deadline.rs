//! How long a call may take: the configured deadline, longer by the waiting that the query asks for, shorter when the
//! caller says so in `X-Request-Timeout` or `grpc-timeout`.

use http::HeaderMap;
use std::time::Duration;
use tonic::Status;

/// What a caller can add by durations in the query: longer waits are for watches, which have no deadline.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

const HEADERS: [&str; 2] = ["x-request-timeout", "grpc-timeout"];

/// The time-out that the caller asks for, when it asks for one.
pub(crate) fn requested(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    for name in HEADERS {
        let Some(value) = headers.get(name) else { continue };
        let parsed = value.to_str().ok().and_then(|text| parse(text, name == "grpc-timeout"));
        return parsed.filter(|timeout| !timeout.is_zero()).map(Some).ok_or_else(|| {
            rpc::status::violation(name, "must be a positive time such as 5, 2.5s or 250ms (grpc-timeout: 250m)")
        });
    }
    Ok(None)
}

/// The time that the call gets.
pub(crate) fn effective(default: Duration, wait: Duration, requested: Option<Duration>) -> Duration {
    let most = default.saturating_add(wait.min(LONGEST_WAIT));
    requested.map_or(most, |requested| requested.min(most))
}

fn parse(text: &str, grpc: bool) -> Option<Duration> {
    let digits = text.find(|character: char| character != '.' && !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds_per_unit = match (unit, grpc) {
        ("" | "s", false) | ("S", true) => 1.0,
        ("ms", false) | ("m", true) => 1e-3,
        ("us", false) | ("u", true) => 1e-6,
        ("m", false) | ("M", true) => 60.0,
        ("H", true) => 3600.0,
        ("n", true) => 1e-9,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds_per_unit).ok()
}
