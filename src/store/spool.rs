//! The spool's own part of its file: groups of batches and blocks that wait for the database, in order.
//!
//! The file is a store like any other (`blocks` and `batches` are the same tables), so searches read it as they read
//! the database. A group is committed and deleted as a whole.

use std::fmt::Write as _;

use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3;

use super::STATEMENT_TIMEOUT;
use super::batches::BatchKey;
use super::blocks::{NewBatch, hex_literal, push_batch_rows};
use super::connection::Connection;
use super::error::StoreError;
use super::headers::SELECT_BLOCK;
use super::spool_record::checksum;
use super::value::{Row, Value};
use crate::block::Block;
use crate::block::counts::encode_counts;
use crate::event::BatchId;
use crate::timestamp::Timestamp;

/// A batch that waits in the spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpooledBatch {
    /// Its project.
    pub project_id: i64,
    /// Names its events.
    pub batch: BatchId,
    /// SHA-256 of the key it was signed with; `None` for events of our own.
    pub sender: Option<[u8; 32]>,
    /// Hash of its body.
    pub body_hash: [u8; 16],
    /// Events it had.
    pub received: u32,
    /// Events stored.
    pub accepted: u32,
    /// Its ids and until when each counts.
    pub ids: Vec<(BatchKey, Timestamp)>,
}

/// A block that waits in the spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpooledBlock {
    /// Its project.
    pub project_id: i64,
    /// Its id.
    pub id: Uuid,
    /// Events in it.
    pub events: u32,
    /// Of everything in it.
    pub checksum: u64,
}

/// What was committed to the spool together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpooledGroup {
    /// Its place in the order.
    pub number: i64,
    /// Its batches.
    pub batches: Vec<SpooledBatch>,
    /// Its blocks.
    pub blocks: Vec<SpooledBlock>,
}

/// What waits in the spool, summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolTotals {
    /// Groups.
    pub groups: i64,
    /// Blocks.
    pub blocks: i64,
    /// Events.
    pub events: i64,
    /// Bytes of the blocks as stored.
    pub bytes: i64,
    /// Receipt of the oldest batch, in epoch milliseconds.
    pub oldest_ms: Option<i64>,
    /// Groups the database refused for themselves.
    pub held: i64,
}

/// A group as found: whole, or too damaged to say more than its sums.
#[derive(Clone, Debug)]
pub enum FoundGroup {
    /// As it was written.
    Whole(SpooledGroup),
    /// Its record can't be read.
    Damaged {
        /// Its place in the order.
        number: i64,
        /// Events it had, as far as that is known.
        events: i64,
    },
}

