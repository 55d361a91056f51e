//! What was counted long after it was received: out of a spool, left by a process that died, behind a slow database. The
//! window that ends now has none of it, so each rule looks at the window in which most of it was received. Not more than
//! once a fold for a rule and what it is about.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::look::{Look, admits, is_muted, levels_of, usual_in, usual_seconds};
use super::own::{compares, is_young};
use super::said::Findings;
use super::turns::in_turn;
use super::{Found, RuleKind, Setting};
use crate::maintenance::wide_before;
use crate::store::{
    Connection, FoldNews, FoldPiece, LEVEL_SERIES, PastSum, RuleCount, RuleCountKey, RuleSums, StoreError,
    TouchedIssue, WantedPast, WantedRuleCount, bucket,
};
use crate::timestamp::Timestamp;

/// Seconds before a bucket is late: at other times each is counted within a few.
const LATE_SEC: i64 = 20;
/// What is older is not news, and counts stand in hours then.
const MAX_LATE_SEC: i64 = 23 * 3_600;
/// The same of what rules count themselves, which is kept for eight hours: with the four that say what is usual.
const MAX_OWN_LATE_SEC: i64 = 3 * 3_600;
/// Windows that one fold looks at, those with the most events first, in turn among projects …
const MAX_WINDOWS: usize = 50;
/// … of which so many are kept for windows that late events alone don't fill, where there are such.
const KEPT_FOR_OTHERS: usize = 10;
/// Seconds of a bucket.
const BUCKET_SEC: i64 = 10;

/// What a rule looks at.
enum What<'a> {
    Errors,
    Issue(&'a TouchedIssue),
    /// What it counts itself.
    Own,
}

/// Late events of one rule and of what it is about.
struct Late<'a> {
    rule: Arc<Setting>,
    project_id: i64,
    what: What<'a>,
    /// The number under which the rule counts them itself.
    own: Option<i64>,
    /// By bucket.
    events: BTreeMap<i64, i64>,
}

/// The window with most of them.
struct Window<'a> {
    late: Late<'a>,
    from: i64,
    end: i64,
    size: i64,
}

