//! The fold: counts and issues from committed blocks, exactly once.
//!
//! One transaction locks the blocks' `unfolded` rows, adds up, and deletes those rows; whoever finds a row gone has
//! nothing left to do for it. A guard bounds how many issues a project can have.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::STATEMENT_TIMEOUT;
use super::alert_rule_list::version_sql;
use super::connection::Connection;
use super::error::StoreError;
use super::fold_news::{FoldNews, KnownIssue, TouchedIssue};
use super::unfolded::Unfolded;
use super::value::Value;
use crate::alert::{Findings, Judge};
use crate::event::{EventId, Level};
use crate::fingerprint::Fingerprint;
use crate::issue::IssueId;
use crate::ledger::{Counted, Entry, LedgerRow};
use crate::timestamp::Timestamp;

/// Series in `counts` below this are levels, by number.
pub const LEVEL_SERIES: i64 = 6;
/// The series of events whose issue was one too many.
pub const OTHER_SERIES: i64 = 15;
/// Most issues a project has at a time.
pub const MAX_ISSUES: i64 = 10_000;
/// Most new issues a project gets in a minute.
pub const MAX_NEW_ISSUES_A_MINUTE: i64 = 200;
/// Characters of a title or source that are kept with an issue, as its columns take.
const MAX_TEXT_CHARS: usize = 255;
/// Milliseconds of a bucket in `counts`.
pub const BUCKET_MS: i64 = 10_000;

/// What one block's events say about one issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueSeed {
    /// Names the issue.
    pub fingerprint: Fingerprint,
    /// The message's template, at most 200 characters.
    pub title: String,
    /// Source of the first event.
    pub source: String,
    /// Highest level.
    pub level: Level,
    /// Least `ts`.
    pub first_seen: Timestamp,
    /// Greatest `ts`.
    pub last_seen: Timestamp,
    /// How many events.
    pub count: u32,
    /// One of them.
    pub sample: EventId,
    /// The beginning of an event's message, for people.
    pub message: String,
    /// Bucket of receipt, as in `counts`.
    pub bucket: i64,
    /// Latest receipt.
    pub received: Timestamp,
    /// Release of an event of the batch, empty when it named none.
    pub release: String,
    /// Environments of the events and how many each had, at most [`MAX_ENVIRONMENTS`] of them.
    pub environments: Vec<(String, u32)>,
}

/// Environments of an issue that a fold tells apart.
pub const MAX_ENVIRONMENTS: usize = 8;

impl IssueSeed {
    /// Counts events of an environment; those of one too many are in the sum alone.
    pub fn add_environment(&mut self, name: &str, count: u32) {
        if let Some((_, known)) = self.environments.iter_mut().find(|(known, _)| known == name) {
            *known += count;
        } else if self.environments.len() < MAX_ENVIRONMENTS {
            self.environments.push((name.to_owned(), count));
        }
    }
}

/// Everything one block adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldPiece {
    /// The block.
    pub block: Unfolded,
    /// Events in it, for the ledger.
    pub events: u32,
    /// Its first receipt, whose hour in the ledger is that of all its events.
    pub received: Timestamp,
    /// Events per (level, bucket of receipt in seconds since the epoch).
    pub levels: Vec<(Level, i64, u32)>,
    /// Issues its events belong to.
    pub issues: Vec<IssueSeed>,
}

/// The bucket of a time, in seconds since the epoch, a multiple of ten.
#[must_use]
pub fn bucket(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(BUCKET_MS) * (BUCKET_MS / 1_000)
}

type SeriesKey = (i64, i64, i64);
pub(super) type IssueKey = (i64, i64);
pub(super) type KnownIssues = BTreeMap<IssueId, KnownIssue>;

/// What became of blocks that were to be folded.
#[derive(Debug)]
pub enum Folded {
    /// So many of them were still waiting, and are counted; what the rules found in them is committed with that.
    Counted(usize, Option<Findings>),
    /// None of them was still waiting: nothing was done.
    Nothing,
    /// Nothing was done: somebody has changed the alert rules since they were read.
    RulesChanged,
}

pub(super) const fn issue_id(project_id: i64, series: i64) -> IssueId {
    IssueId { project_id, fingerprint: Fingerprint(series.cast_unsigned()) }
}

