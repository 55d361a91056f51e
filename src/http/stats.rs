//! `GET /stats`: events by level and time, against the period before; the issues that happen most; storage used. All
//! from folded counts, by time of receipt; events of the last second may be missing.

use std::collections::BTreeMap;
use std::sync::Arc;

use poem::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::event::Level;
use crate::http::json;
use crate::http::route::{Call, Reply};
use crate::http::search::{readable_projects, turn};
use crate::http::search_input::time;
use crate::issue::Issue;
use crate::maintenance::wide_before;
use crate::project::Project;
use crate::store::{BUCKET_MS, CountScope, StorageUsed, Store, StoreError, bucket};
use crate::timestamp::Timestamp;

/// Shown when no range is asked for.
const DEFAULT_RANGE_MS: i64 = 86_400_000;
const DAY: i64 = 86_400;
/// Longest range: the longest retention.
const MAX_RANGE_MS: i64 = 90 * 86_400_000;
/// Buckets of a trend at most.
const MAX_BUCKETS: i64 = 120;
/// Issues in the list.
const TOP_ISSUES: usize = 10;
/// Widths a bucket may have, in seconds.
const WIDTHS: [i64; 10] = [10, 30, 60, 300, 600, 1_800, 3_600, 10_800, 21_600, 86_400];

/// Widest buckets that counts of past time stand in, in seconds.
const WIDEST_COUNT: i64 = 3_600;

/// A range in whole buckets, in epoch seconds.
#[derive(Clone, Copy, Debug)]
struct Range {
    from: i64,
    to: i64,
    width: i64,
    /// Where the period before begins, which ends at `from` and is as long, or longer by less than an hour: it is of
    /// whole buckets as counts of that age stand in.
    before: i64,
    /// The same time a day before, in whole hours as counts of that age stand in, where the range is no longer than a day.
    day_before: Option<(i64, i64)>,
    /// Until when something can have happened.
    now: i64,
}

/// `GET /stats`.
///
/// # Errors
/// 400 naming the parameter, 404 for a project the caller doesn't have, 503.
pub async fn stats(call: Call) -> Reply {
    let now = call.state.clock.now();
    let projects = readable_projects(&call)?;
    let range = range(call.request.uri().query().unwrap_or(""), now)?;
    let _turn = turn(&call).await?;
    let gathered = gather(&call.state.store, &projects, range, now).await?;
    Ok(json::reply(StatusCode::OK, &gathered.json(range)))
}

fn range(query: &str, now: Timestamp) -> Result<Range, ApiError> {
    let (mut from, mut to) = (None, now);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match (name.as_ref(), value.is_empty()) {
            ("from", false) => from = Some(time("from", &value, now)?),
            ("to", false) => to = time("to", &value, now)?,
            _ => {}
        }
    }
    let from = from.unwrap_or(to.plus_millis(-DEFAULT_RANGE_MS));
    let length = to.as_millis() - from.as_millis();
    if !(1..=MAX_RANGE_MS).contains(&length) {
        return Err(ApiError::InvalidParameter("from must be before to, by at most 90 days.".to_owned()));
    }
    let seconds = length / 1_000 + 1;
    let finest = finest_width(from.as_seconds(), now.as_seconds());
    let fits = |width: &i64| *width >= finest && seconds / width < MAX_BUCKETS;
    let width = WIDTHS.into_iter().find(fits).unwrap_or(86_400);
    let now = now.as_seconds();
    let from = from.as_seconds().div_euclid(width) * width;
    let to = (to.as_seconds().div_euclid(width) + 1) * width;
    let before = from - (to - from);
    let whole = width.max(finest_width(before - WIDEST_COUNT, now));
    let before = before.div_euclid(whole) * whole;
    Ok(Range { from, to, width, before, day_before: day_before(from, to.min(now)), now })
}

fn day_before(from: i64, to: i64) -> Option<(i64, i64)> {
    let begin = (from - DAY).div_euclid(WIDEST_COUNT) * WIDEST_COUNT;
    let end = ((to - DAY - 1).div_euclid(WIDEST_COUNT) + 1) * WIDEST_COUNT;
    (from < to && to - from <= DAY).then_some((begin, end))
}

/// What is counted of past time may stand in whole minutes or hours already; a finer range would cut through them.
fn finest_width(from: i64, now: i64) -> i64 {
    let (minutes_before, hours_before) = wide_before(now);
    if from < hours_before {
        3_600
    } else if from < minutes_before {
        60
    } else {
        10
    }
}

#[derive(Default)]
struct Gathered {
    trend: BTreeMap<i64, BTreeMap<i64, i64>>,
    /// Counts of the period before, by level.
    before: BTreeMap<i64, i64>,
    /// Nothing of that period has expired.
    before_is_whole: bool,
    /// The same of the day before.
    day_before: Option<(BTreeMap<i64, i64>, bool)>,
    issues: Vec<Value>,
    storage: StorageUsed,
}

