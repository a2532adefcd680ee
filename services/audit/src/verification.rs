//! Computes chains anew, beside those who append to them.

use crate::{
    check::{Check, Fault, FaultKind, MAX_FAULTS, newest},
    convert,
    domain::{Head, entry_id},
    error::Error,
    store::{Entries, Range},
    stored,
};
use bson::RawDocumentBuf;
use contracts::audit::v1::{self as wire, Day, VerifyEntriesResponse};
use std::collections::BTreeMap;

/// Most days of one verification.
const MAX_DAYS: usize = 400;

/// Entries after which no further day is looked at: they take some seconds.
const MAX_ENTRIES: i64 = 200_000;

/// Most faults of one kind that are read of a day.
const FAULTS: i64 = MAX_FAULTS as i64;

/// What became of the chains of these days; of the newest one when no first day is given.
pub async fn of(entries: &Entries, mut range: Range) -> Result<VerifyEntriesResponse, Error> {
    // Read before the days: what is appended meanwhile makes these longer, and never shorter.
    let anchor = entries.anchor().await?;
    if range.start.is_empty() {
        let newest = entries.newest(&range).await?.map(|stored| date(&stored));
        let anchor = anchor.as_ref().map(|head| head.day.clone()).filter(|day| range.has(day));
        range.start = newest.max(anchor).unwrap_or_default();
    }
    let mut days = entries.days(&range, MAX_DAYS as i64 + 1).await?;
    let next = cut(&mut days);
    if let Some(next) = &next {
        range.end.clone_from(next);
    }
    let (mut report, mut heads) = (Report::default(), Vec::new());
    let mut before = entries.before(&range.start).await?.and_then(|day| stored::head(&day));
    for head in &days {
        before = match stored::head(head) {
            Some(head) => {
                report.day(&head, day(entries, &head, before.as_ref()).await?);
                heads.push(head.clone());
                Some(head)
            }
            None => {
                report.note(&date(head), Fault::new(date(head), FaultKind::Changed, "its day cannot be read"));
                None
            }
        };
    }
    strangers(entries, &range, &days.iter().map(date).collect::<Vec<_>>(), &mut report).await?;
    let of_range = anchor.filter(|head| range.has(&head.day));
    for fault in newest(&heads, of_range.as_ref(), entries.anchor().await?.as_ref()) {
        report.note(&fault.entry_id.clone(), fault);
    }
    Ok(VerifyEntriesResponse { days: report.0.into_values().collect(), next_start_date: next.unwrap_or_default() })
}

/// What is wrong with the chains of all days.
pub async fn of_all(entries: &Entries) -> Result<Vec<wire::Fault>, Error> {
    let (mut faults, mut start) = (Vec::new(), "0000-01-01".to_owned());
    while !start.is_empty() {
        let verified = of(entries, Range { start, end: String::new() }).await?;
        faults.extend(verified.days.into_iter().flat_map(|day| day.faults));
        start = verified.next_start_date;
    }
    Ok(faults)
}

/// The day that this is the head of.
fn date(stored: &RawDocumentBuf) -> String {
    stored.get_str("_id").unwrap_or_default().to_owned()
}

/// Drops the days that are too many, and names the first one of them.
fn cut(days: &mut Vec<RawDocumentBuf>) -> Option<String> {
    let mut sum = 0_i64;
    let fits = days.iter().take(MAX_DAYS).take_while(|day| {
        let is_first = sum == 0;
        sum = sum.saturating_add(day.get_i64("count").unwrap_or_default().max(1));
        is_first || sum <= MAX_ENTRIES
    });
    let fits = fits.count();
    let next = days.get(fits).map(date);
    days.truncate(fits);
    next
}

/// What is wrong with the chain that ends with `head`. Whatever is appended meanwhile is behind that end.
async fn day(entries: &Entries, head: &Head, before: Option<&Head>) -> Result<Vec<Fault>, Error> {
    let mut check = Check::new(head.clone(), before);
    let mut chain = entries.chain(head).await?;
    while chain.advance().await? {
        check.entry(chain.current());
    }
    let behind = entries.behind(head, FAULTS).await?;
    if !behind.is_empty() {
        // What was appended since is in the chain by now: its day was written together with it.
        let newest = entries.day(&head.day).await?.and_then(|day| stored::head(&day));
        let newest = newest.unwrap_or_else(|| head.clone());
        let end = entry_id(&newest.day, newest.count);
        behind.iter().filter(|place| **place > end).for_each(|place| check.inserted(place));
    }
    Ok(check.end())
}

/// Entries of days that have no chain, and what has no place at all.
async fn strangers(entries: &Entries, range: &Range, days: &[String], report: &mut Report) -> Result<(), Error> {
    for place in entries.outside(range, days, FAULTS).await? {
        let date: String = place.chars().take(10).collect();
        // A day that has begun since.
        if days.contains(&date) || entries.day(&date).await?.is_none() {
            report.note(&date, Fault::new(place, FaultKind::Inserted, "its day has no such place"));
        }
    }
    for identity in entries.without_place(FAULTS).await? {
        report.note("", Fault::new(identity, FaultKind::Inserted, "it has no place in any day"));
    }
    Ok(())
}

/// Days by their date.
#[derive(Default)]
struct Report(BTreeMap<String, Day>);

impl Report {
    fn day(&mut self, head: &Head, faults: Vec<Fault>) {
        let (date, hash) = (head.day.clone(), head.hash.clone());
        let faults = faults.into_iter().map(convert::fault).collect();
        self.0.insert(date.clone(), Day { date, entry_count: head.count, hash, faults });
    }

    fn note(&mut self, date: &str, fault: Fault) {
        let empty = || Day { date: date.to_owned(), ..Day::default() };
        self.0.entry(date.to_owned()).or_insert_with(empty).faults.push(convert::fault(fault));
    }
}
