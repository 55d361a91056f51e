//! Warnings of a look, each at most once a minute: what is true of one look is true of the next a second later.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the log is told of the same.
const WARN_EVERY: Duration = Duration::from_mins(1);

/// What there is to warn of.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    /// Blocks that were not looked through.
    pub blocks: Warned,
    /// Windows of late events that were not looked at.
    pub late: Warned,
    /// Issues that were not counted by environment.
    pub narrow: Warned,
}

/// When one of them was last said.
#[derive(Debug, Default)]
pub(super) struct Warned(Mutex<Option<Instant>>);

impl Warned {
    /// Whether it may be said again, which the caller then does.
    pub fn is_due(&self) -> bool {
        self.is_due_at(Instant::now())
    }

    fn is_due_at(&self, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| now >= last + WARN_EVERY);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_a_minute() {
        let (warned, start) = (Warned::default(), Instant::now());
        let at = |seconds| warned.is_due_at(start + Duration::from_secs(seconds));
        assert_eq!([at(0), at(1), at(59), at(60), at(61)], [true, false, false, true, false]);
    }
}
