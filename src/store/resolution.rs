//! In which release an issue was resolved, and in which it came back: beside the issues, since few have it.

use std::collections::{BTreeMap, HashMap};

use super::STATEMENT_TIMEOUT;
use super::connection::Connection;
use super::error::StoreError;
use super::fold_news::KnownIssue;
use super::issue_list::named;
use super::issues::IssueSeed;
use super::value::Value;
use crate::fingerprint::Fingerprint;
use crate::issue::{IssueId, Resolution};
use crate::timestamp::Timestamp;

impl Connection {
    /// The resolutions of those of these issues that have one.
    ///
    /// # Errors
    /// What the database said.
    pub async fn resolutions(&mut self, ids: &[IssueId]) -> Result<HashMap<IssueId, Resolution>, StoreError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let find = format!(
            "SELECT project_id, fingerprint, resolved_release, regressed_at, regressed_release \
             FROM issue_resolutions WHERE {}",
            named(ids, "fingerprint")
        );
        let mut found = HashMap::new();
        for row in self.select(find, STATEMENT_TIMEOUT).await? {
            let id =
                IssueId { project_id: row.int(0)?, fingerprint: Fingerprint(row.int(1)?.cast_unsigned()) };
            let regressed_at = Timestamp::from_millis(row.int(3)?);
            let resolution =
                Resolution { resolved_release: row.text(2)?, regressed_at, regressed_release: row.text(4)? };
            found.insert(id, resolution);
        }
        Ok(found)
    }

    /// Notes the release each of these issues was last seen in as the one it is resolved in.
    pub(super) async fn note_resolved(&mut self, ids: &[IssueId]) -> Result<(), StoreError> {
        let condition = named(ids, "fingerprint");
        let find = format!("SELECT project_id, fingerprint, last_release FROM issues WHERE {condition}");
        let mut rows: Vec<[Value<'_>; 5]> = Vec::new();
        for row in self.select(find, STATEMENT_TIMEOUT).await? {
            let (project, fingerprint) = (row.int(0)?, row.int(1)?);
            rows.push([project.into(), fingerprint.into(), row.text(2)?.into(), 0_i64.into(), "".into()]);
        }
        let set = "resolved_release = new(resolved_release), regressed_at = new(regressed_at), \
                   regressed_release = new(regressed_release)";
        self.put_resolutions(&rows, set).await
    }

    /// Notes those of the counted issues that come back with it, in key order; within the fold's transaction.
    pub(super) async fn note_regressed<'a>(
        &mut self,
        counted: impl Iterator<Item = (IssueId, &'a IssueSeed)>,
        known: &BTreeMap<IssueId, KnownIssue>,
    ) -> Result<(), StoreError> {
        let comes_back = |id: &IssueId, seed: &IssueSeed| {
            known.get(id).is_some_and(|known| {
                let resolved = known.resolved_at;
                resolved.as_millis() > 0 && known.last_received <= resolved && seed.received > resolved
            })
        };
        let rows: Vec<[Value<'_>; 5]> = counted
            .filter(|(id, seed)| comes_back(id, seed))
            .map(|(id, seed)| {
                let series = id.fingerprint.0.cast_signed();
                let (at, release) = (seed.received.as_millis(), super::issues::fitting(&seed.release));
                [id.project_id.into(), series.into(), "".into(), at.into(), release.into()]
            })
            .collect();
        self.put_resolutions(
            &rows,
            "regressed_at = new(regressed_at), regressed_release = new(regressed_release)",
        )
        .await
    }

    async fn put_resolutions(&mut self, rows: &[[Value<'_>; 5]], set: &str) -> Result<(), StoreError> {
        let tail = self.dialect().on_duplicate("project_id, fingerprint", set);
        let head = "INSERT INTO issue_resolutions (project_id, fingerprint, resolved_release, regressed_at, \
                    regressed_release)";
        self.insert_rows(head, rows, &tail).await.map(drop)
    }

    /// Forgets the resolutions of these issues.
    pub(super) async fn forget_resolutions(&mut self, ids: &[IssueId]) -> Result<(), StoreError> {
        let forget = format!("DELETE FROM issue_resolutions WHERE {}", named(ids, "fingerprint"));
        self.change(forget, STATEMENT_TIMEOUT).await.map(|_| ())
    }
}
