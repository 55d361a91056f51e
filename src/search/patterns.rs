//! Patterns: the templates of messages (as [`crate::fingerprint`] makes them), with how many events have each.
//!
//! Events are counted by the fingerprint at the end of their lines; a template is made once for each fingerprint, from
//! its newest event, and fingerprints with one template are one pattern.

use std::collections::HashMap;
use std::ops::Range;

use super::cursor::Position;
use crate::block::decode::LineHead;
use crate::block::fields::{LineFields, line_fingerprint, text};
use crate::event::{EventId, Level};
use crate::fingerprint::{Fingerprint, Fingerprinter};
use crate::timestamp::Timestamp;

/// Most fingerprints that are counted one by one, in each of two threads.
const MAX_FINGERPRINTS: usize = 10_000;
/// Fingerprints named with a pattern.
pub const MAX_NAMED: usize = 16;
const LEVELS: usize = Level::ALL.len();

/// A template and its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The template as people read it; two events of it differ at its masks, and in a plural after a number.
    pub template: String,
    /// How many events.
    pub count: u64,
    /// How many of each level, by its number.
    pub levels: [u64; LEVELS],
    /// Its newest event.
    pub newest: Position,
    /// The newest event's project.
    pub project_id: i64,
    /// The time of its oldest event.
    pub first_seen: Timestamp,
    /// Its fingerprints, most frequent first; at most [`MAX_NAMED`].
    pub fingerprints: Vec<Fingerprint>,
}

impl Pattern {
    /// The highest level of its events.
    #[must_use]
    pub fn level(&self) -> Level {
        let has = |level: &Level| self.levels[*level as usize] > 0;
        Level::ALL.into_iter().rev().find(has).unwrap_or(Level::Trace)
    }
}

/// The most frequent patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patterns {
    /// Most frequent first, then by template.
    pub patterns: Vec<Pattern>,
    /// How many there are.
    pub distinct: usize,
    /// Events of patterns that are not listed.
    pub other: u64,
    /// There were more fingerprints than are counted one by one: counts may be too low, and `distinct` is.
    pub approximate: bool,
}

/// The start of an event's id and time as they stand in its line: orders as [`Position`] does.
type Place = (i64, [u8; 26], u32);

/// How many events a fingerprint has, and the fingerprint.
type Named = (u64, u64);

#[derive(Debug)]
struct Seen {
    count: u64,
    levels: [u64; LEVELS],
    /// The least `ts`.
    first: i64,
    newest: Place,
    project_id: i64,
    /// The newest event's line in the body being read, until its template is made.
    line: Option<Range<usize>>,
    template: Box<str>,
    /// The same for people, if that is another text.
    shown: Option<Box<str>>,
}

/// Counts events by fingerprint. A body's lines are added one by one; then it is told that the body ends.
#[derive(Debug, Default)]
pub struct PatternCounter {
    by_fingerprint: HashMap<u64, Seen>,
    /// Those whose newest event is in the body being read.
    fresh: Vec<u64>,
    other: u64,
    fingerprinter: Fingerprinter,
}

impl PatternCounter {
    /// Counts an event of the body `raw`; false for a line without a fingerprint.
    pub fn add(&mut self, raw: &[u8], line: &[u8], head: &LineHead<'_>, project_id: i64) -> bool {
        let Some(Fingerprint(fingerprint)) = line_fingerprint(line) else { return false };
        let (ts, level) = (head.ts.as_millis(), head.level as usize);
        let is_known = self.by_fingerprint.len() < MAX_FINGERPRINTS;
        let seen = if is_known {
            self.by_fingerprint.entry(fingerprint).or_insert_with(|| Seen::new(ts))
        } else if let Some(seen) = self.by_fingerprint.get_mut(&fingerprint) {
            seen
        } else {
            self.other += 1;
            return true;
        };
        seen.count += 1;
        seen.levels[level] += 1;
        seen.first = seen.first.min(ts);
        if ts >= seen.newest.0 {
            let place = place_of(head);
            if place > seen.newest {
                seen.newest = place;
                seen.project_id = project_id;
                if seen.line.is_none() {
                    self.fresh.push(fingerprint);
                }
                let start = line.as_ptr().addr().wrapping_sub(raw.as_ptr().addr());
                seen.line = Some(start..start.wrapping_add(line.len()));
            }
        }
        true
    }

