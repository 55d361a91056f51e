//! A group that goes to the spool because the database can't take it now.

use std::ops::ControlFlow;

use super::super::pack::Packed;
use super::super::settle::{Settled, settle};
use super::{WriterSlot, answer_all, keys_of};
use crate::spool::Spool;
use crate::store::{SpooledBatch, StoreError};
use crate::timestamp::Timestamp;
use crate::write::{Submission, WriteOutcome};

/// Attempts at the spool.
const SPOOL_ATTEMPTS: u32 = 3;

impl WriterSlot {
    /// Answers those of a group that are in the spool already; breaks when nothing is left of it.
    pub(super) async fn settle_by_spool(&self, group: &mut Vec<Submission>) -> ControlFlow<()> {
        let Some(spool) = self.spool.as_ref().filter(|spool| !spool.depth().is_empty()) else {
            return ControlFlow::Continue(());
        };
        match spool.find_batches(&keys_of(group)).await {
            Ok(found) => {
                if let Settled::Ours = settle(group, found, self.clock.now(), true) {
                    answer_all(std::mem::take(group), WriteOutcome::Spooled);
                }
            }
            // Then the drain finds out: what is stored twice by one id is left out there.
            Err(error) => tracing::warn!(%error, "the spool could not be asked for batches"),
        }
        if group.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Commits a group to the spool, which is as durable as the database, and answers it. The database may hold it
    /// already, by a commit whose answer was lost: the drain finds out by the batches' ids.
    pub(super) async fn spool_group(&mut self, mut group: Vec<Submission>, mut packed: Packed) {
        let Some(spool) = self.spool.clone() else { return answer_all(group, WriteOutcome::Unavailable) };
        for _ in 0..SPOOL_ATTEMPTS {
            let tried = spool_once(&spool, &mut group, &packed, self.clock.now()).await;
            match tried {
                Ok(Spooled::Done) => {
                    self.tails.committed();
                    return answer_all(group, WriteOutcome::Spooled);
                }
                Ok(Spooled::Repack) => (group, packed) = self.encode(group).await,
                Err(StoreError::Conflict(_) | StoreError::Duplicate(_)) => {}
                Err(error) => {
                    tracing::warn!(%error, "the spool can't take a group");
                    break;
                }
            }
        }
        answer_all(group, WriteOutcome::Unavailable);
    }
}

enum Spooled {
    Done,
    /// Some were in the spool already: encode what is left anew.
    Repack,
}

async fn spool_once(
    spool: &Spool,
    group: &mut Vec<Submission>,
    packed: &Packed,
    now: Timestamp,
) -> Result<Spooled, StoreError> {
    let found = spool.find_batches(&keys_of(group)).await?;
    let expired = match settle(group, found, now, true) {
        Settled::Ours => return Ok(Spooled::Done),
        Settled::Rest { changed: true, .. } if group.is_empty() => return Ok(Spooled::Done),
        Settled::Rest { changed: true, .. } => return Ok(Spooled::Repack),
        Settled::Rest { expired, .. } => expired,
    };
    let batches: Vec<SpooledBatch> = group.iter().map(spooled_batch).collect();
    spool.commit(&packed.blocks, &batches, &expired).await?;
    Ok(Spooled::Done)
}

fn spooled_batch(one: &Submission) -> SpooledBatch {
    let terms = one.keys.terms(one.batch.received_at());
    SpooledBatch {
        project_id: one.project_id,
        batch: one.batch,
        sender: one.keys.sender,
        body_hash: one.body_hash,
        received: one.received,
        accepted: one.accepted(),
        ids: terms.flat_map(|(until, keys)| keys.into_iter().map(move |key| (key, until))).collect(),
    }
}
