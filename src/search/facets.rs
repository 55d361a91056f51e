//! Facets: the values of fields, with how many events have each.
//!
//! Values are one by their lower case, as `field:value` finds them, and shown in the least of their spellings. Counts
//! are exact within bounds of number and memory; where a bound was met, what found no room is in `other` and the field
//! says that it is approximate.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::language::field::{Column, Field};
use crate::block::case::{lowercase, push_lowercase};
use crate::block::decode::LineHead;
use crate::block::fields::{LineFields, text};
use crate::block::json::for_each_value;

/// Most fields at once.
pub const MAX_FIELDS: usize = 10;
/// Most values of a field that are counted one by one.
const MAX_VALUES: usize = 5_000;
/// Longest value that is counted by itself, in bytes.
const MAX_VALUE_BYTES: usize = 256;
/// Bytes that the values of all fields take at most, about, in each of two threads.
const MAX_BYTES: usize = 6 << 20;
/// What a value takes beside its text, about.
const VALUE_OVERHEAD: usize = 96;
/// Distinct values of one event that are told apart: more are counted again.
const MAX_OF_EVENT: usize = 64;

/// A field whose values can be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetField {
    field: Field,
    name: String,
}

impl FacetField {
    /// A column with few values or ids, or a path of `ctx`; `None` for any other name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let field = Field::parse(name)?;
        let countable = match &field {
            Field::Column(column) => matches!(
                column,
                Column::Level
                    | Column::Source
                    | Column::Env
                    | Column::UserId
                    | Column::RequestId
                    | Column::Tags
                    | Column::Release
                    | Column::Fingerprint
                    | Column::Project
            ),
            Field::Ctx => false,
            Field::Path(_) => true,
        };
        let name = field.to_string();
        countable.then_some(Self { field, name })
    }

    /// Its name, as a query has it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is the level.
    #[must_use]
    pub fn is_level(&self) -> bool {
        self.field == Field::Column(Column::Level)
    }

    /// Whether an event may have several values.
    #[must_use]
    pub const fn has_several(&self) -> bool {
        matches!(self.field, Field::Path(_) | Field::Column(Column::Tags))
    }

    /// Whether the start of a line and its project tell it.
    #[must_use]
    pub const fn is_of_head(&self) -> bool {
        matches!(self.field, Field::Column(Column::Level | Column::Project))
    }

    /// Calls `visit` with each value an event has, until it breaks.
    pub fn for_each(&self, line: &Line<'_>, mut visit: impl FnMut(&str) -> ControlFlow<()>) {
        let column = match &self.field {
            Field::Column(column) => *column,
            Field::Path(own) => {
                let ctx = line.fields.ctx.and_then(|ctx| std::str::from_utf8(ctx).ok());
                for_each_value(ctx.unwrap_or(""), |path, value| {
                    if is_same(path, own) { visit(value) } else { ControlFlow::Continue(()) }
                });
                return;
            }
            Field::Ctx => return,
        };
        let value = match column {
            Column::Level => Some(Cow::Borrowed(line.head.level.name())),
            Column::Project => Some(Cow::Borrowed(line.project)),
            Column::Tags => {
                let tags = line.fields.tags.and_then(|tags| std::str::from_utf8(tags).ok());
                for_each_value(tags.unwrap_or(""), |_, tag| visit(tag));
                return;
            }
            Column::Source => line.fields.source.and_then(text),
            Column::Env => line.fields.env.and_then(text),
            Column::UserId => line.fields.user_id.and_then(text),
            Column::RequestId => line.fields.request_id.and_then(text),
            Column::Release => line.fields.release.and_then(text),
            Column::Fingerprint => line.fields.fingerprint.and_then(text),
            Column::Message | Column::Stack | Column::Id | Column::Ts | Column::ReceivedAt => None,
        };
        if let Some(value) = value {
            let _ = visit(&value);
        }
    }
}

/// Whether two paths have the same lower case.
fn is_same(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    lowercase(one) == lowercase(other)
}

/// A line of an event that is counted.
pub struct Line<'a> {
    /// Its start.
    pub head: LineHead<'a>,
    /// The rest of it; empty when no field but level and project is asked for.
    pub fields: LineFields<'a>,
    /// The slug of its project.
    pub project: &'a str,
}

/// Values by their lower case, each with its least spelling and something kept for it; bounded.
#[derive(Debug)]
pub struct ValueMap<T> {
    values: HashMap<Box<str>, (Option<Box<str>>, T)>,
    most: usize,
    room: usize,
    overhead: usize,
    /// A value found no room.
    is_full: bool,
    lowered: Vec<u8>,
}

impl<T: Default> ValueMap<T> {
    /// Room for `most` values and `room` bytes, of which a value takes `overhead` beside its text.
    #[must_use]
    pub fn new(most: usize, room: usize, overhead: usize) -> Self {
        Self { values: HashMap::new(), most, room, overhead, is_full: false, lowered: Vec::new() }
    }

