//! Blocks put in the place of others, for compaction and deletion by filter: what may be rewritten, and the one
//! transaction that does it.
//!
//! Only who has the lease on maintenance rewrites, and the transaction itself holds it: an owner that was overtaken,
//! however late it comes, changes nothing. Blocks that are not yet folded are left alone, as their rows in `unfolded`
//! name them and their counts may be on their way.

use std::time::Duration;

use uuid::Uuid;

use super::blocks::{HEADER, hex_literal, least_id};
use super::connection::Connection;
use super::dialect::Dialect;
use super::error::StoreError;
use super::headers::{LATER_ID_MS, OLDER_ID_MS, read_header};
use super::id_filters::{FILTER_BYTES, IN_PARTS};
use super::settings::{hold_maintenance, set_setting, setting};
use super::value::{Row, Value};
use super::{STATEMENT_TIMEOUT, Store};
use crate::block::{Block, BlockHeader, Codec};
use crate::ledger::{Entry, LedgerRow};
use crate::timestamp::Timestamp;

/// What compaction has to know of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSketch {
    /// Its id.
    pub id: Uuid,
    /// Receipt of its first event.
    pub received_first: Timestamp,
    /// Receipt of its last event.
    pub received_last: Timestamp,
    /// Least `ts`.
    pub ts_first: Timestamp,
    /// Greatest `ts`.
    pub ts_last: Timestamp,
    /// Its events.
    pub event_count: u32,
    /// Bytes of its body before compression.
    pub raw_bytes: u32,
    /// Bytes of its body as stored.
    pub stored_bytes: u32,
    /// How its body is compressed.
    pub codec: Codec,
}

/// A body with what is needed to read it.
#[derive(Clone, Debug)]
pub struct StoredBody {
    /// Its block.
    pub id: Uuid,
    /// Receipt of its block's first event.
    pub received_first: Timestamp,
    /// Bytes of it before compression.
    pub raw_bytes: u32,
    /// How it is compressed.
    pub codec: Codec,
    /// Bytes of its block's token filters.
    pub filter_bytes: u64,
    /// The body.
    pub body: Vec<u8>,
}

/// Which blocks go, and what comes in their place.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// Their project.
    pub project_id: i64,
    /// The blocks that go, each once.
    pub old: Vec<Uuid>,
    /// The block that comes; `None` when nothing is left.
    pub new: Option<Block>,
    /// Events that were asked to be deleted and are not in the new block, each with the first receipt of its old block.
    pub deleted: Vec<(Timestamp, u32)>,
}

/// How a replacement ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// It was made.
    Done,
    /// Not all of the old blocks were there any more; nothing was changed.
    Changed,
    /// The lease is another's, or ran out; nothing was changed.
    LeaseLost,
}

const SKETCH: &str =
    "id, received_first, received_last, ts_first, ts_last, event_count, raw_bytes, stored_bytes, codec";

fn read_codec(row: &Row, index: usize) -> Result<Codec, StoreError> {
    let number = row.int(index)?;
    Codec::from_number(number).ok_or_else(|| StoreError::Corrupt(format!("blocks.codec {number}")))
}

fn read_sketch(row: &Row) -> Result<BlockSketch, StoreError> {
    let time = |index| row.int(index).map(Timestamp::from_millis);
    Ok(BlockSketch {
        id: Uuid::from_bytes(row.array(0)?),
        received_first: time(1)?,
        received_last: time(2)?,
        ts_first: time(3)?,
        ts_last: time(4)?,
        event_count: row.narrow(5)?,
        raw_bytes: row.narrow(6)?,
        stored_bytes: row.narrow(7)?,
        codec: read_codec(row, 8)?,
    })
}

fn id_list(blocks: &[Uuid]) -> String {
    blocks.iter().map(|id| hex_literal(id.as_bytes())).collect::<Vec<_>>().join(",")
}

/// The setting that holds up to where a project's blocks are compacted.
fn mark_name(project_id: i64) -> String {
    format!("compacted:{project_id}")
}

