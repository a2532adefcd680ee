//! Methods and paths to routes and captures.

use crate::target::{Target, first, unvaried};
use crate::{
    memory::{bound, within},
    zoo::{all, named},
};
use std::sync::Arc;
use transcode::{Error, Parts, Router};

static DICTIONARY: [&[u8]; 26] = [
    b"/",
    b"//",
    b":",
    b"%2F",
    b"%2f",
    b"%3A",
    b"%25",
    b"%",
    b"%4",
    b"%FF",
    b"%C3%A9",
    b".",
    b"..",
    b"%2e",
    b"+",
    b"*",
    b"**",
    b":go",
    b":verb",
    b"/files/",
    b"/shelves/books/",
    b"/any/",
    b"/v1/products/",
    b":batchGet",
    b"true",
    b"\xc3\xa9",
];

const METHODS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "*"];

pub const TARGET: Target = Target { name: "path", seeds, dictionary: &DICTIONARY, vary: unvaried, run };

/// The template of each route, which is a path too.
fn seeds() -> Vec<Vec<u8>> {
    let of = |bit: u8, router: &Router| -> Vec<Vec<u8>> {
        let method = |name: &str| METHODS.iter().position(|method| *method == name).unwrap_or_default();
        let route = |method: usize, template: &str| {
            let path = template.replace(['{', '}'], "").replace("path=", "").replace("name=", "");
            [&[bit | (method as u8) << 1], path.as_bytes()].concat()
        };
        router.routes().iter().map(|one| route(method(&one.method), &one.template)).collect()
    };
    (0..).zip(all()).flat_map(|(bit, types)| of(bit, &types.router)).collect()
}

fn run(input: &[u8]) {
    let Some((byte, path)) = first(input) else { return };
    let (types, _, _) = named(byte & 1);
    let (router, method) = (&types.router, METHODS[usize::from(byte >> 1) % METHODS.len()]);
    let path = String::from_utf8_lossy(path);
    let bound = bound(path.len());
    let fitting = within(bound, || router.fitting(&path));
    match within(bound, || router.find(method, &path)) {
        Ok(found) => {
            assert!(fitting.iter().any(|route| Arc::ptr_eq(route, &found.route)), "{path} is found and does not fit");
            let request = within(bound, || found.request(Parts::default()));
            let explained = within(bound, || found.explain(Parts::default()));
            assert_eq!(request.is_ok(), explained.request.is_ok());
            let request = request.ok().map(|request| request.message);
            assert!(request.as_ref().is_none_or(|message| message.len() <= 2 * path.len() + 64), "{path}");
            // What is escaped means what it meant.
            let escaped = router.find(method, &escape(&path)).expect("the same path is found");
            assert!(Arc::ptr_eq(&escaped.route, &found.route), "{path} escaped is another");
            assert_eq!(escaped.request(Parts::default()).ok().map(|request| request.message), request, "{path}");
        }
        Err(Error::NotFound) => assert!(fitting.is_empty(), "{path} fits and is not found"),
        Err(Error::MethodNotAllowed { allowed }) => {
            assert!(!fitting.is_empty() && !allowed.is_empty(), "{path} has methods and fits nothing");
            assert!(method == "OPTIONS" || allowed.iter().all(|one| one != method), "{path} has {method}");
        }
        Err(Error::Invalid(faults)) => assert!(!faults.is_empty()),
        Err(other) => panic!("{other}"),
    }
}

/// Escapes all but separators, the verb and what is escaped.
fn escape(path: &str) -> String {
    let name = path.rfind('/').map_or(0, |at| at + 1);
    let verb = path.rfind(':').filter(|at| *at >= name).unwrap_or(path.len());
    let (path, verb) = path.split_at(verb);
    let mut out = String::new();
    let mut bytes = path.bytes();
    while let Some(next) = bytes.next() {
        match next {
            b'/' | b':' => out.push(char::from(next)),
            b'%' => {
                out.push('%');
                out.extend(bytes.by_ref().take(2).map(char::from));
            }
            _ => out.push_str(&format!("%{next:02X}")),
        }
    }
    out + verb
}