impl Connection {
    /// Counts these blocks, each at most once ever, and with them what was `counted` in memory; what `judge` finds worth
    /// saying of it goes into the outbox in the same transaction. When no block was still waiting, nothing is written.
    ///
    /// # Errors
    /// What the database said; the pieces may be folded again, also after an ambiguous commit.
    pub async fn fold(
        &mut self,
        pieces: &[FoldPiece],
        counted: Option<&Counted>,
        judge: Option<Judge<'_>>,
        now: Timestamp,
    ) -> Result<Folded, StoreError> {
        let version = self.begin_after(&version_sql(), STATEMENT_TIMEOUT).await?;
        let version = version.first().map_or(Ok(0), |row| row.int(0))?;
        if judge.is_some_and(|judge| !judge.is_of(version)) {
            self.rollback(STATEMENT_TIMEOUT).await?;
            return Ok(Folded::RulesChanged);
        }
        let mut ids: Vec<Uuid> = pieces.iter().map(|piece| piece.block.block_id).collect();
        ids.sort_unstable();
        let waiting = self.lock_unfolded(&ids).await?;
        if waiting.is_empty() {
            self.rollback(STATEMENT_TIMEOUT).await?;
            return Ok(Folded::Nothing);
        }
        let held: BTreeSet<Uuid> = waiting.iter().copied().collect();
        let mut sums = Sums::default();
        for piece in pieces.iter().filter(|piece| held.contains(&piece.block.block_id)) {
            sums.add(piece);
        }
        let known = self.guard_cardinality(&mut sums, now).await?;
        let touched = sums.issues.iter().map(|(key, (seed, _))| (issue_id(key.0, key.1), seed));
        self.note_regressed(touched, &known).await?;
        self.upsert_counts(&sums.series).await?;
        self.upsert_issues(&sums.issues).await?;
        let muted = known.iter().filter(|(_, known)| known.mute_per_hour > 0);
        let muted: Vec<(IssueId, i64)> = muted.map(|(id, known)| (*id, known.mute_per_hour)).collect();
        let unmuted = self.unmute_frequent(&muted, now).await?;
        let mut found = None;
        if let Some(judge) = judge {
            let limited = counted.map(|counted| counted.rows.as_slice()).unwrap_or_default();
            let news = sums.news(&known, &unmuted).with_dropped(limited);
            let blocks: Vec<&FoldPiece> =
                pieces.iter().filter(|piece| held.contains(&piece.block.block_id)).collect();
            found = Some(judge.evaluate(self, &news, &blocks, now).await?);
        }
        self.add_folded(&sums.accepted, counted).await?;
        self.delete_unfolded(&waiting).await?;
        self.commit(STATEMENT_TIMEOUT).await?;
        Ok(Folded::Counted(waiting.len(), found))
    }

    /// Moves what would be one issue too many to [`OTHER_SERIES`]. Gives the issues that were there.
    async fn guard_cardinality(
        &mut self,
        sums: &mut Sums,
        now: Timestamp,
    ) -> Result<KnownIssues, StoreError> {
        let wanted: Vec<IssueKey> = sums.issues.keys().copied().collect();
        let known = self.known_issues(&wanted).await?;
        let mut new: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for (project, series) in wanted {
            if !known.contains_key(&issue_id(project, series)) {
                new.entry(project).or_default().push(series);
            }
        }
        let projects: Vec<i64> = new.keys().copied().collect();
        let room = self.room_for_issues(&projects, now).await?;
        for (project, new) in new {
            for fingerprint in new.into_iter().skip(room.get(&project).copied().unwrap_or(0)) {
                sums.move_to_other(project, fingerprint);
            }
        }
        Ok(known)
    }

    async fn known_issues(&mut self, wanted: &[IssueKey]) -> Result<KnownIssues, StoreError> {
        // Locked, so that of two instances one alone sees an issue as it was before it came back.
        let lock = format!(" ORDER BY fingerprint{}", self.dialect().for_update());
        self.read_issues(wanted, &lock).await
    }

    /// How many more issues each of these projects may have.
    async fn room_for_issues(
        &mut self,
        projects: &[i64],
        now: Timestamp,
    ) -> Result<BTreeMap<i64, usize>, StoreError> {
        let minute = now.plus_millis(-60_000).as_millis();
        let count = |project: &i64| {
            format!(
                "SELECT {project}, COUNT(*), \
                 CAST(COALESCE(SUM(CASE WHEN created_at > {minute} THEN 1 ELSE 0 END), 0) AS SIGNED) \
                 FROM issues WHERE project_id = {project}"
            )
        };
        let mut all = BTreeMap::new();
        for row in self.select_packets(projects.iter().map(count)).await? {
            let room = (MAX_ISSUES - row.int(1)?).min(MAX_NEW_ISSUES_A_MINUTE - row.int(2)?).max(0);
            all.insert(row.int(0)?, usize::try_from(room).unwrap_or(0));
        }
        Ok(all)
    }

