//! What `/stats` tells of counts: events per level and bucket, top issues; each of several projects in one round trip.

use std::collections::BTreeMap;

use super::STATEMENT_TIMEOUT;
use super::connection::Connection;
use super::error::StoreError;
use super::issue_list::{ISSUE_COLUMNS, read_issue};
use super::issues::{LEVEL_SERIES, OTHER_SERIES};
use crate::issue::Issue;

/// A project whose counts are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountScope {
    /// The project.
    pub project_id: i64,
    /// Retention: buckets that begin before this (epoch seconds) have expired, in part at least.
    pub since: i64,
}

/// Rows of a trend at most: 6 levels times the most buckets a caller may ask for.
const MAX_TREND_ROWS: usize = 6 * 1_000;

impl Connection {
    /// Events per (level number, bucket of `width` seconds) received in `[from, to)`, both in epoch seconds; ordered
    /// by bucket and level.
    ///
    /// # Errors
    /// What the database said.
    pub async fn level_trend(
        &mut self,
        scopes: &[CountScope],
        from: i64,
        to: i64,
        width: i64,
    ) -> Result<Vec<(i64, i64, i64)>, StoreError> {
        let divide = self.dialect().divide();
        let query = |scope: &CountScope| {
            let (project_id, first) = (scope.project_id, from.max(scope.since));
            format!(
                "SELECT series, ((bucket - {from}) {divide} {width}) * {width} + {from} AS slot, \
                 CAST(SUM(event_count) AS SIGNED) FROM counts \
                 WHERE project_id = {project_id} AND series < {LEVEL_SERIES} AND series >= 0 \
                 AND bucket >= {first} AND bucket < {to} GROUP BY series, slot LIMIT {MAX_TREND_ROWS}"
            )
        };
        let mut sums: BTreeMap<(i64, i64), i64> = BTreeMap::new();
        for row in self.select_each(scopes, query).await? {
            *sums.entry((row.int(1)?, row.int(0)?)).or_default() += row.int(2)?;
        }
        Ok(sums.into_iter().map(|((slot, level), count)| (level, slot, count)).collect())
    }

    /// The issues of each project with most events received in `[from, to)` (epoch seconds), with that number.
    ///
    /// # Errors
    /// What the database said.
    pub async fn top_issues(
        &mut self,
        scopes: &[CountScope],
        from: i64,
        to: i64,
        limit: usize,
    ) -> Result<Vec<(Issue, i64)>, StoreError> {
        let query = |scope: &CountScope| {
            let (project_id, first) = (scope.project_id, from.max(scope.since));
            format!(
                "SELECT {ISSUE_COLUMNS}, total FROM (\
                 SELECT series, CAST(SUM(event_count) AS SIGNED) AS total FROM counts \
                 WHERE project_id = {project_id} AND (series < 0 OR series > {OTHER_SERIES}) \
                 AND bucket >= {first} AND bucket < {to} GROUP BY series \
                 ORDER BY total DESC, series LIMIT {limit}) AS busiest \
                 JOIN issues ON project_id = {project_id} AND fingerprint = series ORDER BY total DESC, series"
            )
        };
        let rows = self.select_each(scopes, query).await?;
        rows.iter().map(|row| Ok((read_issue(row)?, row.int(16)?))).collect()
    }

    /// Events received since `from` (epoch seconds) whose issue was one too many, all projects together.
    ///
    /// # Errors
    /// What the database said.
    pub async fn events_beyond_issues(
        &mut self,
        scopes: &[CountScope],
        from: i64,
    ) -> Result<i64, StoreError> {
        let query = |scope: &CountScope| {
            let (project_id, first) = (scope.project_id, from.max(scope.since));
            format!(
                "SELECT CAST(COALESCE(SUM(event_count), 0) AS SIGNED) FROM counts \
                 WHERE project_id = {project_id} AND series = {OTHER_SERIES} AND bucket >= {first}"
            )
        };
        let rows = self.select_each(scopes, query).await?;
        rows.iter().map(|row| row.int(0)).sum()
    }

    /// The rows of one query a project, in one round trip.
    async fn select_each(
        &mut self,
        scopes: &[CountScope],
        query: impl Fn(&CountScope) -> String,
    ) -> Result<Vec<super::Row>, StoreError> {
        if scopes.is_empty() {
            return Ok(Vec::new());
        }
        let sql: Vec<String> = scopes.iter().map(query).collect();
        self.select(sql.join(";"), STATEMENT_TIMEOUT).await
    }
}
