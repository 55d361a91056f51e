//! Issues read for people, and what people decide about them.

use std::collections::{BTreeMap, HashMap};

use super::STATEMENT_TIMEOUT;
use super::connection::Connection;
use super::error::StoreError;
use super::value::Row;
use crate::event::Level;
use crate::fingerprint::Fingerprint;
use crate::issue::{Issue, IssueAction, IssueId, IssueStatus};
use crate::timestamp::Timestamp;

/// Tries of a decision after losing against a fold.
const MAX_CONFLICTS: u32 = 10;
/// Seconds of a bar in an issue's trend.
const TREND_STEP: i64 = 3_600;

pub(super) const ISSUE_COLUMNS: &str = "project_id, fingerprint, title, source, level, first_seen, last_seen, \
     event_count, sample, created_at, last_received, resolved_at, muted_until, mute_per_hour, first_release, last_release";

pub(super) fn read_issue(row: &Row) -> Result<Issue, StoreError> {
    let at = |column| row.int(column).map(Timestamp::from_millis);
    Ok(Issue {
        id: IssueId { project_id: row.int(0)?, fingerprint: Fingerprint(row.int(1)?.cast_unsigned()) },
        title: row.text(2)?,
        source: row.text(3)?,
        level: row.int(4)?,
        first_seen: at(5)?,
        last_seen: at(6)?,
        event_count: row.int(7)?,
        sample: row.text(8)?,
        created_at: at(9)?,
        last_received: at(10)?,
        resolved_at: at(11)?,
        muted_until: at(12)?,
        mute_per_hour: row.int(13)?,
        first_release: row.text(14)?,
        last_release: row.text(15)?,
    })
}

/// By what a list of issues is ordered, the greatest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueSort {
    /// Latest event.
    LastSeen,
    /// Latest first event.
    FirstSeen,
    /// Most events.
    Count,
}

impl IssueSort {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::LastSeen, Self::FirstSeen, Self::Count];

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LastSeen => "last_seen",
            Self::FirstSeen => "first_seen",
            Self::Count => "count",
        }
    }

    const fn column(self) -> &'static str {
        match self {
            Self::LastSeen => "last_seen",
            Self::FirstSeen => "first_seen",
            Self::Count => "event_count",
        }
    }

    /// What an issue is ordered by.
    #[must_use]
    pub const fn value(self, issue: &Issue) -> i64 {
        match self {
            Self::LastSeen => issue.last_seen.as_millis(),
            Self::FirstSeen => issue.first_seen.as_millis(),
            Self::Count => issue.event_count,
        }
    }
}

/// Which issues.
#[derive(Clone, Debug)]
pub struct IssueFilter {
    /// Projects and since when what was received hasn't expired.
    pub scopes: Vec<(i64, Timestamp)>,
    /// `None`: any.
    pub status: Option<IssueStatus>,
    /// These levels; empty: any.
    pub levels: Vec<Level>,
    /// Contained in the title, in any ASCII case; empty: any.
    pub title: String,
    /// The order.
    pub sort: IssueSort,
    /// Only what comes after this value and issue in the order.
    pub after: Option<(i64, IssueId)>,
    /// Issues at most.
    pub limit: usize,
}

impl IssueFilter {
    fn condition(&self, now: Timestamp, text_literal: impl Fn(&str) -> String) -> String {
        let scope = |(project_id, since): &(i64, Timestamp)| {
            format!("(project_id = {project_id} AND last_received >= {})", since.as_millis())
        };
        let mut all = vec![format!("({})", self.scopes.iter().map(scope).collect::<Vec<_>>().join(" OR "))];
        let now = now.as_millis();
        all.extend(self.status.map(|status| match status {
            IssueStatus::Resolved => "last_received <= resolved_at".to_owned(),
            IssueStatus::Muted => {
                format!("last_received > resolved_at AND (muted_until > {now} OR mute_per_hour > 0)")
            }
            IssueStatus::Open => {
                format!("last_received > resolved_at AND muted_until <= {now} AND mute_per_hour = 0")
            }
        }));
        if !self.levels.is_empty() {
            let levels: Vec<String> = self.levels.iter().map(|level| (*level as u8).to_string()).collect();
            all.push(format!("level IN ({})", levels.join(",")));
        }
        if !self.title.is_empty() {
            let pattern =
                format!("%{}%", self.title.replace('!', "!!").replace('%', "!%").replace('_', "!_"));
            all.push(format!("LOWER(title) LIKE LOWER({}) ESCAPE '!'", text_literal(&pattern)));
        }
        if let Some((value, id)) = &self.after {
            let (column, project, series) =
                (self.sort.column(), id.project_id, id.fingerprint.0.cast_signed());
            all.push(format!(
                "({column} < {value} OR ({column} = {value} AND (project_id < {project} \
                 OR (project_id = {project} AND fingerprint < {series}))))"
            ));
        }
        all.join(" AND ")
    }
}

