//! A query tested against events, and ever more cheaply against what is known before an event is parsed.
//!
//! Headers, starts of lines and raw lines may let through what doesn't match and never refuse what does: each test is
//! held, refuted or unknown there, and the tree is refused only if it is refuted whatever the unknown ones are.

use std::borrow::Cow;
use std::ops::ControlFlow;

use memchr::memmem::Finder;

use super::ProjectName;
use super::field::Column;
use super::leaf::{Leaf, Place, Source};
use super::maybe::{Check, Maybe};
use super::need::Need;
use super::tree::Node;
use crate::block::BlockHeader;
use crate::block::case::push_lowercase;
use crate::block::decode::{LineHead, StoredEvent};
use crate::block::filter::may_contain;
use crate::block::json::for_each_value;
use crate::block::token_test::TokenTest;
use crate::event::Level;
use crate::search::event_filter::LevelSet;
use crate::timestamp::Timestamp;

/// Most needles of which one must be on a line; more are not worth looking for one by one.
const MAX_ALTERNATIVES: usize = 16;
/// A needle longer than this is no better for it.
const LONG_ENOUGH: usize = 12;

/// A query made ready for testing many blocks, lines and events. The default matches everything.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    root: Option<Check>,
    tests: Vec<PreparedTest>,
    wanted: Wanted,
}

#[derive(Clone, Debug)]
struct PreparedTest {
    leaf: Leaf,
    need: Need,
    needles: Vec<Finder<'static>>,
}

/// Which values of an event the tests look at.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted {
    /// A bit for each column.
    columns: u16,
    ctx: bool,
    lower_case: bool,
}

impl Matcher {
    pub(super) fn new(tree: Option<&Node>, now: Timestamp, project: Option<&ProjectName>) -> Self {
        let mut matcher = Self::default();
        matcher.root = tree.map(|tree| matcher.check(tree, now, project));
        matcher.wanted = Wanted::of(&matcher.tests);
        matcher
    }

    fn check(&mut self, node: &Node, now: Timestamp, project: Option<&ProjectName>) -> Check {
        let mut checks = |nodes: &[Node]| nodes.iter().map(|node| self.check(node, now, project)).collect();
        match node {
            Node::All(nodes) => Check::All(checks(nodes)),
            Node::Any(nodes) => Check::Any(checks(nodes)),
            Node::Not(node) => Check::Not(Box::new(self.check(node, now, project))),
            Node::Term(term) => {
                let need = Need::of(term);
                let needles = need.needles.iter().map(|needle| Finder::new(needle).into_owned()).collect();
                self.tests.push(PreparedTest { leaf: Leaf::new(term, now, project), need, needles });
                Check::Test(self.tests.len() - 1)
            }
        }
    }

