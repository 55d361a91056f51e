//! Reading blocks back: headers by time, bodies by id.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use uuid::Uuid;

use super::STATEMENT_TIMEOUT;
use super::blocks::{HEADER, hex_literal, least_id};
use super::connection::Connection;
use super::dialect::Dialect;
use super::error::StoreError;
use super::token_sql;
use super::value::Row;
use crate::block::counts::decode_counts;
use crate::block::token_test::TokenTest;
use crate::block::{Block, BlockHeader, Codec};
use crate::timestamp::Timestamp;

/// A merged block keeps its oldest part's id: at most an hour older than a batch in it.
pub(super) const OLDER_ID_MS: i64 = 3_660_000;
/// A block's id is made when it is encoded: at most this long after a batch in it was received.
pub(super) const LATER_ID_MS: i64 = 900_000;

/// Reads [`HEADER`], and the two filters where they were asked for.
pub(super) fn read_header(row: &Row) -> Result<BlockHeader, StoreError> {
    let number = row.int(9)?;
    let codec =
        Codec::from_number(number).ok_or_else(|| StoreError::Corrupt(format!("blocks.codec {number}")))?;
    let counts = row.bytes(10)?;
    let filters = row.columns() > COLUMNS;
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

/// Columns of [`HEADER`].
const COLUMNS: usize = 11;

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
    /// Blocks with an event received at or before this.
    pub received_until: Timestamp,
    /// What the token filters must admit. A server tests it; where the embedded database is read, the caller does.
    pub tokens: TokenTest,
    /// True for the token filters too, where the server doesn't test them.
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
    /// At most `tokens` tokens are tested.
    pub(super) fn sql(&self, dialect: Dialect, tokens: usize) -> String {
        let Self { project_id, limit, .. } = self;
        let [from, to, received_after] = [self.from, self.to, self.received_after].map(Timestamp::as_millis);
        let condition = match dialect {
            Dialect::MySql => token_sql::condition(&self.tokens.within(tokens)),
            Dialect::Sqlite => String::new(),
        };
        let filters = if self.filters && condition.is_empty() { self.filter_columns() } else { "" };
        let (column, compare, order) =
            if self.ascending { ("ts_first", ">", "ASC") } else { ("ts_last", "<", "DESC") };
        let mut sql = format!(
            "SELECT {HEADER}{filters} FROM blocks WHERE project_id = {project_id} AND ts_last >= {from} \
             AND ts_first < {to} AND received_last >= {received_after}"
        );
        if self.received_until < Timestamp::LAST {
            let _ = write!(sql, " AND received_first <= {}", self.received_until.as_millis());
        }
        if let Some((ts, id)) = &self.after {
            let (ts, id) = (ts.as_millis(), hex_literal(id.as_bytes()));
            // The first condition follows from the second; it is what an index range is made of.
            let _ = write!(
                sql,
                " AND {column} {compare}= {ts} AND ({column} {compare} {ts} OR id {compare} {id})"
            );
        }
        // Last, as it costs most.
        sql.push_str(&condition);
        let _ = write!(sql, " ORDER BY {column} {order}, id {order} LIMIT {limit}");
        sql
    }

    /// The filters that are looked at; an empty one admits everything.
    fn filter_columns(&self) -> &'static str {
        match self.tokens.filters() {
            (true, false) => ", id_filter, X'' AS text_filter",
            (false, true) => ", X'' AS id_filter, text_filter",
            (true, true) | (false, false) => ", id_filter, text_filter",
        }
    }
}

/// Several queries in one packet, one after the other.
pub(super) fn headers_sql(queries: &[&BlockQuery], dialect: Dialect) -> String {
    let share = token_sql::MAX_TOKENS / queries.len().max(1);
    let sql: Vec<String> = queries.iter().map(|query| query.sql(dialect, share)).collect();
    sql.join(";")
}

/// Headers of blocks of some projects that may hold a batch received at `at`, whose id filters admit `token`; with the
/// id filter alone where the caller has to test it.
pub(super) fn received_at_sql(
    dialect: Dialect,
    projects: &[i64],
    at: Timestamp,
    token: u64,
    limit: usize,
) -> String {
    let projects: Vec<String> = projects.iter().map(i64::to_string).collect();
    let id_at = |offset| hex_literal(least_id(at.plus_millis(offset)).as_bytes());
    let (projects, from, to) = (projects.join(","), id_at(-OLDER_ID_MS), id_at(LATER_ID_MS));
    let at = at.as_millis();
    let (filters, condition) = match dialect {
        Dialect::MySql => ("", token_sql::condition(&TokenTest::Id(token))),
        Dialect::Sqlite => (", id_filter, X'' AS text_filter", String::new()),
    };
    format!(
        "SELECT {HEADER}{filters} FROM blocks WHERE project_id IN ({projects}) \
         AND id >= {from} AND id < {to} AND received_first <= {at} AND received_last >= {at}{condition} \
         ORDER BY project_id, id LIMIT {limit}"
    )
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
    Ok(Block { header: read_header(row)?, body: row.bytes(13)? })
}

impl Connection {
    /// A page of headers; newest first by the block's greatest `ts`, or oldest first by its least.
    ///
    /// # Errors
    /// What the database said.
    pub async fn block_headers(&mut self, query: &BlockQuery) -> Result<Vec<BlockHeader>, StoreError> {
        let sql = headers_sql(&[query], self.dialect());
        let rows = self.select(sql, STATEMENT_TIMEOUT).await?;
        rows.iter().map(read_header).collect()
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
        let mut found = rows.first().map(read_block).transpose()?;
        if let Some(block) = &mut found {
            self.complete_id_filters(std::slice::from_mut(&mut block.header)).await?;
        }
        Ok(found)
    }
}
