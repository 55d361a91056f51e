//! Whether a peer dawdles: gives a request, or takes its answer, more slowly than anyone may while others wait for a
//! place. Without such others it has the much longer times of [`super::ServerLimits`].

use std::time::Duration;

use tokio::time::Instant;

use super::phase::Phase;

/// Time for a head while others wait.
const HEAD_TIME: Duration = Duration::from_millis(500);
/// Time in which a body or an answer may be slow while others wait.
const SLOW_TIME: Duration = Duration::from_secs(2);
/// Bytes a second that are not slow.
const SLOW_BYTES_PER_SECOND: u128 = 8 << 10;

/// What is under way: a head, a body or an answer.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the peer was first waited for.
    since: Option<Instant>,
    /// Bytes that came or went since it began.
    bytes: usize,
    /// The peer is waited for now.
    waiting: bool,
}

impl Pace {
    /// Something new is under way.
    pub(super) fn begin(&mut self) {
        *self = Self::default();
    }

    /// The socket has no bytes, or no room for any.
    pub(super) fn wait(&mut self, now: Instant) {
        self.waiting = true;
        self.since.get_or_insert(now);
    }

    /// Bytes came or went.
    pub(super) fn move_on(&mut self, bytes: usize) {
        self.waiting = false;
        self.bytes += bytes;
    }

    /// Whether the peer is what is waited for, and too slow for it while others wait.
    pub(super) fn is_dawdling(&self, phase: Phase, now: Instant) -> bool {
        let Some(since) = self.since.filter(|_| self.waiting) else { return false };
        let elapsed = now.saturating_duration_since(since);
        match phase {
            Phase::Head => elapsed > HEAD_TIME,
            // Idle: the handler is done, and what is waited for is that its answer is taken.
            Phase::Idle | Phase::Busy => {
                let due = elapsed.as_millis() * SLOW_BYTES_PER_SECOND / 1_000;
                elapsed > SLOW_TIME && (self.bytes as u128) < due
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_waited_for_too_long_dawdles_and_who_keeps_the_pace_does_not() {
        let start = Instant::now();
        let (soon, later) = (start + HEAD_TIME * 2, start + HEAD_TIME * 2 + SLOW_TIME);
        let mut pace = Pace::default();
        assert!(!pace.is_dawdling(Phase::Head, later), "nobody was waited for");
        pace.wait(start);
        assert!(pace.is_dawdling(Phase::Head, soon));
        assert!(!pace.is_dawdling(Phase::Busy, soon), "a body may be slow for longer");
        assert!(pace.is_dawdling(Phase::Busy, later));
        pace.move_on(1);
        assert!(!pace.is_dawdling(Phase::Busy, later), "it is our turn");
        pace.wait(later);
        assert!(pace.is_dawdling(Phase::Busy, later), "one byte is not a pace");
        pace.move_on(100 << 10);
        pace.wait(later);
        assert!(!pace.is_dawdling(Phase::Busy, later));
        pace.begin();
        assert!(!pace.is_dawdling(Phase::Busy, later));
    }
}
