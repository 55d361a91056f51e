//! Reading blocks of one moment: a block that is merged or removed meanwhile is neither missed nor met twice.
//!
//! Starting costs no round trip of its own (it travels with the first query), ending costs one. One that is dropped
//! instead, on a failure or with a client that went away, takes its connection with it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::STATEMENT_TIMEOUT;
use super::body_cache::{BodyCache, MAX_ADDED_BYTES};
use super::dialect::Dialect;
use super::error::StoreError;
use super::headers::{BlockQuery, bodies_sql, headers_sql, read_body, read_header, received_at_sql};
use super::pool::Session;
use super::time_range::{read_time_range, time_range_sql};
use super::value::Row;
use crate::block::BlockHeader;
use crate::block::token_test::TokenTest;
use crate::timestamp::Timestamp;

/// Longest a server may take to test token filters: it may have to read those of days from its disk.
const FILTER_TIMEOUT: Duration = Duration::from_secs(15);

/// Bodies of some blocks.
#[derive(Debug, Default)]
pub struct Bodies {
    /// In the order asked for; `None` for a block that has gone.
    pub list: Vec<Option<Bytes>>,
    /// Bytes that came from the database.
    pub fetched_bytes: u64,
    /// Bytes that were kept from an earlier read.
    pub cached_bytes: u64,
}

/// A connection for reads that all see one moment: that of the first.
pub struct Snapshot {
    session: Session,
    begun: bool,
    cache: Arc<BodyCache>,
    /// Bytes this reader added to it.
    added: usize,
}

impl Snapshot {
    pub(super) const fn new(session: Session, cache: Arc<BodyCache>) -> Self {
        Self { session, begun: false, cache, added: 0 }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.session.dialect()
    }

    /// Whether token filters are tested there, so that headers come without them.
    #[must_use]
    pub fn tests_tokens(&self) -> bool {
        self.dialect() == Dialect::MySql
    }

    pub(super) async fn select(&mut self, sql: String) -> Result<Vec<Row>, StoreError> {
        self.select_within(sql, STATEMENT_TIMEOUT).await
    }

    async fn select_within(&mut self, sql: String, timeout: Duration) -> Result<Vec<Row>, StoreError> {
        if self.begun {
            return self.session.select(sql, timeout).await;
        }
        self.begun = true;
        self.session.begin_snapshot(&sql, timeout).await
    }

    /// A page of headers for each query, one after the other, in one round trip. A server tests the token filters, and
    /// the headers come without them; from the embedded database they come as they are.
    ///
    /// # Errors
    /// What the database said.
    pub async fn block_headers(&mut self, queries: &[&BlockQuery]) -> Result<Vec<BlockHeader>, StoreError> {
        if queries.is_empty() {
            return Ok(Vec::new());
        }
        let tests = queries.iter().any(|query| query.tokens != TokenTest::Always);
        let timeout = if tests { FILTER_TIMEOUT } else { STATEMENT_TIMEOUT };
        let sql = headers_sql(queries, self.session.dialect());
        let rows = self.select_within(sql, timeout).await?;
        rows.iter().map(read_header).collect()
    }

    /// Headers of blocks that may hold a batch received at `at` whose token is `token`; with the id filter where it
    /// still has to be tested.
    ///
    /// # Errors
    /// What the database said.
    pub async fn headers_received_at(
        &mut self,
        projects: &[i64],
        at: Timestamp,
        token: u64,
        limit: usize,
    ) -> Result<Vec<BlockHeader>, StoreError> {
        let sql = received_at_sql(self.session.dialect(), projects, at, token, limit);
        let rows = self.select(sql).await?;
        rows.iter().map(read_header).collect()
    }

    /// Bodies of blocks whose headers this snapshot showed: those kept from an earlier read, the others in one round
    /// trip.
    ///
    /// # Errors
    /// What the database said.
    pub async fn bodies(&mut self, headers: &[&BlockHeader]) -> Result<Bodies, StoreError> {
        let mut bodies = Bodies {
            list: headers.iter().map(|header| self.cache.get(header)).collect(),
            ..Bodies::default()
        };
        bodies.cached_bytes = bodies.list.iter().flatten().map(|body| body.len() as u64).sum();
        let missing = headers.iter().zip(&bodies.list).filter(|(_, body)| body.is_none());
        let missing: Vec<_> = missing.map(|(header, _)| (header.project_id, header.id)).collect();
        let read = self.block_bodies(&missing).await?;
        let mut read: HashMap<Uuid, Bytes> = read.into_iter().map(|(id, body)| (id, body.into())).collect();
        for (header, body) in headers.iter().zip(&mut bodies.list).filter(|(_, body)| body.is_none()) {
            *body = read.remove(&header.id);
            if let Some(body) = body {
                bodies.fetched_bytes += body.len() as u64;
                if self.added + body.len() <= MAX_ADDED_BYTES {
                    self.added += self.cache.put(header, body);
                }
            }
        }
        Ok(bodies)
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