async fn gather(
    store: &Store,
    projects: &[Arc<Project>],
    range: Range,
    now: Timestamp,
) -> Result<Gathered, StoreError> {
    let Range { from, to, width, before, .. } = range;
    // A bucket that is expired in part is left out: what has expired is never shown.
    let since = |project: &Project| bucket(project.kept_since(now).plus_millis(BUCKET_MS - 1));
    let scopes: Vec<CountScope> =
        projects.iter().map(|project| CountScope { project_id: project.id, since: since(project) }).collect();
    let ids: Vec<i64> = scopes.iter().map(|scope| scope.project_id).collect();
    let mut session = store.read().await?;
    let mut all = Gathered::default();
    all.before_is_whole = scopes.iter().all(|scope| scope.since <= before);
    for (level, slot, count) in session.level_trend(&scopes, before, to, width).await? {
        let counts = if slot < from { &mut all.before } else { all.trend.entry(slot).or_default() };
        *counts.entry(level).or_default() += count;
    }
    if let Some((begin, end)) = range.day_before {
        let mut counts = BTreeMap::new();
        for (level, _, count) in session.level_trend(&scopes, begin, end, end - begin).await? {
            *counts.entry(level).or_default() += count;
        }
        all.day_before = Some((counts, scopes.iter().all(|scope| scope.since <= begin)));
    }
    let mut issues = session.top_issues(&scopes, from, to, TOP_ISSUES).await?;
    issues.sort_by_key(|(_, count)| -count);
    issues.truncate(TOP_ISSUES);
    all.issues =
        issues.into_iter().filter_map(|(issue, count)| issue_json(&issue, count, projects)).collect();
    all.storage = store.storage_used(&mut session, &ids, now).await?;
    Ok(all)
}

fn issue_json(issue: &Issue, count: i64, projects: &[Arc<Project>]) -> Option<Value> {
    let project = projects.iter().find(|project| project.id == issue.id.project_id)?;
    Some(json!({
        "id": issue.id.to_string(),
        "project_id": project.id,
        "project": project.slug.as_str(),
        "fingerprint": issue.id.fingerprint.to_string(),
        "title": issue.title,
        "source": issue.source,
        "level": Level::name_of(issue.level),
        "count": count,
        "first_seen": issue.first_seen.to_string(),
        "last_seen": issue.last_seen.to_string(),
        "sample": issue.sample,
    }))
}

impl Gathered {
    fn json(self, range: Range) -> Value {
        let mut by_level: BTreeMap<i64, i64> = BTreeMap::new();
        for (level, count) in self.trend.values().flatten() {
            *by_level.entry(*level).or_default() += count;
        }
        let before = Period { from: range.before, to: range.from, counts: &self.before };
        let mut previous = before.json(range.now);
        previous["complete"] = json!(self.before_is_whole);
        let mut answer = Period { from: range.from, to: range.to, counts: &by_level }.json(range.now);
        let empty = BTreeMap::new();
        let trend: Vec<Value> = (0..(range.to - range.from) / range.width)
            .map(|index| {
                let from = range.from + index * range.width;
                let counts = counts_json(self.trend.get(&from).unwrap_or(&empty));
                json!({ "from": seconds(from), "to": seconds(from + range.width), "counts": counts })
            })
            .collect();
        let StorageUsed { blocks, events, raw_bytes, stored_bytes, age_ms, complete } = self.storage;
        answer["previous"] = previous;
        if let (Some((from, to)), Some((counts, is_whole))) = (range.day_before, &self.day_before) {
            let mut period = Period { from, to, counts }.json(range.now);
            period["complete"] = json!(is_whole);
            answer["day_before"] = period;
        }
        answer["trend"] = json!(trend);
        answer["top_issues"] = json!(self.issues);
        answer["storage"] = json!({
            "blocks": blocks, "events": events, "raw_bytes": raw_bytes, "stored_bytes": stored_bytes,
            "age_ms": age_ms, "complete": complete,
        });
        answer
    }
}

/// Events of some time, by level.
struct Period<'a> {
    from: i64,
    to: i64,
    counts: &'a BTreeMap<i64, i64>,
}

impl Period<'_> {
    /// Its sums and rates; what lies after `now` doesn't count as time.
    #[expect(clippy::cast_precision_loss, reason = "shares and rates of counts far below 2^52")]
    fn json(&self, now: i64) -> Value {
        let total: i64 = self.counts.values().sum();
        let is_error = |level: i64| level >= Level::Error as i64;
        let errors: i64 =
            self.counts.iter().filter(|(level, _)| is_error(**level)).map(|(_, count)| count).sum();
        let elapsed = (self.to.min(now) - self.from).max(1);
        json!({
            "from": seconds(self.from),
            "to": seconds(self.to),
            "total": total,
            "events": counts_json(self.counts),
            "error_rate": if total == 0 { 0.0 } else { errors as f64 / total as f64 },
            "per_minute": total as f64 * 60.0 / elapsed as f64,
        })
    }
}

fn counts_json(counts: &BTreeMap<i64, i64>) -> Value {
    let named = counts.iter().map(|(level, count)| (Level::name_of(*level).to_owned(), json!(count)));
    Value::Object(named.collect::<Map<_, _>>())
}

fn seconds(at: i64) -> String {
    Timestamp::from_millis(at * 1_000).to_string()
}
