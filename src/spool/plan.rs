//! What to do with a part of the spool, from what the database says of it: pure, so that it can be read and tested.
//!
//! Batch ids decide. A batch that is stored already (by a commit whose answer was lost, a drain that was cut off, or a
//! retry through another instance) is left out; so is one whose project or key has gone.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::depth::Counted;
use crate::block::decode::inflate_body;
use crate::block::encode::{BlockEncoder, CompressionLevel, Part};
use crate::block::regroup::regroup;
use crate::block::{Block, EncodedBatch};
use crate::event::{BatchId, derived_id};
use crate::ledger::{Entry, LedgerRow};
use crate::store::{
    ActiveSenders, BatchKey, NewBatch, SpooledBatch, SpooledBlock, SpooledGroup, StoredBatch, block_checksum,
};

/// What the database says of some groups.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Who may send.
    pub senders: ActiveSenders,
    /// Rows that have one of the groups' batch ids.
    pub batches: Vec<StoredBatch>,
    /// Those of the groups' blocks, as they are or as they would be rewritten, that are stored.
    pub blocks: HashSet<Uuid>,
    /// Those of the groups' batches that have events in blocks that were merged.
    pub merged: HashSet<BatchId>,
}

/// What goes into the database.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub blocks: Vec<Block>,
    pub batches: Vec<NewBatch>,
    /// Ids whose time ran out before the batch that has them now came.
    pub expired: Vec<BatchKey>,
    pub counted: Counted,
    /// What the ledger is told in the same transaction: events that were accepted and come into no block.
    pub ledger: Vec<LedgerRow>,
    /// And from memory: events that were taken for new ones when they were spooled, and are duplicates.
    pub duplicates: Vec<LedgerRow>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Store,
    /// By a commit of ours whose answer was lost, or an earlier drain that was cut off.
    StoredByUs,
    /// By a retry through another instance.
    StoredBefore,
    ProjectDeleted,
    KeyRevoked,
}

/// The ids under which a spooled block, or something made of it, may be stored: its own, that of what is left of it
/// without batches that were stored before, and that of the first piece the database took of either.
pub(super) fn ids_of(id: Uuid) -> [Uuid; 3] {
    [id, derived_id(id), derived_id(derived_id(id))]
}

/// Decides about groups in order; `blocks` are theirs, as read, where they could be read.
pub(super) fn plan(groups: &[SpooledGroup], blocks: HashMap<Uuid, Block>, known: &Known) -> Plan {
    let mut planner = Planner { known, plan: Plan::default(), claimed: HashMap::new(), blocks };
    for group in groups {
        planner.add(group);
    }
    let Planner { mut plan, claimed, .. } = planner;
    let mine = |batch: &NewBatch| batch.keys.iter().all(|key| claimed.get(key) == Some(&batch.batch));
    plan.batches.retain(mine);
    plan
}

struct Planner<'a> {
    known: &'a Known,
    plan: Plan,
    /// Who has each id in the end: the last of the batches that share it one after the other.
    claimed: HashMap<BatchKey, BatchId>,
    blocks: HashMap<Uuid, Block>,
}

