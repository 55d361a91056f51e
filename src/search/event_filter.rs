//! Which events are asked for, tested ever more closely: block headers, starts of lines, raw lines, parsed events.
//!
//! Each test but the last may let through what doesn't match and never refuses what does; the last one, on the parsed
//! event, decides. Values of fields are equal in any case (see [`crate::block::case`]).

use std::sync::Arc;

use memchr::memmem::Finder;

use super::language::matcher::{Matcher, worth};
use super::language::{ProjectName, Query};
use crate::block::case::{lowercase, push_lowercase, push_lowercase_for_ascii};
use crate::block::decode::{LineHead, StoredEvent};
use crate::block::filter::id_token;
use crate::block::json::push_string;
use crate::block::summary::minute_of;
use crate::block::token_test::TokenTest;
use crate::block::trigram::query_trigrams;
use crate::block::{BlockHeader, MinuteCount};
use crate::event::{BatchId, Level};
use crate::fingerprint::Fingerprint;
use crate::timestamp::Timestamp;

/// A set of levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LevelSet(u8);

impl LevelSet {
    /// Whether a level is in the set.
    #[must_use]
    pub const fn contains(self, level: Level) -> bool {
        self.0 & (1 << level as u8) != 0
    }

    /// The levels in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl FromIterator<Level> for LevelSet {
    fn from_iter<I: IntoIterator<Item = Level>>(levels: I) -> Self {
        Self(levels.into_iter().fold(0, |set, level| set | 1 << level as u8))
    }
}

/// What is asked for; all of it must hold.
#[derive(Clone, Debug)]
pub struct Criteria {
    /// One of these levels; `None` is any.
    pub levels: Option<LevelSet>,
    /// `ts` at or after this.
    pub from: Timestamp,
    /// `ts` before this.
    pub to: Timestamp,
    /// One of these sources; empty is any.
    pub sources: Vec<String>,
    /// One of these environments; empty is any.
    pub envs: Vec<String>,
    /// This `user_id`.
    pub user_id: Option<String>,
    /// This `request_id`.
    pub request_id: Option<String>,
    /// This issue.
    pub fingerprint: Option<Fingerprint>,
    /// This query.
    pub text: Query,
    /// The project whose blocks are tested, for `project:` in the query.
    pub project_id: Option<i64>,
    /// What projects are called.
    pub projects: Arc<[ProjectName]>,
    /// Retention: events whose batch was received before this are not seen.
    pub received_after: Timestamp,
}

impl Criteria {
    /// Everything in `[from, to)`, however long ago it was received.
    #[must_use]
    pub fn between(from: Timestamp, to: Timestamp) -> Self {
        Self {
            levels: None,
            from,
            to,
            sources: Vec::new(),
            envs: Vec::new(),
            user_id: None,
            request_id: None,
            fingerprint: None,
            text: Query::default(),
            project_id: None,
            projects: Arc::default(),
            received_after: Timestamp::from_millis(0),
        }
    }

    /// Takes over into times and levels what the query says of them, so that headers are chosen by it. A query of
    /// levels alone is taken over whole.
    pub fn narrow(&mut self) {
        let matcher = self.text.matcher(None);
        let (first, last) = matcher.times(false);
        self.from = self.from.max(Timestamp::from_millis(first));
        self.to = self.to.min(Timestamp::from_millis(last).plus_millis(1));
        let levels = matcher.levels();
        if levels != Level::ALL.into_iter().collect() {
            self.levels = Some(self.levels.map_or(levels, |asked| asked.intersection(levels)));
        }
        if matcher.is_of_levels() {
            self.text = Query::default();
        }
    }
}

/// [`Criteria`] made ready for testing many blocks and lines.
#[derive(Clone, Debug)]
pub struct EventFilter {
    criteria: Criteria,
    text: Matcher,
    /// The least id text a batch received in time has.
    least_batch: String,
    /// What the token filters must admit.
    tokens: TokenTest,
    /// What the lower case of a matching line contains for the fields' sake, longest first.
    needles: Vec<Finder<'static>>,
    /// What a matching line has one of; none if that says nothing.
    alternatives: Vec<Finder<'static>>,
    /// All that is looked for in lines is ASCII.
    ascii: bool,
}

impl EventFilter {
    /// Prepares the tests.
    #[must_use]
    pub fn new(mut criteria: Criteria) -> Self {
        let lists = [&mut criteria.sources, &mut criteria.envs];
        let values = lists.into_iter().flatten();
        for value in values.chain(&mut criteria.user_id).chain(&mut criteria.request_id) {
            *value = lowercase(value);
        }
        let mut projects = criteria.projects.iter();
        let project = projects.find(|project| Some(project.id) == criteria.project_id);
        let text = criteria.text.matcher(project);
        let mut filter = Self {
            least_batch: least_batch(criteria.received_after),
            tokens: TokenTest::Always,
            needles: Vec::new(),
            alternatives: Vec::new(),
            ascii: true,
            text,
            criteria,
        };
        filter.prepare_tokens();
        filter.prepare_needles();
        filter
    }

