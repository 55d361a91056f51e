//! Storage that projects use: summed over their blocks, and kept for a while where there are many of them, so that a page
//! that is open all day doesn't have every block's row read again and again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::connection::Connection;
use super::error::StoreError;
use super::projects::MAX_PROJECTS;
use super::{STATEMENT_TIMEOUT, Session, Store};
use crate::timestamp::Timestamp;

/// Blocks of a project that are summed at most; one with more is told to use at least what they come to.
pub const MAX_SUMMED: i64 = 100_000;
/// Sums over fewer blocks than this are not kept: they are quick to make.
const KEPT_FROM: i64 = 1_000;
/// Milliseconds for which a sum is kept, a block: at most a thousand rows of a project are read a second, however many
/// ask.
const KEPT_MS_PER_BLOCK: i64 = 1;

/// Storage projects use, what has expired and is not yet purged included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageUsed {
    /// Blocks.
    pub blocks: i64,
    /// Events in them.
    pub events: i64,
    /// Bytes before compression.
    pub raw_bytes: i64,
    /// Bytes as stored, without headers and indexes.
    pub stored_bytes: i64,
    /// Milliseconds since the oldest of the sums was made.
    pub age_ms: i64,
    /// False when a project has more than [`MAX_SUMMED`] blocks: it uses more than this.
    pub complete: bool,
}

/// Sums by project, with when they were made; as many as there may be projects.
#[derive(Debug, Default)]
pub(super) struct StorageSums(Mutex<HashMap<i64, (StorageUsed, Timestamp)>>);

impl StorageSums {
    fn fresh(&self, project_id: i64, now: Timestamp) -> Option<StorageUsed> {
        let sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (used, made) = sums.get(&project_id)?;
        let age_ms = now.as_millis() - made.as_millis();
        (0..used.blocks * KEPT_MS_PER_BLOCK).contains(&age_ms).then_some(StorageUsed { age_ms, ..*used })
    }

    fn keep(&self, project_id: i64, used: StorageUsed, now: Timestamp) {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sums.retain(|_, (used, made)| now.as_millis() - made.as_millis() < used.blocks * KEPT_MS_PER_BLOCK);
        if used.blocks >= KEPT_FROM && i64::try_from(sums.len()).unwrap_or(i64::MAX) < MAX_PROJECTS {
            sums.insert(project_id, (used, now));
        }
    }

    /// Forgets a project's sum: blocks of it were deleted or replaced.
    pub(super) fn forget(&self, project_id: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&project_id);
    }
}

impl Store {
    /// Storage these projects use together; what has to be summed anew is, in one round trip.
    ///
    /// # Errors
    /// What the database said.
    pub async fn storage_used(
        &self,
        session: &mut Session,
        projects: &[i64],
        now: Timestamp,
    ) -> Result<StorageUsed, StoreError> {
        let sums = &self.0.storage;
        let mut all = StorageUsed { complete: true, ..StorageUsed::default() };
        let mut asked = Vec::new();
        for project_id in projects {
            match sums.fresh(*project_id, now) {
                Some(used) => all.add(&used),
                None => asked.push(*project_id),
            }
        }
        for (project_id, used) in asked.iter().zip(session.sum_storage(&asked).await?) {
            all.add(&used);
            sums.keep(*project_id, used, now);
        }
        Ok(all)
    }
}

impl StorageUsed {
    fn add(&mut self, other: &Self) {
        self.blocks += other.blocks;
        self.events += other.events;
        self.raw_bytes += other.raw_bytes;
        self.stored_bytes += other.stored_bytes;
        self.age_ms = self.age_ms.max(other.age_ms);
        self.complete &= other.complete;
    }
}

impl Connection {
    /// The sums of each of these projects, in their order.
    async fn sum_storage(&mut self, projects: &[i64]) -> Result<Vec<StorageUsed>, StoreError> {
        if projects.is_empty() {
            return Ok(Vec::new());
        }
        let sum = |column: &str| format!("CAST(COALESCE(SUM({column}), 0) AS SIGNED)");
        let [events, raw, stored] = ["event_count", "raw_bytes", "stored_bytes"].map(sum);
        let query = |project_id: &i64| {
            format!(
                "SELECT COUNT(*), {events}, {raw}, {stored} FROM (SELECT event_count, raw_bytes, stored_bytes \
                 FROM blocks WHERE project_id = {project_id} LIMIT {}) AS summed",
                MAX_SUMMED + 1
            )
        };
        let sql: Vec<String> = projects.iter().map(query).collect();
        let rows = self.select(sql.join(";"), STATEMENT_TIMEOUT).await?;
        rows.iter()
            .map(|row| {
                let (blocks, complete) = (row.int(0)?.min(MAX_SUMMED), row.int(0)? <= MAX_SUMMED);
                let (events, raw_bytes, stored_bytes) = (row.int(1)?, row.int(2)?, row.int(3)?);
                Ok(StorageUsed { blocks, events, raw_bytes, stored_bytes, age_ms: 0, complete })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_kept_for_as_long_as_its_blocks_are_many_and_until_one_is_deleted() {
        let (sums, at) = (StorageSums::default(), |ms: i64| Timestamp::from_millis(1_000_000 + ms));
        let used = |blocks| StorageUsed { blocks, events: 7, ..StorageUsed::default() };
        sums.keep(1, used(5_000), at(0));
        sums.keep(2, used(999), at(0));
        assert_eq!(sums.fresh(1, at(4_999)), Some(StorageUsed { age_ms: 4_999, ..used(5_000) }));
        assert_eq!(sums.fresh(1, at(5_000)), None);
        assert_eq!(sums.fresh(1, at(-1)), None, "a clock that went back");
        assert_eq!(sums.fresh(2, at(1)), None, "few blocks are summed each time");
        sums.forget(1);
        assert_eq!(sums.fresh(1, at(1)), None);
        for project in 0..2 * MAX_PROJECTS {
            sums.keep(project, used(5_000), at(1));
        }
        assert_eq!(i64::try_from(sums.0.lock().unwrap().len()).unwrap(), MAX_PROJECTS);
        sums.keep(1, used(5_000), at(6_000));
        assert_eq!(sums.0.lock().unwrap().len(), 1, "what has run out makes room");
    }
}
