//! Which blocks were met, and in which look: a block met before is not shown again, and a reader that comes back is
//! shown what was met after what it has.

use std::collections::HashMap;

use uuid::Uuid;

use crate::event::uuid_time;
use crate::timestamp::Timestamp;

/// How long a block is remembered, by its id: a reader that comes back within it is shown each event once.
pub(super) const REMEMBERED_MS: i64 = 120_000;
/// Blocks remembered at most; beyond it those of the last looks alone.
const MAX_SEEN: usize = 50_000;

/// Blocks by id, with the number of the look they were met in.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<Uuid, u64>);

impl Seen {
    /// In which look a block was met first.
    pub fn look_of(&self, id: Uuid) -> Option<u64> {
        self.0.get(&id).copied()
    }

    /// Notes a block; a later look changes nothing.
    pub fn note(&mut self, id: Uuid, look: u64) {
        self.0.entry(id).or_insert(look);
    }

    /// Forgets what is older than `now` by [`REMEMBERED_MS`], and where that is not enough all that is older than
    /// `needed`.
    pub fn forget(&mut self, now: Timestamp, needed: Timestamp) {
        let since = now.plus_millis(-REMEMBERED_MS).min(needed);
        self.0.retain(|id, _| uuid_time(id) >= since);
        if self.0.len() > MAX_SEEN {
            self.0.retain(|id, _| uuid_time(id) >= needed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::uuid_at;

    #[test]
    fn blocks_are_remembered_for_two_minutes_and_as_long_as_they_are_looked_at() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let [old, recent] = [-121_000, -119_000].map(|ago| uuid_at(now.plus_millis(ago)));
        let mut seen = Seen::default();
        seen.note(old, 1);
        seen.note(recent, 2);
        seen.note(recent, 3);
        seen.forget(now, now.plus_millis(-500_000));
        assert_eq!((seen.look_of(old), seen.look_of(recent)), (Some(1), Some(2)));
        seen.forget(now, now);
        assert_eq!((seen.look_of(old), seen.look_of(recent)), (None, Some(2)));
    }

    #[test]
    fn too_many_are_cut_down_to_what_is_looked_at() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let mut seen = Seen::default();
        (0..=MAX_SEEN).for_each(|_| seen.note(uuid_at(now.plus_millis(-60_000)), 1));
        let looked_at = uuid_at(now);
        seen.note(looked_at, 2);
        seen.forget(now, now.plus_millis(-15_000));
        assert_eq!((seen.0.len(), seen.look_of(looked_at)), (1, Some(2)));
    }
}
