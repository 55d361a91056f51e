//! The buckets of a histogram: whole steps of a clock on a wall in some time zone.
//!
//! An edge is where the wall clock passes a whole step, so a day is a day of the zone, 23 to 25 hours long where its
//! offset changes. Buckets follow each other without a gap and cover the range asked for, which may begin and end
//! within one; which step is the least that needs no more buckets than asked for.

use std::sync::LazyLock;

use jiff::tz::{Offset, TimeZone};

use crate::timestamp::Timestamp;

/// Most buckets of a histogram.
pub const MAX_BUCKETS: usize = 1_000;
/// Buckets when none are asked for.
pub const DEFAULT_BUCKETS: usize = 120;
/// Longest name of a zone.
const MAX_NAME_CHARS: usize = 64;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// The steps, in seconds.
const STEPS: [i64; 27] = [
    1,
    2,
    5,
    10,
    15,
    30,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    28 * DAY,
    91 * DAY,
    364 * DAY,
    1_820 * DAY,
    9_100 * DAY,
    91_000 * DAY,
];
/// 1970-01-01 was a Thursday; steps of weeks begin on a Monday.
const MONDAY_SHIFT: i64 = 3 * DAY;
/// Greatest offset, either way, that is taken as one.
const MAX_OFFSET: i64 = 24 * HOUR - 1;
/// What the calendar of zones covers, in epoch seconds.
const FIRST_SECOND: i64 = -377_705_023_201;
const LAST_SECOND: i64 = 253_402_207_200;

/// A time zone.
#[derive(Clone, Debug)]
pub struct Zone {
    zone: TimeZone,
    name: String,
}

impl Default for Zone {
    fn default() -> Self {
        Self { zone: TimeZone::UTC, name: "UTC".to_owned() }
    }
}

impl Zone {
    /// An IANA name in any case, `UTC`, `Z`, or an offset such as `+02:00`, `-0330` or `+2`. A space for the plus is
    /// what a query string makes of one that isn't escaped.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let trimmed = name.trim_end();
        if trimmed.eq_ignore_ascii_case("utc") || trimmed.eq_ignore_ascii_case("z") {
            return Some(Self::default());
        }
        match trimmed.as_bytes().first()? {
            b'+' | b' ' => Self::at_offset(offset_seconds(&trimmed[1..])?),
            b'-' => Self::at_offset(-offset_seconds(&trimmed[1..])?),
            _ if trimmed.len() > MAX_NAME_CHARS => None,
            _ => {
                let zone = TimeZone::get(trimmed).ok()?;
                let name = zone.iana_name()?.to_owned();
                Some(Self { zone, name })
            }
        }
    }

    fn at_offset(seconds: i64) -> Option<Self> {
        let offset = Offset::from_seconds(i32::try_from(seconds).ok()?).ok()?;
        let (sign, away) = if seconds < 0 { ('-', -seconds) } else { ('+', seconds) };
        let name = format!("{sign}{:02}:{:02}", away / HOUR, away / MINUTE % 60);
        Some(Self { zone: TimeZone::fixed(offset), name })
    }

    /// Its name: as the database of zones spells it, or the offset.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its clocks are ahead of UTC at a time, in seconds.
    fn offset(&self, at: i64) -> i64 {
        let at = jiff_time(at);
        i64::from(self.zone.to_offset(at).seconds())
    }

    /// When its offset changes next, and to what.
    fn next_change(&self, after: i64) -> Option<(i64, i64)> {
        let change = self.zone.following(jiff_time(after)).next()?;
        let at = change.timestamp().as_second();
        (at > after).then(|| (at, i64::from(change.offset().seconds())))
    }
}

fn jiff_time(seconds: i64) -> jiff::Timestamp {
    static EPOCH: LazyLock<jiff::Timestamp> = LazyLock::new(jiff::Timestamp::default);
    jiff::Timestamp::from_second(seconds.clamp(FIRST_SECOND, LAST_SECOND)).unwrap_or(*EPOCH)
}

/// `2`, `02`, `0230` or `02:30` in seconds.
fn offset_seconds(text: &str) -> Option<i64> {
    let (hours, minutes) = match text.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        Some(_) => return None,
        None if text.len() == 4 => text.split_at_checked(2)?,
        None => (text, "0"),
    };
    let number = |text: &str| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<i64>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let seconds = hours * HOUR + minutes * MINUTE;
    (minutes < 60 && seconds <= MAX_OFFSET).then_some(seconds)
}

/// Buckets of one histogram, and the range that is counted in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets {
    from: Timestamp,
    to: Timestamp,
    /// Epoch milliseconds, ascending; one more than there are buckets.
    edges: Vec<i64>,
    step: Option<i64>,
}

