//! Takes what can still be read out of a damaged spool file, row by row, into a new one.
//!
//! Rows are asked for one by one by their number, so that a page that is gone takes only its own rows with it. What was
//! altered is noticed by its checksum, here or when it is drained.

use std::collections::HashSet;
use std::path::Path;

use uuid::Uuid;

use super::STATEMENT_TIMEOUT;
use super::connection::{Connection, Target};
use super::error::StoreError;
use super::headers::{SELECT_BLOCK, read_block};
use super::options::wreck_target;
use super::pool::CONNECT_TIMEOUT;
use super::spool::{FoundGroup, SELECT_GROUP, SpooledGroup};
use super::value::Value;
use crate::block::Block;

/// What is taken out.
const TABLES: [&str; 2] = ["spool_groups", "blocks"];
/// Rows asked for at most, of each table.
const MAX_ROWS: i64 = 200_000;
/// Without a last row to be found, it is taken to be before so many that are missing.
const MISSES: i64 = 2_000;
/// Events a damaged group is believed to have had, at most.
const MAX_EVENTS: i64 = 100_000;
/// Blocks put into the new file in one transaction.
const BLOCKS_PER_COMMIT: usize = 32;

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Groups that are in the new file.
    pub groups: u64,
    /// Groups that could not be read.
    pub lost_groups: u64,
    /// Events in those, as far as that could be read.
    pub lost_events: u64,
}

impl Connection {
    /// Copies what can be read of the damaged `file` to this connection's, which is new or holds a part of it already.
    ///
    /// # Errors
    /// What the new file said; what the damaged one says is never an error.
    pub async fn salvage(&mut self, file: &Path) -> Result<Salvaged, StoreError> {
        let mut salvaged = Salvaged::default();
        let target: Target = wreck_target(file);
        for table in TABLES {
            self.mend_definition(&target, table).await;
        }
        let Ok(mut wreck) = Connection::open(&target, CONNECT_TIMEOUT).await else { return Ok(salvaged) };
        let mut listed: HashSet<Uuid> = HashSet::new();
        let mut groups: Vec<SpooledGroup> = Vec::new();
        let (first, last) = wreck.span("number", "spool_groups").await;
        let (mut missing, known_end) = (0, last.is_some());
        for number in first..=last.unwrap_or(first.saturating_add(MAX_ROWS)) {
            match wreck.spooled_group(number).await {
                Some(FoundGroup::Whole(group)) => {
                    salvaged.lost_groups += u64::try_from(missing).unwrap_or(0);
                    missing = 0;
                    listed.extend(group.blocks.iter().map(|block| block.id));
                    groups.push(group);
                }
                Some(FoundGroup::Damaged { events, .. }) => {
                    salvaged.lost_groups += 1;
                    salvaged.lost_events += u64::try_from(events.clamp(0, MAX_EVENTS)).unwrap_or(0);
                }
                None => missing += 1,
            }
            if !known_end && missing > MISSES {
                break;
            }
        }
        if known_end {
            salvaged.lost_groups += u64::try_from(missing).unwrap_or(0);
        }
        self.copy_blocks(&mut wreck, &listed).await?;
        for group in &groups {
            self.copy_group(group).await?;
        }
        salvaged.groups = groups.len() as u64;
        Ok(salvaged)
    }

    /// Gives a table of the wreck that can't be read the definition it has here: one altered letter in it would take all
    /// rows along. Whether that helped shows when the rows are read.
    async fn mend_definition(&mut self, target: &Target, table: &str) {
        let Ok(mut wreck) = Connection::open(target, CONNECT_TIMEOUT).await else { return };
        let columns = if table == "blocks" { SELECT_BLOCK.as_str() } else { SELECT_GROUP };
        if wreck.query(&format!("{columns} LIMIT 1"), &[], STATEMENT_TIMEOUT).await.is_ok() {
            return;
        }
        let find = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?";
        let rows = self.query(find, &[table.into()], STATEMENT_TIMEOUT).await.unwrap_or_default();
        let Some(Ok(definition)) = rows.first().map(|row| row.text(0)) else { return };
        // Seen by the next connection.
        let mend = "UPDATE sqlite_schema SET name = ?, tbl_name = ?, sql = ? \
             WHERE type = 'table' AND (name = ? OR tbl_name = ?)";
        let name = || table.into();
        let values: [Value<'_>; 5] = [name(), name(), (&*definition).into(), name(), name()];
        if let Err(error) = wreck.execute(mend, &values, STATEMENT_TIMEOUT).await {
            tracing::debug!(%error, table, "the definition of a damaged table stays as it is");
        }
    }

    /// The first and the last number of a table's rows, as far as that can be found; at most [`MAX_ROWS`] apart.
    async fn span(&mut self, column: &str, table: &str) -> (i64, Option<i64>) {
        let mut ends = Vec::new();
        for end in ["MIN", "MAX"] {
            let find = format!("SELECT {end}({column}) FROM {table}");
            let rows = self.query(&find, &[], STATEMENT_TIMEOUT).await;
            ends.push(rows.ok().and_then(|rows| rows.first()?.optional_int(0).ok()?));
        }
        let find = "SELECT seq FROM sqlite_sequence WHERE name = ?";
        let rows = self.query(find, &[table.into()], STATEMENT_TIMEOUT).await;
        ends[1] = ends[1].max(rows.ok().and_then(|rows| rows.first()?.optional_int(0).ok()?));
        let first = ends[0].unwrap_or_else(|| ends[1].map_or(1, |last| (last - MISSES).max(1)));
        (first, ends[1].map(|last| last.min(first.saturating_add(MAX_ROWS))))
    }

    async fn copy_blocks(
        &mut self,
        wreck: &mut Connection,
        listed: &HashSet<Uuid>,
    ) -> Result<(), StoreError> {
        let (first, last) = wreck.span("rowid", "blocks").await;
        let mut pending: Vec<Block> = Vec::new();
        let mut missing = 0;
        for number in first..=last.unwrap_or(first.saturating_add(MAX_ROWS)) {
            let block = wreck.block_by_row(number).await;
            missing = if block.is_some() { 0 } else { missing + 1 };
            pending.extend(block.filter(|block| listed.contains(&block.header.id)));
            if pending.len() >= BLOCKS_PER_COMMIT {
                self.put_blocks(&std::mem::take(&mut pending)).await?;
            }
            if last.is_none() && missing > MISSES {
                break;
            }
        }
        self.put_blocks(&pending).await
    }

    async fn block_by_row(&mut self, number: i64) -> Option<Block> {
        let find = format!("{} WHERE rowid = ?", SELECT_BLOCK.as_str());
        let rows = self.query(&find, &[number.into()], STATEMENT_TIMEOUT).await.ok()?;
        read_block(rows.first()?).ok()
    }

    async fn put_blocks(&mut self, blocks: &[Block]) -> Result<(), StoreError> {
        if blocks.is_empty() {
            return Ok(());
        }
        self.begin(STATEMENT_TIMEOUT).await?;
        for block in blocks {
            match self.insert_blocks(std::slice::from_ref(block)).await {
                // Copied before an earlier attempt was cut off.
                Err(StoreError::Duplicate(_)) => {}
                done => drop(done?),
            }
        }
        self.commit(STATEMENT_TIMEOUT).await
    }
}
