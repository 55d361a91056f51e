//! Whether what is open is still true, by the counts.
//!
//! A spike is measured by what was usual before it began: to the rules an incident of twenty minutes is usual after
//! twenty minutes, but it is not over.

use super::super::spike::is_spike;
use super::super::{AlertKind, AlertMessage};
use super::{QUIET_MS, Watch};
use crate::event::Level;
use crate::store::{LEVEL_SERIES, OpenAlert, WantedSpan, bucket};
use crate::timestamp::Timestamp;

/// Buckets that one look walks over.
pub(super) const MAX_BUCKETS: usize = 400;
/// Seconds of a window beside the bucket it ends with, unless the message tells.
const WINDOW_SECONDS: i64 = 60;

/// Seconds for which a project's settings are taken to stay as they are.
const SETTINGS_HOLD: i64 = 60;

/// What the counts say of something that was not noted as true for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was true at this time for the last time, and is over.
    Over(Timestamp),
    /// It is not over, and was true at a time not long ago.
    True {
        /// That time.
        at: Timestamp,
        /// Its end can't be before this.
        until: Timestamp,
    },
}

/// The series whose events an alert is about, the second not included; `None` where it is not about events.
pub(super) fn series_of(message: &AlertMessage) -> Option<(i64, i64)> {
    match (message.kind, message.issue) {
        (AlertKind::OverflowStarted, _) => Some((0, LEVEL_SERIES)),
        (AlertKind::ErrorRate, _) => Some((Level::Error as i64, LEVEL_SERIES)),
        (AlertKind::Spike, Some(issue)) => {
            let series = issue.0.cast_signed();
            Some((series, series.saturating_add(1)))
        }
        _ => None,
    }
}

fn window_of(message: &AlertMessage) -> i64 {
    message.window_seconds.map_or(WINDOW_SECONDS, i64::from)
}

impl Watch {
    /// How many events are a spike or too many errors, and what was usual before it began; `None` where the counts don't
    /// tell.
    fn spike_by(&self, alert: &OpenAlert, message: &AlertMessage) -> Option<(u64, f64)> {
        let settings = self.settings(alert.project_id);
        let least = if message.kind == AlertKind::Spike { settings.spike_n } else { settings.error_rate_n };
        Some((least?, message.baseline?))
    }

    /// The counts since something was noted as true, which tell whether it is so still; at most [`MAX_BUCKETS`]. `None`
    /// where the notes alone tell.
    pub(super) fn counts_to_ask(&self, alert: &OpenAlert, message: &AlertMessage) -> Option<WantedSpan> {
        let (series, noted) = (series_of(message)?, bucket(alert.last_true_at));
        let from = if message.kind == AlertKind::OverflowStarted {
            noted
        } else {
            self.spike_by(alert, message)?;
            noted - window_of(message)
        };
        Some(WantedSpan { project_id: alert.project_id, series, from, to: i64::MAX })
    }

    /// What these counts say.
    pub(super) fn still_true(
        &self,
        alert: &OpenAlert,
        message: &AlertMessage,
        counts: Option<&[(i64, i64)]>,
        now: Timestamp,
    ) -> Verdict {
        let (window, noted) = (window_of(message), bucket(alert.last_true_at));
        let by_notes = |last: Timestamp| {
            let until = last.plus_millis(quiet_after(window) * 1_000);
            if until <= now { Verdict::Over(last) } else { Verdict::True { at: last, until } }
        };
        let Some(counts) = counts else { return by_notes(alert.last_true_at) };
        if message.kind == AlertKind::OverflowStarted {
            return overflow_at(noted, counts, bucket(now), self.overflow_quiet(alert.project_id));
        }
        let Some((minimum, usual)) = self.spike_by(alert, message) else {
            return by_notes(alert.last_true_at);
        };
        let last = last_spike(counts, noted, window, |count| is_spike(count, usual, minimum));
        let last = at(last).max(alert.last_true_at);
        // Where more buckets may follow, the next look goes on from the last one.
        let more = counts.len() == MAX_BUCKETS && last > alert.last_true_at;
        if more { Verdict::True { at: last, until: now } } else { by_notes(last) }
    }
}

/// Seconds of quiet that end what is true of a window of so many: a longer one may stay full without another event.
fn quiet_after(window: i64) -> i64 {
    window.max(QUIET_MS / 1_000)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

/// Finds the first silence of more than `quiet` seconds in buckets with events that follow `from`, up to `now`.
fn overflow_at(from: i64, counts: &[(i64, i64)], now: i64, quiet: i64) -> Verdict {
    let is_over = |last: i64, next: i64| next - last > quiet;
    let mut last = from;
    for (next, _) in counts {
        if is_over(last, *next) {
            return Verdict::Over(at(last));
        }
        last = last.max(*next);
    }
    // Where more buckets may follow, the next look goes on from the last one.
    if counts.len() < MAX_BUCKETS && is_over(last, now) {
        return Verdict::Over(at(last));
    }
    // Somebody may make the silence shorter that ends it.
    let until = (last + quiet).min(now + SETTINGS_HOLD);
    Verdict::True { at: at(last), until: at(until) }
}

/// The last bucket that ends a window with a spike in it before the first quiet time; `noted` where there is none.
fn last_spike(counts: &[(i64, i64)], noted: i64, window: i64, is_spike: impl Fn(u64) -> bool) -> i64 {
    let (mut first, mut inside, mut last) = (0, 0, noted);
    for (bucket, count) in counts {
        inside += count;
        while counts[first].0 < bucket - window {
            inside -= counts[first].1;
            first += 1;
        }
        if *bucket > last && is_spike(u64::try_from(inside).unwrap_or(0)) {
            if bucket - last > quiet_after(window) {
                break;
            }
            last = *bucket;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(from: i64, buckets: &[i64], now: i64) -> Option<i64> {
        let counts: Vec<(i64, i64)> = buckets.iter().map(|bucket| (*bucket, 1)).collect();
        match overflow_at(from, &counts, now, 3_600) {
            Verdict::Over(last) => Some(last.as_seconds()),
            Verdict::True { .. } => None,
        }
    }

    #[test]
    fn an_overflow_ends_with_the_first_silence_of_more_than_an_hour() {
        assert_eq!(over(1_000, &[1_000, 2_000], 5_600), None, "an hour to the second");
        assert_eq!(over(1_000, &[1_000, 2_000], 5_610), Some(2_000));
        assert_eq!(over(1_000, &[], 4_610), Some(1_000));
        assert_eq!(over(1_000, &[1_000, 9_000], 9_000), Some(1_000), "what came after it is another one");
        assert_eq!(over(1_000, &[1_000], 500), None, "the clock was set back");
        let many: Vec<i64> = (0..400).map(|bucket| bucket * 10).collect();
        assert_eq!(over(0, &many, 1_000_000), None, "there may be more");
    }

    #[test]
    fn a_window_takes_seven_buckets_and_the_last_spike_before_a_quiet_time_is_found() {
        let last = |counts: &[(i64, i64)]| last_spike(counts, 0, 60, |count| count >= 5);
        assert_eq!(last(&[(0, 3), (60, 2)]), 60, "both edges are in it");
        assert_eq!(last(&[(0, 3), (70, 2)]), 0);
        assert_eq!(last(&[(0, 5), (30, 1), (100, 4), (200, 1)]), 30);
        assert_eq!(last(&[(0, 5), (300, 5), (600, 5)]), 600);
        assert_eq!(last(&[(0, 5), (310, 5)]), 0, "that is another one");
        assert_eq!(last(&[]), 0);
    }
}
