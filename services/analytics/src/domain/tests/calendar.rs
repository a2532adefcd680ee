//! The periods of the shop, in its time zone.

use super::at;
use crate::domain::{Bucket, Calendar, Period, RangeError};

fn calendar(zone: &str) -> Calendar {
    zone.parse().expect("a zone")
}

fn buckets(zone: &str, period: Period, start: &str, end: &str) -> Result<Vec<Bucket>, RangeError> {
    calendar(zone).buckets(period, start, end, at("2026-11-29T22:30:00Z"))
}

fn labels(buckets: &[Bucket]) -> Vec<&str> {
    buckets.iter().map(|bucket| bucket.label.as_str()).collect()
}

fn hours(bucket: &Bucket) -> i64 {
    (bucket.end.timestamp_millis() - bucket.start.timestamp_millis()) / 3_600_000
}

#[test]
fn days_have_23_and_25_hours_when_clocks_change() {
    let spring = buckets("Europe/Paris", Period::Day, "2026-03-28", "2026-03-31").expect("a range");
    assert_eq!(labels(&spring), ["2026-03-28", "2026-03-29", "2026-03-30"]);
    assert_eq!(spring.iter().map(hours).collect::<Vec<_>>(), [24, 23, 24]);
    assert_eq!((spring[1].start, spring[1].end), (at("2026-03-28T23:00:00Z"), at("2026-03-29T22:00:00Z")));
    let autumn = buckets("Europe/Paris", Period::Day, "2026-10-24", "2026-10-27").expect("a range");
    assert_eq!(autumn.iter().map(hours).collect::<Vec<_>>(), [24, 25, 24]);
    assert_eq!((autumn[1].start, autumn[1].end), (at("2026-10-24T22:00:00Z"), at("2026-10-25T23:00:00Z")));
}

#[test]
fn a_day_whose_midnight_is_left_out_begins_at_its_first_instant() {
    let days = buckets("Africa/Cairo", Period::Day, "2024-04-25", "2024-04-27").expect("a range");
    assert_eq!(days[1].start, at("2024-04-25T22:00:00Z"), "at 01:00, for there is no 00:00");
    assert_eq!(days.iter().map(hours).collect::<Vec<_>>(), [24, 23]);
}

#[test]
fn weeks_are_those_of_iso_8601_and_the_range_is_widened_to_them() {
    let weeks = buckets("Europe/Paris", Period::Week, "2020-12-30", "2021-01-05").expect("a range");
    assert_eq!(labels(&weeks), ["2020-W53", "2021-W01"]);
    assert_eq!((weeks[0].start, weeks[1].end), (at("2020-12-27T23:00:00Z"), at("2021-01-10T23:00:00Z")));
    let half_open = buckets("Europe/Paris", Period::Week, "2020-12-30", "2021-01-04").expect("a range");
    assert_eq!(labels(&half_open), ["2020-W53"], "Monday is not in it");
}

#[test]
fn months_are_whole_and_join_each_other() {
    let months = buckets("America/New_York", Period::Month, "2026-01-31", "2027-01-02").expect("a range");
    assert_eq!((labels(&months)[0], labels(&months)[12], months.len()), ("2026-01", "2027-01", 13));
    assert!(months.windows(2).all(|pair| pair[0].end == pair[1].start));
}

#[test]
fn without_dates_there_are_thirty_periods_up_to_the_present_one() {
    // It is Monday in Paris already, when it is still Sunday in UTC.
    let now = at("2026-11-29T23:30:00Z");
    let days = calendar("Europe/Paris").buckets(Period::Day, "", "", now).expect("a range");
    assert_eq!((labels(&days)[0], labels(&days)[29], days.len()), ("2026-11-01", "2026-11-30", 30));
    let weeks = calendar("UTC").buckets(Period::Week, "", "", now).expect("a range");
    assert_eq!((labels(&weeks)[29], weeks.len()), ("2026-W48", 30));
    let weeks = calendar("Europe/Paris").buckets(Period::Week, "", "", now).expect("a range");
    assert_eq!((labels(&weeks)[29], weeks.len()), ("2026-W49", 30));
}

#[test]
fn a_range_that_is_none_or_too_long_is_refused() {
    let day = |start: &str, end: &str| buckets("UTC", Period::Day, start, end);
    assert_eq!(day("2026-03-01", "2026-03-01"), Err(RangeError::Empty));
    assert_eq!(buckets("UTC", Period::Month, "2026-03-20", "2026-03-10"), Err(RangeError::Empty));
    assert_eq!(day("2026-02-29", "2026-03-01"), Err(RangeError::Date { field: "start_date" }));
    assert_eq!(day("2026-02-01", "2026-02-30"), Err(RangeError::Date { field: "end_date" }));
    assert_eq!(day("0001-01-01", "9999-12-31"), Err(RangeError::TooLong));
    assert_eq!(day("2025-01-01", "2026-02-05").map(|days| days.len()), Ok(400));
    assert_eq!(day("2025-01-01", "2026-02-06"), Err(RangeError::TooLong));
}

#[test]
fn a_day_whose_beginning_or_end_is_no_time_of_the_contract_is_refused() {
    let day = |start: &str, end: &str| buckets("UTC", Period::Day, start, end).map(|days| days.len());
    let [no_start, no_end] = ["start_date", "end_date"].map(|field| Err(RangeError::Date { field }));
    assert_eq!(day("9999-12-29", "9999-12-30"), Ok(1));
    assert_eq!(day("9999-12-30", "9999-12-31"), no_end, "the next day would begin beyond all times");
    assert_eq!(day("9999-12-31", "9999-12-31"), no_start);
    assert_eq!(day("0001-01-01", "0001-01-02"), Ok(1));
    for (start, end) in [("0000-12-31", "0001-01-02"), ("", "0001-01-02"), ("", "0000-01-01")] {
        assert_eq!(day(start, end), no_start, "{start:?} to {end}");
    }
    assert_eq!(day("-000001-01-01", "0001-01-02"), no_start);
    let paris = buckets("Europe/Paris", Period::Day, "0001-01-01", "0001-01-02");
    assert_eq!(paris.map(|days| days.len()), no_start, "it was still the year before in UTC");
}

#[test]
fn a_time_zone_is_one_of_the_iana_database() {
    assert_eq!(calendar("europe/paris").zone(), "Europe/Paris");
    for wrong in ["", "Paris", "Europe/Atlantis", "+01:00", "../etc/passwd"] {
        assert!(wrong.parse::<Calendar>().is_err(), "{wrong}");
    }
}
