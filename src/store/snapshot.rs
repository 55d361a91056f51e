//! Reading blocks of one moment: a block that is merged or removed meanwhile is neither missed nor met twice.
//!
//! Starting costs no round trip of its own (it travels with the first query), ending costs one. One that is dropped
//! instead, on a failure or with a client that went away, takes its connection with it.

use uuid::Uuid;

use super::STATEMENT_TIMEOUT;
use super::dialect::Dialect;
use super::error::StoreError;
use super::headers::{BlockQuery, bodies_sql, read_body, read_with_filters, received_at_sql};
use super::pool::Session;
use super::time_range::{read_time_range, time_range_sql};
use super::value::Row;
use crate::block::BlockHeader;
use crate::timestamp::Timestamp;

/// A connection for reads that all see one moment: that of the first.
pub struct Snapshot {
    session: Session,
    begun: bool,
}

impl Snapshot {
    pub(super) const fn new(session: Session) -> Self {
        Self { session, begun: false }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.session.dialect()
    }

    pub(super) async fn select(&mut self, sql: String) -> Result<Vec<Row>, StoreError> {
        if self.begun {
            return self.session.select(sql, STATEMENT_TIMEOUT).await;
        }
        self.begun = true;
        self.session.begin_snapshot(&sql, STATEMENT_TIMEOUT).await
    }

    /// A page of headers for each query, one after the other, in one round trip. All queries ask for token filters,
    /// or none does.
    ///
    /// # Errors
    /// What the database said.
    pub async fn block_headers(&mut self, queries: &[&BlockQuery]) -> Result<Vec<BlockHeader>, StoreError> {
        let Some(first) = queries.first() else { return Ok(Vec::new()) };
        let sql: Vec<String> = queries.iter().map(|query| query.sql()).collect();
        let rows = self.select(sql.join(";")).await?;
        rows.iter().map(|row| first.read(row)).collect()
    }

    /// Headers, with the id filter and an empty text filter, of blocks that may hold a batch received at `at`.
    ///
    /// # Errors
    /// What the database said.
    pub async fn headers_received_at(
        &mut self,
        projects: &[i64],
        at: Timestamp,
        limit: usize,
    ) -> Result<Vec<BlockHeader>, StoreError> {
        let rows = self.select(received_at_sql(projects, at, limit)).await?;
        rows.iter().map(read_with_filters).collect()
    }

    /// Bodies of blocks by project and id, in any order and in one round trip; a block that has gone is left out.
    ///
    /// # Errors
    /// What the database said.
    pub async fn block_bodies(&mut self, blocks: &[(i64, Uuid)]) -> Result<Vec<(Uuid, Vec<u8>)>, StoreError> {
        if blocks.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.select(bodies_sql(blocks)).await?;
        rows.iter().map(read_body).collect()
    }

    /// The least and the greatest `ts` of blocks of some projects, each with the receipt from which on they are kept,
    /// that reach into `[from, to)`; in one round trip. `None` if there are none.
    ///
    /// # Errors
    /// What the database said.
    pub async fn time_range(
        &mut self,
        projects: &[(i64, Timestamp)],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
        if projects.is_empty() {
            return Ok(None);
        }
        read_time_range(&self.select(time_range_sql(projects, from, to)).await?)
    }

    /// Ends it, so that its connection can be used again; where that fails the connection is closed.
    pub async fn end(mut self) {
        if self.begun
            && let Err(error) = self.session.commit(STATEMENT_TIMEOUT).await
        {
            tracing::debug!(%error, "a snapshot did not end well");
        }
    }
}
