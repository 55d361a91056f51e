//! What `/stats` and `/metrics` tell: events per level and bucket, top issues, storage used.

use super::STATEMENT_TIMEOUT;
use super::connection::Connection;
use super::error::StoreError;
use super::issues::{ISSUE_COLUMNS, IssueRow, LEVEL_SERIES, OTHER_SERIES, read_issue};

/// Storage a project uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageUsed {
    /// Blocks.
    pub blocks: i64,
    /// Events in them.
    pub events: i64,
    /// Bytes before compression.
    pub raw_bytes: i64,
    /// Bytes as stored, without headers and indexes.
    pub stored_bytes: i64,
}

/// Rows of a trend at most: 6 levels times the most buckets a caller may ask for.
const MAX_TREND_ROWS: usize = 6 * 1_000;

impl Connection {
    /// Events per (level number, bucket of `width` seconds) received in `[from, to)`, both in epoch seconds.
    ///
    /// # Errors
    /// What the database said.
    pub async fn level_trend(
        &mut self,
        project_id: i64,
        from: i64,
        to: i64,
        width: i64,
    ) -> Result<Vec<(i64, i64, i64)>, StoreError> {
        let divide = match self.dialect() {
            super::Dialect::MySql => "DIV",
            super::Dialect::Sqlite => "/",
        };
        let sql = format!(
            "SELECT series, ((bucket - {from}) {divide} {width}) * {width} + {from} AS slot, \
             CAST(SUM(event_count) AS SIGNED) FROM counts \
             WHERE project_id = {project_id} AND series < {LEVEL_SERIES} AND series >= 0 \
             AND bucket >= {from} AND bucket < {to} GROUP BY series, slot ORDER BY slot, series \
             LIMIT {MAX_TREND_ROWS}"
        );
        let rows = self.select(sql, STATEMENT_TIMEOUT).await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?, row.int(2)?))).collect()
    }

    /// The issues with most events received in `[from, to)` (epoch seconds), with that number.
    ///
    /// # Errors
    /// What the database said.
    pub async fn top_issues(
        &mut self,
        project_id: i64,
        from: i64,
        to: i64,
        limit: usize,
    ) -> Result<Vec<(IssueRow, i64)>, StoreError> {
        let sql = format!(
            "SELECT series, CAST(SUM(event_count) AS SIGNED) AS total FROM counts \
             WHERE project_id = {project_id} AND (series < 0 OR series > {OTHER_SERIES}) \
             AND bucket >= {from} AND bucket < {to} GROUP BY series ORDER BY total DESC, series LIMIT {limit}"
        );
        let mut top = Vec::new();
        for row in self.select(sql, STATEMENT_TIMEOUT).await? {
            let find = format!("SELECT {ISSUE_COLUMNS} FROM issues WHERE project_id = ? AND fingerprint = ?");
            let issue =
                self.query(&find, &[project_id.into(), row.int(0)?.into()], STATEMENT_TIMEOUT).await?;
            if let Some(issue) = issue.first() {
                top.push((read_issue(issue)?, row.int(1)?));
            }
        }
        Ok(top)
    }

    /// Storage a project uses.
    ///
    /// # Errors
    /// What the database said.
    pub async fn storage_used(&mut self, project_id: i64) -> Result<StorageUsed, StoreError> {
        let sum = |column: &str| format!("CAST(COALESCE(SUM({column}), 0) AS SIGNED)");
        let sql = format!(
            "SELECT COUNT(*), {}, {}, {} FROM blocks WHERE project_id = ?",
            sum("event_count"),
            sum("raw_bytes"),
            sum("stored_bytes")
        );
        let rows = self.query(&sql, &[project_id.into()], STATEMENT_TIMEOUT).await?;
        let Some(row) = rows.first() else { return Ok(StorageUsed::default()) };
        Ok(StorageUsed {
            blocks: row.int(0)?,
            events: row.int(1)?,
            raw_bytes: row.int(2)?,
            stored_bytes: row.int(3)?,
        })
    }
}
