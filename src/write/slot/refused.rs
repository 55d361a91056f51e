//! A group of which the database refuses something: the events it refuses are found and go into quarantine with the
//! commit of the rest.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::{Attempt, Step, WriterSlot, lost};
use crate::event::BatchId;
use crate::quarantine::Through;
use crate::store::StoreError;
use crate::write::{Submission, WriteOutcome};

impl WriterSlot {
    /// One attempt, of `time` at most. Blocks that are refused are sifted, so that the next attempt goes without the
    /// events the database doesn't take.
    pub(super) async fn try_sifting(
        &self,
        group: &mut Vec<Submission>,
        attempt: &mut Attempt,
        time: Duration,
    ) -> Step {
        // The other half is for the commit of what comes out.
        let until = Instant::now() + time / 2;
        let why = match self.try_once(group, attempt).await {
            Step::Refused(why) => why,
            step => return step,
        };
        match self.quarantine.sift(&attempt.packed.blocks, Through::Writer, until).await {
            // Each by itself is taken. It may have been a whim; but the same once more won't end otherwise.
            Ok(sifted) if sifted.is_unchanged(&attempt.packed.blocks) && attempt.unchanged => {
                self.leave(group, attempt, &StoreError::Refused(why))
            }
            Ok(sifted) if sifted.left.is_empty() => {
                attempt.unchanged = sifted.is_unchanged(&attempt.packed.blocks);
                let whole: HashSet<_> = sifted.good.iter().map(|block| block.header.id).collect();
                // What blocks add that had to be cut is read back from them.
                attempt.packed.pieces.retain(|piece| whole.contains(&piece.block.block_id));
                attempt.packed.blocks = sifted.good;
                attempt.bad.extend(sifted.bad);
                Step::Refused(why)
            }
            Ok(sifted) => Step::Left(sifted.left),
            Err(StoreError::Conflict(_) | StoreError::Busy(_)) => Step::Again { away: false },
            Err(error) if error.is_away() => lost(&error),
            Err(error) => self.leave(group, attempt, &error),
        }
    }

    /// What to leave out when the database refuses something that is no block: the batches that would need room in
    /// quarantine, or where there are none, all.
    pub(super) fn leave(&self, group: &[Submission], attempt: &Attempt, error: &StoreError) -> Step {
        self.quarantine.note_trouble(format!("The database refuses what belongs to blocks: {error}"));
        let all = || group.iter().map(|one| one.batch).collect();
        let bad: HashSet<BatchId> = attempt.bad.iter().map(|event| event.id.batch).collect();
        Step::Left(if bad.is_empty() { all() } else { bad })
    }

    /// The group is committed: tells everyone concerned.
    pub(super) fn finish(&self, group: &mut Vec<Submission>, attempt: &mut Attempt) {
        let mut bad: HashMap<BatchId, u32> = HashMap::new();
        for event in &attempt.bad {
            *bad.entry(event.id.batch).or_default() += 1;
        }
        let accepted: u64 = group.iter().map(|one| u64::from(one.accepted())).sum();
        self.quarantine.note_committed(accepted.saturating_sub(attempt.bad.len() as u64), &attempt.bad);
        if attempt.packed.pieces.len() < attempt.packed.blocks.len() {
            self.mailbox.look_for_orphans();
        }
        self.mailbox.deliver(std::mem::take(&mut attempt.packed.pieces));
        self.nudge.committed();
        self.tails.committed();
        for one in group.drain(..) {
            let events = bad.get(&one.batch).copied();
            one.answer(events.map_or(WriteOutcome::Stored, WriteOutcome::Quarantined));
        }
    }
}
