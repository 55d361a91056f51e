//! The ids under which a batch is remembered.
//!
//! An id is 4 bytes of time and 16 bytes of hash. Where the request names its own time (`X-Timestamp`), that is the
//! time. Where it doesn't, a retry can't know the first one's time of receipt, so the id stands under the window of
//! receipt and, while a batch of the window before may still count, under that one too. Two requests no further apart
//! than an id is kept then always share one, also when they meet in two instances on either side of a boundary; an id
//! found after its own time is simply replaced.

use sha2::{Digest, Sha256};

use crate::store::{BATCH_KEY_BYTES, BatchKey, BatchRange};
use crate::timestamp::Timestamp;
use crate::verify::{BatchIdentity, VerifiedBatch};

/// How long an `Idempotency-Key` or a MAC with a time is remembered, in milliseconds.
pub const KEPT_MS: i64 = 86_400_000;
/// How long a MAC without a time is remembered: a cron may send the same body again each hour.
pub const BARE_KEPT_MS: i64 = 120_000;

/// Width of a window of ids kept short. Wider than they are kept, so that most batches stand under one id.
const SHORT_WINDOW_MS: i64 = 600_000;
/// Set in the first byte of ids that are kept short.
const SHORT_BIT: u8 = 0x80;

/// Ids of one batch, with how long they count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchKeys {
    /// 1 to 4 ids; any of them stored and unexpired means the batch is stored.
    pub keys: Vec<BatchKey>,
    /// SHA-256 of the key the batch was signed with; `None` for events of our own.
    pub sender: Option<[u8; 32]>,
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
            keys.extend(windows(now, Kind::Long, &digest(owner, b"key", text.as_bytes())));
        }
        let mac = digest(owner, b"mac", &batch.mac);
        if let Some(timestamp) = batch.timestamp {
            keys.push(key(timestamp.div_euclid(60), Kind::Long, &mac));
        } else {
            if keys.is_empty() {
                kept = BARE_KEPT_MS;
            }
            keys.extend(windows(now, Kind::Short, &mac));
        }
        Self { keys, sender: Some(*owner), expires_at: now.plus_millis(kept) }
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
        let keys = windows(now, Kind::Short, &hash);
        Self { keys, sender: None, expires_at: now.plus_millis(BARE_KEPT_MS) }
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
    let short_gone = minute - (2 * SHORT_WINDOW_MS + BARE_KEPT_MS) / 60_000 - SLACK_MINUTES;
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

/// One id, or two in the first part of a window: as long as what came at the end of the one before is kept.
fn windows(now: Timestamp, kind: Kind, hash: &[u8; 16]) -> Vec<BatchKey> {
    let (width_ms, kept_ms) = match kind {
        Kind::Long => (KEPT_MS, KEPT_MS),
        Kind::Short => (SHORT_WINDOW_MS, BARE_KEPT_MS),
    };
    let window = now.as_millis().div_euclid(width_ms);
    let shared = now.as_millis().rem_euclid(width_ms) < kept_ms;
    let windows = if shared { window - 1..=window } else { window..=window };
    windows.map(|window| key(window * width_ms / 60_000, kind, hash)).collect()
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
        fn two_sendings_no_further_apart_than_ids_are_kept_always_share_one(start in KEPT_MS..4_000_000_000_000, apart in 0_i64..120_000) {
            let hash = [7; 16];
            let first = windows(Timestamp::from_millis(start), Kind::Short, &hash);
            let second = windows(Timestamp::from_millis(start + apart), Kind::Short, &hash);
            prop_assert!(shared(&first, &second));
        }

        #[test]
        fn two_sendings_three_windows_apart_never_do(start in KEPT_MS..4_000_000_000_000) {
            let hash = [7; 16];
            let first = windows(Timestamp::from_millis(start), Kind::Long, &hash);
            let second = windows(Timestamp::from_millis(start + 3 * KEPT_MS), Kind::Long, &hash);
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
            let mut long = windows(received, Kind::Long, &[7; 16]);
            long.push(key(minute, Kind::Long, &[7; 16]));
            let short = windows(received, Kind::Short, &[7; 16]);
            let ranges = expired_ranges(now);
            let gone = |id: &BatchKey| ranges.iter().any(|range| range.from <= *id && *id < range.to);
            for (ids, kept, width) in [(long, KEPT_MS, KEPT_MS), (short, BARE_KEPT_MS, SHORT_WINDOW_MS)] {
                for id in ids {
                    prop_assert!(!gone(&id) || later >= kept);
                    prop_assert!(gone(&id) || later < 2 * width + kept + 660_000);
                }
            }
        }
    }

    #[test]
    fn most_batches_without_a_time_stand_under_one_id() {
        let ids = |at| windows(Timestamp::from_millis(at), Kind::Short, &[7; 16]).len();
        assert_eq!((ids(6_000_000), ids(6_119_999), ids(6_120_000), ids(6_599_999)), (2, 2, 1, 1));
    }

    #[test]
    fn ids_of_another_key_or_kind_are_others() {
        assert_ne!(digest(&[1; 32], b"mac", b"x"), digest(&[2; 32], b"mac", b"x"));
        assert_ne!(digest(&[1; 32], b"mac", b"x"), digest(&[1; 32], b"key", b"x"));
        assert_ne!(key(5, Kind::Long, &[0; 16]), key(5, Kind::Short, &[0; 16]));
    }
}
