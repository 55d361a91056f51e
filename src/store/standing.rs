//! Issues and projects as they are by now.

use std::collections::{BTreeMap, BTreeSet};

use super::STATEMENT_TIMEOUT;
use super::connection::Connection;
use super::error::StoreError;
use super::fold_news::KnownIssue;
use super::issues::{IssueKey, KnownIssues, issue_id};
use crate::issue::IssueId;
use crate::timestamp::Timestamp;

impl Connection {
    /// These issues as they are, without a lock; those that were deleted, or their project, are left out.
    ///
    /// # Errors
    /// What the database said; so for both.
    pub async fn standing_issues(
        &mut self,
        ids: &BTreeSet<IssueId>,
    ) -> Result<BTreeMap<IssueId, KnownIssue>, StoreError> {
        let wanted: Vec<IssueKey> =
            ids.iter().map(|id| (id.project_id, id.fingerprint.0.cast_signed())).collect();
        let stands = " AND project_id IN (SELECT id FROM projects WHERE deleted_at IS NULL)";
        self.read_issues(&wanted, stands).await
    }

    /// Those of these projects that were not deleted.
    ///
    /// # Errors
    /// As [`Connection::standing_issues`].
    pub async fn standing_projects(&mut self, ids: &BTreeSet<i64>) -> Result<BTreeSet<i64>, StoreError> {
        if ids.is_empty() {
            return Ok(BTreeSet::new());
        }
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let find = format!("SELECT id FROM projects WHERE deleted_at IS NULL AND id IN ({})", ids.join(","));
        self.select(find, STATEMENT_TIMEOUT).await?.iter().map(|row| row.int(0)).collect()
    }

    /// What is known of these issues, by a query with this end.
    pub(super) async fn read_issues(
        &mut self,
        wanted: &[IssueKey],
        tail: &str,
    ) -> Result<KnownIssues, StoreError> {
        let mut known = KnownIssues::new();
        let of_some = |wanted: &[IssueKey]| {
            let list: Vec<String> = wanted.iter().map(|(_, series)| series.to_string()).collect();
            format!(
                "SELECT project_id, fingerprint, last_received, resolved_at, muted_until, mute_per_hour, \
                 event_count, first_seen FROM issues WHERE project_id = {} AND fingerprint IN ({}){tail}",
                wanted[0].0,
                list.join(",")
            )
        };
        let of_projects = wanted.chunk_by(|one, next| one.0 == next.0);
        let queries = of_projects.flat_map(|wanted| wanted.chunks(1_000)).map(of_some);
        for row in self.select_packets(queries.collect::<Vec<_>>()).await? {
            let at = |column| row.int(column).map(Timestamp::from_millis);
            let one = KnownIssue {
                first_seen: at(7)?,
                last_received: at(2)?,
                resolved_at: at(3)?,
                muted_until: at(4)?,
                mute_per_hour: row.int(5)?,
                events: row.int(6)?,
            };
            known.insert(issue_id(row.int(0)?, row.int(1)?), one);
        }
        Ok(known)
    }
}
