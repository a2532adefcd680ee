//! Who is told failures as problems.

use super::is_liked;
use http::{HeaderMap, HeaderValue, header::ACCEPT};

fn liked(accept: &[&'static str]) -> bool {
    let headers: HeaderMap = accept.iter().map(|value| (ACCEPT, HeaderValue::from_static(value))).collect();
    is_liked(&headers)
}

#[test]
fn problems_are_for_those_who_name_them_and_like_json_no_better() {
    for accept in [
        &["application/problem+json"][..],
        &["application/json, application/problem+json"],
        &["application/json", "Application/Problem+JSON"],
        &["application/problem+json;q=0.9, application/json;q=0.8"],
        &["application/problem+json ; profile=x; q=1, */*"],
        &["application/json;q=0.5, application/problem+json;q=0.5, */*;q=0.1"],
        &["text/event-stream, application/problem+json;q=0.001"],
    ] {
        assert!(liked(accept), "{accept:?}");
    }
    for accept in [
        &[][..],
        &["*/*"],
        &["application/*"],
        &["application/json"],
        &["application/problem+xml"],
        &["application/json, application/problem+json;q=0.9"],
        &["application/problem+json;q=0"],
        &["application/problem+json;q=0.5, application/*;q=0.6"],
        &["application/problem+json;q=0.5, */*"],
        &["application/problem+json;q=2"],
        &["application/problem+json;q=x"],
    ] {
        assert!(!liked(accept), "{accept:?}");
    }
}
