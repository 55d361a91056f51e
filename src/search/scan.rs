//! Scanning one inflated body: raw lines are tested by substring, what remains is parsed, best first.
//!
//! A search for text looks for its longest needle in the lower case of 64 KiB at a time, whatever lines there are, so
//! a body without a match costs little more than reading it. Events are parsed only while they could still be taken.

use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter, memrchr};

use super::cursor::{Order, Position};
use super::event_filter::EventFilter;
use super::top::TopEvents;
use super::workers::Stop;
use crate::block::decode::{LineHead, StoredEvent, lines};

/// Bytes put in lower case at a time; a longer line is one piece.
const WINDOW_BYTES: usize = 64 << 10;

/// What a scan read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Events in the body.
    pub events: u64,
    /// Bytes of the body, inflated.
    pub bytes: u64,
    /// Lines met that are not events; each is a fault of ours and worth a log line.
    pub unreadable: u64,
    /// It was stopped half-way: what it found is not all there is.
    pub stopped: bool,
}

/// Lines that are parsed and tested between two looks at whether to stop: a regular expression may take a millisecond
/// for each.
const LINES_BETWEEN_LOOKS: usize = 16;

impl std::ops::AddAssign for Scanned {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.bytes += other.bytes;
        self.unreadable += other.unreadable;
        self.stopped |= other.stopped;
    }
}

/// Offers the events of an inflated body that match to `out`, which knows the order, the page's start and its limit.
/// Ends early, and says so, once `stop` is set.
pub fn scan_block(raw: &[u8], filter: &EventFilter, out: &mut TopEvents, stop: &Stop) -> Scanned {
    let newlines = memchr_iter(b'\n', raw).count() as u64;
    let mut scanned =
        Scanned { events: newlines.saturating_sub(1), bytes: raw.len() as u64, ..Scanned::default() };
    let mut found = Candidates { filter, out, list: Vec::new(), unreadable: 0 };
    for_each_admitted_line(raw, filter, &mut |line| found.consider(line));
    let Candidates { list: mut candidates, unreadable, .. } = found;
    scanned.unreadable += unreadable;
    candidates.sort_unstable_by(|left, right| match out.order() {
        Order::Descending => right.key().cmp(&left.key()),
        Order::Ascending => left.key().cmp(&right.key()),
    });
    for (number, candidate) in candidates.into_iter().enumerate() {
        if number % LINES_BETWEEN_LOOKS == 0 && stop.is_set() {
            scanned.stopped = true;
            break;
        }
        let Some(id) = candidate.head.id() else {
            scanned.unreadable += 1;
            continue;
        };
        let position = Position { ts: candidate.head.ts, id };
        if !out.is_after(&position) {
            continue;
        }
        if !out.has_room_for(&position) {
            out.pass_over(position.ts);
            break;
        }
        match StoredEvent::parse(candidate.line) {
            Ok(event) if filter.matches_event(&event) => out.offer(position, candidate.line),
            Ok(_) => {}
            Err(_) => scanned.unreadable += 1,
        }
    }
    scanned
}

/// A line that may match.
struct Candidate<'a> {
    head: LineHead<'a>,
    line: &'a [u8],
}

impl Candidate<'_> {
    /// Orders as [`Position`] does: the id's text is in the order of its bytes.
    const fn key(&self) -> (i64, &[u8], u32) {
        (self.head.ts.as_millis(), self.head.batch, self.head.index)
    }
}

/// Gathers the lines of one body that may match.
struct Candidates<'a, 'b> {
    filter: &'b EventFilter,
    out: &'b mut TopEvents,
    list: Vec<Candidate<'a>>,
    unreadable: u64,
}

impl<'a> Candidates<'a, '_> {
    /// Takes a line by its start alone.
    fn consider(&mut self, line: &'a [u8]) {
        match LineHead::parse(line) {
            None => self.unreadable += 1,
            Some(head) if !self.filter.admits_head(&head) => {}
            Some(head) if self.out.may_take(head.ts, head.ts) => self.list.push(Candidate { head, line }),
            Some(head) => self.out.pass_over(head.ts),
        }
    }
}

/// Calls `visit` with the lines of an inflated body that have what a match needs, in order: all of them where the
/// filter looks at no text.
pub fn for_each_admitted_line<'a>(raw: &'a [u8], filter: &EventFilter, visit: &mut impl FnMut(&'a [u8])) {
    if !filter.uses_lines() {
        return lines(raw).for_each(visit);
    }
    let mut lowered = Vec::with_capacity(WINDOW_BYTES.min(raw.len()));
    for window in windows(raw) {
        lowered.clear();
        let aligned = filter.push_lowered(window, &mut lowered);
        if aligned && !filter.alternatives().is_empty() {
            visit_aligned(window, &lowered, filter, visit);
        } else {
            visit_lines(window, &lowered, filter, visit);
        }
    }
}

/// Finds the next of the alternatives anywhere, then tests its line. Offsets in `lowered` are offsets in `window`.
fn visit_aligned<'a>(
    window: &'a [u8],
    lowered: &[u8],
    filter: &EventFilter,
    visit: &mut impl FnMut(&'a [u8]),
) {
    let mut hits: Vec<_> = filter.alternatives().iter().map(Hits::new).collect();
    let mut at = 0;
    while let Some(hit) = hits.iter_mut().filter_map(|hits| hits.next_from(at, lowered)).min() {
        let start = memrchr(b'\n', &lowered[..hit]).map_or(0, |newline| newline + 1);
        let end = memchr(b'\n', &lowered[hit..]).map_or(lowered.len(), |length| hit + length);
        if filter.admits_line(&lowered[start..end]) {
            lines(&window[start..end]).for_each(&mut *visit);
        }
        at = end;
    }
}

/// Tests line by line, where a char's lower case has another length than the char or nothing is in every match.
fn visit_lines<'a>(window: &'a [u8], lowered: &[u8], filter: &EventFilter, visit: &mut impl FnMut(&'a [u8])) {
    for (line, lowered) in lines(window).zip(lines(lowered)) {
        if filter.admits_line(lowered) {
            visit(line);
        }
    }
}

/// Where one needle is, each place looked for once.
struct Hits<'n> {
    needle: &'n Finder<'static>,
    /// The last place found; `None` if there is none any more.
    next: Option<usize>,
}

impl<'n> Hits<'n> {
    const fn new(needle: &'n Finder<'static>) -> Self {
        Self { needle, next: Some(0) }
    }

    /// The first place at or after `at`, which never goes back.
    fn next_from(&mut self, at: usize, text: &[u8]) -> Option<usize> {
        let known = self.next?;
        if known < at || at == 0 {
            self.next = self.needle.find(&text[at..]).map(|found| at + found);
        }
        self.next
    }
}

/// Pieces of about [`WINDOW_BYTES`] that end after a newline.
fn windows(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = raw;
    std::iter::from_fn(move || {
        let near = rest.get(..WINDOW_BYTES).and_then(|start| memrchr(b'\n', start));
        let newline = near.or_else(|| {
            let far = rest.get(WINDOW_BYTES..)?;
            memchr(b'\n', far).map(|length| WINDOW_BYTES + length)
        });
        let (window, after) = rest.split_at(newline.map_or(rest.len(), |newline| newline + 1));
        rest = after;
        (!window.is_empty()).then_some(window)
    })
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
