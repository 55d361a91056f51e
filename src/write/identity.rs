//! The ids under which a batch is remembered.
//!
//! An id is 4 bytes of time and 16 bytes of hash. Where the request names its own time (`X-Timestamp`), that is the
//! time. Where it doesn't, a retry can't know the first one's time of receipt, so the id stands under two windows: the
//! one of receipt and the one before. Two requests less than a window apart then always share an id, also when they
//! meet in two instances on either side of a boundary; an id found after its own time is simply replaced.

use sha2::{Digest, Sha256};

use crate::store::{BATCH_KEY_BYTES, BatchKey};
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

    #[test]
    fn ids_of_another_key_or_kind_are_others() {
        assert_ne!(digest(&[1; 32], b"mac", b"x"), digest(&[2; 32], b"mac", b"x"));
        assert_ne!(digest(&[1; 32], b"mac", b"x"), digest(&[1; 32], b"key", b"x"));
        assert_ne!(key(5, Kind::Long, &[0; 16]), key(5, Kind::Short, &[0; 16]));
    }
}
