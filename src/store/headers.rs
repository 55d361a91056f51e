//! Reading blocks back: headers by time, bodies by id.

use std::fmt::Write as _;

use uuid::Uuid;

use super::STATEMENT_TIMEOUT;
use super::blocks::{HEADER, hex_literal, least_id};
use super::connection::Connection;
use super::error::StoreError;
use super::value::{Row, Value};
use crate::block::counts::decode_counts;
use crate::block::{Block, BlockHeader, Codec};
use crate::timestamp::Timestamp;

/// A merged block keeps its oldest part's id: at most an hour older than a batch in it.
const OLDER_ID_MS: i64 = 3_660_000;
/// A block's id is made when it is encoded: at most this long after a batch in it was received.
pub(super) const LATER_ID_MS: i64 = 900_000;

fn read_header(row: &Row, filters: bool) -> Result<BlockHeader, StoreError> {
    let codec = match row.int(9)? {
        1 => Codec::Zlib,
        other => return Err(StoreError::Corrupt(format!("blocks.codec {other}"))),
    };
    let counts = row.bytes(10)?;
    let time = |index| row.int(index).map(Timestamp::from_millis);
    Ok(BlockHeader {
        project_id: row.int(0)?,
        id: Uuid::from_bytes(row.array(1)?),
        received_first: time(2)?,
        received_last: time(3)?,
        ts_first: time(4)?,
        ts_last: time(5)?,
        event_count: row.narrow(6)?,
        raw_bytes: row.narrow(7)?,
        stored_bytes: row.narrow(8)?,
        codec,
        counts: decode_counts(&counts)
            .map_err(|error| StoreError::Corrupt(format!("blocks.level_counts: {error}")))?,
        id_filter: if filters { row.bytes(11)? } else { Vec::new() },
        text_filter: if filters { row.bytes(12)? } else { Vec::new() },
    })
}

/// Which headers to read, newest (or oldest) first by `ts`.
#[derive(Clone, Debug)]
pub struct BlockQuery {
    /// The project.
    pub project_id: i64,
    /// Blocks with an event at or after this.
    pub from: Timestamp,
    /// Blocks with an event before this.
    pub to: Timestamp,
    /// Blocks with an event received at or after this: what is older has expired.
    pub received_after: Timestamp,
    /// True for the token filters too.
    pub filters: bool,
    /// True for oldest first.
    pub ascending: bool,
    /// The last header of the page before.
    pub after: Option<(Timestamp, Uuid)>,
    /// Headers at most.
    pub limit: usize,
}

impl Connection {
    /// A page of headers; newest first by the block's greatest `ts`, or oldest first by its least.
    ///
    /// # Errors
    /// What the database said.
    pub async fn block_headers(&mut self, query: &BlockQuery) -> Result<Vec<BlockHeader>, StoreError> {
        let filters = if query.filters { ", id_filter, text_filter" } else { "" };
        let (column, compare, order) =
            if query.ascending { ("ts_first", ">", "ASC") } else { ("ts_last", "<", "DESC") };
        let mut sql = format!(
            "SELECT {HEADER}{filters} FROM blocks WHERE project_id = ? AND ts_last >= ? AND ts_first < ? \
             AND received_last >= ?"
        );
        let mut values: Vec<Value<'_>> = vec![
            query.project_id.into(),
            query.from.as_millis().into(),
            query.to.as_millis().into(),
            query.received_after.as_millis().into(),
        ];
        if let Some((ts, id)) = &query.after {
            let _ = write!(sql, " AND ({column} {compare} ? OR ({column} = ? AND id {compare} ?))");
            values.extend([ts.as_millis().into(), ts.as_millis().into(), id.as_bytes().into()]);
        }
        let _ = write!(sql, " ORDER BY {column} {order}, id {order} LIMIT {}", query.limit);
        let rows = self.query(&sql, &values, STATEMENT_TIMEOUT).await?;
        rows.iter().map(|row| read_header(row, query.filters)).collect()
    }

    /// Headers, with filters, of blocks that may hold a batch received at `at`.
    ///
    /// # Errors
    /// What the database said.
    pub async fn headers_received_at(
        &mut self,
        project_id: i64,
        at: Timestamp,
        limit: usize,
    ) -> Result<Vec<BlockHeader>, StoreError> {
        let sql = format!(
            "SELECT {HEADER}, id_filter, text_filter FROM blocks WHERE project_id = ? AND id >= ? AND id < ? \
             AND received_first <= ? AND received_last >= ? ORDER BY id LIMIT {limit}"
        );
        let (first, last) = (least_id(at.plus_millis(-OLDER_ID_MS)), least_id(at.plus_millis(LATER_ID_MS)));
        let values: [Value<'_>; 5] = [
            project_id.into(),
            first.as_bytes().into(),
            last.as_bytes().into(),
            at.as_millis().into(),
            at.as_millis().into(),
        ];
        let rows = self.query(&sql, &values, STATEMENT_TIMEOUT).await?;
        rows.iter().map(|row| read_header(row, true)).collect()
    }

    /// Bodies of some of a project's blocks, by id, in any order; a block that has gone is left out.
    ///
    /// # Errors
    /// What the database said.
    pub async fn block_bodies(
        &mut self,
        project_id: i64,
        ids: &[Uuid],
    ) -> Result<Vec<(Uuid, Vec<u8>)>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let list: Vec<String> = ids.iter().map(|id| hex_literal(id.as_bytes())).collect();
        let sql = format!(
            "SELECT id, body FROM blocks WHERE project_id = {project_id} AND id IN ({})",
            list.join(",")
        );
        let rows = self.select(sql, STATEMENT_TIMEOUT).await?;
        rows.iter().map(|row| Ok((Uuid::from_bytes(row.array(0)?), row.bytes(1)?))).collect()
    }

    /// One block, or `None` when it has gone.
    ///
    /// # Errors
    /// What the database said.
    pub async fn block(&mut self, project_id: i64, id: Uuid) -> Result<Option<Block>, StoreError> {
        let sql = format!(
            "SELECT {HEADER}, id_filter, text_filter, body FROM blocks WHERE project_id = ? AND id = ?"
        );
        let rows = self.query(&sql, &[project_id.into(), id.as_bytes().into()], STATEMENT_TIMEOUT).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(Block { header: read_header(row, true)?, body: row.bytes(13)? }))
    }
}
