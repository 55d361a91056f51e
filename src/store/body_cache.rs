//! Compressed bodies kept in memory, so that a search repeated against a database far away does not fetch them again.
//!
//! A body is found by its block's project, id and counts: a block that is merged or rewritten under the same id has
//! another number of events. What is found is decided by headers read from the database, so a body of a deleted block
//! is never shown; [`BodyCache::forget`] gives its memory back early.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use uuid::Uuid;

use crate::block::BlockHeader;
use crate::memory::BODY_CACHE_BYTES;
use crate::timestamp::Timestamp;

/// What an entry takes beside its body, about.
const ENTRY_BYTES: usize = 256;
/// What one reader may add: a scan of everything leaves half of what was kept, and finds its own first half again.
pub(super) const MAX_ADDED_BYTES: usize = BODY_CACHE_BYTES / 2;

/// What a body is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    project_id: i64,
    id: Uuid,
    event_count: u32,
    raw_bytes: u32,
    stored_bytes: u32,
}

impl Key {
    const fn of(header: &BlockHeader) -> Self {
        let &BlockHeader { project_id, id, event_count, raw_bytes, stored_bytes, .. } = header;
        Self { project_id, id, event_count, raw_bytes, stored_bytes }
    }
}

struct Entry {
    body: Bytes,
    received_last: Timestamp,
    /// Its key in `by_use`.
    used: u64,
}

/// Bodies, the longest unused of which go first when there is no room.
pub(super) struct BodyCache {
    most: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<Key, Entry>,
    by_use: BTreeMap<u64, Key>,
    uses: u64,
    bytes: usize,
}

impl BodyCache {
    /// With room for so many bytes; 0 keeps nothing.
    pub fn new(most: usize) -> Self {
        Self { most, inner: Mutex::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// The body of a block.
    pub fn get(&self, header: &BlockHeader) -> Option<Bytes> {
        if self.most == 0 {
            return None;
        }
        let mut inner = self.lock();
        let key = Key::of(header);
        inner.uses += 1;
        let now = inner.uses;
        let entry = inner.entries.get_mut(&key)?;
        let body = entry.body.clone();
        let before = std::mem::replace(&mut entry.used, now);
        inner.by_use.remove(&before);
        inner.by_use.insert(now, key);
        Some(body)
    }

    /// Keeps a body; gives the bytes it takes, 0 if it is not kept.
    pub fn put(&self, header: &BlockHeader, body: &Bytes) -> usize {
        let cost = body.len() + ENTRY_BYTES;
        let mut inner = self.lock();
        let key = Key::of(header);
        if cost > self.most || inner.entries.contains_key(&key) {
            return 0;
        }
        inner.uses += 1;
        let used = inner.uses;
        inner.entries.insert(key, Entry { body: body.clone(), received_last: header.received_last, used });
        inner.by_use.insert(used, key);
        inner.bytes += cost;
        while inner.bytes > self.most {
            let Some((_, oldest)) = inner.by_use.pop_first() else { break };
            inner.remove(&oldest);
        }
        cost
    }

    /// Drops a project's bodies of which the last event was received before `before`.
    pub fn forget(&self, project_id: i64, before: Timestamp) {
        self.forget_if(|key, entry| key.project_id == project_id && entry.received_last < before);
    }

    /// Drops the bodies of some blocks, whichever version of them.
    pub fn forget_blocks(&self, project_id: i64, ids: &[Uuid]) {
        self.forget_if(|key, _| key.project_id == project_id && ids.contains(&key.id));
    }

    fn forget_if(&self, is_gone: impl Fn(&Key, &Entry) -> bool) {
        let mut inner = self.lock();
        let gone = inner.entries.iter().filter(|(key, entry)| is_gone(key, entry));
        let gone: Vec<(Key, u64)> = gone.map(|(key, entry)| (*key, entry.used)).collect();
        for (key, used) in gone {
            inner.by_use.remove(&used);
            inner.remove(&key);
        }
    }
}

impl Inner {
    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry.body.len() + ENTRY_BYTES;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Codec;

    fn header(project_id: i64, number: u8) -> BlockHeader {
        let at = Timestamp::from_millis(i64::from(number));
        BlockHeader {
            project_id,
            id: Uuid::from_bytes([number; 16]),
            received_first: at,
            received_last: at,
            ts_first: at,
            ts_last: at,
            event_count: 1,
            raw_bytes: 10,
            stored_bytes: 10,
            codec: Codec::Zlib,
            counts: Vec::new(),
            id_filter: Vec::new(),
            text_filter: Vec::new(),
        }
    }

    fn body(size: usize) -> Bytes {
        Bytes::from(vec![7; size])
    }

    #[test]
    fn the_longest_unused_goes_first_and_the_bound_holds() {
        let cache = BodyCache::new(3 * (100 + ENTRY_BYTES));
        for number in 1..=3 {
            assert_eq!(cache.put(&header(1, number), &body(100)), 100 + ENTRY_BYTES);
        }
        assert!(cache.get(&header(1, 1)).is_some());
        cache.put(&header(1, 4), &body(100));
        let kept = (1..=4).filter(|&number| cache.get(&header(1, number)).is_some());
        assert_eq!(kept.collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!(cache.bytes(), 3 * (100 + ENTRY_BYTES));
        assert_eq!(cache.put(&header(1, 5), &body(4_000)), 0, "larger than all the room");
        assert_eq!(cache.put(&header(1, 4), &body(100)), 0, "it is there");
    }

    #[test]
    fn a_block_rewritten_under_its_id_is_another() {
        let cache = BodyCache::new(10_000);
        cache.put(&header(1, 1), &body(100));
        assert!(cache.get(&BlockHeader { event_count: 2, ..header(1, 1) }).is_none());
        assert!(cache.get(&header(2, 1)).is_none(), "another project's");
    }

    #[test]
    fn deleted_blocks_are_forgotten() {
        let cache = BodyCache::new(100_000);
        for number in 1..=4 {
            cache.put(&header(1, number), &body(100));
            cache.put(&header(2, number), &body(100));
        }
        cache.forget(1, Timestamp::from_millis(3));
        cache.forget_blocks(2, &[header(2, 2).id]);
        let kept = |project| {
            (1..=4).filter(|&number| cache.get(&header(project, number)).is_some()).collect::<Vec<_>>()
        };
        assert_eq!((kept(1), kept(2)), (vec![3, 4], vec![1, 3, 4]));
        cache.forget(1, Timestamp::from_millis(i64::MAX));
        cache.forget(2, Timestamp::from_millis(i64::MAX));
        assert_eq!(cache.bytes(), 0);
        assert!(cache.lock().by_use.is_empty());
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let cache = BodyCache::new(0);
        assert_eq!(cache.put(&header(1, 1), &body(1)), 0);
        assert!(cache.get(&header(1, 1)).is_none());
    }
}
