//! `google.api.http` as tables: which template answers to which path, what its variables are, and what a query binds.

use super::{Parts, json_body, query, routes::own_router, zoo::ZOO};
use crate::{Error, Reason, Router};
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};
use std::sync::LazyLock;

static KEEPER: LazyLock<Router> = LazyLock::new(|| Router::new(ZOO.pool.clone()).unwrap());

/// The template that answers to a path, and what it binds to `name` and `path`; none when no template does.
fn bound(templates: &[&str], path: &str) -> Option<(String, String, String)> {
    let more: Vec<Value> = templates[1..].iter().map(|template| json!({"get": template})).collect();
    let router = own_router(json!({"get": templates[0], "additionalBindings": more}));
    let found = match router.find("GET", path) {
        Ok(found) => found,
        Err(Error::NotFound) => return None,
        Err(other) => panic!("{path}: {other}"),
    };
    let request = found.request(Parts::default()).unwrap();
    let json: Value = serde_json::from_slice(&found.route.response(&request.message).unwrap()).unwrap();
    let text = |field: &str| json[field].as_str().unwrap_or_default().to_owned();
    Some((found.route.template.clone(), text("name"), text("path")))
}

#[test]
fn a_template_captures_what_its_pattern_says() {
    for (template, path, name, second) in [
        ("/v1/{name=messages/*}", "/v1/messages/123456", "messages/123456", ""),
        ("/v1/{name=messages/*}", "/v1/messages/a%2Fb", "messages/a%2Fb", ""),
        ("/v1/messages/{name}", "/v1/messages/a%20b+c", "a b+c", ""),
        ("/a/{name=b/*}/{path=d/**}", "/a/b/1/d", "b/1", "d"),
        ("/a/{name=b/*}/{path=d/**}", "/a/b/1/d/2/3", "b/1", "d/2/3"),
        ("/a/{name}/c", "/a/p%20q+r/c", "p q+r", ""),
        ("/a/{name=**}", "/a/p%20q%2Fr+/c", "p q%2Fr+/c", ""),
        ("/a/{name=**}", "/a/%2f/%2F", "%2F/%2F", ""),
        ("/a/{name=**}", "/a", "", ""),
        ("/a/{name=*}:verb", "/a/x:verb", "x", ""),
        ("/a/{name=**}:verb", "/a/x:y/z:verb", "x:y/z", ""),
        ("/a/*/{name}", "/a/anything/x", "x", ""),
        ("/a/{name}", "/a/x:y", "x:y", ""),
        ("/a/{name}", "/a/%C3%A9", "é", ""),
        ("/{name}/{path}", "/1/2", "1", "2"),
    ] {
        let expected = Some((template.to_owned(), name.to_owned(), second.to_owned()));
        assert_eq!(bound(&[template], path), expected, "{template} {path}");
    }
}

#[test]
fn a_template_does_not_answer_to_what_it_does_not_describe() {
    for (template, path) in [
        ("/v1/{name=messages/*}", "/v1/messages/"),
        ("/v1/{name=messages/*}", "/v1/messages"),
        ("/v1/{name=messages/*}", "/v1/messages/1/2"),
        ("/v1/{name=messages/*}", "/v1/others/1"),
        ("/a/{name}", "/a/"),
        ("/a/{name}/c", "/a//c"),
        ("/a/{name}:verb", "/a/:verb"),
        ("/a/{name}:verb", "/a/x"),
        ("/a/{name}:verb", "/a/x:other"),
        ("/a/b", "/a/b/"),
        ("/a/b", "//a/b"),
        ("/a/b", "/A/b"),
    ] {
        assert_eq!(bound(&[template], path), None, "{template} {path}");
    }
}

