//! When a message is tried again, and when it is given up.

use std::time::Duration;

use super::answer::{ChannelAnswer, Verdict};
use super::text::{cut, one_line};
use crate::store::{AlertAttempt, AlertState, ClaimedAlert, MAX_DETAIL_CHARS};
use crate::timestamp::Timestamp;

/// First pause after a failure; each further one is three times as long …
const FIRST_PAUSE_MS: i64 = 5_000;
/// … up to this, and a fifth more or less by chance.
const MAX_PAUSE_MS: i64 = 3_600_000;
/// The shortest pause there is: the first one, with all luck.
pub(super) const LEAST_PAUSE_MS: i64 = FIRST_PAUSE_MS - FIRST_PAUSE_MS / 5;
/// A message older than this is given up.
pub(super) const GIVE_UP_AFTER_MS: i64 = 86_400_000;

/// What is noted of an attempt.
pub(super) fn attempt_of(answer: &ChannelAnswer, claimed: &ClaimedAlert, now: Timestamp) -> AlertAttempt {
    let detail = cut(&one_line(&answer.detail), MAX_DETAIL_CHARS);
    let (state, at) = match answer.verdict {
        Verdict::Delivered => (AlertState::Delivered, now),
        Verdict::Dead | Verdict::Disable => (AlertState::Dead, now),
        Verdict::Retry => {
            let end = claimed.created_at.plus_millis(GIVE_UP_AFTER_MS);
            if now >= end {
                let detail = cut(&format!("given up after a day: {detail}"), MAX_DETAIL_CHARS);
                return AlertAttempt { state: AlertState::Dead, at: now, detail };
            }
            let pause = pause_after(claimed.attempts, chance()).max(answer.hold.map_or(0, whole_millis));
            (AlertState::Waiting, now.plus_millis(pause).min(end))
        }
    };
    AlertAttempt { state, at, detail }
}

/// Milliseconds until the next attempt after so many; `chance` is from 0 to 1.
fn pause_after(attempts: u32, chance: f64) -> i64 {
    let pause =
        3_i64.saturating_pow(attempts.saturating_sub(1)).saturating_mul(FIRST_PAUSE_MS).min(MAX_PAUSE_MS);
    let spread = i64::from(u32::try_from(pause / 5).unwrap_or(u32::MAX));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "at most 720,000 either way"
    )]
    let jitter = ((chance * 2.0 - 1.0) * spread as f64) as i64;
    pause + jitter
}

fn chance() -> f64 {
    f64::from(u16::from_be_bytes(crate::key::random::<2>())) / f64::from(u16::MAX)
}

/// Milliseconds of a time.
pub(super) fn whole_millis(time: Duration) -> i64 {
    // Rounded up: a channel that says 0.3004 s means not before.
    i64::try_from(time.as_micros().div_ceil(1_000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_threefold_up_to_an_hour_and_vary_by_a_fifth() {
        let middle: Vec<i64> = (1..=9).map(|attempts| pause_after(attempts, 0.5)).collect();
        assert_eq!(middle[..4], [5_000, 15_000, 45_000, 135_000]);
        assert_eq!(middle[8], MAX_PAUSE_MS);
        assert_eq!((pause_after(1, 0.0), pause_after(1, 1.0)), (4_000, 6_000));
        assert_eq!(pause_after(u32::MAX, 0.5), MAX_PAUSE_MS);
        // Within a day there are enough attempts to outlast an outage, and not so many that they are a nuisance.
        let (mut at, mut attempts) = (0, 0);
        while at < GIVE_UP_AFTER_MS {
            attempts += 1;
            at += pause_after(attempts, 0.5);
        }
        assert!((20..40).contains(&attempts), "{attempts}");
    }

    #[test]
    fn a_retry_comes_not_before_the_channel_wants_it_and_not_after_a_day() {
        let created_at = Timestamp::from_millis(1_000_000);
        let claimed = |attempts| ClaimedAlert { message: String::new(), attempts, created_at };
        let hold = Some(Duration::from_secs_f64(20.0005));
        let answer = ChannelAnswer { hold, ..ChannelAnswer::new(Verdict::Retry, "too many\r\nmessages") };
        let attempt = attempt_of(&answer, &claimed(1), created_at);
        assert_eq!((attempt.state, attempt.at), (AlertState::Waiting, created_at.plus_millis(20_001)));
        assert_eq!(attempt.detail, "too many messages");
        let late = created_at.plus_millis(GIVE_UP_AFTER_MS - 1);
        assert_eq!(attempt_of(&answer, &claimed(30), late).at, created_at.plus_millis(GIVE_UP_AFTER_MS));
        let end = created_at.plus_millis(GIVE_UP_AFTER_MS);
        assert_eq!(attempt_of(&answer, &claimed(31), end).state, AlertState::Dead);
    }
}
