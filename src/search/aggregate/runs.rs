//! Which events were counted in one store, so that the next one leaves them out: what is on its way from the spool to
//! the database is met in both.

use crate::block::decode::LineHead;
use crate::event::BatchId;
use crate::timestamp::Timestamp;

/// Most runs kept: about 8 MiB.
const MAX_RUNS: usize = 200_000;

/// Neighbouring events of a batch: the batch's 26 characters, first and last index.
type Run = ([u8; 26], u32, u32);

/// Ids of events, neighbours together.
#[derive(Debug, Default)]
pub(super) struct EventRuns {
    runs: Vec<Run>,
    /// Some found no room.
    is_full: bool,
}

impl EventRuns {
    /// Notes an event.
    pub fn add(&mut self, head: &LineHead<'_>) {
        let Some(batch) = head.batch.first_chunk::<26>() else { return };
        let follows =
            |(last_batch, _, last): &&mut Run| last_batch == batch && last.checked_add(1) == Some(head.index);
        if let Some((_, _, last)) = self.runs.last_mut().filter(follows) {
            *last = head.index;
        } else if self.runs.len() < MAX_RUNS {
            self.runs.push((*batch, head.index, head.index));
        } else {
            self.is_full = true;
        }
    }

    /// Takes what another noted.
    pub fn merge(&mut self, mut other: Self) {
        self.is_full |= other.is_full || self.runs.len() + other.runs.len() > MAX_RUNS;
        other.runs.truncate(MAX_RUNS.saturating_sub(self.runs.len()));
        self.runs.append(&mut other.runs);
    }

    /// Makes it ready to be asked.
    pub fn sort(&mut self) {
        self.runs.sort_unstable();
    }

    /// Whether an event is in it; asked after [`Self::sort`].
    pub fn contains(&self, head: &LineHead<'_>) -> bool {
        let after =
            self.runs.partition_point(|(batch, first, _)| (&batch[..], *first) <= (head.batch, head.index));
        let before = after.checked_sub(1).and_then(|index| self.runs.get(index));
        before.is_some_and(|(batch, _, last)| batch == head.batch && head.index <= *last)
    }

    /// First and last receipt of its events; asked after [`Self::sort`].
    pub fn received(&self) -> Option<(Timestamp, Timestamp)> {
        let of = |run: Option<&Run>| {
            let text = std::str::from_utf8(&run?.0).ok()?;
            let bytes: [u8; 16] = crate::event::base32().decode(text.as_bytes()).ok()?.try_into().ok()?;
            Some(BatchId::from_bytes(bytes).received_at())
        };
        Some((of(self.runs.first())?, of(self.runs.last())?))
    }

    /// Whether some events found no room, so that they may be counted twice.
    pub const fn is_full(&self) -> bool {
        self.is_full
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::event::Level;

    fn head(batch: &str, index: u32) -> LineHead<'_> {
        let ts = Timestamp::from_millis(0);
        LineHead { batch: batch.as_bytes(), index, ts, level: Level::Info, length: 0 }
    }

    proptest! {
        #[test]
        fn exactly_what_was_noted_is_found(
            noted in proptest::collection::vec((0..5_u8, 0..40_u32), 0..120),
            split in 0..120_usize,
        ) {
            let batches: Vec<String> = (0..5).map(|n| crate::block::arbitrary::batch_id(1_000, n).to_string()).collect();
            // As in blocks: each event once, neighbours mostly in order.
            let noted: Vec<_> = noted.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
            let (left, right) = noted.split_at(split.min(noted.len()));
            let [mut runs, mut others] = [EventRuns::default(), EventRuns::default()];
            for (some, noted) in [(&mut runs, right), (&mut others, left)] {
                for (batch, index) in noted {
                    some.add(&head(&batches[usize::from(*batch)], *index));
                }
            }
            runs.merge(others);
            runs.sort();
            for batch in 0..5_u8 {
                for index in 0..41 {
                    let found = runs.contains(&head(&batches[usize::from(batch)], index));
                    prop_assert_eq!(found, noted.contains(&(batch, index)), "{} {}", batch, index);
                }
            }
            prop_assert_eq!(runs.received().is_some(), !noted.is_empty());
            prop_assert!(!runs.is_full());
        }
    }
}
