//! The best events of a search so far, within bounds of number and bytes.

use std::collections::BTreeMap;

use super::cursor::{Order, Position};
use crate::block::decode::LineHead;
use crate::timestamp::Timestamp;

/// Most bytes of lines kept; a page of larger events is shorter than its limit.
pub const MAX_BYTES: usize = 4 << 20;

/// An event found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its project.
    pub project_id: i64,
    /// Its stored line.
    pub line: Vec<u8>,
}

impl Hit {
    /// Its place among all events; `None` when its line is damaged.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        let head = LineHead::parse(&self.line)?;
        Some(Position { ts: head.ts, id: head.id()? })
    }
}

/// The first events in an order, after a position.
///
/// What it holds is always the first of all it was offered: an event once pushed out, for number or for bytes, is
/// followed by nothing that comes after it.
#[derive(Clone, Debug)]
pub struct TopEvents {
    order: Order,
    after: Option<Position>,
    limit: usize,
    max_bytes: usize,
    project_id: i64,
    hits: BTreeMap<Position, Hit>,
    bytes: usize,
    /// The first event that was pushed out; nothing from there on is taken.
    end: Option<Position>,
    /// An event of this page or a later one found no room.
    passed_over: bool,
}

impl TopEvents {
    /// At most `limit` events that come after `after`.
    #[must_use]
    pub const fn new(order: Order, after: Option<Position>, limit: usize) -> Self {
        Self {
            order,
            after,
            limit,
            max_bytes: MAX_BYTES,
            project_id: 0,
            hits: BTreeMap::new(),
            bytes: 0,
            end: None,
            passed_over: false,
        }
    }

    /// With room for fewer bytes than [`MAX_BYTES`].
    #[must_use]
    pub const fn within(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// An empty one for the same page.
    #[must_use]
    pub const fn empty_copy(&self) -> Self {
        Self::new(self.order, self.after, self.limit).within(self.max_bytes)
    }

    /// What is offered from now on is this project's.
    pub const fn set_project(&mut self, project_id: i64) {
        self.project_id = project_id;
    }

    /// The order.
    #[must_use]
    pub const fn order(&self) -> Order {
        self.order
    }

    /// What a further event must precede to be taken: the last event held when full, else the first pushed out.
    /// `None` while everything is taken.
    #[must_use]
    pub fn bound(&self) -> Option<Position> {
        if self.hits.len() < self.limit { self.end } else { self.last() }
    }

    fn last(&self) -> Option<Position> {
        let last = match self.order {
            Order::Descending => self.hits.first_key_value(),
            Order::Ascending => self.hits.last_key_value(),
        };
        last.map(|(position, _)| *position)
    }

    /// Whether an event at `position` comes after the start of the page.
    #[must_use]
    pub fn is_after(&self, position: &Position) -> bool {
        self.after.is_none_or(|after| after.precedes(position, self.order))
    }

    /// Whether an event at `position` would be among the first.
    #[must_use]
    pub fn has_room_for(&self, position: &Position) -> bool {
        self.limit > 0 && self.bound().is_none_or(|bound| position.precedes(&bound, self.order))
    }

    /// Whether an event at `ts` or later in the order could be among the first.
    #[must_use]
    pub fn has_room_at(&self, ts: Timestamp) -> bool {
        self.limit > 0
            && self.bound().is_none_or(|bound| match self.order {
                Order::Descending => ts >= bound.ts,
                Order::Ascending => ts <= bound.ts,
            })
    }

    /// Whether an event within these times (both included) could be taken; false ends a search that goes in order.
    #[must_use]
    pub fn may_take(&self, ts_first: Timestamp, ts_last: Timestamp) -> bool {
        let bound = self.bound();
        self.limit > 0
            && match self.order {
                Order::Descending => {
                    self.after.is_none_or(|after| ts_first <= after.ts)
                        && bound.is_none_or(|bound| ts_last >= bound.ts)
                }
                Order::Ascending => {
                    self.after.is_none_or(|after| ts_last >= after.ts)
                        && bound.is_none_or(|bound| ts_first <= bound.ts)
                }
            }
    }

    /// Offers an event. An event offered twice is held once.
    pub fn offer(&mut self, position: Position, line: &[u8]) {
        if self.takes(&position) {
            self.hold(position, Hit { project_id: self.project_id, line: line.to_vec() });
        }
    }

    fn takes(&mut self, position: &Position) -> bool {
        if !self.is_after(position) || self.hits.contains_key(position) {
            return false;
        }
        let has_room = self.has_room_for(position);
        if !has_room {
            self.pass_over(position.ts);
        }
        has_room
    }

    /// Notes that an event at `ts`, which may or may not match, was left unread for lack of room.
    pub fn pass_over(&mut self, ts: Timestamp) {
        self.passed_over |= self.limit > 0
            && self.after.is_none_or(|after| match self.order {
                Order::Descending => ts <= after.ts,
                Order::Ascending => ts >= after.ts,
            });
    }

    fn hold(&mut self, position: Position, hit: Hit) {
        self.bytes += hit.line.len();
        self.hits.insert(position, hit);
        while self.hits.len() > self.limit || (self.bytes > self.max_bytes && self.hits.len() > 1) {
            self.push_out();
        }
    }

    fn push_out(&mut self) {
        let last = match self.order {
            Order::Descending => self.hits.pop_first(),
            Order::Ascending => self.hits.pop_last(),
        };
        if let Some((position, hit)) = last {
            self.bytes -= hit.line.len();
            self.end = Some(position);
        }
    }

    /// Takes what another search in the same order, page and limit found.
    pub fn merge(&mut self, other: Self) {
        self.passed_over |= other.passed_over;
        if let Some(end) = other.end {
            self.end = self.end.filter(|own| own.precedes(&end, self.order)).or(Some(end));
        }
        while let (Some(last), Some(end)) = (self.last(), self.end)
            && !last.precedes(&end, self.order)
        {
            self.bytes -= self.hits.remove(&last).map_or(0, |hit| hit.line.len());
        }
        for (position, hit) in other.hits {
            if self.takes(&position) {
                self.hold(position, hit);
            }
        }
    }

    /// How many are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hits.len()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hits.is_empty()
    }

    /// Whether something found no room, so that a further page may have more. False says that everything it was
    /// offered is held.
    #[must_use]
    pub const fn has_more(&self) -> bool {
        self.end.is_some() || self.passed_over
    }

    /// The events in order.
    #[must_use]
    pub fn into_hits(self) -> Vec<(Position, Hit)> {
        let mut hits: Vec<_> = self.hits.into_iter().collect();
        if self.order == Order::Descending {
            hits.reverse();
        }
        hits
    }
}

#[cfg(test)]
#[path = "top_tests.rs"]
mod tests;