impl Look<'_> {
    /// What the counts say of the time in which late events were received.
    pub(super) async fn by_late_counts(
        &self,
        connection: &mut Connection,
        news: &FoldNews,
        blocks: &[&FoldPiece],
        counted: &BTreeMap<RuleCountKey, RuleCount>,
        findings: &mut Findings,
    ) -> Result<Vec<Found>, StoreError> {
        let mut late = self.late_errors(blocks);
        late.extend(self.late_issues(news, blocks));
        late.extend(self.late_own(counted));
        let windows = late.into_iter().filter_map(|late| self.fullest(late)).filter(Window::can_be_full);
        let windows = self.looked_at(windows.collect(), findings);
        if windows.is_empty() {
            return Ok(Vec::new());
        }
        // Of each what it looks at, and everything its project had.
        let past = windows.iter().flat_map(|window| [window.past(), window.past_of_all()]);
        let past = connection.past_sums(&past.collect::<Vec<_>>()).await?;
        let own: Vec<WantedRuleCount> = windows.iter().filter_map(Window::own).collect();
        let mut own = connection.rule_counts(&own).await?.into_iter();
        let judged = windows.iter().zip(past.chunks(2)).filter_map(|(window, past)| {
            let own = window.late.own.and_then(|_| own.next());
            let [looked_at, all] = past else { return None };
            self.judge_past(window, *looked_at, *all, own)
        });
        Ok(judged.collect())
    }

    /// The windows that have their turn; what has none is counted and said in the log.
    fn looked_at<'a>(&self, mut windows: Vec<Window<'a>>, findings: &mut Findings) -> Vec<Window<'a>> {
        windows.sort_by_key(|window| Reverse(window.size));
        let (full, others): (Vec<_>, Vec<_>) = windows.into_iter().partition(Window::is_full);
        let [mut windows, mut others] =
            [full, others].map(|windows| in_turn(windows, |window| window.late.project_id));
        let places = MAX_WINDOWS - others.len().min(KEPT_FOR_OTHERS);
        let mut left_out = windows.split_off(windows.len().min(places));
        left_out.extend(others.split_off(others.len().min(MAX_WINDOWS - windows.len())));
        windows.extend(others);
        for window in &left_out {
            findings.count(window.late.rule.kind, "left_out", 1);
        }
        if !left_out.is_empty() && self.rules.warned.late.is_due() {
            let left_out = left_out.len();
            tracing::warn!(left_out, "windows of late events were not looked at: there were too many");
        }
        windows
    }

    /// Whether what was received then is in no window of so many seconds that ends now.
    fn is_late(&self, at: i64, longest: i64, window_sec: u32) -> bool {
        let now = bucket(self.now);
        (now - longest..now - LATE_SEC.min(i64::from(window_sec))).contains(&at)
    }

    fn late_errors<'a>(&self, blocks: &[&FoldPiece]) -> Vec<Late<'a>> {
        let mut late: BTreeMap<i64, Late<'a>> = BTreeMap::new();
        for piece in blocks {
            let project_id = piece.block.project_id;
            let rule = self.rule(project_id, RuleKind::ErrorRate);
            let is_late = |at| self.is_late(at, MAX_LATE_SEC, rule.window_sec);
            for (level, at, count) in piece.levels.iter().filter(|(_, at, _)| is_late(*at)) {
                let one = late.entry(project_id).or_insert_with(|| Late {
                    rule: rule.clone(),
                    project_id,
                    what: What::Errors,
                    own: None,
                    events: BTreeMap::new(),
                });
                if levels_of(&one.rule).any(|looked_at| looked_at == *level as i64) {
                    *one.events.entry(*at).or_default() += i64::from(*count);
                }
            }
        }
        late.into_values().filter(|late| late.rule.enabled && !late.rule.counts_events()).collect()
    }

    fn late_issues<'a>(&self, news: &'a FoldNews, blocks: &[&FoldPiece]) -> Vec<Late<'a>> {
        let seeds =
            || blocks.iter().flat_map(|piece| piece.issues.iter().map(|seed| (piece.block.project_id, seed)));
        let any: BTreeSet<_> = seeds()
            .filter(|(project_id, seed)| {
                let window_sec = self.rule(*project_id, RuleKind::Spike).window_sec;
                self.is_late(seed.bucket, MAX_LATE_SEC, window_sec)
            })
            .map(|(project_id, seed)| (project_id, seed.fingerprint))
            .collect();
        let mut late = BTreeMap::new();
        for issue in news.issues.iter().filter(|one| any.contains(&(one.id.project_id, one.id.fingerprint))) {
            let (project_id, rule) = (issue.id.project_id, self.rule(issue.id.project_id, RuleKind::Spike));
            if !is_muted(issue, self.now) && admits(&rule, issue) {
                let (own, what) = (rule.own_count_of(issue.id.fingerprint), What::Issue(issue));
                let one = Late { rule, project_id, what, own, events: BTreeMap::new() };
                late.insert((project_id, issue.id.fingerprint), one);
            }
        }
        for (project_id, seed) in seeds() {
            let Some(one) = late.get_mut(&(project_id, seed.fingerprint)) else { continue };
            let longest = if one.own.is_some() { MAX_OWN_LATE_SEC } else { MAX_LATE_SEC };
            if self.is_late(seed.bucket, longest, one.rule.window_sec) {
                let count = one.rule.environments.admitted(&seed.environments, seed.count);
                *one.events.entry(seed.bucket).or_default() += i64::from(count);
            }
        }
        late.into_values().collect()
    }

    fn late_own<'a>(&self, counted: &BTreeMap<RuleCountKey, RuleCount>) -> Vec<Late<'a>> {
        let mut late: BTreeMap<(i64, i64), Late<'a>> = BTreeMap::new();
        for (key, count) in counted {
            let RuleCountKey { project_id, rule_id, bucket } = *key;
            let one = match late.entry((project_id, rule_id)) {
                Entry::Occupied(one) => one.into_mut(),
                Entry::Vacant(place) => {
                    let Some(rule) = self.set.counting_by_id(project_id, rule_id) else { continue };
                    let events = BTreeMap::new();
                    place.insert(Late { rule, project_id, what: What::Own, own: Some(rule_id), events })
                }
            };
            if self.is_late(bucket, MAX_OWN_LATE_SEC, one.rule.window_sec) {
                *one.events.entry(bucket).or_default() += count.matched;
            }
        }
        late.into_values().collect()
    }

    /// The window that has most of these events, if it has any.
    fn fullest<'a>(&self, late: Late<'a>) -> Option<Window<'a>> {
        let window = i64::from(late.rule.window_sec);
        let (mut end, mut size) = (0, 0);
        for at in late.events.keys() {
            let inside: i64 = late.events.range(at - window..=*at).map(|(_, count)| count).sum();
            if inside > size {
                (end, size) = (*at, inside);
            }
        }
        let mut from = end - window;
        if late.own.is_none() && end - window < wide_before(self.now.as_seconds()).0 {
            // Counts of past time stand in minutes: whole ones, no more of them than the window has.
            end = end.div_euclid(60) * 60 + 60 - BUCKET_SEC;
            from = end + BUCKET_SEC - (window + 59).div_euclid(60) * 60;
        }
        (size > 0).then_some(Window { late, from, end, size })
    }

    fn judge_past(
        &self,
        window: &Window<'_>,
        part: PastSum,
        all: PastSum,
        own: Option<RuleSums>,
    ) -> Option<Found> {
        let Window { late, end, .. } = window;
        let seconds = i64::from(late.rule.window_sec);
        let (inside, longer) =
            own.map_or((part.inside, part.longer), |own| (own.inside.matched, own.matched));
        // Minutes in which something was received count as awake: it went into a spool then.
        let awake = self.minutes_awake(*end, seconds).max(all.minutes);
        let minutes = match late.what {
            What::Own => self.minutes_counted(&late.rule, *end).max(all.minutes),
            _ => awake,
        };
        let mut usual = usual_in(seconds, longer - inside, minutes);
        if own.is_some() && compares(&late.rule) && is_young(&late.rule, *end) {
            usual = usual.max(usual_in(seconds, part.longer - part.inside, awake));
        }
        let counted = (u64::try_from(inside).unwrap_or(0), usual);
        let found = match late.what {
            What::Errors => self.too_many(&late.rule, late.project_id, counted, all.inside),
            What::Issue(issue) => self.spike_of(&late.rule, issue, counted),
            What::Own => {
                let seen = own.map_or(0, |own| own.inside.seen);
                self.own_count_of(&late.rule, late.project_id, counted, seen)
            }
        };
        found.map(|found| found.received_until(Timestamp::from_millis((end + BUCKET_SEC) * 1_000)))
    }
}