    /// Whether everything matches.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Whether an event matches.
    #[must_use]
    pub fn matches(&self, event: &StoredEvent<'_>) -> bool {
        let Some(root) = &self.root else { return true };
        let receipt = event.id.batch.received_at();
        let mut known = Known(vec![Maybe::Unknown; self.tests.len()]);
        for (state, test) in known.0.iter_mut().zip(&self.tests) {
            *state = head_state(&test.leaf, event.level, event.ts, Some(receipt));
        }
        let first = known.evaluate(root);
        if first != Maybe::Unknown {
            return first == Maybe::Yes;
        }
        let mut lowered = Vec::new();
        let _ = for_each_wanted(event, self.wanted, |source, text| {
            lowered.clear();
            if self.wanted.lower_case {
                push_lowercase(text.as_bytes(), &mut lowered);
            }
            let mut news = false;
            for (state, test) in known.0.iter_mut().zip(&self.tests) {
                if *state == Maybe::Unknown && test.leaf.passes(source, text, &lowered) {
                    *state = Maybe::Yes;
                    news = true;
                }
            }
            if news && known.evaluate(root) != Maybe::Unknown {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        // What no value of the event passed does not hold.
        root.evaluate(&|test| Maybe::from(known.0[test] == Maybe::Yes)) == Maybe::Yes
    }

    /// False only if no event of a block matches. `levels` are those of the events asked for, if they are known.
    #[must_use]
    pub fn admits(&self, header: &BlockHeader, levels: Option<LevelSet>) -> bool {
        let Some(root) = &self.root else { return true };
        let states: Vec<Maybe> = self.tests.iter().map(|test| header_state(test, header)).collect();
        let may_hold = |level: Option<Level>| {
            let state = |test: usize| match (&self.tests[test].leaf, level) {
                (Leaf::Levels(passing), Some(level)) => passing.contains(level).into(),
                _ => states[test],
            };
            root.evaluate(&state) != Maybe::No
        };
        // Level by level, as tests of the level rule each other out.
        levels.map_or_else(
            || may_hold(None),
            |levels| Level::ALL.into_iter().any(|level| levels.contains(level) && may_hold(Some(level))),
        )
    }

    /// False only if no event with this start of a line matches.
    #[must_use]
    pub fn admits_head(&self, head: &LineHead<'_>) -> bool {
        let by_receipt = |test: &PreparedTest| matches!(test.leaf, Leaf::Time { is_receipt: true, .. });
        let id = self.tests.iter().any(by_receipt).then(|| head.id()).flatten();
        let receipt = id.map(|id| id.batch.received_at());
        self.may_hold(|test| head_state(&test.leaf, head.level, head.ts, receipt))
    }

    /// False only if no event whose line has this lower case matches.
    #[must_use]
    pub fn admits_line(&self, lowered: &[u8]) -> bool {
        self.may_hold(|test| {
            let has_all = test.needles.iter().all(|needle| needle.find(lowered).is_some());
            if has_all { Maybe::Unknown } else { Maybe::No }
        })
    }

    fn may_hold(&self, state: impl Fn(&PreparedTest) -> Maybe) -> bool {
        let state = |test: usize| state(&self.tests[test]);
        self.root.as_ref().is_none_or(|root| root.evaluate(&state) != Maybe::No)
    }

    /// The levels a match may have.
    #[must_use]
    pub fn levels(&self) -> LevelSet {
        let may_have = |level: &Level| {
            self.may_hold(|test| match &test.leaf {
                Leaf::Levels(levels) => levels.contains(*level).into(),
                // Which project it is may not be known yet.
                Leaf::Known(_) | Leaf::Time { .. } | Leaf::Value(..) => Maybe::Unknown,
            })
        };
        Level::ALL.into_iter().filter(may_have).collect()
    }

    /// Whether the level alone decides, so that [`Self::levels`] says it all.
    #[must_use]
    pub fn is_of_levels(&self) -> bool {
        self.tests.iter().all(|test| matches!(test.leaf, Leaf::Levels(_)))
    }

    /// Whether level, time and receipt decide alone: what [`Self::admits_head`] admits matches.
    #[must_use]
    pub fn is_of_heads(&self) -> bool {
        self.tests.iter().all(|test| !matches!(test.leaf, Leaf::Value(..)))
    }

    /// The first and last `ts` a match may have, or time of receipt, in milliseconds; they may be in no order if nothing
    /// matches.
    #[must_use]
    pub fn times(&self, of_receipt: bool) -> (i64, i64) {
        self.root.as_ref().map_or(ALWAYS, |root| self.times_of(root, of_receipt))
    }

    fn times_of(&self, check: &Check, of_receipt: bool) -> (i64, i64) {
        let both = |one: (i64, i64), other: (i64, i64)| (one.0.max(other.0), one.1.min(other.1));
        let either = |one: (i64, i64), other: (i64, i64)| (one.0.min(other.0), one.1.max(other.1));
        match check {
            Check::Test(test) => match self.tests[*test].leaf {
                Leaf::Time { is_receipt, first, last } if is_receipt == of_receipt => (first, last),
                _ => ALWAYS,
            },
            Check::Not(_) => ALWAYS,
            Check::All(checks) => {
                checks.iter().map(|check| self.times_of(check, of_receipt)).fold(ALWAYS, both)
            }
            Check::Any(checks) => {
                let times = checks.iter().map(|check| self.times_of(check, of_receipt));
                times.fold((i64::MAX, i64::MIN), either)
            }
        }
    }

    /// Whether [`Self::admits`] looks at a block's token filters.
    #[must_use]
    pub fn uses_tokens(&self) -> bool {
        self.tests.iter().any(|test| !test.need.ids.is_empty() || !test.need.trigrams.is_empty())
    }

    /// What the token filters of every block with a match admit.
    #[must_use]
    pub fn token_test(&self) -> TokenTest {
        let of_test = |test: usize| self.tests[test].need.token_test();
        self.root.as_ref().map_or(TokenTest::Always, |root| root.token_test(&of_test))
    }

    /// Whether [`Self::admits_line`] looks at lines at all.
    #[must_use]
    pub fn uses_lines(&self) -> bool {
        self.tests.iter().any(|test| !test.needles.is_empty())
    }

    /// Whether all it looks for in lines is ASCII.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.tests.iter().flat_map(|test| &test.need.needles).all(|needle| needle.is_ascii())
    }

    /// Needles of which the lower case of every matching line has one; `None` if there are none or too many.
    #[must_use]
    pub fn alternatives(&self) -> Option<Vec<&[u8]>> {
        let needles = self.alternatives_of(self.root.as_ref()?)?;
        Some(needles).filter(|needles| needles.len() <= MAX_ALTERNATIVES)
    }

    fn alternatives_of(&self, check: &Check) -> Option<Vec<&[u8]>> {
        match check {
            Check::Test(test) => {
                let needles = self.tests[*test].need.needles.iter();
                needles.max_by_key(|needle| needle.len()).map(|needle| vec![needle.as_slice()])
            }
            Check::Not(_) => None,
            Check::All(checks) => {
                let found = checks.iter().filter_map(|check| self.alternatives_of(check));
                found.max_by_key(|needles| worth(needles))
            }
            Check::Any(checks) => {
                let found: Option<Vec<_>> = checks.iter().map(|check| self.alternatives_of(check)).collect();
                Some(found?.concat())
            }
        }
    }
}

/// All times.
const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);

/// How much looking for one of these needles first is worth: few and long ones are better.
#[must_use]
pub fn worth(needles: &[&[u8]]) -> usize {
    let shortest = needles.iter().map(|needle| needle.len()).min().unwrap_or(0);
    shortest.min(LONG_ENOUGH) * 1000 / (3 + needles.len()) + shortest
}

/// What is known of each test.
struct Known(Vec<Maybe>);

impl Known {
    fn evaluate(&self, root: &Check) -> Maybe {
        root.evaluate(&|test| self.0[test])
    }
}

impl Wanted {
    fn of(tests: &[PreparedTest]) -> Self {
        let mut wanted = Self::default();
        for test in tests {
            let Leaf::Value(place, value) = &test.leaf else { continue };
            wanted.lower_case |= value.needs_lower_case();
            wanted.ctx |= !matches!(place, Place::Column(_));
            let searched = Column::ALL.into_iter().filter(|column| match place {
                Place::Texts => column.is_searched(),
                Place::Column(own) => own == column,
                Place::Ctx | Place::Path(_) | Place::Under(_) => false,
            });
            wanted.columns |= searched.fold(0, |columns, column| columns | 1 << column as u8);
        }
        wanted
    }