    /// Makes the templates of what was new in the body, which now ends.
    pub fn end_body(&mut self, raw: &[u8]) {
        for fingerprint in self.fresh.drain(..) {
            let Some(seen) = self.by_fingerprint.get_mut(&fingerprint) else { continue };
            let line = seen.line.take().and_then(|range| raw.get(range));
            let head = line.and_then(|line| Some((line, LineHead::parse(line)?)));
            let message = head.and_then(|(line, head)| text(LineFields::of(line, &head).message?));
            if let Some(message) = message {
                seen.template = self.fingerprinter.template(&message).into();
                let shown = self.fingerprinter.shown(&message);
                seen.shown = (*shown != *seen.template).then(|| shown.into());
            }
        }
    }

    /// Adds what another counted.
    pub fn merge(&mut self, other: Self) {
        self.other += other.other;
        for (fingerprint, seen) in other.by_fingerprint {
            if let Some(own) = self.by_fingerprint.get_mut(&fingerprint) {
                own.join(seen);
            } else if self.by_fingerprint.len() < MAX_FINGERPRINTS {
                self.by_fingerprint.insert(fingerprint, seen);
            } else {
                self.other += seen.count;
            }
        }
    }

    /// The `top` most frequent patterns.
    #[must_use]
    pub fn finish(self, top: usize) -> Patterns {
        let mut by_template: HashMap<Box<str>, (Seen, Vec<Named>)> = HashMap::new();
        for (fingerprint, mut seen) in self.by_fingerprint {
            let named = (seen.count, fingerprint);
            let template = std::mem::take(&mut seen.template);
            match by_template.entry(template) {
                std::collections::hash_map::Entry::Occupied(mut known) => {
                    let (own, fingerprints) = known.get_mut();
                    own.join(seen);
                    fingerprints.push(named);
                }
                std::collections::hash_map::Entry::Vacant(new) => {
                    new.insert((seen, vec![named]));
                }
            }
        }
        let distinct = by_template.len();
        let mut all: Vec<_> = by_template.into_iter().collect();
        all.sort_unstable_by(|(left_text, (left, _)), (right_text, (right, _))| {
            right.count.cmp(&left.count).then_with(|| left_text.cmp(right_text))
        });
        let beyond = all.split_off(top.min(all.len()));
        let other = self.other + beyond.iter().map(|(_, (seen, _))| seen.count).sum::<u64>();
        let patterns = all.into_iter().filter_map(|(template, (seen, named))| seen.pattern(template, named));
        Patterns { patterns: patterns.collect(), distinct, other, approximate: self.other > 0 }
    }
}

impl Seen {
    fn new(ts: i64) -> Self {
        Self {
            count: 0,
            levels: [0; LEVELS],
            first: ts,
            newest: (i64::MIN, [0; 26], 0),
            project_id: 0,
            line: None,
            template: Box::default(),
            shown: None,
        }
    }

    /// Adds another's events; the template stays.
    fn join(&mut self, other: Self) {
        self.count += other.count;
        for (own, count) in self.levels.iter_mut().zip(other.levels) {
            *own += count;
        }
        self.first = self.first.min(other.first);
        if other.newest > self.newest {
            (self.newest, self.project_id) = (other.newest, other.project_id);
            (self.template, self.shown) = (other.template, other.shown);
        }
    }

    fn pattern(self, template: Box<str>, mut named: Vec<Named>) -> Option<Pattern> {
        named.sort_unstable_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(&right.1)));
        named.truncate(MAX_NAMED);
        let (ts, batch, index) = self.newest;
        let id = EventId::parse(&format!("{}-{index}", std::str::from_utf8(&batch).ok()?))?;
        Some(Pattern {
            template: self.shown.unwrap_or(template).into(),
            count: self.count,
            levels: self.levels,
            newest: Position { ts: Timestamp::from_millis(ts), id },
            project_id: self.project_id,
            first_seen: Timestamp::from_millis(self.first),
            fingerprints: named.into_iter().map(|(_, fingerprint)| Fingerprint(fingerprint)).collect(),
        })
    }
}

fn place_of(head: &LineHead<'_>) -> Place {
    let batch = head.batch.first_chunk().copied().unwrap_or([0; 26]);
    (head.ts.as_millis(), batch, head.index)
}

#[cfg(test)]
#[path = "patterns_tests.rs"]
mod tests;
