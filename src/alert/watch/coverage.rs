//! The minutes in which the service was awake and reached its database, by any instance: silence says something only then.
//!
//! A minute counts when one instance saw all of it: it looked before the minute began and after it ended, and at least
//! every two minutes in between. What was slept through, or spent without the database, is not covered.

use std::collections::BTreeSet;

use crate::timestamp::Timestamp;

/// Minutes that are remembered: two days.
pub const KEPT_MINUTES: i64 = 2_880;
/// An instance that doesn't look for longer than this was asleep.
const AWAKE_MS: i64 = 120_000;
/// What other instances saw lately is read again, so many minutes back.
const REREAD_MINUTES: i64 = 15;
/// Minutes that clocks of instances may be apart.
const CLOCK_SLACK: i64 = 5;
const MINUTE_MS: i64 = 60_000;

/// What is known of the minutes.
#[derive(Debug, Default)]
pub struct Coverage {
    minutes: BTreeSet<i64>,
    /// Since when this instance has been awake without a gap.
    awake_since: Option<Timestamp>,
    last_look: Timestamp,
    /// Minutes before this one were written.
    written_to: i64,
    loaded: bool,
}

/// What a look has to do in the database; minutes since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoverageWork {
    /// Minutes to write, the second not included.
    pub write: (i64, i64),
    /// Minutes to read from here on.
    pub read_from: i64,
    /// Minutes to keep, when the others are to be deleted.
    pub keep: Option<(i64, i64)>,
}

impl Coverage {
    /// An instance looks; at most once a minute there is something to do.
    pub fn look(&mut self, now: Timestamp) -> Option<CoverageWork> {
        let gap = now.as_millis().saturating_sub(self.last_look.as_millis());
        let awake_since = match self.awake_since {
            Some(since) if (0..=AWAKE_MS).contains(&gap) => since,
            // Asleep, or a clock that was set.
            _ => {
                self.written_to = whole_minute_from(now);
                self.loaded = false;
                now
            }
        };
        self.awake_since = Some(awake_since);
        self.last_look = now;
        let minute = now.as_millis().div_euclid(MINUTE_MS);
        if self.loaded && minute <= self.written_to {
            return None;
        }
        let keep = (minute - KEPT_MINUTES, minute + CLOCK_SLACK);
        Some(CoverageWork {
            write: (self.written_to, minute.max(self.written_to)),
            read_from: if self.loaded { minute - REREAD_MINUTES } else { keep.0 },
            keep: (!self.loaded || minute % 60 == 0).then_some(keep),
        })
    }

    /// The work was done, and these minutes were read.
    pub fn done(&mut self, work: &CoverageWork, read: impl IntoIterator<Item = i64>) {
        drop(self.minutes.split_off(&work.read_from));
        self.minutes.extend(read);
        self.minutes.retain(|minute| *minute >= work.write.1 - KEPT_MINUTES);
        self.written_to = work.write.1;
        self.loaded = true;
    }

    /// From now on nothing is seen until the next look: the database is away.
    pub fn blind(&mut self) {
        self.awake_since = None;
    }

    /// Covered minutes that lie wholly in `[from, to)`, both in epoch seconds.
    #[must_use]
    pub fn minutes(&self, from: i64, to: i64) -> i64 {
        let (first, end) = (from.div_euclid(60) + i64::from(from.rem_euclid(60) > 0), to.div_euclid(60));
        if first >= end {
            return 0;
        }
        i64::try_from(self.minutes.range(first..end).count()).unwrap_or(i64::MAX)
    }
}

/// The first minute that begins at or after a time.
fn whole_minute_from(at: Timestamp) -> i64 {
    let millis = at.as_millis();
    millis.div_euclid(MINUTE_MS) + i64::from(millis.rem_euclid(MINUTE_MS) > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table in memory, and instances that look at it.
    #[derive(Default)]
    struct Table(BTreeSet<i64>);

    impl Table {
        fn look(&mut self, coverage: &mut Coverage, seconds: i64) {
            let Some(work) = coverage.look(Timestamp::from_millis(seconds * 1_000)) else { return };
            self.0.extend(work.write.0..work.write.1);
            if let Some((from, to)) = work.keep {
                self.0.retain(|minute| (from..to).contains(minute));
            }
            coverage.done(&work, self.0.range(work.read_from..).copied());
        }
    }

    /// Noon of some day.
    const NOON: i64 = 1_800_014_400;

    #[test]
    fn only_minutes_seen_from_start_to_end_are_covered() {
        let (mut table, mut one) = (Table::default(), Coverage::default());
        for second in [30, 60, 119, 120, 150, 240] {
            table.look(&mut one, NOON + second);
        }
        assert_eq!(table.0, (NOON / 60 + 1..NOON / 60 + 4).collect(), "the first minute was half seen");
        assert_eq!(one.minutes(NOON, NOON + 240), 3);
        assert_eq!(one.minutes(NOON + 61, NOON + 240), 2, "whole minutes");
        assert_eq!(one.minutes(NOON + 240, NOON), 0);
    }

    #[test]
    fn a_sleep_a_restart_and_a_clock_that_is_set_back_are_not_covered() {
        let (mut table, mut one) = (Table::default(), Coverage::default());
        table.look(&mut one, NOON);
        table.look(&mut one, NOON + 60);
        // Eight hours of sleep, then a minute awake.
        let woken = NOON + 8 * 3_600;
        table.look(&mut one, woken);
        table.look(&mut one, woken + 60);
        assert_eq!(one.minutes(NOON, woken + 60), 2);
        let mut restarted = Coverage::default();
        table.look(&mut restarted, woken + 90);
        table.look(&mut restarted, woken + 180);
        assert_eq!(restarted.minutes(NOON, woken + 180), 3, "the minute of the restart is not covered");
        // An hour back: what is now to come is forgotten and seen again.
        table.look(&mut restarted, woken - 3_600);
        assert_eq!(restarted.minutes(NOON, NOON + 86_400), 1);
        table.look(&mut restarted, woken - 3_540);
        assert_eq!(restarted.minutes(NOON, NOON + 86_400), 2);
    }

    #[test]
    fn what_another_instance_saw_counts_and_nothing_while_the_database_was_away() {
        let (mut table, mut one, mut two) = (Table::default(), Coverage::default(), Coverage::default());
        for minute in 0..10 {
            table.look(&mut one, NOON + minute * 60);
        }
        for minute in 5..20 {
            table.look(&mut two, NOON + minute * 60);
        }
        table.look(&mut one, NOON + 1_200);
        assert_eq!(one.minutes(NOON, NOON + 1_200), 19);
        one.blind();
        table.look(&mut one, NOON + 1_290);
        table.look(&mut one, NOON + 1_320);
        assert_eq!(one.minutes(NOON, NOON + 1_320), 19);
    }

    #[test]
    fn two_days_are_kept() {
        let (mut table, mut one) = (Table::default(), Coverage::default());
        for minute in 0..3_000 {
            table.look(&mut one, NOON + minute * 60);
        }
        assert!(table.0.len() <= 2_880 + 60, "{}", table.0.len());
        assert_eq!(one.minutes(0, NOON * 2), 2_880);
    }
}
