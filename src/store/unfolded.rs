//! Blocks whose events are not yet counted.

use uuid::Uuid;

use super::STATEMENT_TIMEOUT;
use super::blocks::hex_literal;
use super::connection::Connection;
use super::error::StoreError;
use crate::timestamp::Timestamp;

/// A block waiting to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unfolded {
    /// Its project.
    pub project_id: i64,
    /// Its id.
    pub block_id: Uuid,
}

impl Connection {
    /// Waiting blocks whose ids come after `after` and are older than `before`, oldest first.
    ///
    /// # Errors
    /// What the database said.
    pub async fn unfolded_before(
        &mut self,
        after: Uuid,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Unfolded>, StoreError> {
        let sql = format!(
            "SELECT block_id, project_id FROM unfolded WHERE block_id > ? AND block_id < ? ORDER BY block_id \
             LIMIT {limit}"
        );
        let least = super::blocks::least_id(before);
        let ids = [after.as_bytes().into(), least.as_bytes().into()];
        let rows = self.query(&sql, &ids, STATEMENT_TIMEOUT).await?;
        rows.iter()
            .map(|row| Ok(Unfolded { block_id: Uuid::from_bytes(row.array(0)?), project_id: row.int(1)? }))
            .collect()
    }

    /// Which of these blocks still wait, locked until the transaction ends so that nobody else counts them.
    ///
    /// On a server, one that waits no more and would stand last locks the gap in which ingest inserts (seen on MariaDB
    /// 10.11); others lock nothing but rows. That takes two folds of the same block, as after a lost answer, and lasts
    /// for this transaction.
    ///
    /// # Errors
    /// What the database said.
    pub async fn lock_unfolded(&mut self, blocks: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
        if blocks.is_empty() {
            return Ok(Vec::new());
        }
        let lock = self.dialect().for_update();
        let sql = format!(
            "SELECT block_id FROM unfolded WHERE block_id IN ({}) ORDER BY block_id{lock}",
            id_list(blocks)
        );
        let rows = self.select(sql, STATEMENT_TIMEOUT).await?;
        rows.iter().map(|row| row.array(0).map(Uuid::from_bytes)).collect()
    }

    /// Takes these blocks off the list, at the end of the transaction that counted them.
    ///
    /// # Errors
    /// What the database said.
    pub async fn delete_unfolded(&mut self, blocks: &[Uuid]) -> Result<(), StoreError> {
        if blocks.is_empty() {
            return Ok(());
        }
        let sql = format!("DELETE FROM unfolded WHERE block_id IN ({})", id_list(blocks));
        self.packet(sql, STATEMENT_TIMEOUT).await.map_err(|failed| failed.error)
    }
}

fn id_list(blocks: &[Uuid]) -> String {
    let list: Vec<String> = blocks.iter().map(|id| hex_literal(id.as_bytes())).collect();
    list.join(",")
}