impl Connection {
    /// Issues by a filter, in its order; none without a project.
    ///
    /// # Errors
    /// What the database said.
    pub async fn list_issues(
        &mut self,
        filter: &IssueFilter,
        now: Timestamp,
    ) -> Result<Vec<Issue>, StoreError> {
        if filter.scopes.is_empty() {
            return Ok(Vec::new());
        }
        let dialect = self.dialect();
        let condition = filter.condition(now, |text| dialect.text_literal(text));
        let (column, limit) = (filter.sort.column(), filter.limit);
        let find = format!(
            "SELECT {ISSUE_COLUMNS} FROM issues WHERE {condition} \
             ORDER BY {column} DESC, project_id DESC, fingerprint DESC LIMIT {limit}"
        );
        self.select(find, STATEMENT_TIMEOUT).await?.iter().map(read_issue).collect()
    }

    /// One issue, expired or not.
    ///
    /// # Errors
    /// What the database said.
    pub async fn issue(&mut self, id: IssueId) -> Result<Option<Issue>, StoreError> {
        let (project, series) = (id.project_id, id.fingerprint.0.cast_signed());
        let find = format!(
            "SELECT {ISSUE_COLUMNS} FROM issues WHERE project_id = {project} AND fingerprint = {series}"
        );
        self.select(find, STATEMENT_TIMEOUT).await?.first().map(read_issue).transpose()
    }

