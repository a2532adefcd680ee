//! When descriptors that have been found are taken, and what happens when they cannot be compiled.

use crate::{
    error::chain,
    reload::{Cause, Digests, compiled},
    schema::Source,
};

const PART: [u8; 32] = [1; 32];
const WHOLE: [u8; 32] = [2; 32];

#[test]
fn a_file_that_is_still_written_is_taken_when_two_looks_find_the_same() {
    let file = Source::File("set".into());
    let mut digests = Digests { served: Some([0; 32]), seen: Some([0; 32]), refused: None };
    let mut look = |found| digests.is_due(found, Cause::Interval, &file);
    assert_eq!([PART, WHOLE, PART, WHOLE].map(&mut look), [false; 4], "nothing stays for two looks");
    assert!(look(WHOLE));
}

#[test]
fn what_somebody_asks_for_is_taken_at_once_and_reflection_is_never_half_written() {
    for (source, cause) in [
        (Source::File("set".into()), Cause::Hangup),
        (Source::Reflection(String::new()), Cause::Interval),
        (Source::Reflection(String::new()), Cause::Start),
    ] {
        assert!(Digests::default().is_due(WHOLE, cause, &source), "{source:?} {cause:?}");
    }
}

#[test]
fn what_was_refused_is_tried_again_when_somebody_asks_for_it_alone() {
    let source = Source::Reflection(String::new());
    let mut digests = Digests { refused: Some(WHOLE), ..Digests::default() };
    assert!(!digests.is_due(WHOLE, Cause::Interval, &source));
    assert!(digests.is_due(WHOLE, Cause::Hangup, &source));
    digests.served = Some(WHOLE);
    assert!(!digests.is_due(WHOLE, Cause::Hangup, &source), "it is served already");
}

#[tokio::test]
async fn a_panic_of_the_compiler_refuses_its_descriptors_and_ends_nothing() {
    let refused = compiled::<()>(|| panic!("an index out of bounds")).await.expect_err("it panics");
    let line = chain(&refused);
    assert!(line.contains("defect") && line.contains("an index out of bounds"), "{line}");
    assert_eq!(compiled(|| Ok(1)).await.expect("the next one"), 1);
}
