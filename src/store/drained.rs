//! What draining the spool asks of the database: who may still send, what is stored already, and the one transaction
//! that takes a part of the spool over.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use uuid::Uuid;

use super::STATEMENT_TIMEOUT;
use super::batches::BatchKey;
use super::blocks::{CommitError, NewBatch, hex_literal, push_batch_rows, push_unfolded_rows};
use super::connection::Connection;
use super::error::StoreError;
use super::quarantine::QuarantinedEvent;
use super::recent::push_late_events;
use crate::block::Block;
use crate::ledger::LedgerRow;

/// Ids asked for in one query.
const IDS_PER_QUERY: usize = 1_000;

/// Who may send to some projects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActiveSenders {
    /// Those of the projects asked for that exist.
    pub projects: HashSet<i64>,
    /// Their keys that are not revoked, by project and SHA-256.
    pub keys: HashSet<(i64, [u8; 32])>,
}

impl Connection {
    /// Which of these projects exist, and their keys in use.
    ///
    /// # Errors
    /// What the database said.
    pub async fn active_senders(&mut self, projects: &[i64]) -> Result<ActiveSenders, StoreError> {
        let mut active = ActiveSenders::default();
        for some in projects.chunks(IDS_PER_QUERY) {
            let list: Vec<String> = some.iter().map(i64::to_string).collect();
            let list = list.join(",");
            let find = format!("SELECT id FROM projects WHERE id IN ({list}) AND deleted_at IS NULL");
            for row in self.select(find, STATEMENT_TIMEOUT).await? {
                active.projects.insert(row.int(0)?);
            }
            let find = format!(
                "SELECT project_id, sha256 FROM api_keys WHERE project_id IN ({list}) AND revoked_at IS NULL"
            );
            for row in self.select(find, STATEMENT_TIMEOUT).await? {
                active.keys.insert((row.int(0)?, row.array(1)?));
            }
        }
        Ok(active)
    }

    /// Which of these blocks, by project and id, are stored.
    ///
    /// # Errors
    /// What the database said.
    pub async fn stored_blocks(&mut self, blocks: &[(i64, Uuid)]) -> Result<HashSet<Uuid>, StoreError> {
        let mut stored = HashSet::new();
        for some in blocks.chunks(IDS_PER_QUERY) {
            let projects: HashSet<i64> = some.iter().map(|(project_id, _)| *project_id).collect();
            for project_id in projects {
                let own = some.iter().filter(|block| block.0 == project_id);
                let list: Vec<String> = own.map(|block| hex_literal(block.1.as_bytes())).collect();
                let find = format!(
                    "SELECT id FROM blocks WHERE project_id = {project_id} AND id IN ({})",
                    list.join(",")
                );
                for row in self.select(find, STATEMENT_TIMEOUT).await? {
                    stored.insert(Uuid::from_bytes(row.array(0)?));
                }
            }
        }
        Ok(stored)
    }

    /// Stores what comes out of the spool in one transaction: batch ids first, as they alone decide, then blocks and
    /// their unfolded rows, in quarantine what the database doesn't take of those batches, and what the ledger is told of
    /// events that come into neither. `late` counts, by project, the events that come too late to be tailed.
    ///
    /// # Errors
    /// [`CommitError::BatchIdTaken`] when an id was taken meanwhile; after anything but an ambiguous failure nothing
    /// was stored.
    pub async fn commit_drained(
        &mut self,
        blocks: &[Block],
        batches: &[NewBatch],
        expired: &[BatchKey],
        ledger: &[LedgerRow],
        quarantined: &[QuarantinedEvent],
        late: &BTreeMap<i64, u64>,
    ) -> Result<(), CommitError> {
        self.begin(STATEMENT_TIMEOUT).await?;
        let stored = self.store_drained(blocks, batches, expired, ledger, quarantined, late).await;
        let ambiguous = matches!(&stored, Err(CommitError::Store(error)) if error.is_ambiguous());
        if stored.is_err() && !ambiguous {
            // A connection that can't even do this is closed by its pool.
            let _ = self.rollback(STATEMENT_TIMEOUT).await;
        }
        stored
    }

    async fn store_drained(
        &mut self,
        blocks: &[Block],
        batches: &[NewBatch],
        expired: &[BatchKey],
        ledger: &[LedgerRow],
        quarantined: &[QuarantinedEvent],
        late: &BTreeMap<i64, u64>,
    ) -> Result<(), CommitError> {
        let taken = |error| match error {
            StoreError::Duplicate(_) => CommitError::BatchIdTaken,
            other => CommitError::Store(other),
        };
        let mut sql = String::new();
        if !expired.is_empty() {
            let list: Vec<String> = expired.iter().map(|key| hex_literal(key)).collect();
            let _ = write!(sql, "DELETE FROM batches WHERE id IN ({});", list.join(","));
        }
        push_batch_rows(&mut sql, batches);
        if !sql.is_empty() {
            sql.truncate(sql.trim_end_matches(';').len());
            self.packet(sql, STATEMENT_TIMEOUT).await.map_err(|failed| taken(failed.error))?;
        }
        let left = match self.insert_blocks(blocks).await {
            Err(StoreError::Refused(why)) => return Err(CommitError::BlockRefused(why)),
            done => done.map_err(taken)?,
        };
        self.insert_quarantined(quarantined).await?;
        self.add_to_ledger(ledger).await?;
        let mut sql = left;
        push_unfolded_rows(&mut sql, blocks);
        push_late_events(&mut sql, self.dialect(), late);
        sql.push_str("COMMIT");
        self.packet_commit(sql, STATEMENT_TIMEOUT).await.map_err(|failed| taken(failed.error))
    }
}