impl Window<'_> {
    /// Whether its late events alone are as many as the rule asks for.
    fn is_full(&self) -> bool {
        self.size >= i64::from(self.late.rule.n)
    }

    /// Whether there can be so many with those that were counted in time.
    fn can_be_full(&self) -> bool {
        let What::Issue(issue) = self.late.what else { return true };
        let ever = issue.count + issue.known.map_or(0, |known| known.events);
        ever >= i64::from(self.late.rule.n)
    }

    fn usual_from(&self) -> i64 {
        self.end - usual_seconds(i64::from(self.late.rule.window_sec))
    }

    /// What a rule counted itself under other settings is not looked at.
    fn counted_from(&self) -> i64 {
        if matches!(self.late.what, What::Own) { self.late.rule.counts_from() } else { i64::MIN }
    }

    fn past(&self) -> WantedPast {
        let series = match self.late.what {
            What::Errors | What::Own => levels_of(&self.late.rule).collect(),
            What::Issue(issue) => vec![issue.id.fingerprint.0.cast_signed()],
        };
        WantedPast { series, usual: self.usual_from(), ..self.past_of_all() }
    }

    fn past_of_all(&self) -> WantedPast {
        let (project_id, series) = (self.late.project_id, (0..LEVEL_SERIES).collect());
        let usual = self.counted_from().max(self.usual_from());
        WantedPast { project_id, series, window: self.from, usual, until: self.end }
    }

    fn own(&self) -> Option<WantedRuleCount> {
        let (project_id, rule_id) = (self.late.project_id, self.late.own?);
        let window = self.counted_from().max(self.from);
        let (usual, until) = (self.counted_from().max(self.usual_from()), self.end);
        Some(WantedRuleCount { project_id, rule_id, window, usual, until })
    }
}
