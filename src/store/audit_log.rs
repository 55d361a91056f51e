//! Rows of the audit log. See [`crate::audit`] for what is in them.

use uuid::Uuid;

use super::blocks::least_id;
use super::connection::Connection;
use super::error::StoreError;
use super::value::{Row, Value};
use super::{STATEMENT_TIMEOUT, Store};
use crate::timestamp::Timestamp;

/// A row as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// `UUIDv7`: its time is when the change was begun.
    pub id: Uuid,
    /// By which right.
    pub actor: String,
    /// The client's network.
    pub origin: String,
    /// The request.
    pub request_id: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub target: String,
    /// How, as JSON.
    pub parameters: String,
    /// How it ended, as JSON.
    pub result: String,
}

const COLUMNS: &str = "id, actor, origin, request_id, action, target, parameters, result";

fn read_row(row: &Row) -> Result<AuditRow, StoreError> {
    Ok(AuditRow {
        id: Uuid::from_bytes(row.array(0)?),
        actor: row.text(1)?,
        origin: row.text(2)?,
        request_id: row.text(3)?,
        action: row.text(4)?,
        target: row.text(5)?,
        parameters: row.text(6)?,
        result: row.text(7)?,
    })
}

impl Store {
    /// Adds a row.
    ///
    /// # Errors
    /// What the database said; so for all of these.
    pub async fn add_audit_row(&self, row: &AuditRow) -> Result<(), StoreError> {
        let insert = format!("INSERT INTO audit_log ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
        let values: [Value<'_>; 8] = [
            row.id.as_bytes().into(),
            row.actor.as_str().into(),
            row.origin.as_str().into(),
            row.request_id.as_str().into(),
            row.action.as_str().into(),
            row.target.as_str().into(),
            row.parameters.as_str().into(),
            row.result.as_str().into(),
        ];
        let mut session = self.work().await?;
        session.execute(&insert, &values, STATEMENT_TIMEOUT).await.map(drop)
    }

    /// Notes how a change ended.
    ///
    /// # Errors
    /// What the database said.
    pub async fn note_audit_result(&self, id: Uuid, result: &str) -> Result<(), StoreError> {
        let update = "UPDATE audit_log SET result = ? WHERE id = ?";
        let values: [Value<'_>; 2] = [result.into(), id.as_bytes().into()];
        self.work().await?.execute(update, &values, STATEMENT_TIMEOUT).await.map(drop)
    }

    /// Rows before `before` (all, when `None`), newest first.
    ///
    /// # Errors
    /// What the database said.
    pub async fn audit_rows(&self, before: Option<Uuid>, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        let before = before.unwrap_or(Uuid::max());
        let find = format!("SELECT {COLUMNS} FROM audit_log WHERE id < ? ORDER BY id DESC LIMIT {limit}");
        let rows = self.work().await?.query(&find, &[before.as_bytes().into()], STATEMENT_TIMEOUT).await?;
        rows.iter().map(read_row).collect()
    }
}

impl Connection {
    /// Deletes up to `limit` rows that are older than `since` or not among the newest `newest`.
    ///
    /// # Errors
    /// What the database said.
    pub async fn delete_old_audit_rows(
        &mut self,
        since: Timestamp,
        newest: usize,
        limit: usize,
    ) -> Result<u64, StoreError> {
        let last = format!("SELECT id FROM audit_log ORDER BY id DESC LIMIT 1 OFFSET {newest}");
        let rows = self.query(&last, &[], STATEMENT_TIMEOUT).await?;
        let mut beyond = *least_id(since).as_bytes();
        if let Some(row) = rows.first() {
            // The row itself goes too: what is kept is newer.
            let id = u128::from_be_bytes(row.array(0)?).saturating_add(1);
            beyond = beyond.max(id.to_be_bytes());
        }
        let find = format!("SELECT id FROM audit_log WHERE id < ? ORDER BY id LIMIT {limit}");
        let rows = self.query(&find, &[(&beyond).into()], STATEMENT_TIMEOUT).await?;
        let Some(end) = rows.last() else { return Ok(0) };
        let end: [u8; 16] = end.array(0)?;
        self.execute("DELETE FROM audit_log WHERE id <= ?", &[(&end).into()], STATEMENT_TIMEOUT).await
    }
}
