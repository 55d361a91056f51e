//! What waits for one tail's reader, within bounds: the oldest makes room for the newest and is counted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Filters;
use crate::event::EventId;
use crate::search::run::Hit;

/// Events that may wait for a reader.
pub const MAX_WAITING_EVENTS: usize = 1_000;
/// Bytes of their stored lines.
pub const MAX_WAITING_BYTES: usize = 256 << 10;

/// An event on its way to one or more tails.
#[derive(Debug)]
pub struct TailEvent {
    /// Its id.
    pub id: EventId,
    /// Its project and line.
    pub hit: Hit,
}

/// What a reader takes at once.
#[derive(Debug, Default)]
pub struct Letters {
    /// Events that found no room or were not looked at; they came before those below.
    pub skipped: u64,
    /// Events by project that a spool gave to the database too late to be shown.
    pub late: BTreeMap<i64, u64>,
    /// Events, in the order they came.
    pub events: Vec<Arc<TailEvent>>,
}

impl Letters {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.skipped == 0 && self.late.is_empty() && self.events.is_empty()
    }
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Arc<TailEvent>>,
    bytes: usize,
    skipped: u64,
    late: BTreeMap<i64, u64>,
}

/// One tail's filters and mailbox. The reader owns it; the poller only knows of it.
#[derive(Debug)]
pub(super) struct Mailbox {
    filters: Mutex<Arc<Filters>>,
    waiting: Mutex<Waiting>,
    bell: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock only says that a thread panicked; each step leaves what it guards whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mailbox {
    pub fn new(filters: Arc<Filters>) -> Self {
        Self { filters: Mutex::new(filters), waiting: Mutex::default(), bell: Notify::new() }
    }

    pub fn filters(&self) -> Arc<Filters> {
        lock(&self.filters).clone()
    }

    pub fn set_filters(&self, filters: Arc<Filters>) {
        *lock(&self.filters) = filters;
    }

    /// Adds an event; the reader is not woken by it.
    pub fn put(&self, event: Arc<TailEvent>) {
        let mut waiting = lock(&self.waiting);
        waiting.bytes += event.hit.line.len();
        waiting.events.push_back(event);
        while waiting.events.len() > MAX_WAITING_EVENTS
            || (waiting.bytes > MAX_WAITING_BYTES && waiting.events.len() > 1)
        {
            let Some(oldest) = waiting.events.pop_front() else { break };
            waiting.bytes -= oldest.hit.line.len();
            waiting.skipped += 1;
        }
    }

    /// Counts events nobody looked at.
    pub fn skip(&self, events: u64) {
        lock(&self.waiting).skipped += events;
    }

    /// Counts events that came late.
    pub fn note_late(&self, project_id: i64, events: u64) {
        *lock(&self.waiting).late.entry(project_id).or_default() += events;
    }

    /// Wakes the reader if anything waits.
    pub fn ring(&self) {
        let waiting = lock(&self.waiting);
        if waiting.skipped > 0 || !waiting.events.is_empty() || !waiting.late.is_empty() {
            self.bell.notify_one();
        }
    }

    pub async fn rung(&self) {
        self.bell.notified().await;
    }

    pub fn take(&self, max_bytes: usize) -> Letters {
        let mut waiting = lock(&self.waiting);
        let mut letters = Letters {
            skipped: std::mem::take(&mut waiting.skipped),
            late: std::mem::take(&mut waiting.late),
            events: Vec::new(),
        };
        let mut bytes = 0;
        while bytes < max_bytes
            && let Some(event) = waiting.events.pop_front()
        {
            bytes += event.hit.line.len();
            waiting.bytes -= event.hit.line.len();
            letters.events.push(event);
        }
        letters
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::BatchId;

    fn event(index: u32, bytes: usize) -> Arc<TailEvent> {
        let id = EventId { batch: BatchId::from_bytes([1; 16]), index };
        Arc::new(TailEvent { id, hit: Hit { project_id: 1, line: vec![b'x'; bytes] } })
    }

    fn mailbox() -> Mailbox {
        Mailbox::new(Arc::default())
    }

    fn indexes(letters: &Letters) -> Vec<u32> {
        letters.events.iter().map(|event| event.id.index).collect()
    }

    #[test]
    fn events_come_out_in_order_and_in_pieces() {
        let mailbox = mailbox();
        (0..5).for_each(|index| mailbox.put(event(index, 10)));
        assert_eq!(indexes(&mailbox.take(25)), [0, 1, 2]);
        assert_eq!(indexes(&mailbox.take(25)), [3, 4]);
        assert!(mailbox.take(25).is_empty());
    }

    #[test]
    fn the_oldest_make_room_by_number_and_by_bytes_and_are_counted() {
        let mailbox = mailbox();
        let most = u32::try_from(MAX_WAITING_EVENTS).unwrap();
        (0..most + 7).for_each(|index| mailbox.put(event(index, 1)));
        let letters = mailbox.take(usize::MAX);
        assert_eq!((letters.skipped, letters.events.len()), (7, MAX_WAITING_EVENTS));
        assert_eq!(letters.events[0].id.index, 7);
        (0..3).for_each(|index| mailbox.put(event(index, MAX_WAITING_BYTES / 2)));
        let letters = mailbox.take(usize::MAX);
        assert_eq!((letters.skipped, indexes(&letters)), (1, vec![1, 2]));
        mailbox.put(event(9, MAX_WAITING_BYTES * 2));
        assert_eq!(indexes(&mailbox.take(1)), [9], "one alone may be larger");
    }

    #[tokio::test]
    async fn a_reader_is_woken_by_what_waits_and_by_nothing_else() {
        let mailbox = mailbox();
        mailbox.ring();
        let woken = tokio::time::timeout(std::time::Duration::ZERO, mailbox.rung()).await;
        assert!(woken.is_err());
        mailbox.note_late(7, 2);
        mailbox.note_late(7, 3);
        mailbox.ring();
        mailbox.rung().await;
        assert_eq!(mailbox.take(1).late, BTreeMap::from([(7, 5)]));
    }
}