/// Of everything in a block, so that a bit that flipped in the file is noticed.
#[must_use]
pub fn block_checksum(block: &Block) -> u64 {
    let mut hash = Xxh3::new();
    let header = &block.header;
    let times = [header.received_first, header.received_last, header.ts_first, header.ts_last];
    for number in times.map(Timestamp::as_millis).into_iter().chain([
        header.project_id,
        i64::from(header.event_count),
        i64::from(header.raw_bytes),
        i64::from(header.stored_bytes),
        i64::from(header.codec as i16),
    ]) {
        hash.update(&number.to_le_bytes());
    }
    for bytes in [
        header.id.as_bytes().as_slice(),
        &encode_counts(&header.counts),
        &header.id_filter,
        &header.text_filter,
        &block.body,
    ] {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    hash.digest()
}

impl SpooledBlock {
    fn of(block: &Block) -> Self {
        let header = &block.header;
        let (project_id, id, events) = (header.project_id, header.id, header.event_count);
        Self { project_id, id, events, checksum: block_checksum(block) }
    }
}

impl SpooledBatch {
    /// What to remember of it, in one piece for each time its ids are kept.
    pub fn new_batches(&self) -> impl Iterator<Item = NewBatch> {
        self.ids.iter().map(|(key, expires_at)| NewBatch {
            keys: vec![*key],
            project_id: self.project_id,
            batch: self.batch,
            body_hash: self.body_hash,
            received: self.received,
            accepted: self.accepted,
            expires_at: *expires_at,
        })
    }
}

pub(super) fn read_group(row: &Row) -> Result<FoundGroup, StoreError> {
    let number = row.int(0)?;
    let read = || {
        let content = row.text(3).ok()?;
        if row.int(2).ok()? != checksum(&content) {
            return None;
        }
        SpooledGroup::read(number, &content)
    };
    let events = row.int(1).unwrap_or(0);
    Ok(read().map_or(FoundGroup::Damaged { number, events }, FoundGroup::Whole))
}

/// The columns of a [`FoundGroup`].
pub(super) const SELECT_GROUP: &str = "SELECT number, event_count, checksum, content FROM spool_groups";

impl Connection {
    /// Puts a group under its own number, for a file that is made of another; a second time changes nothing.
    ///
    /// # Errors
    /// What the file said.
    pub(super) async fn copy_group(&mut self, group: &SpooledGroup) -> Result<(), StoreError> {
        let content = group.content();
        let oldest = group.batches.iter().map(|batch| batch.batch.received_at().as_millis()).min();
        let events: i64 = group.blocks.iter().map(|block| i64::from(block.events)).sum();
        self.begin(STATEMENT_TIMEOUT).await?;
        let insert = "INSERT OR IGNORE INTO spool_groups (number, received_first, block_count, event_count, \
                      stored_bytes, held, checksum, content) VALUES (?, ?, ?, ?, 0, 0, ?, ?)";
        let values: [Value<'_>; 6] = [
            group.number.into(),
            oldest.unwrap_or(0).into(),
            i64::try_from(group.blocks.len()).unwrap_or(i64::MAX).into(),
            events.into(),
            checksum(&content).into(),
            content.into(),
        ];
        self.execute(insert, &values, STATEMENT_TIMEOUT).await?;
        let rows: Vec<NewBatch> = group.batches.iter().flat_map(SpooledBatch::new_batches).collect();
        let mut sql = String::new();
        push_batch_rows(&mut sql, &rows);
        let sql = sql.replacen("INSERT INTO", "INSERT OR IGNORE INTO", 1);
        self.packet(sql, STATEMENT_TIMEOUT).await.map_err(|failed| failed.error)?;
        self.commit(STATEMENT_TIMEOUT).await
    }

    /// Commits a group to the spool; `expired` batch ids are removed first.
    ///
    /// # Errors
    /// What the file said; [`StoreError::Away`] when it is full. Nothing was stored then, and the connection is still
    /// in the transaction.
    pub async fn commit_spooled(
        &mut self,
        blocks: &[Block],
        batches: &[SpooledBatch],
        expired: &[BatchKey],
    ) -> Result<(), StoreError> {
        let listed = blocks.iter().map(SpooledBlock::of).collect();
        let group = SpooledGroup { number: 0, batches: batches.to_vec(), blocks: listed };
        let content = group.content();
        let sum = |of: fn(&Block) -> u32| blocks.iter().map(|block| i64::from(of(block))).sum::<i64>();
        let oldest = batches.iter().map(|batch| batch.batch.received_at().as_millis()).min().unwrap_or(0);
        self.begin(STATEMENT_TIMEOUT).await?;
        let mut sql = self.insert_blocks(blocks).await?;
        if !expired.is_empty() {
            let list: Vec<String> = expired.iter().map(|key| hex_literal(key)).collect();
            let _ = write!(sql, "DELETE FROM batches WHERE id IN ({});", list.join(","));
        }
        let rows: Vec<NewBatch> = batches.iter().flat_map(SpooledBatch::new_batches).collect();
        push_batch_rows(&mut sql, &rows);
        self.packet(sql, STATEMENT_TIMEOUT).await.map_err(|failed| failed.error)?;
        let insert = "INSERT INTO spool_groups (received_first, block_count, event_count, stored_bytes, held, \
                      checksum, content) VALUES (?, ?, ?, ?, 0, ?, ?)";
        let values: [Value<'_>; 6] = [
            oldest.into(),
            i64::try_from(blocks.len()).unwrap_or(i64::MAX).into(),
            sum(|block| block.header.event_count).into(),
            sum(|block| block.header.stored_bytes).into(),
            checksum(&content).into(),
            content.into(),
        ];
        self.execute(insert, &values, STATEMENT_TIMEOUT).await?;
        self.commit(STATEMENT_TIMEOUT).await
    }

    /// The oldest groups that are not held back, in order.
    ///
    /// # Errors
    /// What the file said.
    pub async fn spooled_groups(&mut self, limit: usize) -> Result<Vec<FoundGroup>, StoreError> {
        let find = format!("{SELECT_GROUP} WHERE held = 0 ORDER BY number LIMIT {limit}");
        self.query(&find, &[], STATEMENT_TIMEOUT).await?.iter().map(read_group).collect()
    }

    /// What waits, summed.
    ///
    /// # Errors
    /// What the file said.
    pub async fn spool_totals(&mut self) -> Result<SpoolTotals, StoreError> {
        // `TOTAL` and the casts give numbers whatever a damaged row holds.
        let find = "SELECT COUNT(*), CAST(TOTAL(block_count) AS INTEGER), CAST(TOTAL(event_count) AS INTEGER), \
                    CAST(TOTAL(stored_bytes) AS INTEGER), CAST(MIN(received_first) AS INTEGER), \
                    CAST(TOTAL(held) AS INTEGER) FROM spool_groups";
        let rows = self.query(find, &[], STATEMENT_TIMEOUT).await?;
        let Some(row) = rows.first() else { return Ok(SpoolTotals::default()) };
        Ok(SpoolTotals {
            groups: row.int(0)?,
            blocks: row.int(1)?,
            events: row.int(2)?,
            bytes: row.int(3)?,
            oldest_ms: row.optional_int(4)?,
            held: row.int(5)?,
        })
    }

    /// Deletes groups with their blocks and batch ids, once all of it is in the database.
    ///
    /// # Errors
    /// What the file said; nothing was deleted then.
    pub async fn delete_spooled(&mut self, groups: &[SpooledGroup]) -> Result<(), StoreError> {
        let mut sql = String::new();
        for group in groups {
            let _ = write!(sql, "DELETE FROM spool_groups WHERE number = {};", group.number);
        }
        for block in groups.iter().flat_map(|group| &group.blocks) {
            let id = hex_literal(block.id.as_bytes());
            let _ = write!(sql, "DELETE FROM blocks WHERE project_id = {} AND id = {id};", block.project_id);
        }
        for batch in groups.iter().flat_map(|group| &group.batches) {
            let name = hex_literal(batch.batch.as_bytes());
            for (key, _) in &batch.ids {
                // The id may have run out and belong to a later batch by now.
                let _ =
                    write!(sql, "DELETE FROM batches WHERE id = {} AND batch = {name};", hex_literal(key));
            }
        }
        self.begin(STATEMENT_TIMEOUT).await?;
        sql.push_str("COMMIT");
        self.packet_commit(sql, STATEMENT_TIMEOUT).await.map_err(|failed| failed.error)
    }

    /// Deletes a group of which nothing can be read.
    ///
    /// # Errors
    /// What the file said.
    pub async fn delete_damaged(&mut self, number: i64) -> Result<(), StoreError> {
        let delete = format!("DELETE FROM spool_groups WHERE number = {number}");
        self.change(delete, STATEMENT_TIMEOUT).await.map(drop)
    }

    /// Holds a group back, so that those behind it go on; or with `None` lets all of them be tried again.
    ///
    /// # Errors
    /// What the file said.
    pub async fn hold_spooled(&mut self, number: Option<i64>) -> Result<(), StoreError> {
        let hold = match number {
            Some(number) => format!("UPDATE spool_groups SET held = 1 WHERE number = {number}"),
            None => "UPDATE spool_groups SET held = 0 WHERE held <> 0".to_owned(),
        };
        self.change(hold, STATEMENT_TIMEOUT).await.map(drop)
    }

    /// Whether the file's pages are sound, as far as `SQLite` can tell without reading every row, and its tables have the
    /// columns they should have: an altered letter of a name is no damage that `SQLite` would know.
    ///
    /// # Errors
    /// What the file said.
    pub async fn is_sound(&mut self) -> Result<bool, StoreError> {
        let rows = self.query("PRAGMA quick_check(1)", &[], std::time::Duration::from_secs(30)).await?;
        let mut sound = rows.first().is_some_and(|row| row.text(0).is_ok_and(|text| text == "ok"));
        for columns in [SELECT_GROUP, SELECT_BLOCK.as_str()] {
            match self.query(&format!("{columns} LIMIT 0"), &[], STATEMENT_TIMEOUT).await {
                Err(error) if error.is_away() => return Err(error),
                asked => sound &= asked.is_ok(),
            }
        }
        Ok(sound)
    }
}
