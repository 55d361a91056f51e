//! A copy of all projects and keys in the spool's file, for a start while the database is away.

use super::STATEMENT_TIMEOUT;
use super::api_keys::kind_number;
use super::connection::Connection;
use super::error::StoreError;
use super::projects::scrub_text;
use super::value::Value;
use crate::key::KeyRecord;
use crate::project::Project;
use crate::timestamp::Timestamp;

impl Connection {
    /// Replaces the copy, in one transaction.
    ///
    /// # Errors
    /// What the file said; the copy stays as it was then.
    pub async fn keep_directory(
        &mut self,
        projects: &[Project],
        keys: &[KeyRecord],
    ) -> Result<(), StoreError> {
        self.begin(STATEMENT_TIMEOUT).await?;
        let kept = self.replace_directory(projects, keys).await;
        if kept.is_err() {
            // A connection that can't even do this is closed by its pool.
            let _ = self.rollback(STATEMENT_TIMEOUT).await;
        }
        kept
    }

    async fn replace_directory(
        &mut self,
        projects: &[Project],
        keys: &[KeyRecord],
    ) -> Result<(), StoreError> {
        self.packet("DELETE FROM projects; DELETE FROM api_keys".to_owned(), STATEMENT_TIMEOUT)
            .await
            .map_err(|failed| failed.error)?;
        for project in projects {
            let insert = "INSERT INTO projects (id, slug, name, retention_days, minute_cap, scrub, next_key, \
                          created_at) VALUES (?, ?, ?, ?, ?, ?, 1, ?)";
            let values: [Value<'_>; 7] = [
                project.id.into(),
                project.slug.as_str().into(),
                project.name.as_str().into(),
                i64::from(project.retention_days).into(),
                project.minute_cap.map(i64::from).into(),
                scrub_text(&project.scrub).into(),
                project.created_at.as_millis().into(),
            ];
            self.execute(insert, &values, STATEMENT_TIMEOUT).await?;
        }
        for key in keys {
            let insert = "INSERT INTO api_keys (project_id, number, kind, sha256, hint, note, created_at, \
                          revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
            let values: [Value<'_>; 8] = [
                key.project_id.into(),
                key.number.into(),
                kind_number(key.kind).into(),
                (&key.sha256).into(),
                key.hint.as_str().into(),
                key.note.as_str().into(),
                key.created_at.as_millis().into(),
                key.revoked_at.map(Timestamp::as_millis).into(),
            ];
            self.execute(insert, &values, STATEMENT_TIMEOUT).await?;
        }
        self.commit(STATEMENT_TIMEOUT).await
    }
}