    /// What it was made of, its values in lower case.
    #[must_use]
    pub const fn criteria(&self) -> &Criteria {
        &self.criteria
    }

    /// What the token filters of a block with a match admit.
    #[must_use]
    pub const fn tokens(&self) -> &TokenTest {
        &self.tokens
    }

    /// The first and the last time of receipt of a match, by retention and by the query.
    #[must_use]
    pub fn receipts(&self) -> (Timestamp, Timestamp) {
        let (first, last) = self.text.times(true);
        let first = self.criteria.received_after.max(Timestamp::from_millis(first));
        (first, Timestamp::from_millis(last))
    }

    fn prepare_tokens(&mut self) {
        let Criteria { sources, envs, user_id, request_id, fingerprint, .. } = &self.criteria;
        let fingerprint = fingerprint.map(|fingerprint| fingerprint.to_string());
        let ids = [("user_id", user_id), ("request_id", request_id), ("fingerprint", &fingerprint)];
        let ids = ids.into_iter().filter_map(|(field, value)| Some(id_token(field, value.as_ref()?)));
        let texts = [single(sources), single(envs)];
        let texts = texts.into_iter().flatten().map(|value| TokenTest::text(&query_trigrams(value)));
        let all = ids.map(TokenTest::Id).chain(texts).chain([self.text.token_test()]);
        self.tokens = TokenTest::all(all);
    }

    fn prepare_needles(&mut self) {
        let Criteria { sources, envs, user_id, request_id, fingerprint, .. } = &self.criteria;
        let fingerprint = fingerprint.map(|fingerprint| fingerprint.to_string());
        let fields = [
            ("source", single(sources)),
            ("env", single(envs)),
            ("user_id", user_id.as_ref()),
            ("request_id", request_id.as_ref()),
            ("fingerprint", fingerprint.as_ref()),
        ];
        let mut needles: Vec<Vec<u8>> = Vec::new();
        for (field, value) in fields.into_iter().filter_map(|(field, value)| Some((field, value?))) {
            let mut needle = format!("\"{field}\":").into_bytes();
            push_string(value, &mut needle);
            needles.push(needle);
        }
        needles.sort_by(|left, right| right.len().cmp(&left.len()).then_with(|| left.cmp(right)));
        self.ascii = self.text.is_ascii() && needles.iter().all(|needle| needle.is_ascii());
        let of_fields = needles.first().map(|needle| vec![needle.as_slice()]);
        let sets = of_fields.into_iter().chain(self.text.alternatives());
        let best = sets.max_by_key(|set| worth(set)).unwrap_or_default();
        let finder = |needle: &[u8]| Finder::new(needle).into_owned();
        let alternatives = best.into_iter().map(finder).collect();
        self.needles = needles.iter().map(|needle| finder(needle)).collect();
        self.alternatives = alternatives;
    }

    /// Whether [`EventFilter::admits`] looks at the token filters, so that headers must have them.
    #[must_use]
    pub fn uses_tokens(&self) -> bool {
        self.tokens != TokenTest::Always || self.text.uses_tokens()
    }

    /// False only if no event of the block matches.
    #[must_use]
    pub fn admits(&self, header: &BlockHeader) -> bool {
        let Criteria { from, to, received_after, .. } = &self.criteria;
        let levels = self.levels_asked(&header.counts);
        header.received_last >= *received_after
            && header.ts_first < *to
            && header.ts_last >= *from
            && levels.is_none_or(|levels| levels != LevelSet::default())
            && self.tokens.admits(&header.id_filter, &header.text_filter)
            && self.text.admits(header, levels)
    }

    /// About how many events of the block match, by its counts; exact but for the minutes at the ends of the range.
    /// `None` where more is asked for than counts tell.
    #[must_use]
    pub fn estimate(&self, header: &BlockHeader) -> Option<u64> {
        self.is_of_counts()
            .then(|| self.counts_asked(&header.counts).map(|count| u64::from(count.count)).sum())
    }

    /// Whether the start of a line decides alone: what [`Self::admits_head`] admits matches.
    #[must_use]
    pub fn is_of_heads(&self) -> bool {
        let Criteria { sources, envs, .. } = &self.criteria;
        self.needles.is_empty() && sources.is_empty() && envs.is_empty() && self.text.is_of_heads()
    }