impl Connection {
    /// Folded blocks of a project with ids in `[from, before)`, least first.
    ///
    /// # Errors
    /// What the database said.
    pub async fn block_sketches(
        &mut self,
        project_id: i64,
        from: Uuid,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<BlockSketch>, StoreError> {
        let find = format!(
            "SELECT {SKETCH} FROM blocks WHERE project_id = ? AND id >= ? AND id < ? \
             AND NOT EXISTS (SELECT 1 FROM unfolded WHERE unfolded.block_id = blocks.id) ORDER BY id LIMIT {limit}"
        );
        let before = least_id(before);
        let values: [Value<'_>; 3] = [project_id.into(), from.as_bytes().into(), before.as_bytes().into()];
        let rows = self.query(&find, &values, STATEMENT_TIMEOUT).await?;
        rows.iter().map(read_sketch).collect()
    }

    /// Headers of a project's blocks with ids after `after` and with events in `[from, to)`, least id first; their
    /// token filters are empty unless asked for.
    ///
    /// # Errors
    /// What the database said.
    pub async fn headers_by_id(
        &mut self,
        project_id: i64,
        after: Uuid,
        (from, to): (Timestamp, Timestamp),
        filters: bool,
        limit: usize,
    ) -> Result<Vec<BlockHeader>, StoreError> {
        let filters = if filters { "id_filter, text_filter" } else { "X'' AS id_filter, X'' AS text_filter" };
        let find = format!(
            "SELECT {HEADER}, {filters} FROM blocks WHERE project_id = ? AND id > ? AND ts_last >= ? AND ts_first < ? \
             ORDER BY id LIMIT {limit}"
        );
        let values: [Value<'_>; 4] =
            [project_id.into(), after.as_bytes().into(), from.as_millis().into(), to.as_millis().into()];
        let rows = self.query(&find, &values, STATEMENT_TIMEOUT).await?;
        let mut headers = rows.iter().map(read_header).collect::<Result<Vec<_>, _>>()?;
        self.complete_id_filters(&mut headers).await?;
        Ok(headers)
    }

    /// Headers, with the id filter and an empty text filter, of compacted blocks with ids after `after` that may hold
    /// a batch received in `[first, last]`, least id first.
    ///
    /// # Errors
    /// What the database said.
    pub async fn compacted_received_between(
        &mut self,
        project_id: i64,
        (first, last): (Timestamp, Timestamp),
        after: Uuid,
        limit: usize,
    ) -> Result<Vec<BlockHeader>, StoreError> {
        let from = least_id(first.plus_millis(-OLDER_ID_MS)).max(after);
        let to = least_id(last.plus_millis(LATER_ID_MS));
        let find = format!(
            "SELECT {HEADER}, id_filter, X'' AS text_filter FROM blocks WHERE project_id = ? AND id > ? AND id < ? \
             AND codec = ? AND received_first <= ? AND received_last >= ? ORDER BY id LIMIT {limit}"
        );
        let values: [Value<'_>; 6] = [
            project_id.into(),
            from.as_bytes().into(),
            to.as_bytes().into(),
            (Codec::ZlibCompact as i64).into(),
            last.as_millis().into(),
            first.as_millis().into(),
        ];
        let rows = self.query(&find, &values, STATEMENT_TIMEOUT).await?;
        let mut headers = rows.iter().map(read_header).collect::<Result<Vec<_>, _>>()?;
        self.complete_id_filters(&mut headers).await?;
        Ok(headers)
    }

    /// Bodies of some of a project's blocks, least id first; a block that has gone is left out.
    ///
    /// # Errors
    /// What the database said.
    pub async fn stored_bodies(
        &mut self,
        project_id: i64,
        blocks: &[Uuid],
    ) -> Result<Vec<StoredBody>, StoreError> {
        if blocks.is_empty() {
            return Ok(Vec::new());
        }
        let find = format!(
            "SELECT id, raw_bytes, codec, {FILTER_BYTES} + LENGTH(text_filter), body, received_first FROM blocks \
             WHERE project_id = {project_id} AND id IN ({}) ORDER BY id",
            id_list(blocks)
        );
        let rows = self.select(find, STATEMENT_TIMEOUT).await?;
        let read = |row: &Row| {
            Ok(StoredBody {
                id: Uuid::from_bytes(row.array(0)?),
                raw_bytes: row.narrow(1)?,
                codec: read_codec(row, 2)?,
                filter_bytes: row.narrow(3)?,
                body: row.bytes(4)?,
                received_first: Timestamp::from_millis(row.int(5)?),
            })
        };
        rows.iter().map(read).collect()
    }

    /// Those of a project's blocks whose id filters lie in parts, each with the bytes that its row holds for its own.
    async fn filters_in_parts(
        &mut self,
        project_id: i64,
        blocks: &[Uuid],
    ) -> Result<Vec<(Uuid, usize)>, StoreError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(Vec::new());
        }
        let find = format!(
            "SELECT id, LENGTH(id_filter) FROM blocks WHERE project_id = {project_id} AND id IN ({}) AND {IN_PARTS}",
            id_list(blocks)
        );
        let rows = self.select(find, STATEMENT_TIMEOUT).await?;
        rows.iter().map(|row| Ok((Uuid::from_bytes(row.array(0)?), row.narrow(1)?))).collect()
    }

    /// Which of these blocks are not yet folded.
    ///
    /// # Errors
    /// What the database said.
    pub async fn unfolded_among(&mut self, blocks: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
        if blocks.is_empty() {
            return Ok(Vec::new());
        }
        let find = format!("SELECT block_id FROM unfolded WHERE block_id IN ({})", id_list(blocks));
        let rows = self.select(find, STATEMENT_TIMEOUT).await?;
        rows.iter().map(|row| row.array(0).map(Uuid::from_bytes)).collect()
    }

    /// Up to where a project's blocks are compacted, as noted by [`Connection::note_compacted`].
    ///
    /// # Errors
    /// What the database said.
    pub async fn compacted_mark(&mut self, project_id: i64) -> Result<Option<String>, StoreError> {
        setting(self, &mark_name(project_id)).await
    }

    /// Notes up to where a project's blocks are compacted.
    ///
    /// # Errors
    /// What the database said.
    pub async fn note_compacted(&mut self, project_id: i64, mark: &str) -> Result<(), StoreError> {
        set_setting(self, &mark_name(project_id), Some(mark)).await
    }

    /// Forgets it, with the project.
    ///
    /// # Errors
    /// What the database said.
    pub(super) async fn forget_compacted(&mut self, project_id: i64) -> Result<(), StoreError> {
        set_setting(self, &mark_name(project_id), None).await
    }
}

impl Store {
    /// Puts a block in the place of others, all or nothing and counted in the ledger, while this instance has the lease on maintenance, which
    /// is renewed for `lease`.
    ///
    /// # Errors
    /// What the database said; after anything but an ambiguous failure nothing was changed.
    pub async fn replace_blocks(
        &self,
        replacement: &Replacement,
        lease: Duration,
    ) -> Result<Replaced, StoreError> {
        let mut session = self.work().await?;
        session.begin(STATEMENT_TIMEOUT).await?;
        let replaced = replace(&mut session, replacement, self.instance(), lease).await;
        match &replaced {
            Ok(Replaced::Done) => {
                session.commit(STATEMENT_TIMEOUT).await?;
                self.forget_block_bodies(replacement.project_id, &replacement.old);
            }
            Ok(Replaced::Changed | Replaced::LeaseLost) => session.rollback(STATEMENT_TIMEOUT).await?,
            Err(error) if error.is_ambiguous() => {}
            // A connection that can't even do this is closed by its pool.
            Err(_) => drop(session.rollback(STATEMENT_TIMEOUT).await),
        }
        replaced
    }
}

async fn replace(
    session: &mut Connection,
    replacement: &Replacement,
    owner: &str,
    lease: Duration,
) -> Result<Replaced, StoreError> {
    if !hold_maintenance(session, owner, lease).await? {
        return Ok(Replaced::LeaseLost);
    }
    let Replacement { project_id, old, new, deleted } = replacement;
    let filters = session.filters_in_parts(*project_id, old).await?;
    let delete = format!("DELETE FROM blocks WHERE project_id = {project_id} AND id IN ({})", id_list(old));
    if session.change(delete, STATEMENT_TIMEOUT).await? != old.len() as u64 {
        return Ok(Replaced::Changed);
    }
    session.delete_id_filters(*project_id, filters.into_iter()).await?;
    let mut left = session.insert_blocks(new.as_slice()).await?;
    if left.pop().is_some() {
        session.change(left, STATEMENT_TIMEOUT).await?;
    }
    let row = |(received, events): &(Timestamp, u32)| {
        LedgerRow::new(*project_id, *received, Entry::DELETED_FILTER, *events)
    };
    let rows: Vec<LedgerRow> = deleted.iter().map(row).collect();
    if !rows.is_empty() {
        session.add_to_ledger(&rows).await?;
    }
    Ok(Replaced::Done)
}
