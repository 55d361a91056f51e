//! The ids under which a batch is remembered.
//!
//! An id is 4 bytes of time and 16 bytes of hash. Where the request names its own time (`X-Timestamp`), that is the
//! time. Where it doesn't, a retry can't know the first one's time of receipt, so the id stands under two windows: the
//! one of receipt and the one before. Two requests less than a window apart then always share an id, also when they
//! meet in two instances on either side of a boundary; an id found after its own time is simply replaced.

use sha2::{Digest, Sha256};

use crate::store::{BATCH_KEY_BYTES, BatchKey, BatchRange};
use crate::timestamp::Timestamp;
use crate::verify::{BatchIdentity, VerifiedBatch};

/// How long an `Idempotency-Key` or a MAC with a time is remembered, in milliseconds.
pub const KEPT_MS: i64 = 86_400_000;
/// How long a MAC without a time is remembered: a cron may send the same body again each hour.
pub const BARE_KEPT_MS: i64 = 120_000;

/// Set in the first byte of ids that are kept short.
const SHORT_BIT: u8 = 0x80;

/// Ids of one batch, with how long they count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchKeys {
    /// 1 to 4 ids; any of them stored and unexpired means the batch is stored.
    pub keys: Vec<BatchKey>,
    /// From then on they are free.
    pub expires_at: Timestamp,
}

impl BatchKeys {
    /// The ids of a verified batch received at `now`.
    ///
    /// The header `Idempotency-Key` is not under the MAC, so beside it the MAC still counts for as long as it would
    /// alone: else whoever saw a request could replay it under another key.
    #[must_use]
    pub fn of(batch: &VerifiedBatch, now: Timestamp) -> Self {
        let owner = &batch.key.sha256;
        let mut keys = Vec::with_capacity(4);
        let mut kept = KEPT_MS;
        if let BatchIdentity::IdempotencyKey(text) = &batch.identity {
            keys.extend(windows(now, KEPT_MS, Kind::Long, &digest(owner, b"key", text.as_bytes())));
        }
        let mac = digest(owner, b"mac", &batch.mac);
        if let Some(timestamp) = batch.timestamp {
            keys.push(key(timestamp.div_euclid(60), Kind::Long, &mac));
        } else {
            if keys.is_empty() {
                kept = BARE_KEPT_MS;
            }
            keys.extend(windows(now, BARE_KEPT_MS, Kind::Short, &mac));
        }
        Self { keys, expires_at: now.plus_millis(kept) }
    }

    /// The ids and until when each counts, for a batch received at `received_at`: those of a MAC without a time go
    /// earlier than an `Idempotency-Key` beside them.
    pub(super) fn terms(
        &self,
        received_at: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, Vec<BatchKey>)> + use<> {
        let (short, long): (Vec<BatchKey>, Vec<BatchKey>) =
            self.keys.iter().partition(|key| key[0] & SHORT_BIT != 0);
        let short_until = self.expires_at.min(received_at.plus_millis(BARE_KEPT_MS));
        [(self.expires_at, long), (short_until, short)].into_iter().filter(|(_, keys)| !keys.is_empty())
    }

    /// The id of an event the service sends itself, named by the request that asked for it.
    #[must_use]
    pub fn of_our_own(project_id: i64, request_id: &str, now: Timestamp) -> Self {
        let mut owner = [0; 32];
        owner[..8].copy_from_slice(&project_id.to_be_bytes());
        let hash = digest(&owner, b"own", request_id.as_bytes());
        let keys = windows(now, BARE_KEPT_MS, Kind::Short, &hash).to_vec();
        Self { keys, expires_at: now.plus_millis(BARE_KEPT_MS) }
    }
}

/// Ids kept long and ids kept short lie apart, so that each can be deleted by range of time.
#[derive(Clone, Copy)]
enum Kind {
    Long,
    Short,
}

/// Minutes by which a request's own time may be off, and more.
const SLACK_MINUTES: i64 = 10;
/// Minutes of a day: of the windows of ids kept long.
const DAY_MINUTES: i64 = KEPT_MS / 60_000;