    /// Events of issues received in each of the last `hours` hours, the hour of `now` last.
    ///
    /// # Errors
    /// What the database said.
    pub async fn issue_trends(
        &mut self,
        ids: &[IssueId],
        now: Timestamp,
        hours: usize,
    ) -> Result<HashMap<IssueId, Vec<i64>>, StoreError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let this_hour = now.as_seconds().div_euclid(TREND_STEP) * TREND_STEP;
        let from = this_hour - TREND_STEP * (i64::try_from(hours).unwrap_or(24) - 1);
        let divide = self.dialect().divide();
        let find = format!(
            "SELECT project_id, series, (bucket - {from}) {divide} {TREND_STEP} AS hour, \
             CAST(SUM(event_count) AS SIGNED) FROM counts WHERE ({}) AND bucket >= {from} \
             GROUP BY project_id, series, hour",
            named(ids, "series")
        );
        let mut trends: HashMap<IssueId, Vec<i64>> = ids.iter().map(|id| (*id, vec![0; hours])).collect();
        for row in self.select(find, STATEMENT_TIMEOUT).await? {
            let id =
                IssueId { project_id: row.int(0)?, fingerprint: Fingerprint(row.int(1)?.cast_unsigned()) };
            let hour = usize::try_from(row.int(2)?).unwrap_or(usize::MAX);
            // A clock that runs ahead of ours: its hour is the last of ours.
            let hour = hour.min(hours - 1);
            if let Some(bar) = trends.get_mut(&id).and_then(|trend| trend.get_mut(hour)) {
                *bar += row.int(3)?;
            }
        }
        Ok(trends)
    }

    /// Does what a person decided to those of these issues that are there; their number.
    ///
    /// # Errors
    /// What the database said.
    pub async fn change_issues(
        &mut self,
        ids: &[IssueId],
        action: IssueAction,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        if ids.is_empty() {
            return Ok(0);
        }
        let mut conflicts = 0;
        loop {
            match self.change_once(ids, action, now).await {
                // A fold counts something of them meanwhile.
                Err(StoreError::Conflict(_)) if conflicts < MAX_CONFLICTS => conflicts += 1,
                done => return done,
            }
            self.rollback(STATEMENT_TIMEOUT).await?;
        }
    }

    async fn change_once(
        &mut self,
        ids: &[IssueId],
        action: IssueAction,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.begin(STATEMENT_TIMEOUT).await?;
        let changed = self.change_within(ids, action, now).await?;
        self.commit(STATEMENT_TIMEOUT).await?;
        Ok(changed)
    }

    async fn change_within(
        &mut self,
        ids: &[IssueId],
        action: IssueAction,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let set = match action {
            IssueAction::Resolve => {
                // Never before what was received already, were our clock behind another instance's.
                let now = now.as_millis();
                format!(
                    "resolved_at = CASE WHEN last_received > {now} THEN last_received ELSE {now} END, \
                     muted_until = 0, mute_per_hour = 0"
                )
            }
            IssueAction::Reopen => "resolved_at = 0, muted_until = 0, mute_per_hour = 0".to_owned(),
            IssueAction::MuteUntil(until) => {
                format!("resolved_at = 0, muted_until = {}, mute_per_hour = 0", until.as_millis())
            }
            IssueAction::MuteUntilPerHour(most) => {
                format!("resolved_at = 0, muted_until = 0, mute_per_hour = {most}")
            }
        };
        // The issues first, as the fold locks them.
        let update = format!("UPDATE issues SET {set} WHERE {}", named(ids, "fingerprint"));
        let changed = self.change(update, STATEMENT_TIMEOUT).await?;
        match action {
            IssueAction::Resolve => self.note_resolved(ids).await?,
            _ => self.forget_resolutions(ids).await?,
        }
        Ok(changed)
    }

    /// Forgets an issue; its next event makes it anew. False when there is none.
    ///
    /// # Errors
    /// What the database said.
    pub async fn delete_issue(&mut self, id: IssueId) -> Result<bool, StoreError> {
        self.forget_resolutions(&[id]).await?;
        let delete = format!("DELETE FROM issues WHERE {}", named(&[id], "fingerprint"));
        Ok(self.change(delete, STATEMENT_TIMEOUT).await? > 0)
    }

    /// Opens issues that were muted until they come more often than they do now. `series` are those that something was
    /// just counted of, and that are muted so; within the fold's transaction.
    pub(super) async fn unmute_frequent(
        &mut self,
        muted: &[(IssueId, i64)],
        now: Timestamp,
    ) -> Result<Vec<IssueId>, StoreError> {
        if muted.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<IssueId> = muted.iter().map(|(id, _)| *id).collect();
        let since = now.as_seconds() - TREND_STEP;
        let find = format!(
            "SELECT project_id, series, CAST(SUM(event_count) AS SIGNED) FROM counts \
             WHERE ({}) AND bucket >= {since} GROUP BY project_id, series",
            named(&ids, "series")
        );
        let mut counted = HashMap::new();
        for row in self.select(find, STATEMENT_TIMEOUT).await? {
            let id =
                IssueId { project_id: row.int(0)?, fingerprint: Fingerprint(row.int(1)?.cast_unsigned()) };
            counted.insert(id, row.int(2)?);
        }
        let frequent = muted.iter().filter(|(id, most)| counted.get(id).is_some_and(|count| count > most));
        let frequent: Vec<IssueId> = frequent.map(|(id, _)| *id).collect();
        if !frequent.is_empty() {
            self.change_within(&frequent, IssueAction::Reopen, now).await?;
        }
        Ok(frequent)
    }
}

/// A condition for exactly these issues, by the primary key.
pub(super) fn named(ids: &[IssueId], column: &str) -> String {
    let mut by_project: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for id in ids {
        by_project.entry(id.project_id).or_default().push(id.fingerprint.0.cast_signed().to_string());
    }
    let of = |(project, list): (i64, Vec<String>)| {
        format!("(project_id = {project} AND {column} IN ({}))", list.join(","))
    };
    by_project.into_iter().map(of).collect::<Vec<_>>().join(" OR ")
}