impl Buckets {
    /// At most `most` buckets over `[from, to)`; a range that is empty has none.
    #[must_use]
    pub fn new(zone: &Zone, from: Timestamp, to: Timestamp, most: usize) -> Self {
        if from >= to {
            return Self { from, to: from, edges: Vec::new(), step: None };
        }
        let (first, last) = (from.as_seconds(), to.plus_millis(-1).as_seconds());
        let fitting = STEPS.into_iter().find_map(|step| {
            let few = (last - first) / step <= i64::try_from(most).unwrap_or(i64::MAX);
            let edges = few.then(|| edges(zone, first, last, step, most)).flatten()?;
            Some((step, edges))
        });
        match fitting {
            Some((step, edges)) => {
                let edges = edges.into_iter().map(|edge| edge * 1_000).collect();
                Self { from, to, edges, step: Some(step) }
            }
            None => Self { from, to, edges: vec![from.as_millis(), to.as_millis()], step: None },
        }
    }

    /// The range counted: at or after this.
    #[must_use]
    pub const fn from(&self) -> Timestamp {
        self.from
    }

    /// The range counted: before this.
    #[must_use]
    pub const fn to(&self) -> Timestamp {
        self.to
    }

    /// Length of a bucket on the wall clock in seconds; `None` for a single one that is not a whole step.
    #[must_use]
    pub const fn step(&self) -> Option<i64> {
        self.step
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.edges.len().saturating_sub(1)
    }

    /// Whether there are none, as the range is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// From when to when each lasts, in order.
    pub fn spans(&self) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        self.edges.windows(2).map(|pair| (Timestamp::from_millis(pair[0]), Timestamp::from_millis(pair[1])))
    }

    /// From when to when one lasts.
    #[must_use]
    pub fn span(&self, bucket: usize) -> Option<(Timestamp, Timestamp)> {
        let edge = |index: usize| self.edges.get(index).copied().map(Timestamp::from_millis);
        Some((edge(bucket)?, edge(bucket + 1)?))
    }

    /// The bucket of a time within the range.
    #[must_use]
    pub fn find(&self, ts: Timestamp) -> Option<usize> {
        let inside = self.from <= ts && ts < self.to;
        inside.then(|| self.edges.partition_point(|edge| *edge <= ts.as_millis()).saturating_sub(1))
    }
}

/// The edges of steps, in epoch seconds, from the one at or before `first` to the one after `last`; `None` when they
/// make more than `most` buckets.
fn edges(zone: &Zone, first: i64, last: i64, step: i64, most: usize) -> Option<Vec<i64>> {
    let mut walk = Walk::new(zone, step, first);
    let mut edges = vec![walk.at];
    while edges.last().is_some_and(|edge| *edge <= last) {
        if edges.len() > most {
            return None;
        }
        edges.push(walk.next_edge());
    }
    Some(edges)
}

/// Goes from edge to edge.
struct Walk<'a> {
    zone: &'a Zone,
    step: i64,
    shift: i64,
    at: i64,
    offset: i64,
    change: Option<(i64, i64)>,
}

impl<'a> Walk<'a> {
    /// Stands at the last edge at or before `first`.
    fn new(zone: &'a Zone, step: i64, first: i64) -> Self {
        let shift = if step > DAY { MONDAY_SHIFT } else { 0 };
        // No bucket lasts two steps, so that what stands here is passed before the edge looked for.
        let start = first - 4 * step;
        let mut walk = Self {
            zone,
            step,
            shift,
            at: start,
            offset: zone.offset(start),
            change: zone.next_change(start),
        };
        let mut edge = start;
        loop {
            let (before, next) = (edge, walk.next_edge());
            if next > first {
                // Walks on from the edge before, whose offset is found again.
                return Self {
                    at: before,
                    offset: zone.offset(before),
                    change: zone.next_change(before),
                    ..walk
                };
            }
            edge = next;
        }
    }

    fn index(&self, at: i64, offset: i64) -> i64 {
        (at + offset + self.shift).div_euclid(self.step)
    }

    /// The first time after this edge at which the clock shows another step, or for steps of up to an hour the same
    /// step again.
    fn next_edge(&mut self) -> i64 {
        let own = self.index(self.at, self.offset);
        loop {
            let candidate = (self.index(self.at, self.offset) + 1) * self.step - self.shift - self.offset;
            let Some((change, offset)) = self.change.filter(|(change, _)| *change <= candidate) else {
                self.at = candidate;
                return candidate;
            };
            let goes_back = offset < self.offset;
            (self.at, self.offset) = (change, offset);
            self.change = self.zone.next_change(change);
            let repeats = goes_back && self.step <= HOUR && (change + offset) % self.step == 0;
            if self.index(change, offset) != own || repeats {
                return change;
            }
        }
    }
}

#[cfg(test)]
#[path = "buckets_tests.rs"]
mod tests;
