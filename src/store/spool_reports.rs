//! What waits in the spools of instances, as each told the database, and the id by which a spool's file is known there.

use std::fmt::Write as _;

use super::connection::Connection;
use super::error::StoreError;
use super::ledger::LedgerQuery;
use super::settings::{set_setting, setting};
use super::snapshot::Snapshot;
use super::{STATEMENT_TIMEOUT, Store};

/// Rows a report has at most: those with most events. What is beyond stays untold.
const MAX_REPORT_ROWS: usize = 1_000;
/// Bytes of a spool's id at most, as its column has them.
const MAX_ID: usize = 64;
/// Rows of reports read at most, the newest first.
const MAX_READ_ROWS: usize = 10_000;
/// Name of the setting, in the spool's own file, that holds its id.
const SPOOL_ID: &str = "spool_id";

/// Events that wait in a spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Their project.
    pub project_id: i64,
    /// Start of their hour of receipt, in epoch seconds.
    pub hour: i64,
    /// How many.
    pub events: i64,
}

/// A row of what another instance told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolReport {
    /// The spool's id.
    pub spool: String,
    /// What waits in it.
    pub waiting: Waiting,
    /// Milliseconds since that was told, by the database's clock.
    pub told_ms_ago: i64,
}

impl Store {
    /// The id in this spool's file. `ours` becomes it when there is none, or another one.
    ///
    /// # Errors
    /// What the file said.
    pub async fn spool_id(&self, ours: Option<&str>) -> Result<String, StoreError> {
        let mut session = self.work().await?;
        // A damaged file may hold anything, and the id becomes a part of statements.
        let is_id = |id: &String| {
            id.len() <= MAX_ID && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let found = setting(&mut session, SPOOL_ID).await?.filter(is_id);
        let id = ours.map(str::to_owned).or_else(|| found.clone()).unwrap_or_else(super::new_instance);
        if found.as_ref() != Some(&id) {
            session.begin(STATEMENT_TIMEOUT).await?;
            set_setting(&mut session, SPOOL_ID, Some(&id)).await?;
            session.commit(STATEMENT_TIMEOUT).await?;
        }
        Ok(id)
    }
}

impl Connection {
    /// Replaces what a spool told before, in one transaction. `spool` is an id of ours.
    ///
    /// # Errors
    /// What the database said; what was told before stays then.
    pub async fn report_spool(&mut self, spool: &str, waiting: &[Waiting]) -> Result<(), StoreError> {
        let forget = format!("DELETE FROM spool_reports WHERE spool = '{spool}'");
        if waiting.is_empty() {
            return self.change(forget, STATEMENT_TIMEOUT).await.map(drop);
        }
        let mut rows = waiting.to_vec();
        rows.sort_by_key(|row| std::cmp::Reverse(row.events));
        let now = self.dialect().now_ms();
        let mut insert =
            "INSERT INTO spool_reports (spool, project_id, hour, event_count, reported_ms) VALUES "
                .to_owned();
        for (position, Waiting { project_id, hour, events }) in rows.iter().take(MAX_REPORT_ROWS).enumerate()
        {
            let comma = if position == 0 { "" } else { "," };
            let _ = write!(insert, "{comma}('{spool}',{project_id},{hour},{events},{now})");
        }
        self.begin(STATEMENT_TIMEOUT).await?;
        self.change(forget, STATEMENT_TIMEOUT).await?;
        self.change(insert, STATEMENT_TIMEOUT).await?;
        self.commit(STATEMENT_TIMEOUT).await
    }

    /// Forgets what was told of hours before `hour` (epoch seconds), which the ledger has forgotten too.
    ///
    /// # Errors
    /// What the database said.
    pub(super) async fn delete_old_spool_reports(&mut self, hour: i64) -> Result<(), StoreError> {
        let delete = format!("DELETE FROM spool_reports WHERE hour < {hour}");
        self.change(delete, STATEMENT_TIMEOUT).await.map(drop)
    }
}

impl Snapshot {
    /// What spools other than `ours` told of the projects and hours asked for, the newest first.
    ///
    /// # Errors
    /// What the database said.
    pub async fn spool_reports(
        &mut self,
        query: &LedgerQuery<'_>,
        ours: Option<&str>,
    ) -> Result<Vec<SpoolReport>, StoreError> {
        let (ours, now) = (ours.unwrap_or(""), self.dialect().now_ms());
        let find = format!(
            "SELECT spool, project_id, hour, event_count, {now} - reported_ms FROM spool_reports \
             WHERE spool <> '{ours}' AND hour >= {} AND hour < {} ORDER BY reported_ms DESC LIMIT {MAX_READ_ROWS}",
            query.from, query.to
        );
        let mut reports = Vec::new();
        for row in self.select(find).await? {
            let waiting = Waiting { project_id: row.int(1)?, hour: row.int(2)?, events: row.int(3)? };
            if query.projects.is_none_or(|asked| asked.contains(&waiting.project_id)) {
                reports.push(SpoolReport { spool: row.text(0)?, waiting, told_ms_ago: row.int(4)? });
            }
        }
        Ok(reports)
    }
}
