//! Path templates as paths of OpenAPI.

use super::{INFO, OUTPUT, compiled, described, names, operation, service};
use crate::{Access, Error, document, template::Path};

const MESSAGES: &str = "message Inner { string user_id = 1; }\n\
    message Request { string name = 1; string shelf_id = 2; Inner inner = 3; Inner other = 4; }\nmessage Reply {}";

fn text(template: &str) -> String {
    Path::parse(template).unwrap_or_else(|problem| panic!("{template}: {problem}")).text
}

#[test]
fn a_template_becomes_a_path_whose_parameters_are_single_segments() {
    for (template, path) in [
        ("/v1/users", "/v1/users"),
        ("/v1/users/{user_id}", "/v1/users/{userId}"),
        ("/v1/users/{user.user_id}", "/v1/users/{userId}"),
        ("/v1/users/{user_id}:disable", "/v1/users/{userId}:disable"),
        ("/v1/users:search", "/v1/users:search"),
        ("/v1/{name=shelves/*}", "/v1/shelves/{shelvesId}"),
        ("/v1/{name=shelves/*/books/*}:lend", "/v1/shelves/{shelvesId}/books/{booksId}:lend"),
        ("/v1/{name=*/*}", "/v1/{name}/{name2}"),
        ("/v1/{name=files/**}", "/v1/files/{filesPath}"),
        ("/v1/{name=**}", "/v1/{name}"),
        ("/v1/{inner.user_id}/{other.user_id}", "/v1/{userId}/{other.userId}"),
        ("/v1/*/x/**", "/v1/{segment}/x/{segment2}"),
    ] {
        assert_eq!(text(template), path, "{template}");
    }
}

#[test]
fn a_template_that_is_none_is_refused_with_its_rpc() {
    for template in ["v1", "/v1/{name", "/v1/{=x}", "/v1/{a={b}}"] {
        assert!(Path::parse(template).is_err(), "{template}");
        let pool = compiled(&service(&[&format!("get: \"{template}\"")], MESSAGES));
        let error = document(&pool, INFO, &Access::default(), OUTPUT).expect_err("the template is wrong");
        assert!(matches!(&error, Error::Template { rpc, .. } if rpc == "zoo.v1.Zoo.Call0"), "{error}");
    }
}

#[test]
fn a_field_that_is_not_there_is_refused_with_its_rpc() {
    for rule in ["get: \"/v1/{nobody}\"", "post: \"/v1\" body: \"nobody\"", "get: \"/v1\" response_body: \"nobody\""] {
        let error = document(&compiled(&service(&[rule], MESSAGES)), INFO, &Access::default(), OUTPUT)
            .expect_err("there is no such field");
        assert_eq!(error.to_string(), "zoo.v1.Zoo.Call0: \"nobody\" is no field");
    }
}

#[test]
fn a_part_of_a_value_says_which_one_and_an_open_one_that_it_may_have_slashes() {
    let rules = ["get: \"/v1/{name=shelves/*}/books\"", "get: \"/v1/{name=**}\""];
    let document = described(&compiled(&service(&rules, MESSAGES)));
    let part = &operation(&document, "get", "/v1/shelves/{shelvesId}/books")["parameters"][0];
    assert_eq!((&part["name"], &part["description"]), (&"shelvesId".into(), &"A part of `name`: `shelves/*`.".into()));
    let open = &operation(&document, "get", "/v1/{name}")["parameters"][0];
    assert_eq!(open["description"], "It may have several segments, with slashes between them.");
}

#[test]
fn one_segment_and_several_are_two_paths_with_two_names() {
    let rules = ["get: \"/v1/{name}\"", "get: \"/v1/{name=**}\"", "delete: \"/v1/{shelf_id}\""];
    let document = described(&compiled(&service(&rules, MESSAGES)));
    let paths = document["paths"].as_object().expect("paths");
    assert_eq!(paths.keys().collect::<Vec<_>>(), ["/v1/{nameRest}", "/v1/{name}"]);
    assert_eq!(names(operation(&document, "delete", "/v1/{name}"), "path"), ["name"], "the path has the first one's");
}
