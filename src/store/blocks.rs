//! Blocks: the one transaction that stores them with their batch ids, and their headers and bodies read back.

use std::fmt::Write as _;
use std::sync::LazyLock;

use uuid::Uuid;

use super::STATEMENT_TIMEOUT;
use super::batches::BatchKey;
use super::connection::Connection;
use super::dialect::Dialect;
use super::error::StoreError;
use super::id_filters;
use super::quarantine::QuarantinedEvent;
use super::value::Value;
use crate::block::Block;
use crate::block::counts::encode_counts;
use crate::event::BatchId;
use crate::timestamp::Timestamp;

/// Rows in the largest prepared multi-row insert.
const MAX_ROWS: usize = 8;
/// A statement grows no larger than this unless one block alone does (servers may take no more than 1 MiB).
const MAX_STATEMENT_BYTES: usize = 900 * 1024;
/// Bytes that an entry of a block's counts takes at most.
const MAX_COUNT_BYTES: usize = 16;

pub(super) const HEADER: &str = "project_id, id, received_first, received_last, ts_first, ts_last, event_count, raw_bytes, \
                      stored_bytes, codec, level_counts";
const BLOCK_COLUMNS: usize = 14;

/// What is remembered of a batch so that it is stored once.
#[derive(Clone, Debug)]
pub struct NewBatch {
    /// One id, or two where the id's time is that of receipt (see `write::identity`).
    pub keys: Vec<BatchKey>,
    /// Its project.
    pub project_id: i64,
    /// Names its events.
    pub batch: BatchId,
    /// Hash of its body.
    pub body_hash: [u8; 16],
    /// Events it had.
    pub received: u32,
    /// Events stored.
    pub accepted: u32,
    /// From then on the ids are free again.
    pub expires_at: Timestamp,
}

/// Which part of a commit failed.
#[derive(Debug)]
pub enum CommitError {
    /// A block's id is taken: make a new one and try again.
    BlockIdTaken,
    /// A batch id is taken: look which, and leave those batches out.
    BatchIdTaken,
    /// The database refuses a block for itself, in these words: something in it may be what it doesn't take.
    BlockRefused(String),
    /// Anything else.
    Store(StoreError),
}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The least `UUIDv7` of a time: ids made before it are smaller.
#[must_use]
pub fn least_id(at: Timestamp) -> Uuid {
    let millis = u64::try_from(at.as_millis()).unwrap_or(0);
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    Uuid::from_bytes(bytes)
}

/// `X'00ff'`, a literal that both dialects read as bytes.
pub(super) fn hex_literal(bytes: &[u8]) -> String {
    format!("X'{}'", data_encoding::HEXLOWER.encode(bytes))
}

impl Connection {
    /// Stores blocks and batch ids and notes the blocks as unfolded, in one transaction and two round trips, and puts
    /// what the database doesn't take of those batches into quarantine with them. `expired` ids are removed first: rows
    /// found earlier whose time had run out.
    ///
    /// # Errors
    /// [`CommitError`]; after anything but an ambiguous failure nothing was stored.
    pub async fn commit_blocks(
        &mut self,
        blocks: &[Block],
        batches: &[NewBatch],
        expired: &[BatchKey],
        quarantined: &[QuarantinedEvent],
    ) -> Result<(), CommitError> {
        self.begin_group(STATEMENT_TIMEOUT).await?;
        let left = match self.insert_blocks(blocks).await {
            Err(StoreError::Duplicate(_)) => {
                self.rollback(STATEMENT_TIMEOUT).await?;
                return Err(CommitError::BlockIdTaken);
            }
            Err(StoreError::Refused(why)) => {
                // A trigger of SQLite may have done so already: then this fails and the pool closes the connection.
                let _ = self.rollback(STATEMENT_TIMEOUT).await;
                return Err(CommitError::BlockRefused(why));
            }
            done => done?,
        };
        self.insert_quarantined(quarantined).await?;
        let (packet, batch_statement) = commit_packet(blocks, &left, batches, expired);
        match self.packet_commit(packet, STATEMENT_TIMEOUT).await {
            Ok(()) => Ok(()),
            Err(failed) => {
                let taken = match failed.error {
                    StoreError::Duplicate(_) if failed.done == batch_statement => CommitError::BatchIdTaken,
                    StoreError::Duplicate(_) => CommitError::BlockIdTaken,
                    other => return Err(CommitError::Store(other)),
                };
                self.rollback(STATEMENT_TIMEOUT).await?;
                Err(taken)
            }
        }
    }
}

