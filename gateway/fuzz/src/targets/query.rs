//! Queries and forms to the fields of requests.

use crate::target::{Target, assert_json, first, is_mask, unvaried};
use crate::{
    memory::{bound, within},
    zoo::{Types, all},
};
use std::sync::LazyLock;
use transcode::{Body, Error, MAX_VIOLATIONS, Match, Parts, Route, Rpc};

static DICTIONARY: [&[u8]; 46] = [
    b"&",
    b"=",
    b"%",
    b"%20",
    b"+",
    b"%26",
    b"%3D",
    b"%FF",
    b"[",
    b"]",
    b".",
    b"\0",
    b"page_size=",
    b"pageSize=1",
    b"scalars.int64=",
    b"scalars.double=1e300",
    b"optionals.scalars.bytes=YQ",
    b"lists.ints=1",
    b"lists.times=2026-01-01T00:00:00Z",
    b"lists.sizes=SMALL",
    b"maps.texts[a]=b",
    b"maps.numbers[-1]=2",
    b"maps.flags[true]=1",
    b"maps.durations[1]=1s",
    b"choices.text=a",
    b"choices.yes=true",
    b"known.duration=1.5s",
    b"known.mask=a.b,c",
    b"known.int64=1",
    b"known.string=a",
    b"known.timestamp=",
    b"known.value=1",
    b"tree.left.left.name=a",
    b"names.%40own=1",
    b"names.far=1",
    b"null",
    b"NaN",
    b"-0",
    b"2147483648",
    b"orderId=",
    b"wait=1s",
    b"updateMask=",
    b"%22",
    b"tree.name=%22%5C%0A",
    b"etag=",
    b"requestId=",
];

pub const TARGET: Target = Target { name: "query", seeds, dictionary: &DICTIONARY, vary: unvaried, run };

/// The routes whose path is found when its variables are `x` or `1`, with the match.
static CALLS: LazyLock<Vec<Call>> = LazyLock::new(|| {
    let of = |types: &'static Types| types.router.routes().iter().filter_map(move |route| Call::new(types, route));
    all().into_iter().flat_map(of).collect()
});

struct Call {
    types: &'static Types,
    found: Match,
    /// Takes and answers the request message.
    echo: &'static Rpc,
}

impl Call {
    fn new(types: &'static Types, route: &Route) -> Option<Self> {
        let found = types.router.find(&route.method, &filled(&route.template)).ok()?;
        let (service, method) = route.rpc.full_name.rsplit_once('.')?;
        let service = types.pool.get_service_by_name(service)?;
        let input = service.methods().find(|one| one.name() == method)?.input();
        Some(Call { types, found, echo: types.rpc(input.full_name()) })
    }
}

fn filled(template: &str) -> String {
    let mut path = template.to_owned();
    while let (Some(start), Some(end)) = (path.find('{'), path.find('}')) {
        let variable = path.get(start + 1..end).unwrap_or_default();
        let value = variable.split_once('=').map_or("1".to_owned(), |(_, value)| value.replace('*', "1"));
        path.replace_range(start..=end, &value);
    }
    path
}

fn seeds() -> Vec<Vec<u8>> {
    let routes = 0..u8::try_from(CALLS.len()).unwrap_or(u8::MAX);
    routes.flat_map(|route| DICTIONARY.iter().map(move |word| [&[route], *word].concat())).collect()
}

/// A byte for the route, the query, and after a zero a form.
fn run(input: &[u8]) {
    let Some((byte, text)) = first(input) else { return };
    let Some(Call { types, found, echo }) = CALLS.get(usize::from(byte) % CALLS.len()) else { return };
    let (query, form) = match text.iter().position(|byte| *byte == 0) {
        Some(at) if at + 1 < text.len() => (&text[..at], Body::Form(&text[at + 1..])),
        Some(at) => (&text[..at], Body::Empty),
        None => (text, Body::Empty),
    };
    let query = String::from_utf8_lossy(query);
    let parts = Parts { query: &query, body: form, ..Parts::default() };
    assert!(transcode::query(&query).count() <= query.len());
    let bound = bound(text.len());
    let explained = within(bound, || found.explain(parts));
    match within(bound, || found.request(parts)) {
        Ok(bound) => {
            assert!(bound.message.len() <= 16 * text.len() + 256, "{} bytes of {}", bound.message.len(), text.len());
            let json = match explained.request {
                Ok(json) => json,
                Err(error) => return assert!(is_mask(&error), "{error:?}"),
            };
            assert_json(&json);
            // The message is that of its JSON.
            let again = types.router.read(echo, &json);
            let again = again.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&json)));
            let written = |message: &[u8]| types.router.write(echo, message).expect("it was written");
            assert_eq!(String::from_utf8_lossy(&written(&again)), String::from_utf8_lossy(&written(&bound.message)));
        }
        Err(Error::Invalid(faults)) => {
            assert!((1..=MAX_VIOLATIONS).contains(&faults.len()));
            assert!(explained.request.is_err());
        }
        Err(other) => panic!("{other}"),
    }
}
