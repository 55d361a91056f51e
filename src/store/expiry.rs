//! Deleting what has expired, a bounded number of rows at a time: blocks, batch ids, issues.
//!
//! Each call is one small transaction, and what it left is found again by the next one: nothing is remembered between
//! them. Two callers at once do no harm; who loses to the other gets a [`StoreError::Conflict`] and tries again.

use uuid::Uuid;

use super::STATEMENT_TIMEOUT;
use super::batches::BatchKey;
use super::blocks::least_id;
use super::connection::Connection;
use super::error::StoreError;
use super::headers::LATER_ID_MS;
use super::ledger::{DOOMED, read_doomed};
use super::value::Value;
use crate::ledger::Entry;
use crate::timestamp::Timestamp;

/// What a deletion of blocks did, or would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Blocks.
    pub blocks: u64,
    /// Events in them.
    pub events: u64,
}

/// One slice of a purge of blocks.
#[derive(Clone, Copy, Debug)]
pub struct PurgedSlice {
    /// What it deleted.
    pub purged: Purged,
    /// Whether the same again may find more.
    pub more: bool,
    /// Whether it ended at its bytes, before its rows.
    pub ended_by_bytes: bool,
}

/// Ids of batches from `from` up to, not including, `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchRange {
    /// The least id.
    pub from: BatchKey,
    /// The first id beyond.
    pub to: BatchKey,
}

const EXPIRED_BLOCKS: &str = "FROM blocks WHERE project_id = ? AND id < ? AND received_last < ?";

/// No block received before `before` has an id from this on.
fn least_id_after(before: Timestamp) -> Uuid {
    least_id(before.plus_millis(LATER_ID_MS))
}

impl Connection {
    /// Deletes up to `limit` of a project's blocks whose last event was received before `before`, oldest ids first, and
    /// counts them in the ledger as purged. It ends with the block that makes their bodies `max_bytes` long.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else deleted or folded some of them meanwhile (then none was deleted
    /// here), else what the database said.
    pub async fn delete_expired_blocks(
        &mut self,
        project_id: i64,
        before: Timestamp,
        limit: usize,
        max_bytes: u64,
    ) -> Result<PurgedSlice, StoreError> {
        let find = format!("SELECT {DOOMED} {EXPIRED_BLOCKS} ORDER BY id LIMIT {limit}");
        let beyond = least_id_after(before);
        let values: [Value<'_>; 3] = [project_id.into(), beyond.as_bytes().into(), before.as_millis().into()];
        let rows = self.query(&find, &values, STATEMENT_TIMEOUT).await?;
        let mut doomed = rows.iter().map(read_doomed).collect::<Result<Vec<_>, _>>()?;
        let mut bytes = 0;
        let fitting = doomed.iter().take_while(|block| {
            let fits = bytes < max_bytes;
            bytes += u64::from(block.bytes);
            fits
        });
        let fitting = fitting.count();
        let ended_by_bytes = fitting < doomed.len();
        let more = ended_by_bytes || doomed.len() == limit;
        doomed.truncate(fitting);
        if !doomed.is_empty() {
            self.delete_blocks(project_id, &doomed, Entry::PURGED).await?;
        }
        let events = doomed.iter().map(|block| u64::from(block.events)).sum();
        let purged = Purged { blocks: doomed.len() as u64, events };
        Ok(PurgedSlice { purged, more, ended_by_bytes })
    }

    /// What [`Connection::delete_expired_blocks`] would delete in all.
    ///
    /// # Errors
    /// What the database said.
    pub async fn count_expired_blocks(
        &mut self,
        project_id: i64,
        before: Timestamp,
    ) -> Result<Purged, StoreError> {
        let count =
            format!("SELECT COUNT(*), CAST(COALESCE(SUM(event_count), 0) AS SIGNED) {EXPIRED_BLOCKS}");
        let beyond = least_id_after(before);
        let values: [Value<'_>; 3] = [project_id.into(), beyond.as_bytes().into(), before.as_millis().into()];
        let rows = self.query(&count, &values, STATEMENT_TIMEOUT).await?;
        let Some(row) = rows.first() else { return Ok(Purged::default()) };
        Ok(Purged { blocks: row.narrow(0)?, events: row.narrow(1)? })
    }

    /// Deletes the expired among the first `limit` batch ids of a range. Gives their number and the id to go on from,
    /// `None` at the range's end.
    ///
    /// # Errors
    /// What the database said.
    pub async fn delete_expired_batches(
        &mut self,
        range: BatchRange,
        now: Timestamp,
        limit: usize,
    ) -> Result<(u64, Option<BatchKey>), StoreError> {
        let beyond =
            format!("SELECT id FROM batches WHERE id >= ? AND id < ? ORDER BY id LIMIT 1 OFFSET {limit}");
        let values: [Value<'_>; 2] = [(&range.from).into(), (&range.to).into()];
        let rows = self.query(&beyond, &values, STATEMENT_TIMEOUT).await?;
        let next = rows.first().map(|row| row.array(0)).transpose()?;
        let delete = "DELETE FROM batches WHERE id >= ? AND id < ? AND expires_at <= ?";
        let end = next.unwrap_or(range.to);
        let values: [Value<'_>; 3] = [(&range.from).into(), (&end).into(), now.as_millis().into()];
        Ok((self.execute(delete, &values, STATEMENT_TIMEOUT).await?, next))
    }

    /// Deletes up to `limit` of a project's issues that no event received since `since` belongs to.
    ///
    /// # Errors
    /// What the database said.
    pub async fn delete_expired_issues(
        &mut self,
        project_id: i64,
        since: Timestamp,
        limit: usize,
    ) -> Result<u64, StoreError> {
        // By receipt, as everything expires: `last_seen` is the clients' word.
        let expired = format!("project_id = {project_id} AND last_received < {}", since.as_millis());
        let find =
            format!("SELECT fingerprint FROM issues WHERE {expired} ORDER BY fingerprint LIMIT {limit}");
        let rows = self.select(find, STATEMENT_TIMEOUT).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let list = rows.iter().map(|row| row.int(0).map(|one| one.to_string()));
        let list = list.collect::<Result<Vec<_>, _>>()?.join(",");
        let listed = format!("project_id = {project_id} AND fingerprint IN ({list})");
        let forget = format!("DELETE FROM issue_resolutions WHERE {listed}");
        self.change(forget, STATEMENT_TIMEOUT).await?;
        let delete = format!("DELETE FROM issues WHERE {expired} AND fingerprint IN ({list})");
        self.change(delete, STATEMENT_TIMEOUT).await
    }

    /// Projects that something is stored of although they are gone, at most `limit`.
    ///
    /// # Errors
    /// What the database said.
    pub async fn orphaned_projects(&mut self, limit: usize) -> Result<Vec<i64>, StoreError> {
        let mut stored = std::collections::BTreeSet::new();
        for table in ["blocks", "issues", "counts", "quarantine"] {
            let find = format!("SELECT DISTINCT project_id FROM {table}");
            for row in self.select(find, STATEMENT_TIMEOUT).await? {
                stored.insert(row.int(0)?);
            }
        }
        // Read after what is stored: a project is always there before its first event.
        for row in self.query("SELECT id FROM projects", &[], STATEMENT_TIMEOUT).await? {
            stored.remove(&row.int(0)?);
        }
        Ok(stored.into_iter().take(limit).collect())
    }
}
