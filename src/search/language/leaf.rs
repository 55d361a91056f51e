//! A query's single test made ready for many events.

use memchr::memmem::Finder;
use regex::Regex;

use super::ProjectName;
use super::field::{Column, Field};
use super::number::Number;
use super::tree::{Comparison, Term, Test};
use crate::block::case::lowercase;
use crate::event::Level;
use crate::search::event_filter::LevelSet;
use crate::timestamp::Timestamp;

/// Where a value comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// A column.
    Column(Column),
    /// A path of `ctx`.
    Ctx(&'a str),
}

/// Which values a test looks at; paths in lower case.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Those that words are looked for in.
    Texts,
    /// A column's.
    Column(Column),
    /// All in `ctx`.
    Ctx,
    /// Those at a path.
    Path(String),
    /// Those at a path and below.
    Under(String),
}

impl Place {
    fn covers(&self, source: Source<'_>) -> bool {
        match (self, source) {
            (Self::Texts, Source::Column(column)) => column.is_searched(),
            (Self::Texts | Self::Ctx, Source::Ctx(_)) => true,
            (Self::Column(own), Source::Column(column)) => *own == column,
            (Self::Path(own), Source::Ctx(path)) => {
                behind(path, own).is_some_and(|mut rest| rest.next().is_none())
            }
            (Self::Under(own), Source::Ctx(path)) => {
                behind(path, own).is_some_and(|mut rest| rest.next().is_none_or(|next| next == '.'))
            }
            _ => false,
        }
    }
}

/// What follows `lowered` in the lower case of `path`; `None` if it doesn't start with it.
fn behind<'a>(path: &'a str, lowered: &str) -> Option<impl Iterator<Item = char> + use<'a>> {
    let mut chars = path.chars().flat_map(char::to_lowercase);
    lowered.chars().all(|ch| chars.next() == Some(ch)).then_some(chars)
}

