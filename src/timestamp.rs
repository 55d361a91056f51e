//! Points in time as milliseconds since the Unix epoch, read from every form API.md allows and printed as RFC 3339.
//!
//! What clients send is read by [`Timestamp::parse_text`] and [`Timestamp::from_epoch_number`], what a reader asks
//! for by [`Timestamp::parse_query`]. All of them take the years 1970 to 9999 and answer `None` for anything else.

mod calendar;
mod number;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt;

/// Bytes of a printed time.
const PRINTED_BYTES: usize = 24;

/// Milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The last readable and printable time, the end of the year 9999.
    pub const LAST: Self = Self(253_402_300_799_999);

    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This time moved by `millis`, saturating.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Appends RFC 3339 in UTC with milliseconds, always 24 bytes; the same text as `Display`.
    ///
    /// A time outside 1970 to 9999 is printed as the nearer end.
    pub fn write_rfc3339(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.printed());
    }

    fn printed(self) -> [u8; PRINTED_BYTES] {
        let millis = self.0.clamp(0, Self::LAST.0);
        let (days, of_day) = (millis / calendar::DAY_MILLIS, millis % calendar::DAY_MILLIS);
        let (year, month, day) = calendar::civil_from_days(days);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        put_digits(&mut text[0..4], year);
        put_digits(&mut text[5..7], month);
        put_digits(&mut text[8..10], day);
        put_digits(&mut text[11..13], of_day / 3_600_000);
        put_digits(&mut text[14..16], of_day / 60_000 % 60);
        put_digits(&mut text[17..19], of_day / 1000 % 60);
        put_digits(&mut text[20..23], of_day % 1000);
        text
    }
}

/// Writes the last digits of a number that is not negative, as many as there is room for.
fn put_digits(room: &mut [u8], number: i64) {
    let mut rest = number;
    for place in room.iter_mut().rev() {
        // One digit always fits; the default is never taken.
        *place = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds, `2026-11-20T22:10:36.853Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.printed();
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}