#[test]
fn of_templates_that_fit_the_most_specific_one_answers() {
    for (templates, path, winner) in [
        (["/a/{name=**}", "/a/{name}", "/a/b"], "/a/b", "/a/b"),
        (["/a/{name=**}", "/a/{name}", "/a/b"], "/a/c", "/a/{name}"),
        (["/a/{name=**}", "/a/{name}", "/a/b"], "/a/b/c", "/a/{name=**}"),
        (["/a/{name=**}", "/a/{name=**}:verb", "/a/b"], "/a/b/c:verb", "/a/{name=**}:verb"),
        (["/a/{name=**}", "/a/{name=**}:verb", "/a/b"], "/a/b/c", "/a/{name=**}"),
        (["/a/{name=**}", "/a/{name=**}:verb", "/a/b"], "/a/b/c:other", "/a/{name=**}"),
        // The first place at which they differ decides.
        (["/a/*/{name}", "/a/b/{name}", "/a/*/c"], "/a/b/c", "/a/b/{name}"),
        (["/a/*/{name}", "/a/b/{name}", "/a/*/c"], "/a/x/c", "/a/*/c"),
        (["/a/b/{name=**}", "/a/*/c/{name}", "/x"], "/a/b/c/d", "/a/b/{name=**}"),
    ] {
        for turn in 0..3 {
            let mut templates = templates;
            templates.rotate_left(turn);
            assert_eq!(bound(&templates, path).unwrap().0, winner, "{templates:?} {path}");
        }
    }
}

#[test]
fn templates_that_fit_one_path_are_listed_with_the_one_that_wins() {
    let router = own_router(json!({"get": "/a/*/c", "additionalBindings": [
        {"get": "/a/b/{name}"}, {"get": "/a/{name=**}"}, {"post": "/a/b/{name}"}, {"get": "/a/{name}/c:verb"},
    ]}));
    let told: Vec<(String, bool)> = router.overlaps().iter().map(|one| (one.to_string(), one.is_crossing)).collect();
    let expected = [
        ("GET /a/b/c: /a/b/{name} wins over /a/*/c", true),
        ("GET /a/x/c: /a/*/c wins over /a/{name=**}", false),
        ("GET /a/b/x: /a/b/{name} wins over /a/{name=**}", false),
    ];
    assert_eq!(told, expected.map(|(text, is_crossing)| (text.to_owned(), is_crossing)));
    // What is listed is what is found.
    for overlap in router.overlaps() {
        assert_eq!(router.find("GET", &overlap.path).unwrap().route.template, overlap.winner.template);
    }
}

#[test]
fn a_method_of_its_own_wins_over_any_method() {
    let router = own_router(json!({"custom": {"kind": "*", "path": "/a"}, "additionalBindings": [
        {"get": "/a"}, {"custom": {"kind": "REPORT", "path": "/b"}},
    ]}));
    let method = |method: &str, path: &str| router.find(method, path).unwrap().route.method.clone();
    assert_eq!(
        (method("GET", "/a"), method("PURGE", "/a"), method("REPORT", "/b")),
        ("GET".into(), "*".into(), "REPORT".into())
    );
}

#[test]
fn sixty_four_thousand_slashes_do_not_overflow() {
    let slashes = "/".repeat(64_000);
    assert_eq!(bound(&["/a/{name}"], &slashes), None);
    let (_, name, _) = bound(&["/a/{name=**}"], &format!("/a/{}", "b/".repeat(32_000))).unwrap();
    assert_eq!(name.len(), 64_000);
    assert_eq!(bound(&["/{name}/{path}"], &format!("{}x", "/y".repeat(32_000))), None);
    let colons = ":".repeat(64_000);
    assert_eq!(bound(&["/a/{name}"], &format!("/a/{colons}")).unwrap().1, colons);
}

