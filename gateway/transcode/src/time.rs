//! Points in time as RFC 3339 writes them, and durations in seconds, as ProtoJSON has both.

use crate::wire::{Content, Cursor, WireError};
use std::fmt::Write as _;

const SECONDS_A_DAY: i64 = 86_400;

/// The first second of the year 1, and the last one of the year 9999, counted from 1970.
const FIRST_SECOND: i64 = -62_135_596_800;
const LAST_SECOND: i64 = 253_402_300_799;

/// Ten thousand years, in seconds.
const LONGEST_SECONDS: i64 = 315_576_000_000;

const NANOS_A_SECOND: i32 = 1_000_000_000;

/// Seconds and nanoseconds of a `Timestamp` or `Duration`.
pub(crate) fn read(bytes: &[u8]) -> Result<(i64, i32), WireError> {
    let (mut cursor, mut seconds, mut nanos) = (Cursor::new(bytes), 0, 0);
    while let Some((number, _, content)) = cursor.field()? {
        match (number, content) {
            (1, Content::Number(value)) => seconds = value.cast_signed(),
            (2, Content::Number(value)) => nanos = low(value),
            (1 | 2, Content::Bytes { .. }) => return Err(WireError::WireType("seconds".into())),
            _ => {}
        }
    }
    Ok((seconds, nanos))
}

/// An `int32` of the wire: the lower half.
fn low(value: u64) -> i32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

/// Seconds since 1970 and nanoseconds of `2026-01-31T12:00:00.5+01:00`.
pub(crate) fn parse_timestamp(text: &str) -> Option<(i64, i32)> {
    let (date, time) = text.split_once('T')?;
    let (year, month, day) = match date.split('-').collect::<Vec<_>>().as_slice() {
        [year, month, day] => (digits(year, 4)?, digits(month, 2)?, digits(day, 2)?),
        _ => return None,
    };
    let zone = time.find(['Z', '+', '-'])?;
    let (time, zone) = time.split_at(zone);
    let (time, nanos) = match time.split_once('.') {
        Some((time, fraction)) => (time, parse_fraction(fraction)?),
        None => (time, 0),
    };
    let (hour, minute, second) = match time.split(':').collect::<Vec<_>>().as_slice() {
        [hour, minute, second] => (digits(hour, 2)?, digits(minute, 2)?, digits(second, 2)?),
        _ => return None,
    };
    let is_date = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_from_civil(year, month, day);
    let seconds = days * SECONDS_A_DAY + hour * 3600 + minute * 60 + second - offset(zone)?;
    (FIRST_SECOND..=LAST_SECOND).contains(&seconds).then_some((seconds, nanos))
}

/// How many seconds a zone is ahead: `Z` or `+01:00`.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    let ahead = hours * 3600 + minutes * 60;
    (hours < 24 && minutes < 60).then_some(if zone.starts_with('-') { -ahead } else { ahead })
}

/// Seconds and nanoseconds of `1.5s`, both negative for `-1.5s`.
pub(crate) fn parse_duration(text: &str) -> Option<(i64, i32)> {
    let text = text.strip_suffix('s')?;
    let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (seconds, nanos) = match text.split_once('.') {
        Some((seconds, fraction)) => (seconds, parse_fraction(fraction)?),
        None => (text, 0),
    };
    let seconds = digits(seconds, seconds.len())?;
    if seconds > LONGEST_SECONDS || (seconds == LONGEST_SECONDS && nanos > 0) {
        return None;
    }
    Some(if is_negative { (-seconds, -nanos) } else { (seconds, nanos) })
}

/// Writes a point in time; false when it lies outside of the years 1 to 9999.
pub(crate) fn write_timestamp(out: &mut String, seconds: i64, nanos: i32) -> bool {
    if !(FIRST_SECOND..=LAST_SECOND).contains(&seconds) || !(0..NANOS_A_SECOND).contains(&nanos) {
        return false;
    }
    let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_A_DAY));
    let second = seconds.rem_euclid(SECONDS_A_DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}").expect("a String takes all");
    write_fraction(out, nanos);
    out.push('Z');
    true
}

/// Writes a duration; false when it is longer than 10,000 years, or its parts have two signs.
pub(crate) fn write_duration(out: &mut String, seconds: i64, nanos: i32) -> bool {
    let has_two_signs = (seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0);
    let is_too_long = seconds.unsigned_abs() > LONGEST_SECONDS.unsigned_abs();
    if has_two_signs || is_too_long || nanos.unsigned_abs() >= NANOS_A_SECOND.unsigned_abs() {
        return false;
    }
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    write!(out, "{sign}{}", seconds.unsigned_abs()).expect("a String takes all");
    write_fraction(out, nanos.abs());
    out.push('s');
    true
}

/// Three, six or nine digits, as many as are needed; nothing for 0.
fn write_fraction(out: &mut String, nanos: i32) {
    let written = match nanos {
        0 => Ok(()),
        _ if nanos % 1_000_000 == 0 => write!(out, ".{:03}", nanos / 1_000_000),
        _ if nanos % 1_000 == 0 => write!(out, ".{:06}", nanos / 1_000),
        _ => write!(out, ".{nanos:09}"),
    };
    written.expect("a String takes all");
}

/// Nanoseconds of one to nine digits behind the point.
fn parse_fraction(text: &str) -> Option<i32> {
    let missing = 9_usize.checked_sub(text.len())?;
    let value = i32::try_from(digits(text, text.len())?).ok()?;
    Some(value * 10_i32.pow(u32::try_from(missing).ok()?))
}

/// A number of exactly `count` digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    let fits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

fn days_of(year: i64, month: i64) -> i64 {
    let is_leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap_year => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970 of a date of the Gregorian calendar. Years begin in March, so that a leap day is the last of its year
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date of a day since 1970: the inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}
