//! Each target on a few inputs, and that what is broken is found.

use crate::{
    engine::{Run, run},
    memory,
    target::Target,
    targets::TARGETS,
};

fn holds(name: &str, inputs: u64) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("it is a target");
    let found = run(target, Run { inputs, seed: 1, is_told: false });
    found.unwrap_or_else(|broken| panic!("{name} --replay {}", broken.file.display()));
}

#[test]
fn json_is_read_and_written_whatever_it_is() {
    holds("json", 20_000);
}

#[test]
fn the_wire_is_written_and_read_whatever_it_is() {
    holds("wire", 20_000);
}

#[test]
fn paths_find_their_routes_whatever_they_are() {
    holds("path", 20_000);
}

#[test]
fn queries_and_forms_are_bound_whatever_they_are() {
    holds("query", 20_000);
}

#[test]
fn streams_of_connect_are_taken_apart_in_whatever_pieces() {
    holds("connect", 10_000);
}

#[test]
fn bodies_of_grpc_web_are_heard_in_whatever_pieces() {
    holds("web", 10_000);
}

#[test]
fn an_input_that_breaks_is_kept() {
    fn seeds() -> Vec<Vec<u8>> {
        vec![b"abc".to_vec()]
    }
    static PICKY: Target = Target {
        name: "picky",
        seeds,
        dictionary: &[b"xyz"],
        vary: |_, _| None,
        run: |input| assert!(!input.ends_with(b"xyz")),
    };
    let broken = run(&PICKY, Run { inputs: 100_000, seed: 1, is_told: false }).err().expect("it is found");
    let input = std::fs::read(&broken.file).unwrap();
    std::fs::remove_file(&broken.file).unwrap();
    assert!(input.ends_with(b"xyz"), "{input:?}");
}

#[test]
#[should_panic(expected = "bytes of memory at a time")]
fn a_call_that_takes_too_much_memory_is_found() {
    memory::within(1000, || drop(vec![0_u8; 2000]));
}
