//! When the next run is due that nobody asks for.

use std::time::{Duration, Instant};

use super::run::MIN_BETWEEN;

/// Time between two runs when nothing comes in.
pub(super) const IDLE_EVERY: Duration = Duration::from_hours(1);

/// One process's plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// No run before this, whatever happens.
    ready_at: Instant,
    /// A run at this time at the latest.
    due_at: Instant,
}

impl Schedule {
    /// A run at once.
    pub fn starting(now: Instant) -> Self {
        Self { ready_at: now, due_at: now }
    }

    /// Whether a commit makes a run due: none took place for a while.
    pub fn heeds_commits(&self, now: Instant) -> bool {
        now >= self.ready_at
    }

    /// Something was committed.
    pub fn committed(&mut self, now: Instant) {
        if self.heeds_commits(now) {
            self.due_at = now;
        }
    }

    /// Until when there is nothing to do.
    pub fn wake_at(&self, now: Instant) -> Instant {
        if self.heeds_commits(now) { self.due_at } else { self.ready_at }
    }

    /// Whether it is time for a run.
    pub fn is_due(&self, now: Instant) -> bool {
        now >= self.ready_at && now >= self.due_at
    }

    /// A run has ended well; the next follows a commit or an hour.
    pub fn ran(&mut self, now: Instant) {
        *self = Self { ready_at: now + MIN_BETWEEN, due_at: now + IDLE_EVERY };
    }

    /// A run could not take place or did not finish.
    pub fn retry(&mut self, now: Instant, after: Duration) {
        *self = Self { ready_at: now + after, due_at: now + after };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_follows_a_start_then_a_commit_after_five_minutes_and_else_an_hour() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut schedule = Schedule::starting(start);
        assert!(schedule.is_due(start));
        schedule.ran(start);
        schedule.committed(at(299));
        assert!(!schedule.is_due(at(299)) && !schedule.heeds_commits(at(299)));
        assert_eq!(schedule.wake_at(at(299)), at(300), "a commit that waits is heeded then");
        assert!(!schedule.is_due(at(300)), "nothing was committed");
        assert_eq!(schedule.wake_at(at(300)), at(3_600));
        schedule.committed(at(400));
        assert!(schedule.is_due(at(400)));
        schedule.ran(at(400));
        assert!(!schedule.is_due(at(3_999)) && schedule.is_due(at(4_000)));
    }

    #[test]
    fn a_run_that_failed_is_tried_again_when_its_pause_is_over() {
        let start = Instant::now();
        let mut schedule = Schedule::starting(start);
        schedule.retry(start, Duration::from_secs(30));
        schedule.committed(start + Duration::from_secs(1));
        assert!(!schedule.is_due(start + Duration::from_secs(29)));
        assert!(schedule.is_due(start + Duration::from_secs(30)));
    }
}