/// Ranges in which, by their ids alone, everything has expired at `now`; together all that has, but for ids that stand
/// under a day's window: those follow when the last that may be under it has expired.
#[must_use]
pub fn expired_ranges(now: Timestamp) -> Vec<BatchRange> {
    let minute = now.as_millis().div_euclid(60_000);
    let range = |kind, from, to| BatchRange { from: key(from, kind, &[0; 16]), to: key(to, kind, &[0; 16]) };
    // Under a window are batches of it and of the next, and they are kept for another.
    let windows_gone = minute - 3 * DAY_MINUTES - SLACK_MINUTES;
    let times_gone = minute - DAY_MINUTES - SLACK_MINUTES;
    let short_gone = minute - 3 * (BARE_KEPT_MS / 60_000) - SLACK_MINUTES;
    let mut ranges =
        vec![range(Kind::Short, 0, short_gone.max(0)), range(Kind::Long, 0, windows_gone.max(0))];
    let days = windows_gone.div_euclid(DAY_MINUTES)..=times_gone.div_euclid(DAY_MINUTES);
    for day in days {
        let from = (day * DAY_MINUTES + 1).max(windows_gone).max(0);
        let to = ((day + 1) * DAY_MINUTES).min(times_gone);
        if from < to {
            ranges.push(range(Kind::Long, from, to));
        }
    }
    ranges
}

fn windows(now: Timestamp, width_ms: i64, kind: Kind, hash: &[u8; 16]) -> [BatchKey; 2] {
    let window = now.as_millis().div_euclid(width_ms);
    let minute = |window: i64| window * width_ms / 60_000;
    [key(minute(window - 1), kind, hash), key(minute(window), kind, hash)]
}

fn key(minute: i64, kind: Kind, hash: &[u8; 16]) -> BatchKey {
    let minute = u32::try_from(minute).unwrap_or(0) & 0x7fff_ffff;
    let time = match kind {
        Kind::Long => minute,
        Kind::Short => minute | u32::from(SHORT_BIT) << 24,
    };
    let mut key = [0; BATCH_KEY_BYTES];
    key[..4].copy_from_slice(&time.to_be_bytes());
    key[4..].copy_from_slice(hash);
    key
}

fn digest(owner: &[u8; 32], kind: &[u8], material: &[u8]) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(b"tekno-batch-v1");
    hash.update(owner);
    hash.update(kind);
    hash.update([0]);
    hash.update(material);
    let hash = hash.finalize();
    std::array::from_fn(|index| hash[index])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shared(a: &[BatchKey], b: &[BatchKey]) -> bool {
        a.iter().any(|key| b.contains(key))
    }

    proptest! {
        #[test]
        fn two_sendings_within_a_window_always_share_an_id(start in 0_i64..4_000_000_000_000, apart in 0_i64..120_000) {
            let hash = [7; 16];
            let first = windows(Timestamp::from_millis(start), BARE_KEPT_MS, Kind::Short, &hash);
            let second = windows(Timestamp::from_millis(start + apart), BARE_KEPT_MS, Kind::Short, &hash);
            prop_assert!(shared(&first, &second));
        }

        #[test]
        fn two_sendings_three_windows_apart_never_do(start in 0_i64..4_000_000_000_000) {
            let hash = [7; 16];
            let first = windows(Timestamp::from_millis(start), KEPT_MS, Kind::Long, &hash);
            let second = windows(Timestamp::from_millis(start + 3 * KEPT_MS), KEPT_MS, Kind::Long, &hash);
            prop_assert!(!shared(&first, &second));
        }
    }

    proptest! {
        #[test]
        fn an_id_is_in_an_expired_range_only_when_it_has_expired_and_in_the_end_it_is(
            start in 400_000_000_000_i64..4_000_000_000_000, later in 0_i64..5 * KEPT_MS,
        ) {
            let (received, now) = (Timestamp::from_millis(start), Timestamp::from_millis(start + later));
            let minute = received.as_millis().div_euclid(60_000);
            let mut long = windows(received, KEPT_MS, Kind::Long, &[7; 16]).to_vec();
            long.push(key(minute, Kind::Long, &[7; 16]));
            let short = windows(received, BARE_KEPT_MS, Kind::Short, &[7; 16]).to_vec();
            let ranges = expired_ranges(now);
            let gone = |id: &BatchKey| ranges.iter().any(|range| range.from <= *id && *id < range.to);
            for (ids, kept) in [(long, KEPT_MS), (short, BARE_KEPT_MS)] {
                for id in ids {
                    prop_assert!(!gone(&id) || later >= kept);
                    prop_assert!(gone(&id) || later < 3 * kept + 660_000);
                }
            }
        }
    }

    #[test]
    fn ids_of_another_key_or_kind_are_others() {
        assert_ne!(digest(&[1; 32], b"mac", b"x"), digest(&[2; 32], b"mac", b"x"));
        assert_ne!(digest(&[1; 32], b"mac", b"x"), digest(&[1; 32], b"key", b"x"));
        assert_ne!(key(5, Kind::Long, &[0; 16]), key(5, Kind::Short, &[0; 16]));
    }
}
