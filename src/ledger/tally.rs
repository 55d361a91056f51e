//! What is counted in memory until the fold writes it to the ledger, also while the database is away.
//!
//! A write whose answer was lost is not repeated blindly: each carries a mark, a number of this process's writes in the
//! hour, and the mark in the database tells whether the write happened.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{Entry, LedgerRow, hour_of};
use crate::timestamp::Timestamp;

/// Different numbers held at most: about 2 MB. What is beyond is dropped and counted.
pub const MAX_HELD: usize = 20_000;
/// Rows one write carries at most.
const MAX_WRITE: usize = 1_000;

type Key = (i64, i64, Entry);

/// Numbers waiting to be written.
#[derive(Debug)]
pub struct Tally {
    /// Names this process's marks.
    name: String,
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    held: HashMap<Key, i64>,
    underway: Option<Counted>,
    /// Hour and number of the last mark.
    mark: (i64, i64),
    dropped: i64,
}

/// Rows on their way to the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// What to add.
    pub rows: Vec<LedgerRow>,
    /// Name of the entry that marks writes of this process.
    pub mark: String,
    /// The mark's hour.
    pub hour: i64,
    /// What the mark counts once these rows are written.
    pub number: i64,
}

impl Default for Tally {
    fn default() -> Self {
        let mut random = [0_u8; 10];
        getrandom::fill(&mut random).expect("the operating system gives random bytes");
        let name = format!("fold:{}", data_encoding::HEXLOWER.encode(&random));
        Self { name, state: Mutex::default(), arrived: Notify::new() }
    }
}

impl Tally {
    /// Adds rows; never waits.
    pub fn add(&self, rows: impl IntoIterator<Item = LedgerRow>) {
        let mut state = self.lock();
        let was_empty = state.held.is_empty();
        for row in rows {
            let key = (row.project_id, row.hour, row.entry);
            if state.held.len() < MAX_HELD || state.held.contains_key(&key) {
                *state.held.entry(key).or_default() += row.amount;
            } else {
                if state.dropped == 0 {
                    tracing::warn!("the ledger in memory is full: what comes now is not written");
                }
                state.dropped += row.amount;
            }
        }
        drop(state);
        if was_empty {
            self.arrived.notify_one();
        }
    }

    /// Waits until something comes after it was empty.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let state = self.lock();
        state.held.is_empty() && state.underway.is_none()
    }

    /// Numbers that found no room, summed.
    #[must_use]
    pub fn dropped(&self) -> i64 {
        self.lock().dropped
    }

    /// A write that was begun and not heard of since.
    #[must_use]
    pub fn in_doubt(&self) -> Option<Counted> {
        self.lock().underway.clone()
    }

    /// Begins a write of what waits; `None` when nothing does, or a write is in doubt.
    #[must_use]
    pub fn take(&self, now: Timestamp) -> Option<Counted> {
        let mut state = self.lock();
        if state.held.is_empty() || state.underway.is_some() {
            return None;
        }
        let hour = hour_of(now).max(state.mark.0);
        let number = if hour == state.mark.0 { state.mark.1 + 1 } else { 1 };
        let keys: Vec<Key> = state.held.keys().take(MAX_WRITE).copied().collect();
        let row = |key: &Key, amount| LedgerRow { project_id: key.0, hour: key.1, entry: key.2, amount };
        let rows = keys.iter().filter_map(|key| state.held.remove(key).map(|amount| row(key, amount)));
        let counted = Counted { rows: rows.collect(), mark: self.name.clone(), hour, number };
        state.underway = Some(counted.clone());
        Some(counted)
    }

    /// The write happened.
    pub fn written(&self) {
        let mut state = self.lock();
        if let Some(done) = state.underway.take() {
            state.mark = (done.hour, done.number);
        }
    }

    /// The write certainly did not happen.
    pub fn put_back(&self) {
        let mut state = self.lock();
        for row in state.underway.take().map(|counted| counted.rows).unwrap_or_default() {
            *state.held.entry((row.project_id, row.hour, row.entry)).or_default() += row.amount;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn row(project_id: i64, amount: i64) -> LedgerRow {
        LedgerRow::new(project_id, NOON, Entry::READ, amount)
    }

    #[test]
    fn one_write_is_underway_at_a_time_and_what_comes_meanwhile_waits() {
        let tally = Tally::default();
        assert!(tally.is_empty() && tally.take(NOON).is_none());
        tally.add([row(1, 2), row(1, 3)]);
        let first = tally.take(NOON).expect("something waits");
        assert_eq!((first.rows.as_slice(), first.number), ([row(1, 5)].as_slice(), 1));
        tally.add([row(1, 7)]);
        assert!(tally.take(NOON).is_none(), "the first is in doubt");
        assert_eq!(tally.in_doubt(), Some(first));
        tally.put_back();
        let again = tally.take(NOON).expect("it was put back");
        assert_eq!((again.rows.as_slice(), again.number), ([row(1, 12)].as_slice(), 1));
        tally.written();
        assert!(tally.is_empty());
        tally.add([row(2, 1)]);
        assert_eq!(tally.take(NOON).map(|counted| counted.number), Some(2));
        tally.written();
        tally.add([row(2, 1)]);
        let later = tally.take(NOON.plus_millis(3_600_000)).expect("something waits");
        assert_eq!((later.number, later.hour), (1, hour_of(NOON) + 3_600), "each hour has its own marks");
    }

    #[test]
    fn a_clock_that_goes_back_keeps_to_the_marks_of_its_hour() {
        let tally = Tally::default();
        for (offset, number) in [(0, 1), (-7_200_000, 2), (1, 3)] {
            tally.add([row(1, 1)]);
            assert_eq!(tally.take(NOON.plus_millis(offset)).map(|counted| counted.number), Some(number));
            tally.written();
        }
    }

    #[test]
    fn memory_is_bounded_and_what_finds_no_room_is_counted() {
        let tally = Tally::default();
        for project in 0..30_000 {
            tally.add([row(project, 1)]);
        }
        tally.add([row(5, 1)]);
        assert_eq!(tally.dropped(), 10_000);
        let mut written = 0;
        while let Some(counted) = tally.take(NOON) {
            assert!(counted.rows.len() <= MAX_WRITE);
            written += counted.rows.iter().map(|row| row.amount).sum::<i64>();
            tally.written();
        }
        assert_eq!(written, 20_001);
    }
}
