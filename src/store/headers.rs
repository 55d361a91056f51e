//! Reading blocks back: headers by time, bodies by id.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use uuid::Uuid;

use super::STATEMENT_TIMEOUT;
use super::blocks::{HEADER, hex_literal, least_id};
use super::connection::Connection;
use super::error::StoreError;
use super::value::Row;
use crate::block::counts::decode_counts;
use crate::block::{Block, BlockHeader, Codec};
use crate::timestamp::Timestamp;

/// A merged block keeps its oldest part's id: at most an hour older than a batch in it.
pub(super) const OLDER_ID_MS: i64 = 3_660_000;
/// A block's id is made when it is encoded: at most this long after a batch in it was received.
pub(super) const LATER_ID_MS: i64 = 900_000;

fn read_header(row: &Row, filters: bool) -> Result<BlockHeader, StoreError> {
    let number = row.int(9)?;
    let codec =
        Codec::from_number(number).ok_or_else(|| StoreError::Corrupt(format!("blocks.codec {number}")))?;
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

impl BlockQuery {
    /// The query as text: all of it is numbers and ids, so nothing in it needs quoting, and several fit one packet.
    pub(super) fn sql(&self) -> String {
        let Self { project_id, limit, .. } = self;
        let [from, to, received_after] = [self.from, self.to, self.received_after].map(Timestamp::as_millis);
        let filters = if self.filters { ", id_filter, text_filter" } else { "" };
        let (column, compare, order) =
            if self.ascending { ("ts_first", ">", "ASC") } else { ("ts_last", "<", "DESC") };
        let mut sql = format!(
            "SELECT {HEADER}{filters} FROM blocks WHERE project_id = {project_id} AND ts_last >= {from} \
             AND ts_first < {to} AND received_last >= {received_after}"
        );
        if let Some((ts, id)) = &self.after {
            let (ts, id) = (ts.as_millis(), hex_literal(id.as_bytes()));
            // The first condition follows from the second; it is what an index range is made of.
            let _ = write!(
                sql,
                " AND {column} {compare}= {ts} AND ({column} {compare} {ts} OR id {compare} {id})"
            );
        }
        let _ = write!(sql, " ORDER BY {column} {order}, id {order} LIMIT {limit}");
        sql
    }

    pub(super) fn read(&self, row: &Row) -> Result<BlockHeader, StoreError> {
        read_header(row, self.filters)
    }
}

/// Headers, with the id filter alone, of blocks of some projects that may hold a batch received at `at`.
pub(super) fn received_at_sql(projects: &[i64], at: Timestamp, limit: usize) -> String {
    let projects: Vec<String> = projects.iter().map(i64::to_string).collect();
    let id_at = |offset| hex_literal(least_id(at.plus_millis(offset)).as_bytes());
    let (projects, from, to) = (projects.join(","), id_at(-OLDER_ID_MS), id_at(LATER_ID_MS));
    let at = at.as_millis();
    format!(
        "SELECT {HEADER}, id_filter, X'' AS text_filter FROM blocks WHERE project_id IN ({projects}) \
         AND id >= {from} AND id < {to} AND received_first <= {at} AND received_last >= {at} \
         ORDER BY project_id, id LIMIT {limit}"
    )
}

pub(super) fn read_with_filters(row: &Row) -> Result<BlockHeader, StoreError> {
    read_header(row, true)
}

/// Bodies of some blocks, one query a project.
pub(super) fn bodies_sql(blocks: &[(i64, Uuid)]) -> String {
    let mut by_project: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for (project_id, id) in blocks {
        by_project.entry(*project_id).or_default().push(hex_literal(id.as_bytes()));
    }
    let query = |(project_id, ids): (i64, Vec<String>)| {
        format!("SELECT id, body FROM blocks WHERE project_id = {project_id} AND id IN ({})", ids.join(","))
    };
    by_project.into_iter().map(query).collect::<Vec<_>>().join(";")
}

pub(super) fn read_body(row: &Row) -> Result<(Uuid, Vec<u8>), StoreError> {
    Ok((Uuid::from_bytes(row.array(0)?), row.bytes(1)?))
}

/// Everything of blocks, for [`read_block`].
pub(super) static SELECT_BLOCK: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {HEADER}, id_filter, text_filter, body FROM blocks"));

pub(super) fn read_block(row: &Row) -> Result<Block, StoreError> {
    Ok(Block { header: read_header(row, true)?, body: row.bytes(13)? })
}

impl Connection {
    /// A page of headers; newest first by the block's greatest `ts`, or oldest first by its least.
    ///
    /// # Errors
    /// What the database said.
    pub async fn block_headers(&mut self, query: &BlockQuery) -> Result<Vec<BlockHeader>, StoreError> {
        let rows = self.select(query.sql(), STATEMENT_TIMEOUT).await?;
        rows.iter().map(|row| query.read(row)).collect()
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
        let blocks: Vec<_> = ids.iter().map(|id| (project_id, *id)).collect();
        let rows = self.select(bodies_sql(&blocks), STATEMENT_TIMEOUT).await?;
        rows.iter().map(read_body).collect()
    }

    /// As [`Connection::block`], by reading the whole table of an `SQLite` file: for one whose index is damaged.
    ///
    /// # Errors
    /// What the file said.
    pub async fn block_without_index(
        &mut self,
        project_id: i64,
        id: Uuid,
    ) -> Result<Option<Block>, StoreError> {
        let sql = format!("{} NOT INDEXED WHERE project_id = ? AND id = ?", SELECT_BLOCK.as_str());
        let rows = self.query(&sql, &[project_id.into(), id.as_bytes().into()], STATEMENT_TIMEOUT).await?;
        rows.first().map(read_block).transpose()
    }

    /// One block, or `None` when it has gone.
    ///
    /// # Errors
    /// What the database said.
    pub async fn block(&mut self, project_id: i64, id: Uuid) -> Result<Option<Block>, StoreError> {
        let sql = format!("{} WHERE project_id = ? AND id = ?", SELECT_BLOCK.as_str());
        let rows = self.query(&sql, &[project_id.into(), id.as_bytes().into()], STATEMENT_TIMEOUT).await?;
        rows.first().map(read_block).transpose()
    }
}