    const fn has(self, column: Column) -> bool {
        self.columns & (1 << column as u8) != 0
    }
}

/// Calls `visit` with every value wanted, until it breaks.
fn for_each_wanted(
    event: &StoredEvent<'_>,
    wanted: Wanted,
    mut visit: impl FnMut(Source<'_>, &str) -> ControlFlow<()>,
) -> ControlFlow<()> {
    for column in Column::ALL.into_iter().filter(|&column| wanted.has(column)) {
        if column == Column::Tags {
            event.tags.iter().try_for_each(|tag| visit(Source::Column(column), tag))?;
        } else if let Some(text) = column_text(event, column) {
            visit(Source::Column(column), &text)?;
        }
    }
    let mut flow = ControlFlow::Continue(());
    if let Some(ctx) = event.ctx.filter(|_| wanted.ctx) {
        for_each_value(ctx.get(), |path, text| {
            flow = visit(Source::Ctx(path), text);
            flow
        });
    }
    flow
}

/// A column's value as text, if the event has it; tags have none of their own.
fn column_text<'a>(event: &'a StoredEvent<'_>, column: Column) -> Option<Cow<'a, str>> {
    let borrowed = |text: &'a str| Some(Cow::Borrowed(text));
    match column {
        Column::Message => borrowed(&event.message),
        Column::Level => borrowed(event.level.name()),
        Column::Source => borrowed(&event.source),
        Column::Env => borrowed(&event.env),
        Column::UserId => event.user_id.as_deref().and_then(borrowed),
        Column::RequestId => event.request_id.as_deref().and_then(borrowed),
        Column::Release => event.release.as_deref().and_then(borrowed),
        Column::Stack => event.stack.as_deref().and_then(borrowed),
        Column::Fingerprint => Some(Cow::Owned(event.fingerprint.to_string())),
        Column::Id => Some(Cow::Owned(event.id.to_string())),
        Column::Ts => Some(Cow::Owned(event.ts.to_string())),
        Column::ReceivedAt => Some(Cow::Owned(event.id.batch.received_at().to_string())),
        Column::Tags | Column::Project => None,
    }
}

/// What level, time and receipt alone decide.
fn head_state(leaf: &Leaf, level: Level, ts: Timestamp, receipt: Option<Timestamp>) -> Maybe {
    match leaf {
        Leaf::Known(holds) => (*holds).into(),
        Leaf::Levels(levels) => levels.contains(level).into(),
        Leaf::Time { is_receipt, first, last } => {
            let time = if *is_receipt { receipt } else { Some(ts) };
            let holds = |time: Timestamp| (*first..=*last).contains(&time.as_millis()).into();
            time.map_or(Maybe::Unknown, holds)
        }
        Leaf::Value(..) => Maybe::Unknown,
    }
}

/// What holds for all events of a block, or for none, whatever their level.
fn header_state(test: &PreparedTest, header: &BlockHeader) -> Maybe {
    match &test.leaf {
        Leaf::Known(holds) => (*holds).into(),
        Leaf::Levels(_) => Maybe::Unknown,
        Leaf::Time { is_receipt, first, last } => {
            let (earliest, latest) = if *is_receipt {
                (header.received_first, header.received_last)
            } else {
                (header.ts_first, header.ts_last)
            };
            if *first <= earliest.as_millis() && latest.as_millis() <= *last {
                Maybe::Yes
            } else if latest.as_millis() < *first || *last < earliest.as_millis() {
                Maybe::No
            } else {
                Maybe::Unknown
            }
        }
        Leaf::Value(..) => {
            let ids = &test.need.ids;
            let has_id = ids.is_empty() || ids.iter().any(|&token| may_contain(&header.id_filter, token));
            let has_text = || test.need.trigrams.iter().all(|&token| may_contain(&header.text_filter, token));
            if has_id && has_text() { Maybe::Unknown } else { Maybe::No }
        }
    }
}

#[cfg(test)]
#[path = "matcher_tests.rs"]
mod tests;