    async fn upsert_counts(&mut self, series: &BTreeMap<SeriesKey, i64>) -> Result<(), StoreError> {
        let rows: Vec<[Value<'_>; 4]> = series
            .iter()
            .map(|(key, count)| [key.0.into(), key.1.into(), key.2.into(), (*count).into()])
            .collect();
        self.add_counts(&rows).await
    }

    /// Adds rows of (project, series, bucket, count) to what is counted already.
    pub(super) async fn add_counts(&mut self, rows: &[[Value<'_>; 4]]) -> Result<(), StoreError> {
        let tail = self.dialect().on_duplicate(
            "project_id, series, bucket",
            "event_count = counts.event_count + new(event_count)",
        );
        let head = "INSERT INTO counts (project_id, series, bucket, event_count)";
        self.insert_rows(head, rows, &tail).await.map(drop)
    }

    async fn upsert_issues(
        &mut self,
        issues: &BTreeMap<IssueKey, (IssueSeed, i64)>,
    ) -> Result<(), StoreError> {
        let set = "event_count = issues.event_count + new(event_count), \
             level = CASE WHEN issues.level < new(level) THEN new(level) ELSE issues.level END, \
             first_seen = CASE WHEN issues.first_seen > new(first_seen) THEN new(first_seen) \
             ELSE issues.first_seen END, \
             last_release = CASE WHEN issues.last_received <= new(last_received) AND new(last_release) <> '' \
             THEN new(last_release) ELSE issues.last_release END, \
             last_received = CASE WHEN issues.last_received < new(last_received) THEN new(last_received) \
             ELSE issues.last_received END, \
             sample = CASE WHEN issues.last_seen <= new(last_seen) THEN new(sample) ELSE issues.sample END, \
             last_seen = CASE WHEN issues.last_seen < new(last_seen) THEN new(last_seen) \
             ELSE issues.last_seen END";
        let tail = self.dialect().on_duplicate("project_id, fingerprint", set);
        let rows: Vec<[Value<'_>; 16]> = issues
            .iter()
            .map(|(key, (seed, count))| {
                [
                    key.0.into(),
                    key.1.into(),
                    fitting(&seed.title).into(),
                    fitting(&seed.source).into(),
                    i64::from(seed.level as u8).into(),
                    seed.first_seen.as_millis().into(),
                    seed.last_seen.as_millis().into(),
                    (*count).into(),
                    seed.sample.to_string().into(),
                    (seed.bucket * 1_000).into(),
                    seed.received.as_millis().into(),
                    0_i64.into(),
                    0_i64.into(),
                    0_i64.into(),
                    fitting(&seed.release).into(),
                    fitting(&seed.release).into(),
                ]
            })
            .collect();
        let head = "INSERT INTO issues (project_id, fingerprint, title, source, level, first_seen, last_seen, \
                    event_count, sample, created_at, last_received, resolved_at, muted_until, mute_per_hour, \
                    first_release, last_release)";
        self.insert_rows(head, &rows, &tail).await.map(drop)
    }
}

/// What a column of issues takes.
pub(super) fn fitting(text: &str) -> &str {
    text.char_indices().nth(MAX_TEXT_CHARS).map_or(text, |(end, _)| &text[..end])
}

/// Pieces added up, in key order.
#[derive(Default)]
struct Sums {
    series: BTreeMap<SeriesKey, i64>,
    issues: BTreeMap<IssueKey, (IssueSeed, i64)>,
    buckets: HashMap<IssueKey, BTreeSet<i64>>,
    accepted: Vec<LedgerRow>,
}

impl Sums {
    fn add(&mut self, piece: &FoldPiece) {
        let project = piece.block.project_id;
        self.accepted.push(LedgerRow::new(project, piece.received, Entry::ACCEPTED, piece.events));
        for (level, bucket, count) in &piece.levels {
            *self.series.entry((project, i64::from(*level as u8), *bucket)).or_default() += i64::from(*count);
        }
        for seed in &piece.issues {
            let series = seed.fingerprint.0.cast_signed();
            *self.series.entry((project, series, seed.bucket)).or_default() += i64::from(seed.count);
            self.buckets.entry((project, series)).or_default().insert(seed.bucket);
            let none = || (IssueSeed { environments: Vec::new(), ..seed.clone() }, 0);
            let (sum, count) = self.issues.entry((project, series)).or_insert_with(none);
            *count += i64::from(seed.count);
            seed.environments.iter().for_each(|(name, count)| sum.add_environment(name, *count));
            sum.level = sum.level.max(seed.level);
            sum.first_seen = sum.first_seen.min(seed.first_seen);
            if seed.last_seen >= sum.last_seen {
                sum.last_seen = seed.last_seen;
                sum.sample = seed.sample;
                if !seed.message.is_empty() {
                    sum.message.clone_from(&seed.message);
                }
            }
            if seed.received >= sum.received {
                sum.received = seed.received;
                if !seed.release.is_empty() {
                    sum.release.clone_from(&seed.release);
                }
            }
        }
    }

    fn news(&self, known: &KnownIssues, unmuted: &[IssueId]) -> FoldNews {
        let mut news = FoldNews::default();
        for ((project_id, series), (seed, count)) in &self.issues {
            let id = issue_id(*project_id, *series);
            let mut before = known.get(&id).copied();
            if let Some(known) = before.as_mut().filter(|_| unmuted.contains(&id)) {
                known.mute_per_hour = 0;
            }
            news.issues.push(TouchedIssue { id, seed: seed.clone(), count: *count, known: before });
        }
        for ((project_id, series, bucket), count) in &self.series {
            if (0..LEVEL_SERIES).contains(series) {
                *news.events.entry((*project_id, *bucket)).or_default() += count;
            }
        }
        news
    }

    fn move_to_other(&mut self, project: i64, fingerprint: i64) {
        self.issues.remove(&(project, fingerprint));
        for bucket in self.buckets.remove(&(project, fingerprint)).unwrap_or_default() {
            let count = self.series.remove(&(project, fingerprint, bucket)).unwrap_or(0);
            *self.series.entry((project, OTHER_SERIES, bucket)).or_default() += count;
        }
    }
}
