//! Times as text: RFC 3339 and its common relaxations, epoch digits, and the relative forms of queries.
//!
//! The hand-written reader takes what clients send without allocating; the rarer ISO 8601 forms (basic format, a
//! zone in brackets) are left to jiff.

use super::calendar::{DAY_MILLIS, days_from_civil};
use super::{PRINTED_BYTES, Timestamp};

/// Longer text is not a time.
const MOST_BYTES: usize = 80;

impl Timestamp {
    /// Reads a time as a client sends it.
    ///
    /// - RFC 3339 with `Z` or an offset, any number of fraction digits (cut to milliseconds), `t`, `z` or a space
    ///   in place of `T`; without an offset it is UTC; a bare date is its midnight;
    /// - digits, with or without a fraction: see [`Timestamp::from_epoch_number`].
    #[must_use]
    pub fn parse_text(text: &str) -> Option<Self> {
        let text = text.trim_ascii();
        let bytes = text.as_bytes();
        if bytes.len() > MOST_BYTES {
            return None;
        }
        if bytes.get(4) != Some(&b'-') {
            return Self::from_epoch_number(text).or_else(|| by_jiff(text));
        }
        match date_time(bytes) {
            Some(millis) => within_bounds(millis),
            None => by_jiff(text),
        }
    }

    /// Reads a time as a reader asks for it: what [`Timestamp::parse_text`] takes, and relative to `now` the forms
    /// `now`, `-15m`, `now-5m`, `now+1h` with the units `ms`, `s`, `m`, `h`, `d`, `w`.
    ///
    /// A `+` of an offset that was not escaped in the URL arrives as a space and is taken for what it was.
    #[must_use]
    pub fn parse_query(text: &str, now: Self) -> Option<Self> {
        let text = text.trim_ascii();
        let relative = text.strip_prefix("now");
        if relative == Some("") {
            return Some(now);
        }
        if let Some(offset) =
            relative.or(Some(text)).and_then(|rest| duration_millis(rest, relative.is_some()))
        {
            return within_bounds(now.as_millis().checked_add(offset)?);
        }
        Self::parse_text(text).or_else(|| {
            let (time, offset) = text.rsplit_once(' ')?;
            if time.len() <= 10 || text.len() > MOST_BYTES {
                return None;
            }
            Self::parse_text(&format!("{time}+{offset}"))
        })
    }
}

fn within_bounds(millis: i64) -> Option<Timestamp> {
    (0..=Timestamp::LAST.as_millis()).contains(&millis).then_some(Timestamp(millis))
}

fn by_jiff(text: &str) -> Option<Timestamp> {
    within_bounds(text.parse::<jiff::Timestamp>().ok()?.as_millisecond())
}

/// `-15m`, and after `now` also `+15m`, in milliseconds.
fn duration_millis(text: &str, plus_allowed: bool) -> Option<i64> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' | b' ' if plus_allowed => (1, &text[1..]),
        _ => return None,
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let unit = match &rest[digits..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => DAY_MILLIS,
        "w" => 7 * DAY_MILLIS,
        _ => return None,
    };
    rest[..digits].parse::<i64>().ok()?.checked_mul(unit)?.checked_mul(sign)
}

/// `YYYY-MM-DD`, then nothing or a time of day, in milliseconds since the epoch.
fn date_time(bytes: &[u8]) -> Option<i64> {
    if bytes.len() < 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let days = days_from_civil(digits(bytes, 0, 4)?, digits(bytes, 5, 2)?, digits(bytes, 8, 2)?)?;
    let start = days * DAY_MILLIS;
    match bytes.get(10) {
        None => Some(start),
        Some(b'T' | b't' | b' ') => Some(start + time_of_day(&bytes[11..])?),
        Some(_) => None,
    }
}

/// `HH:MM`, then perhaps `:SS`, a fraction and a zone, in milliseconds; a zone may make it negative.
fn time_of_day(bytes: &[u8]) -> Option<i64> {
    let (hour, minute) = (digits(bytes, 0, 2)?, digits(bytes, 3, 2)?);
    if bytes[2] != b':' || hour > 23 || minute > 59 {
        return None;
    }
    let mut millis = hour * 3_600_000 + minute * 60_000;
    let mut at = 5;
    if bytes.get(at) == Some(&b':') {
        let second = digits(bytes, at + 1, 2)?;
        if second > 60 {
            return None;
        }
        // A leap second is the second before it, as most clocks show it.
        millis += second.min(59) * 1000;
        at += 3;
        if matches!(bytes.get(at), Some(b'.' | b',')) {
            let fraction = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if fraction == 0 {
                return None;
            }
            millis += fraction_millis(&bytes[at + 1..=at + fraction]);
            at += 1 + fraction;
        }
    }
    Some(millis - zone_millis(&bytes[at..])?)
}

/// Milliseconds of a fraction's digits, cut.
fn fraction_millis(digits: &[u8]) -> i64 {
    (0..3).fold(0, |sum, place| sum * 10 + digits.get(place).map_or(0, |digit| i64::from(digit - b'0')))
}

/// How far the zone is ahead of UTC.
fn zone_millis(zone: &[u8]) -> Option<i64> {
    let zone = zone.trim_ascii_start();
    let sign = match zone.first() {
        None => return Some(0),
        Some(b'+') => 1,
        Some(b'-') => -1,
        Some(_) if zone.eq_ignore_ascii_case(b"Z") => return Some(0),
        Some(_) => return matches!(zone, b"UTC" | b"GMT").then_some(0),
    };
    let minute_at = if zone.get(3) == Some(&b':') { 4 } else { 3 };
    let hours = digits(zone, 1, 2)?;
    let minutes = if zone.len() == 3 { 0 } else { digits(zone, minute_at, 2)? };
    let whole = zone.len() == 3 || zone.len() == minute_at + 2;
    (whole && hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60_000)
}

/// A number of exactly `count` digits at `at`.
fn digits(bytes: &[u8], at: usize, count: usize) -> Option<i64> {
    bytes
        .get(at..at + count)?
        .iter()
        .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

const _: () = assert!(PRINTED_BYTES <= MOST_BYTES, "what is printed can be read");
