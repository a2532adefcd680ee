//! Chains that are whole, and what is found in those that are not.

use crate::{
    check::{Check, Fault, FaultKind, newest},
    domain::{Entry, Head, entry_id, hash, hex},
};
use ::store::Time;
use bson::{Document, RawDocumentBuf, doc};

const DAY: &str = "2026-03-29";

fn entry(number: i64) -> Entry {
    Entry {
        id: String::new(),
        event_id: format!("evt_{number}"),
        service: "orders".to_owned(),
        aggregate: "order".to_owned(),
        aggregate_id: "ord_1".to_owned(),
        seq: number,
        event_type: "comptoir.orders.v1.OrderChanged".to_owned(),
        name: "cancelled".to_owned(),
        event_at: Time::from_millis(1_000 + number),
        actor: "usr_1".to_owned(),
        actor_role: "staff".to_owned(),
        data_digest: hex("data"),
        hash: String::new(),
    }
}

fn before() -> Head {
    let mut head = Head::new("2026-03-28".to_owned(), None);
    head.append(entry(1), &[]);
    head
}

/// A day of five entries.
fn day() -> (Head, Vec<Entry>) {
    let mut head = Head::new(DAY.to_owned(), Some(&before()));
    let entries = (1..=5).map(|number| head.append(entry(number), &[])).collect();
    (head, entries)
}

fn stored(entry: &Entry) -> RawDocumentBuf {
    bson::serialize_to_raw_document_buf(entry).expect("an entry is a document")
}

fn faults(head: &Head, before: Option<&Head>, entries: &[Entry]) -> Vec<Fault> {
    let mut check = Check::new(head.clone(), before);
    entries.iter().for_each(|entry| check.entry(&stored(entry)));
    check.end()
}

fn told(head: &Head, entries: &[Entry]) -> Vec<(String, FaultKind)> {
    let faults = faults(head, Some(&before()), entries);
    faults.into_iter().map(|fault| (fault.entry_id, fault.kind)).collect()
}

fn at(number: i64) -> String {
    entry_id(DAY, number)
}

#[test]
fn a_chain_that_nobody_touched_is_whole() {
    let (head, entries) = day();
    assert_eq!(told(&head, &entries), []);
    assert_eq!(entries[0].id, "2026-03-29/000000000001");
    assert_eq!(faults(&Head::new(DAY.to_owned(), None), None, &[]), []);
}

#[test]
fn whatever_is_changed_of_an_entry_is_found() {
    type Change = fn(&mut Entry);
    let changes: [Change; 12] = [
        |entry| entry.event_id.push('x'),
        |entry| entry.service.push('x'),
        |entry| entry.aggregate.push('x'),
        |entry| entry.aggregate_id.push('x'),
        |entry| entry.seq += 1,
        |entry| entry.event_type.push('x'),
        |entry| entry.name.push('x'),
        |entry| entry.event_at = Time::from_millis(0),
        |entry| entry.actor = "usr_2".to_owned(),
        |entry| entry.actor_role.push('x'),
        |entry| entry.data_digest.push('x'),
        // Of one text into the next.
        |entry| (entry.service, entry.aggregate) = ("order".to_owned(), "sorder".to_owned()),
    ];
    for change in changes {
        let (head, mut entries) = day();
        change(&mut entries[2]);
        assert_eq!(told(&head, &entries), [(at(3), FaultKind::Changed)], "{:?}", entries[2]);
        // Whoever makes its hash anew is found at the next one.
        let before = entries[1].hash.clone();
        entries[2].hash = hash(&before, &entries[2]);
        assert_eq!(told(&head, &entries), [(at(4), FaultKind::Changed)], "{:?}", entries[2]);
    }
}

#[test]
fn the_last_entry_with_a_hash_made_anew_is_not_the_end_of_its_day() {
    let (head, mut entries) = day();
    let before = entries[3].hash.clone();
    entries[4].actor.clear();
    entries[4].hash = hash(&before, &entries[4]);
    assert_eq!(told(&head, &entries), [(at(5), FaultKind::Changed)]);
}

#[test]
fn entries_that_are_missing_are_found_wherever_they_were() {
    for (gone, found) in [(vec![0], 1), (vec![2], 3), (vec![1, 2], 2), (vec![4], 5), (vec![0, 1, 2, 3, 4], 1)] {
        let (head, mut entries) = day();
        for place in gone.iter().rev() {
            entries.remove(*place);
        }
        assert_eq!(told(&head, &entries), [(at(found), FaultKind::Removed)], "{gone:?}");
    }
}

