//! What is revoked, for how long, and what a check costs.

use crate::{Revocations, revocations::KEPT};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    time::Instant,
};

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Counts what this thread asks for.
struct Counting;

// SAFETY: all is passed on to the allocator of the system.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[test]
fn a_check_allocates_nothing_among_a_hundred_thousand_revocations() {
    let (list, now) = (Revocations::default(), Instant::now());
    for number in 0..100_000_u32 {
        list.note(&format!("usr_{number}"), 1, now);
    }
    let before = COUNT.get();
    let answers = [list.covers("usr_77", 0), list.covers("usr_77", 1), list.covers("usr_none", 0)];
    let allocated = COUNT.get() - before;
    assert_eq!((answers, allocated), ([true, false, false], 0));
    assert!(before > 100_000, "what is noted is counted: {before}");
}

#[test]
fn a_revocation_ends_older_generations_of_its_account_alone() {
    let (list, now) = (Revocations::default(), Instant::now());
    assert!(!list.covers("usr_1", 0));
    list.note("usr_1", 2, now);
    assert_eq!([0, 1, 2, 3].map(|generation| list.covers("usr_1", generation)), [true, true, false, false]);
    assert!(!list.covers("usr_2", 0));
    list.note("usr_1", 1, now);
    assert!(list.covers("usr_1", 1), "older news that come late undo nothing");
}

#[test]
fn a_revocation_is_forgotten_when_no_token_of_before_is_left() {
    let (list, now) = (Revocations::default(), Instant::now());
    list.note("usr_1", 1, now);
    list.note("usr_1", 2, now + KEPT / 2);
    list.note("usr_2", 1, now + KEPT);
    assert!(list.covers("usr_1", 1), "the newer one has its own time");
    list.note("usr_2", 2, now + KEPT + KEPT / 2);
    assert!(!list.covers("usr_1", 1));
    assert!(list.covers("usr_2", 1));
}

#[test]
fn of_too_many_revocations_the_oldest_is_forgotten_first() {
    let (list, now) = (Revocations::default(), Instant::now());
    for number in 0..131_073_u32 {
        list.note(&number.to_string(), 1, now);
    }
    assert!(!list.covers("0", 0));
    assert!(list.covers("1", 0) && list.covers("131072", 0));
}
