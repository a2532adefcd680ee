//! Computes chains anew, beside those who append to them.

use crate::{
    convert,
    domain::{Check, Fault, FaultKind, Head, MAX_FAULTS},
    error::Error,
    store::{Entries, Range},
};
use contracts::audit::v1::Day;

/// Most days of one verification.
const MAX_DAYS: i64 = 400;

/// Most faults of one kind that are read of a day.
const FAULTS: i64 = MAX_FAULTS as i64;

/// What became of the chains of these days; of the newest one when no first day is given.
pub async fn of(entries: &Entries, mut range: Range) -> Result<Vec<Day>, Error> {
    if range.start.is_empty() {
        let newest = match range.end.is_empty() {
            true => entries.newest().await?,
            false => entries.before(&range.end).await?,
        };
        range.start = newest.map(|head| head.day).unwrap_or_default();
    }
    let heads = entries.days(&range, MAX_DAYS).await?;
    if i64::try_from(heads.len()).is_ok_and(|count| count >= MAX_DAYS) {
        range.end = heads.last().map(|head| format!("{}0", head.day)).unwrap_or_default();
    }
    let mut before = entries.before(&range.start).await?;
    let mut days = Vec::new();
    for head in heads.clone() {
        let faults = day(entries, &head, before.as_ref()).await?;
        days.push(told(&head, faults));
        before = Some(head);
    }
    strangers(entries, &range, &heads, &mut days).await?;
    Ok(days)
}

/// What is wrong with the chain that ends with `head`. Whatever is appended meanwhile is behind that end.
async fn day(entries: &Entries, head: &Head, before: Option<&Head>) -> Result<Vec<Fault>, Error> {
    let mut check = Check::new(head.clone(), before);
    let mut chain = entries.chain(head).await?;
    while chain.advance().await? {
        check.entry(&chain.deserialize_current()?);
    }
    let behind = entries.behind(head, FAULTS).await?;
    if !behind.is_empty() {
        // What was appended since is in the chain by now: its day was written together with it.
        let newest = entries.day(&head.day).await?.unwrap_or_else(|| head.clone());
        let end = crate::domain::entry_id(&newest.day, newest.count);
        behind.iter().filter(|place| **place > end).for_each(|place| check.inserted(place));
    }
    Ok(check.end())
}

/// Entries of days that have no chain.
async fn strangers(entries: &Entries, range: &Range, heads: &[Head], days: &mut Vec<Day>) -> Result<(), Error> {
    let found = entries.outside(range, heads, FAULTS).await?;
    for place in found {
        let date: String = place.chars().take(10).collect();
        // A day that has begun since.
        if entries.day(&date).await?.is_some() {
            continue;
        }
        let description = "its day has no chain".to_owned();
        let fault = convert::fault(Fault { entry_id: place, kind: FaultKind::Inserted, description });
        match days.iter_mut().find(|day| day.date == date) {
            Some(day) => day.faults.push(fault),
            None => days.push(Day { date, entry_count: 0, hash: String::new(), faults: vec![fault] }),
        }
    }
    Ok(())
}

fn told(head: &Head, faults: Vec<Fault>) -> Day {
    let (date, hash) = (head.day.clone(), head.hash.clone());
    Day { date, entry_count: head.count, hash, faults: faults.into_iter().map(convert::fault).collect() }
}