impl Connection {
    /// Inserts blocks within the caller's transaction. Gives what is left to send with its last packet: nothing, or a
    /// statement about their id filters with its `;`.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when an id is taken, else what the database said.
    pub(super) async fn insert_blocks(&mut self, blocks: &[Block]) -> Result<String, StoreError> {
        let dialect = self.dialect();
        for rows in statements(blocks, self.room_for_values()) {
            self.execute(insert_sql(rows.len()), &block_values(dialect, rows), STATEMENT_TIMEOUT).await?;
        }
        let mut filters = id_filters::insertions(dialect, blocks);
        let left = filters.pop().map(|last| last + ";").unwrap_or_default();
        for sql in filters {
            self.change(sql, STATEMENT_TIMEOUT).await?;
        }
        Ok(left)
    }
}

/// The text packet that ends a group's transaction, and the position of the statement with the batch ids in it.
fn commit_packet(
    blocks: &[Block],
    left: &str,
    batches: &[NewBatch],
    expired: &[BatchKey],
) -> (String, usize) {
    let mut sql = String::with_capacity(256 * (batches.len() + 1) + left.len());
    let mut batch_statement = 0;
    if !expired.is_empty() {
        let list: Vec<String> = expired.iter().map(|key| hex_literal(key)).collect();
        let _ = write!(sql, "DELETE FROM batches WHERE id IN ({});", list.join(","));
        batch_statement = 1;
    }
    push_batch_rows(&mut sql, batches);
    push_unfolded_rows(&mut sql, blocks);
    sql.push_str(left);
    sql.push_str("COMMIT");
    (sql, batch_statement)
}

/// Adds the statement that inserts batch ids, if there are any, with its `;`.
pub(super) fn push_batch_rows(sql: &mut String, batches: &[NewBatch]) {
    let mut rows = batches.iter().flat_map(|batch| batch.keys.iter().map(move |key| (key, batch))).peekable();
    if rows.peek().is_some() {
        sql.push_str(
            "INSERT INTO batches (id,project_id,batch,body_hash,received,accepted,expires_at) VALUES ",
        );
        for (position, (key, batch)) in rows.enumerate() {
            let comma = if position == 0 { "" } else { "," };
            let (id, name, hash) =
                (hex_literal(key), hex_literal(batch.batch.as_bytes()), hex_literal(&batch.body_hash));
            let NewBatch { project_id, received, accepted, .. } = batch;
            let until = batch.expires_at.as_millis();
            let _ = write!(sql, "{comma}({id},{project_id},{name},{hash},{received},{accepted},{until})");
        }
        sql.push(';');
    }
}

/// Adds the statement that notes blocks as unfolded, if there are any, with its `;`.
pub(super) fn push_unfolded_rows(sql: &mut String, blocks: &[Block]) {
    if !blocks.is_empty() {
        sql.push_str("INSERT INTO unfolded (block_id,project_id) VALUES ");
        for (position, block) in blocks.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            let _ = write!(
                sql,
                "{comma}({},{})",
                hex_literal(block.header.id.as_bytes()),
                block.header.project_id
            );
        }
        sql.push(';');
    }
}

/// Splits blocks into statements of at most [`MAX_ROWS`] rows and the less of [`MAX_STATEMENT_BYTES`] and `room`.
fn statements(blocks: &[Block], room: usize) -> impl Iterator<Item = &[Block]> {
    let mut rest = blocks;
    let most = room.min(MAX_STATEMENT_BYTES);
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rest.iter().take(MAX_ROWS).take_while(|block| {
            let filters = block.header.id_filter.len() + block.header.text_filter.len();
            bytes += block.body.len() + filters + block.header.counts.len() * MAX_COUNT_BYTES + 256;
            bytes <= most
        });
        let count = fits.count().max(1).min(rest.len());
        let (now, later) = rest.split_at(count);
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}