#[test]
fn an_entry_that_was_never_recorded_is_found() {
    for id in [
        "2026-03-29/000000000003x",
        "2026-03-29/3",
        "2026-03-29/",
        "2026-03-29/+00000000003",
        "2026-03-30/000000000003",
    ] {
        let (head, mut entries) = day();
        let inserted = Entry { id: id.to_owned(), ..entries[2].clone() };
        entries.insert(3, inserted);
        assert_eq!(told(&head, &entries), [(id.to_owned(), FaultKind::Inserted)]);
    }
    let (head, mut entries) = day();
    entries.insert(3, entries[2].clone());
    assert_eq!(told(&head, &entries), [(at(3), FaultKind::Inserted)]);
}

#[test]
fn entries_that_were_passed_over_are_inserted_and_those_behind_them_are_right() {
    let (mut head, mut entries) = day();
    let strangers = [at(6), at(7)].map(|id| Entry { id, hash: hex("other"), ..entry(9) });
    entries.extend(strangers.clone());
    entries.extend([6, 7].map(|number| head.append(entry(number), &strangers.clone().map(|stranger| stranger.id))));
    let inserted = vec![(at(6), FaultKind::Inserted), (at(7), FaultKind::Inserted)];
    assert_eq!(told(&head, &entries), inserted);
    entries[2].event_id.push('x');
    assert_eq!(told(&head, &entries), [vec![(at(3), FaultKind::Changed)], inserted].concat());
}

#[test]
fn a_day_does_not_follow_one_that_was_changed_or_is_gone() {
    let (head, entries) = day();
    let changed = Head { hash: "0".to_owned(), ..before() };
    for before in [None, Some(&changed)] {
        let faults = faults(&head, before, &entries);
        assert_eq!((faults.len(), faults[0].entry_id.as_str(), faults[0].kind), (1, DAY, FaultKind::Changed));
    }
}

#[test]
fn what_no_hash_covers_is_a_change_too() {
    type Change = fn(&mut Document);
    let changes: [Change; 5] = [
        |entry| _ = entry.insert("note", "approved"),
        |entry| _ = entry.insert("seq", 3_i32),
        |entry| _ = entry.insert("actor", 7),
        |entry| _ = entry.remove("actor_role"),
        |entry| *entry = doc! { "_id": entry.get("_id").cloned(), "hash": entry.get("hash").cloned() },
    ];
    for change in changes {
        let (head, entries) = day();
        let mut check = Check::new(head, Some(&before()));
        for (number, entry) in entries.iter().enumerate() {
            let mut entry = Document::try_from(&stored(entry)).expect("a document");
            if number == 2 {
                change(&mut entry);
            }
            check.entry(&RawDocumentBuf::try_from(&entry).expect("a document"));
        }
        let found: Vec<_> = check.end().into_iter().map(|fault| (fault.entry_id, fault.kind)).collect();
        assert_eq!(found, [(at(3), FaultKind::Changed)]);
    }
}

#[test]
fn a_newest_day_that_is_gone_shorter_or_made_up_is_found() {
    let (head, _) = day();
    let kinds = |heads: &[Head], anchor: Option<&Head>, later: Option<&Head>| -> Vec<FaultKind> {
        newest(heads, anchor, later).into_iter().map(|fault| fault.kind).collect()
    };
    let days = [before(), head.clone()];
    assert_eq!(kinds(&days, Some(&head), Some(&head)), []);
    assert_eq!(kinds(&[], None, None), []);
    // What was appended between the reads is no fault.
    let mut longer = head.clone();
    longer.append(entry(6), &[]);
    assert_eq!(kinds(&[before(), longer.clone()], Some(&head), Some(&longer)), []);
    assert_eq!(kinds(&days, Some(&before()), Some(&head)), []);
    assert_eq!(kinds(&days[..1], Some(&head), Some(&head)), [FaultKind::Removed]);
    assert_eq!(kinds(&days, Some(&longer), Some(&longer)), [FaultKind::Changed]);
    let other = Head { hash: hex("other"), ..head.clone() };
    assert_eq!(kinds(&days, Some(&other), Some(&other)), [FaultKind::Changed]);
    assert_eq!(kinds(&days, Some(&before()), Some(&before())), [FaultKind::Inserted]);
    assert_eq!(kinds(&days, None, None), [FaultKind::Removed]);
}