    /// Whether nothing is asked for but levels, times and receipt, so that a header's counts can tell how many match.
    #[must_use]
    pub fn is_of_counts(&self) -> bool {
        self.is_of_heads() && self.text.is_empty()
    }

    /// The levels asked for that occur in the minutes asked for; `None` without counts.
    fn levels_asked(&self, counts: &[MinuteCount]) -> Option<LevelSet> {
        (!counts.is_empty()).then(|| self.counts_asked(counts).map(|count| count.level).collect())
    }

    /// Those of the minutes and levels asked for.
    fn counts_asked<'a>(&self, counts: &'a [MinuteCount]) -> impl Iterator<Item = &'a MinuteCount> {
        let Criteria { from, to, levels, .. } = self.criteria;
        let minutes = minute_of(from)..=minute_of(to.plus_millis(-1));
        counts.iter().filter(move |count| {
            minutes.contains(&count.minute) && levels.is_none_or(|levels| levels.contains(count.level))
        })
    }

    /// Whether the fixed start of a line matches: level, time and receipt.
    #[must_use]
    pub fn admits_head(&self, head: &LineHead<'_>) -> bool {
        let Criteria { from, to, levels, .. } = &self.criteria;
        *from <= head.ts
            && head.ts < *to
            && levels.is_none_or(|levels| levels.contains(head.level))
            && head.batch >= self.least_batch.as_bytes()
            && self.text.admits_head(head)
    }

    /// What the lower case of every matching line has one of; none if lines can't be told apart so.
    #[must_use]
    pub fn alternatives(&self) -> &[Finder<'static>] {
        &self.alternatives
    }

    /// Whether [`Self::admits_line`] looks at lines at all.
    #[must_use]
    pub fn uses_lines(&self) -> bool {
        !self.needles.is_empty() || self.text.uses_lines()
    }

    /// False only if no line with this lower case matches.
    #[must_use]
    pub fn admits_line(&self, lowered: &[u8]) -> bool {
        self.needles.iter().all(|needle| needle.find(lowered).is_some()) && self.text.admits_line(lowered)
    }

    /// Appends the lower case of `bytes` as [`Self::admits_line`] needs it; answers whether offsets stay the same.
    pub fn push_lowered(&self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        if self.ascii { push_lowercase_for_ascii(bytes, out) } else { push_lowercase(bytes, out) }
    }

    /// The event on a line (as [`crate::block::decode::lines`] gives it) if it matches.
    #[must_use]
    pub fn matches<'a>(&self, line: &'a [u8]) -> Option<StoredEvent<'a>> {
        LineHead::parse(line).filter(|head| self.admits_head(head))?;
        if self.uses_lines() {
            let mut lowered = Vec::with_capacity(line.len());
            self.push_lowered(line, &mut lowered);
            self.admits_line(&lowered).then_some(())?;
        }
        StoredEvent::parse(line).ok().filter(|event| self.matches_event(event))
    }

    /// Whether an event matches: the test that decides.
    #[must_use]
    pub fn matches_event(&self, event: &StoredEvent<'_>) -> bool {
        let Criteria {
            from,
            to,
            levels,
            sources,
            envs,
            user_id,
            request_id,
            fingerprint,
            received_after,
            ..
        } = &self.criteria;
        let equal = |value: &Option<String>, stored: Option<&str>| {
            value.as_ref().is_none_or(|value| stored.is_some_and(|stored| equals(value, stored)))
        };
        let among = |values: &[String], stored: &str| {
            values.is_empty() || values.iter().any(|value| equals(value, stored))
        };
        *from <= event.ts
            && event.ts < *to
            && event.id.batch.received_at() >= *received_after
            && levels.is_none_or(|levels| levels.contains(event.level))
            && fingerprint.is_none_or(|fingerprint| fingerprint == event.fingerprint)
            && among(sources, &event.source)
            && among(envs, &event.env)
            && equal(user_id, event.user_id.as_deref())
            && equal(request_id, event.request_id.as_deref())
            && self.text.matches(event)
    }
}

fn single(values: &[String]) -> Option<&String> {
    let [value] = values else { return None };
    Some(value)
}

/// Whether `stored` in lower case is `lowered`.
fn equals(lowered: &str, stored: &str) -> bool {
    stored.chars().flat_map(char::to_lowercase).eq(lowered.chars())
}

fn least_batch(received_after: Timestamp) -> String {
    const LAST: i64 = (1 << 48) - 1;
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&received_after.as_millis().clamp(0, LAST).to_be_bytes()[2..]);
    BatchId::from_bytes(bytes).to_string()
}

#[cfg(test)]
#[path = "event_filter_tests.rs"]
mod tests;