fn insert_sql(rows: usize) -> &'static str {
    static SHAPES: LazyLock<Vec<String>> = LazyLock::new(|| {
        let row = format!("({})", vec!["?"; BLOCK_COLUMNS].join(","));
        let columns = format!("{HEADER}, id_filter, text_filter, body");
        (0..=MAX_ROWS)
            .map(|rows| {
                format!("INSERT INTO blocks ({columns}) VALUES {}", vec![row.as_str(); rows].join(","))
            })
            .collect()
    });
    &SHAPES[rows]
}

fn block_values(dialect: Dialect, blocks: &[Block]) -> Vec<Value<'_>> {
    let mut values = Vec::with_capacity(blocks.len() * BLOCK_COLUMNS);
    for Block { header, body } in blocks {
        values.extend([
            Value::Int(header.project_id),
            Value::Bytes(header.id.as_bytes().as_slice().into()),
            Value::Int(header.received_first.as_millis()),
            Value::Int(header.received_last.as_millis()),
            Value::Int(header.ts_first.as_millis()),
            Value::Int(header.ts_last.as_millis()),
            Value::Int(i64::from(header.event_count)),
            Value::Int(i64::from(header.raw_bytes)),
            Value::Int(i64::from(header.stored_bytes)),
            Value::Int(i64::from(header.codec as i16)),
            Value::Bytes(encode_counts(&header.counts).into()),
            Value::Bytes(id_filters::in_row(dialect, &header.id_filter)),
            Value::Bytes(header.text_filter.as_slice().into()),
            Value::Bytes(body.as_slice().into()),
        ]);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{BlockHeader, Codec};

    fn block(body: usize) -> Block {
        let at = Timestamp::from_millis(1_000);
        let header = BlockHeader {
            project_id: 7,
            id: Uuid::from_bytes([1; 16]),
            received_first: at,
            received_last: at,
            ts_first: at,
            ts_last: at,
            event_count: 1,
            raw_bytes: 1,
            stored_bytes: 1,
            codec: Codec::Zlib,
            counts: Vec::new(),
            id_filter: Vec::new(),
            text_filter: Vec::new(),
        };
        Block { header, body: vec![0; body] }
    }

    #[test]
    fn a_statement_has_few_rows_and_few_bytes_and_no_block_is_left_out() {
        let sizes =
            |blocks: &[Block]| -> Vec<usize> { statements(blocks, usize::MAX).map(<[Block]>::len).collect() };
        assert_eq!(sizes(&vec![block(10); 19]), [8, 8, 3]);
        assert_eq!(sizes(&vec![block(400_000); 5]), [2, 2, 1]);
        assert_eq!(sizes(&vec![block(2_000_000); 2]), [1, 1], "one alone may be larger");
        assert_eq!(sizes(&[]), Vec::<usize>::new());
        let small = vec![block(10_000); 5];
        assert_eq!(statements(&small, 25_000).map(<[Block]>::len).collect::<Vec<_>>(), [2, 2, 1]);
    }

    #[test]
    fn the_packet_ends_with_the_commit_and_says_where_the_batch_ids_are() {
        let at = Timestamp::from_millis(5);
        let batch = NewBatch {
            keys: vec![[1; 20], [2; 20]],
            project_id: 7,
            batch: BatchId::from_bytes([3; 16]),
            body_hash: [4; 16],
            received: 2,
            accepted: 1,
            expires_at: at,
        };
        let (sql, position) = commit_packet(&[block(1)], "", std::slice::from_ref(&batch), &[]);
        assert_eq!(position, 0);
        assert_eq!(sql.matches(';').count(), 2);
        assert!(sql.starts_with("INSERT INTO batches") && sql.ends_with(";COMMIT"), "{sql}");
        assert!(sql.contains("04040404',2,1,5),(X'0202"), "{sql}");
        let (sql, position) = commit_packet(&[block(1)], "", &[batch], &[[9; 20]]);
        assert_eq!(position, 1);
        assert!(sql.starts_with("DELETE FROM batches WHERE id IN (X'0909"), "{sql}");
    }

    #[test]
    fn dialects_share_the_insert() {
        assert_eq!(insert_sql(2).matches('?').count(), 2 * BLOCK_COLUMNS);
    }
}
