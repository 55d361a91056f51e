//! Batch ids: what alone decides whether a batch is stored already.

use super::connection::Connection;
use super::error::StoreError;
use super::value::Row;
use super::{STATEMENT_TIMEOUT, Store};
use crate::event::BatchId;
use crate::timestamp::Timestamp;

/// Bytes of a [`BatchKey`].
pub const BATCH_KEY_BYTES: usize = 20;

/// A batch's stored id: 4 bytes of time, then 16 of hash. See `write::identity` for how it is made.
pub type BatchKey = [u8; BATCH_KEY_BYTES];

/// What is remembered of a stored batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBatch {
    /// The id it was found by.
    pub key: BatchKey,
    /// The batch whose events are stored.
    pub batch: BatchId,
    /// Hash of the body it came with.
    pub body_hash: [u8; 16],
    /// Events it had.
    pub received: u32,
    /// Events that were stored.
    pub accepted: u32,
    /// From then on the id is free again.
    pub expires_at: Timestamp,
}

fn read_batch(row: &Row) -> Result<StoredBatch, StoreError> {
    Ok(StoredBatch {
        key: row.array(0)?,
        batch: BatchId::from_bytes(row.array(1)?),
        body_hash: row.array(2)?,
        received: row.narrow(3)?,
        accepted: row.narrow(4)?,
        expires_at: Timestamp::from_millis(row.int(5)?),
    })
}

/// Which of these ids are stored, in any order.
pub(super) async fn find_batches(
    connection: &mut Connection,
    keys: &[BatchKey],
) -> Result<Vec<StoredBatch>, StoreError> {
    let mut found = Vec::new();
    for keys in keys.chunks(1_000) {
        let list: Vec<String> = keys.iter().map(|key| super::blocks::hex_literal(key)).collect();
        let find = format!(
            "SELECT id, batch, body_hash, received, accepted, expires_at FROM batches WHERE id IN ({})",
            list.join(",")
        );
        let rows = connection.select(find, STATEMENT_TIMEOUT).await?;
        found.extend(rows.iter().map(read_batch).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(found)
}

impl Store {
    /// Which of these ids are stored, in any order.
    ///
    /// # Errors
    /// What the database said.
    pub async fn find_batches(
        &self,
        connection: &mut Connection,
        keys: &[BatchKey],
    ) -> Result<Vec<StoredBatch>, StoreError> {
        find_batches(connection, keys).await
    }
}