impl Planner<'_> {
    fn add(&mut self, group: &SpooledGroup) {
        let known = self.known;
        let is_there = |id: &Uuid| ids_of(*id).iter().any(|id| known.blocks.contains(id));
        // A group is taken over as a whole: one of its blocks tells of all.
        let was_taken = group.blocks.iter().any(|block| is_there(&block.id))
            || group.batches.iter().any(|batch| known.merged.contains(&batch.batch));
        let mut fates = HashMap::with_capacity(group.batches.len());
        for batch in &group.batches {
            let fate = if was_taken { Fate::StoredByUs } else { self.fate(batch) };
            let events = u64::from(batch.accepted);
            match fate {
                Fate::Store => {}
                Fate::StoredByUs | Fate::StoredBefore => self.plan.counted.stored_before += events,
                Fate::ProjectDeleted => self.plan.counted.project_deleted += events,
                Fate::KeyRevoked => self.plan.counted.key_revoked += events,
            }
            self.tell_ledger(batch, fate);
            fates.insert(batch.batch, fate);
        }
        let kept = fates.values().filter(|fate| **fate == Fate::Store).count();
        if kept == 0 {
            return;
        }
        let whole = kept == fates.len();
        let mut stored_any = false;
        for listed in &group.blocks {
            let block = self.blocks.remove(&listed.id);
            let block = block.filter(|block| block_checksum(block) == listed.checksum);
            let Some(block) = block else {
                self.plan.counted.damaged += u64::from(listed.events);
                self.plan.ledger.extend(lost(group, listed).into_iter().flatten());
                continue;
            };
            let block = if whole { Some(block) } else { without(&block, &fates) };
            if let Some(block) = block {
                stored_any = true;
                self.plan.counted.drained += u64::from(block.header.event_count);
                self.plan.blocks.push(block);
            }
        }
        if stored_any {
            for batch in group.batches.iter().filter(|batch| fates[&batch.batch] == Fate::Store) {
                self.claim(batch);
            }
        }
    }

    /// A dropped batch is remembered under its ids like one that is stored, so that it is dropped and counted once.
    fn tell_ledger(&mut self, batch: &SpooledBatch, fate: Fate) {
        let events = i64::from(batch.accepted);
        let row = |entry, amount| LedgerRow::new(batch.project_id, batch.batch.received_at(), entry, amount);
        let dropped = |why| [row(Entry::ACCEPTED, events), row(why, events)];
        match fate {
            Fate::Store | Fate::StoredByUs => {}
            Fate::StoredBefore => {
                let again = [row(Entry::COMMITTED, -events), row(Entry::DUPLICATE, events)];
                self.plan.duplicates.extend(again);
            }
            Fate::ProjectDeleted => {
                self.plan.ledger.extend(dropped(Entry::DELETED_PROJECT));
                self.claim(batch);
            }
            Fate::KeyRevoked => {
                self.plan.ledger.extend(dropped(Entry::DELETED_KEY_REVOKED));
                self.claim(batch);
            }
        }
    }

    fn fate(&self, batch: &SpooledBatch) -> Fate {
        let own_ids = |row: &&StoredBatch| batch.ids.iter().any(|(key, _)| *key == row.key);
        let rows: Vec<&StoredBatch> = self.known.batches.iter().filter(own_ids).collect();
        let ours = rows.iter().any(|row| row.batch == batch.batch);
        let same = rows.iter().any(|row| overlaps(batch, row) && row.body_hash == batch.body_hash);
        let senders = &self.known.senders;
        if ours {
            Fate::StoredByUs
        } else if same {
            Fate::StoredBefore
        } else if !senders.projects.contains(&batch.project_id) {
            Fate::ProjectDeleted
        } else if batch.sender.is_some_and(|key| !senders.keys.contains(&(batch.project_id, key))) {
            Fate::KeyRevoked
        } else {
            Fate::Store
        }
    }

    /// Has the batch remembered under those of its ids that are free, or were when it came.
    fn claim(&mut self, batch: &SpooledBatch) {
        for piece in batch.new_batches() {
            let Some(key) = piece.keys.first().copied() else { continue };
            let row = self.known.batches.iter().find(|row| row.key == key);
            if let Some(row) = row {
                if row.expires_at > batch.batch.received_at() {
                    // Of a later batch, or of one with another body: that one keeps it.
                    continue;
                }
                if !self.plan.expired.contains(&key) {
                    self.plan.expired.push(key);
                }
            }
            self.claimed.insert(key, batch.batch);
            self.plan.batches.push(piece);
        }
    }
}

/// What the ledger is told of a block that can't be read.
fn lost(group: &SpooledGroup, block: &SpooledBlock) -> Option<[LedgerRow; 2]> {
    let own = group.batches.iter().filter(|batch| batch.project_id == block.project_id);
    let received = own.map(|batch| batch.batch.received_at()).min()?;
    let row = |entry| LedgerRow::new(block.project_id, received, entry, block.events);
    Some([row(Entry::ACCEPTED), row(Entry::DELETED_DAMAGED)])
}

/// Whether both counted at the same time, so that one is the other sent again.
fn overlaps(batch: &SpooledBatch, row: &StoredBatch) -> bool {
    let until = batch.ids.iter().find(|(key, _)| *key == row.key).map(|(_, until)| *until);
    batch.batch.received_at() < row.expires_at && until.is_some_and(|until| row.batch.received_at() < until)
}

/// The block without the batches that are not to be stored; `None` when nothing is left.
fn without(block: &Block, fates: &HashMap<BatchId, Fate>) -> Option<Block> {
    let header = &block.header;
    let read = inflate_body(header.codec, header.raw_bytes, &block.body).and_then(|raw| regroup(&raw));
    let batches = match read {
        Ok(batches) => batches,
        Err(error) => {
            // Its checksum was right, so it was written like this: a fault of ours.
            tracing::error!(%error, block = %header.id, "a block of the spool can't be taken apart");
            return None;
        }
    };
    let all = batches.len();
    let kept: Vec<EncodedBatch> =
        batches.into_iter().filter(|batch| fates.get(&batch.batch) == Some(&Fate::Store)).collect();
    if kept.len() == all {
        return Some(block.clone());
    }
    if kept.is_empty() {
        return None;
    }
    let parts: Vec<Part<'_>> = kept.iter().map(Part::whole).collect();
    let id = derived_id(header.id);
    Some(BlockEncoder::default().encode_block(id, header.project_id, &parts, CompressionLevel::Ingest))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
