//! Answering the batches of a group that are stored already, by the ids they were found under.

use std::collections::HashSet;

use super::{Submission, WriteOutcome};
use crate::store::{BatchKey, StoredBatch};
use crate::timestamp::Timestamp;

/// What the stored ids say of a group.
pub(super) enum Settled {
    /// An attempt of ours whose answer was lost stored the whole group: nobody was answered yet.
    Ours,
    /// Those that are stored were answered; the rest is left in the group.
    Rest {
        /// Ids whose time ran out: free to be taken again.
        expired: Vec<BatchKey>,
        /// Somebody was answered, so the group's blocks are to be made again.
        changed: bool,
    },
}

/// Settles a group by the rows that have ids of it.
pub(super) fn settle(
    group: &mut Vec<Submission>,
    found: Vec<StoredBatch>,
    now: Timestamp,
    in_spool: bool,
) -> Settled {
    let (live, expired): (Vec<StoredBatch>, Vec<StoredBatch>) =
        found.into_iter().partition(|row| row.expires_at > now);
    let ours: HashSet<_> = group.iter().map(|one| one.batch).collect();
    if live.iter().any(|row| ours.contains(&row.batch)) {
        // A commit is all or nothing.
        return Settled::Ours;
    }
    let before = group.len();
    let mut rest = Vec::with_capacity(before);
    for one in group.drain(..) {
        let mut rows = live.iter().filter(|row| one.keys.keys.contains(&row.key));
        // Its ids may be those of two batches; one with another body is a conflict whatever the other says.
        match rows.clone().find(|row| row.body_hash != one.body_hash).or_else(|| rows.next()) {
            None => rest.push(one),
            Some(row) if row.body_hash == one.body_hash => {
                let StoredBatch { received, accepted, .. } = *row;
                one.answer(WriteOutcome::Duplicate { received, accepted, in_spool });
            }
            Some(_) => one.answer(WriteOutcome::Conflict),
        }
    }
    *group = rest;
    Settled::Rest { expired: expired.into_iter().map(|row| row.key).collect(), changed: group.len() < before }
}
