//! Takes what can still be read out of a damaged spool file, row by row, into a new one.
//!
//! What was altered is noticed by its checksum, here or when it is drained.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use uuid::Uuid;

use super::STATEMENT_TIMEOUT;
use super::connection::Connection;
use super::error::StoreError;
use super::headers::{SELECT_BLOCK, read_block};
use super::options::wreck_target;
use super::pool::CONNECT_TIMEOUT;
use super::spool::{FoundGroup, SELECT_GROUP, SpooledGroup, read_group};
use super::wreck::Wreck;
use crate::block::Block;

/// What of a page is a group, and no row of another table.
const OF_GROUPS: &str = "NOT INDEXED WHERE rowid = ? AND typeof(received_first) = 'integer' \
     AND typeof(event_count) = 'integer' AND typeof(content) = 'text'";
/// Groups found to be missing at most; a number that was altered could say any.
const MAX_GROUPS: i64 = 200_000;
/// Events a damaged group is believed to have had, at most.
const MAX_EVENTS: i64 = 100_000;
/// Blocks put into the new file in one transaction.
const BLOCKS_PER_COMMIT: usize = 32;

/// Above it a group's number was altered.
const MAX_NUMBER: i64 = i32::MAX as i64;

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

/// Numbers of the first and the last group, as far as they are known.
#[derive(Default)]
struct Numbers {
    first: Option<i64>,
    last: Option<i64>,
}

/// Groups by their number, and what of others is known.
#[derive(Default)]
struct Found {
    whole: BTreeMap<i64, SpooledGroup>,
    /// Numbers of those whose record is damaged.
    damaged: HashSet<i64>,
    lost_events: u64,
}

impl Found {
    fn add(&mut self, group: FoundGroup, last: i64) {
        match group {
            FoundGroup::Whole(group) => {
                // Its number is not part of what its checksum is of.
                let mut number = if (1..=last).contains(&group.number) { group.number } else { last };
                while let Some(other) = self.whole.get(&number) {
                    if other.batches == group.batches {
                        return;
                    }
                    number += 1;
                }
                self.whole.insert(number, SpooledGroup { number, ..group });
            }
            FoundGroup::Damaged { number, events } => {
                if self.damaged.insert(number) {
                    self.lost_events += u64::try_from(events.clamp(0, MAX_EVENTS)).unwrap_or(0);
                }
            }
        }
    }

    /// Groups that were written and are not whole now.
    fn lost_groups(&self, known: &Numbers) -> u64 {
        let first = known.first.or_else(|| Some(*self.whole.first_key_value()?.0));
        let last = known.last.or_else(|| Some(*self.whole.last_key_value()?.0));
        let numbers = first.zip(last).map_or(0, |(first, last)| (last - first + 1).clamp(0, MAX_GROUPS));
        let missing = u64::try_from(numbers).unwrap_or(0).saturating_sub(self.whole.len() as u64);
        missing.max(self.damaged.len() as u64)
    }
}

impl Connection {
    /// Copies what can be read of the damaged `file` to this connection's, which is new or holds a part of it already.
    ///
    /// # Errors
    /// What the new file or the copy of the damaged one said; what the damaged one says is never an error.
    pub async fn salvage(&mut self, file: &Path) -> Result<Salvaged, StoreError> {
        let known = Numbers::of(file).await;
        let mut definitions = Vec::new();
        let find =
            "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name IN ('blocks', 'spool_groups')";
        for row in self.query(find, &[], STATEMENT_TIMEOUT).await? {
            definitions.push(row.text(0)?);
        }
        let mut wreck = Wreck::open(file, &definitions).await?;
        let mut found = Found::default();
        let last = known.last.unwrap_or(MAX_NUMBER);
        let groups = format!("{SELECT_GROUP} {OF_GROUPS}");
        for leaf in wreck.leaves() {
            for row in wreck.rows(leaf, "spool_groups", &groups).await {
                found.add(read_group(&row)?, last);
            }
        }
        self.copy_blocks(&mut wreck, &found).await?;
        for group in found.whole.values() {
            self.copy_group(group).await?;
        }
        Ok(Salvaged {
            groups: found.whole.len() as u64,
            lost_groups: found.lost_groups(&known),
            lost_events: found.lost_events,
        })
    }

    async fn copy_blocks(&mut self, wreck: &mut Wreck, found: &Found) -> Result<(), StoreError> {
        let listed: HashSet<Uuid> =
            found.whole.values().flat_map(|group| group.blocks.iter().map(|block| block.id)).collect();
        let find = format!("{} NOT INDEXED WHERE rowid = ?", SELECT_BLOCK.as_str());
        let mut pending: Vec<Block> = Vec::new();
        for leaf in wreck.leaves() {
            let rows = wreck.rows(leaf, "blocks", &find).await;
            let blocks = rows.iter().filter_map(|row| read_block(row).ok());
            pending.extend(blocks.filter(|block| listed.contains(&block.header.id)));
            if pending.len() >= BLOCKS_PER_COMMIT {
                self.put_blocks(&std::mem::take(&mut pending)).await?;
            }
        }
        self.put_blocks(&pending).await
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

impl Numbers {
    /// What the damaged file says, with what is in its log moved into it.
    async fn of(file: &Path) -> Self {
        let Ok(mut wreck) = Connection::open(&wreck_target(file), CONNECT_TIMEOUT).await else {
            return Self::default();
        };
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)".to_owned();
        if let Err(error) = wreck.select(checkpoint, STATEMENT_TIMEOUT).await {
            tracing::debug!(%error, "the log of a damaged spool stays where it is");
        }
        let first = wreck.number("SELECT MIN(number) FROM spool_groups").await;
        let written = wreck.number("SELECT seq FROM sqlite_sequence WHERE name = 'spool_groups'").await;
        let last = match written {
            None => wreck.number("SELECT MAX(number) FROM spool_groups").await,
            written => written,
        };
        Self { first, last }
    }
}

impl Connection {
    async fn number(&mut self, find: &str) -> Option<i64> {
        let rows = self.query(find, &[], STATEMENT_TIMEOUT).await.ok()?;
        rows.first()?.optional_int(0).ok()?.filter(|number| (1..=MAX_NUMBER).contains(number))
    }
}