/// What is asked of a value; texts in lower case.
#[derive(Clone, Debug)]
pub(super) enum ValueTest {
    Contains(Box<Finder<'static>>),
    Equal(Vec<u8>),
    /// First and last piece, and those between.
    Wildcard(Vec<u8>, Vec<u8>, Vec<Finder<'static>>),
    Regex(Regex),
    Compare(Comparison, Number),
    Exists,
}

impl ValueTest {
    /// Makes a test ready; `None` never holds.
    fn new(test: &Test) -> Option<Self> {
        Some(match test {
            Test::Equal(value) => Self::Equal(lowercase(value).into_bytes()),
            Test::Wildcard(pieces) => {
                let (first, rest) = pieces.split_first()?;
                let (last, middle) = rest.split_last()?;
                let bytes = |piece: &String| lowercase(piece).into_bytes();
                let finder = |piece: &String| Finder::new(&bytes(piece)).into_owned();
                Self::Wildcard(bytes(first), bytes(last), middle.iter().map(finder).collect())
            }
            Test::Regex(pattern) => Self::Regex(pattern.regex().clone()),
            Test::Compare(comparison, operand) => Self::Compare(*comparison, Number::parse(operand)?),
        })
    }

    /// Whether it looks at a value's lower case.
    pub const fn needs_lower_case(&self) -> bool {
        matches!(self, Self::Contains(_) | Self::Equal(_) | Self::Wildcard(..))
    }

    fn holds(&self, text: &str, lowered: &[u8]) -> bool {
        match self {
            Self::Contains(finder) => finder.find(lowered).is_some(),
            Self::Equal(value) => value == lowered,
            Self::Wildcard(first, last, middle) => is_like(lowered, first, last, middle),
            Self::Regex(regex) => regex.is_match(text),
            Self::Compare(comparison, operand) => {
                let order = Number::parse(text).and_then(|number| number.compare(*operand));
                order.is_some_and(|order| comparison.admits(order))
            }
            Self::Exists => true,
        }
    }
}

fn is_like(text: &[u8], first: &[u8], last: &[u8], middle: &[Finder<'static>]) -> bool {
    let rest = text.strip_prefix(first).and_then(|rest| rest.strip_suffix(last));
    let Some(mut rest) = rest else { return false };
    middle.iter().all(|piece| {
        let found = piece.find(rest);
        rest = found.map_or(rest, |at| &rest[at + piece.needle().len()..]);
        found.is_some()
    })
}

/// What a leaf tests.
#[derive(Clone, Debug)]
pub(super) enum Leaf {
    /// Decided for every event of the project.
    Known(bool),
    /// The level is one of these.
    Levels(LevelSet),
    /// `ts`, or `received_at`, is from the first to the last millisecond.
    Time { is_receipt: bool, first: i64, last: i64 },
    /// A value passes.
    Value(Place, ValueTest),
}

impl Leaf {
    pub fn new(term: &Term, now: Timestamp, project: Option<&ProjectName>) -> Self {
        match term {
            Term::Text(text) => {
                let finder = Finder::new(&lowercase(text)).into_owned();
                Self::Value(Place::Texts, ValueTest::Contains(Box::new(finder)))
            }
            Term::TextRegex(pattern) => Self::Value(Place::Texts, ValueTest::Regex(pattern.regex().clone())),
            Term::Has(Field::Column(column)) if !column.is_optional() => Self::Known(true),
            Term::Has(field) => Self::Value(place(field, true), ValueTest::Exists),
            Term::Field(field, test) => Self::field(field, test, now, project),
        }
    }

    fn field(field: &Field, test: &Test, now: Timestamp, project: Option<&ProjectName>) -> Self {
        match (field, test) {
            (Field::Column(Column::Level), test) => Self::Levels(levels(test)),
            (Field::Column(column), Test::Equal(time)) if column.is_time() => {
                Self::time(*column, Comparison::Same, time, now)
            }
            (Field::Column(column), Test::Compare(comparison, time)) if column.is_time() => {
                Self::time(*column, *comparison, time, now)
            }
            (field, test) => match ValueTest::new(test) {
                None => Self::Known(false),
                Some(test) if *field == Field::Column(Column::Project) => {
                    let holds = |text: &str| test.holds(text, lowercase(text).as_bytes());
                    let names =
                        |project: &ProjectName| holds(&project.slug) || holds(&project.id.to_string());
                    Self::Known(project.is_some_and(names))
                }
                Some(test) => Self::Value(place(field, false), test),
            },
        }
    }

    fn time(column: Column, comparison: Comparison, text: &str, now: Timestamp) -> Self {
        let Some(time) = Timestamp::parse_query(text, now) else { return Self::Known(false) };
        let time = time.as_millis();
        let (first, last) = match comparison {
            Comparison::Greater => (time + 1, i64::MAX),
            Comparison::AtLeast => (time, i64::MAX),
            Comparison::Less => (i64::MIN, time - 1),
            Comparison::AtMost => (i64::MIN, time),
            Comparison::Same => (time, time),
        };
        Self::Time { is_receipt: column == Column::ReceivedAt, first, last }
    }

    /// Whether a value passes; false for a test that isn't of values.
    pub fn passes(&self, source: Source<'_>, text: &str, lowered: &[u8]) -> bool {
        match self {
            Self::Value(place, value) => place.covers(source) && value.holds(text, lowered),
            Self::Known(_) | Self::Levels(_) | Self::Time { .. } => false,
        }
    }
}

fn place(field: &Field, below: bool) -> Place {
    match field {
        Field::Column(column) => Place::Column(*column),
        Field::Ctx => Place::Ctx,
        Field::Path(path) if below => Place::Under(lowercase(path)),
        Field::Path(path) => Place::Path(lowercase(path)),
    }
}

/// The levels that pass: equality knows their synonyms, comparisons go by severity, the others by name.
fn levels(test: &Test) -> LevelSet {
    let passes = |level: Level| match test {
        Test::Equal(name) => Level::parse(name) == Some(level),
        Test::Compare(comparison, name) => {
            Level::parse(name).is_some_and(|other| comparison.admits(level.cmp(&other)))
        }
        Test::Wildcard(_) | Test::Regex(_) => {
            ValueTest::new(test).is_some_and(|test| test.holds(level.name(), level.name().as_bytes()))
        }
    };
    Level::ALL.into_iter().filter(|&level| passes(level)).collect()
}