    /// What is kept for a value, taken in where it is new; `None` where it is too long or there is no room.
    pub fn entry(&mut self, value: &str) -> Option<&mut T> {
        if value.len() > MAX_VALUE_BYTES {
            return None;
        }
        let is_lower = value.is_ascii() && !value.bytes().any(|byte| byte.is_ascii_uppercase());
        let mut lowered = std::mem::take(&mut self.lowered);
        lowered.clear();
        if !is_lower {
            push_lowercase(value.as_bytes(), &mut lowered);
        }
        let key = if is_lower { value } else { std::str::from_utf8(&lowered).unwrap_or(value) };
        let taken = self.take_in(key, value);
        let kept = if taken { self.values.get_mut(key) } else { None };
        self.lowered = lowered;
        kept.map(|(_, kept)| kept)
    }

    /// Whether the value is held, with its spelling noted.
    fn take_in(&mut self, key: &str, value: &str) -> bool {
        if let Some((spelling, _)) = self.values.get_mut(key) {
            if value < spelling.as_deref().unwrap_or(key) {
                *spelling = Some(value.into());
            }
            return true;
        }
        let bytes = key.len() + value.len() + self.overhead;
        if self.values.len() >= self.most || self.room < bytes {
            self.is_full = true;
            return false;
        }
        self.room -= bytes;
        let spelling = (value != key).then(|| value.into());
        self.values.insert(key.into(), (spelling, T::default()));
        true
    }

    /// Takes another's values; `join` adds what was kept, `lost` takes what finds no room.
    pub fn merge(&mut self, other: Self, mut join: impl FnMut(&mut T, T), mut lost: impl FnMut(T)) {
        self.is_full |= other.is_full;
        for (key, (spelling, kept)) in other.values {
            if self.take_in(&key, spelling.as_deref().unwrap_or(&key)) {
                if let Some((_, own)) = self.values.get_mut(&key) {
                    join(own, kept);
                }
            } else {
                lost(kept);
            }
        }
    }

    /// Whether something found no room.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.is_full
    }

    /// All values in their spelling, in no order.
    pub fn into_values(self) -> impl Iterator<Item = (Box<str>, T)> {
        self.values.into_iter().map(|(key, (spelling, kept))| (spelling.unwrap_or(key), kept))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// A field's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facet {
    /// The field's name.
    pub field: String,
    /// Its most frequent values with their counts, most first, then by text.
    pub values: Vec<(Box<str>, u64)>,
    /// How many values were met.
    pub distinct: usize,
    /// Counts of the values not listed.
    pub other: u64,
    /// Events that have no value.
    pub missing: u64,
    /// There were more values than are counted one by one: counts may be too low, and `distinct` is.
    pub approximate: bool,
}

/// Counts the values of one field.
#[derive(Debug)]
struct FieldCounter {
    values: ValueMap<u64>,
    other: u64,
    missing: u64,
}

/// Counts the values of some fields.
#[derive(Debug)]
pub struct FacetCounter {
    fields: Arc<[FacetField]>,
    counters: Vec<FieldCounter>,
    of_event: Vec<String>,
}

impl FacetCounter {
    /// Counts of nothing yet.
    #[must_use]
    pub fn new(fields: Arc<[FacetField]>) -> Self {
        let room = MAX_BYTES / fields.len().max(1);
        let counter = |_| FieldCounter {
            values: ValueMap::new(MAX_VALUES, room, VALUE_OVERHEAD),
            other: 0,
            missing: 0,
        };
        Self { counters: fields.iter().map(counter).collect(), fields, of_event: Vec::new() }
    }

    /// Counts an event.
    pub fn add(&mut self, line: &Line<'_>) {
        for (field, counter) in self.fields.iter().zip(&mut self.counters) {
            self.of_event.clear();
            let mut is_missing = true;
            field.for_each(line, |value| {
                is_missing = false;
                if field.has_several() {
                    let lowered = lowercase(value);
                    if self.of_event.contains(&lowered) {
                        return ControlFlow::Continue(());
                    }
                    if self.of_event.len() < MAX_OF_EVENT {
                        self.of_event.push(lowered);
                    }
                }
                match counter.values.entry(value) {
                    Some(count) => *count += 1,
                    None => counter.other += 1,
                }
                ControlFlow::Continue(())
            });
            counter.missing += u64::from(is_missing);
        }
    }

    /// Adds what another counted of the same fields.
    pub fn merge(&mut self, other: Self) {
        for (own, other) in self.counters.iter_mut().zip(other.counters) {
            own.other += other.other;
            own.missing += other.missing;
            let lost = &mut own.other;
            own.values.merge(other.values, |own, count| *own += count, |count| *lost += count);
        }
    }

    /// The `top` most frequent values of each field, in the order the fields were asked for.
    #[must_use]
    pub fn finish(self, top: usize) -> Vec<Facet> {
        let facet = |(field, counter): (&FacetField, FieldCounter)| {
            let FieldCounter { values, other, missing } = counter;
            let (approximate, distinct) = (values.is_full(), values.len());
            let mut values: Vec<(Box<str>, u64)> = values.into_values().collect();
            values.sort_unstable_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
            let other = other + values.iter().skip(top).map(|(_, count)| count).sum::<u64>();
            values.truncate(top);
            Facet { field: field.name.clone(), values, distinct, other, missing, approximate }
        };
        self.fields.iter().zip(self.counters).map(facet).collect()
    }
}

#[cfg(test)]
#[path = "facets_tests.rs"]
mod tests;