/// The request message of `GET /v1/zoo` as JSON, or the faults of its query.
fn zoo(text: &str) -> Result<Value, Vec<(String, Reason)>> {
    let found = KEEPER.find("GET", "/v1/zoo").unwrap();
    match found.request(query(text)) {
        Ok(request) => {
            let message = DynamicMessage::decode(ZOO.message("zoo.v1.Zoo"), request.message).unwrap();
            Ok(serde_json::to_value(&message).unwrap())
        }
        Err(Error::Invalid(faults)) => Err(faults.into_iter().map(|one| (one.field, one.reason)).collect()),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_query_binds_leaves_of_every_kind() {
    for (text, expected) in [
        ("scalars.int32=5&scalars.string=a+b%2B", json!({"scalars": {"int32": 5, "string": "a b+"}})),
        ("tree.left.left.name=deep", json!({"tree": {"left": {"left": {"name": "deep"}}}})),
        ("lists.ints=1&lists.ints=2&lists.longs=3", json!({"lists": {"ints": [1, 2], "longs": ["3"]}})),
        ("lists.strings=a&lists.strings=&lists.strings=b", json!({"lists": {"strings": ["a", "", "b"]}})),
        ("scalars.size=LARGE", json!({"scalars": {"size": "LARGE"}})),
        (
            "scalars.size=2&lists.sizes=-3&lists.sizes=SMALL",
            json!({"scalars": {"size": "LARGE"}, "lists": {"sizes": ["NEGATIVE", "SMALL"]}}),
        ),
        ("known.int64=7&known.bool=true&known.string=", json!({"known": {"int64": "7", "bool": true, "string": ""}})),
        ("known.timestamp=2026-01-31T12:00:00.5Z", json!({"known": {"timestamp": "2026-01-31T12:00:00.500Z"}})),
        ("known.timestamp=2026-01-31T12:00:00%2B01:00", json!({"known": {"timestamp": "2026-01-31T11:00:00Z"}})),
        ("known.duration=-1.5s&known.mask=a,bC", json!({"known": {"duration": "-1.500s", "mask": "a,bC"}})),
        ("maps.texts[color]=red&maps.texts[size]=", json!({"maps": {"texts": {"color": "red", "size": ""}}})),
        ("maps.numbers[-1]=9&maps.flags[true]=0.5", json!({"maps": {"numbers": {"-1": "9"}, "flags": {"true": 0.5}}})),
        ("maps.texts%5Ba.b%5D=c", json!({"maps": {"texts": {"a.b": "c"}}})),
        ("optionals.int32=0&optionals.bool=false", json!({"optionals": {"int32": 0, "bool": false}})),
        ("choices.number=1&choices.yes=true", json!({"choices": {"number": 1, "yes": true}})),
        ("scalars.bytes=_-8&scalars.double=-Infinity", json!({"scalars": {"bytes": "/+8=", "double": "-Infinity"}})),
        ("names.%40own=a&names.snakeCaseName=b", json!({"names": {"@own": "a", "snakeCaseName": "b"}})),
        ("names.own_name=a&names.snake_case_name=b", json!({"names": {"@own": "a", "snakeCaseName": "b"}})),
        ("", json!({})),
    ] {
        assert_eq!(zoo(text).as_ref(), Ok(&expected), "{text}");
    }
}

#[test]
fn a_query_that_binds_no_leaf_is_refused_with_its_path() {
    for (text, field, reason) in [
        ("scalars=1", "scalars", Reason::UnknownQueryParameter),
        ("scalars.nothing=1", "scalars.nothing", Reason::UnknownQueryParameter),
        ("lists.scalars.int32=1", "lists.scalars.int32", Reason::UnknownQueryParameter),
        ("maps.texts=1", "maps.texts", Reason::UnknownQueryParameter),
        ("maps.scalars[1]=1", "maps.scalars[1]", Reason::UnknownQueryParameter),
        ("scalars.string[a]=1", "scalars.string[a]", Reason::UnknownQueryParameter),
        ("maps.numbers[a]=1", "maps.numbers[\"a\"]", Reason::InvalidValue),
        ("maps.numbers[1]=b", "maps.numbers[\"1\"]", Reason::InvalidValue),
        ("maps.texts[a]=1&maps.texts[a]=2", "maps.texts[\"a\"]", Reason::BoundTwice),
        ("scalars.int32=1&scalars.int32=1", "scalars.int32", Reason::BoundTwice),
        ("scalars.bool=1", "scalars.bool", Reason::InvalidValue),
        ("scalars.size=MEDIUM", "scalars.size", Reason::InvalidValue),
        ("choices.number=1&choices.text=a", "choices.text", Reason::InvalidValue),
        ("known.structure={}", "known.structure", Reason::InvalidValue),
        ("known.any={}", "known.any", Reason::InvalidValue),
        ("scalars.string=%FF", "query", Reason::InvalidValue),
    ] {
        assert_eq!(zoo(text), Err(vec![(field.to_owned(), reason)]), "{text}");
    }
    let keys = |count: usize| (0..count).map(|key| format!("maps.texts[{key}]=v")).collect::<Vec<_>>().join("&");
    assert!(zoo(&keys(1_000)).is_ok());
    let many = zoo(&keys(100_000)).unwrap_err();
    assert_eq!((many.len(), &many[0]), (32, &("maps.texts[\"1000\"]".to_owned(), Reason::InvalidValue)));
    let recursive = "tree.".to_owned() + &"left.".repeat(40) + "name=x";
    assert!(zoo(&recursive).is_err());
}

#[test]
fn a_patch_fills_its_mask_with_the_leaves_of_its_body() {
    let mask = |body: &str| {
        let found = KEEPER.find("PATCH", "/v1/zoo/n").unwrap();
        let request = found.request(json_body(body)).unwrap();
        let message = DynamicMessage::decode(ZOO.message("zoo.v1.UpdateZooRequest"), request.message).unwrap();
        serde_json::to_value(&message).unwrap()
    };
    for (body, paths) in [
        (r#"{"names":{"@own":"a","snakeCaseName":"b"}}"#, "names.ownName,names.snakeCaseName"),
        (
            r#"{"tree":{"left":{"name":"a"},"children":[{"name":"b"}],"byName":{"c":{}}}}"#,
            "tree.left.name,tree.children,tree.byName",
        ),
        (
            r#"{"known":{"timestamp":"2026-01-31T12:00:00Z","structure":{"a":{"b":1}},"int32":null},"lists":null}"#,
            "known.timestamp,known.structure,known.int32,lists",
        ),
        (r#"{"names":{"late":"n"},"tree":{}}"#, ""),
        ("{}", ""),
    ] {
        let message = mask(body);
        assert_eq!(message["updateMask"], paths, "{body}");
        assert_eq!(message["zoo"]["names"]["late"], "n", "{body}");
    }
    // The name in the contract is own_name, in JSON @own: ownName is neither.
    let found = KEEPER.find("PATCH", "/v1/zoo/n").unwrap();
    assert!(matches!(found.request(json_body(r#"{"names":{"ownName":"a"}}"#)), Err(Error::Invalid(_))));
}

#[test]
fn an_explanation_tells_where_each_field_comes_from() {
    let found = KEEPER.find("PATCH", "/v1/zoo/n").unwrap();
    let parts =
        Parts { query: "updateMask=names.late", ..json_body(r#"{"tree":{"name":"a"},"scalars":{"bool":true}}"#) };
    let explained = found.explain(parts);
    let origins: Vec<(&str, &str)> = explained.origins.iter().map(|one| (one.field.as_str(), one.from)).collect();
    let expected = [
        ("names.late", "in the path"),
        ("updateMask", "in the query"),
        ("tree.name", "in the body"),
        ("scalars.bool", "in the body"),
    ];
    assert_eq!(origins, expected);
    let message: Value = serde_json::from_slice(&explained.request.unwrap()).unwrap();
    assert_eq!(message["updateMask"], "names.late");
    assert!(matches!(found.explain(json_body("{")).request, Err(Error::Invalid(_))));
}
