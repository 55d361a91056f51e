//! The queue in front of the writer slots, and the rule by which a slot gathers a group from it.
//!
//! Nothing in flight: commit what is there at once. Else gather until the running commit ends or a block is full.
//! Where commits are slow and shared, linger a little for more. The bound is the byte budget each submission holds.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::Submission;
use crate::block::{MAX_EVENTS, MAX_RAW_BYTES};

/// Blocks' worth of events a group takes at most.
const GROUP_BLOCKS: usize = 8;
/// Bytes of lines a group takes at most: it is in memory a second time as blocks, and in parts a third time on the wire.
const GROUP_BYTES: usize = 4 * MAX_RAW_BYTES;
/// Batches a group takes at most; bounds the text packet with their ids to about 1 MiB.
const GROUP_BATCHES: usize = 2_000;
/// Commits faster than this are never worth a linger.
const LINGER_FROM: Duration = Duration::from_millis(10);
/// Longest linger.
const LINGER_MAX: Duration = Duration::from_millis(10);

/// Batches waiting for a slot.
#[derive(Debug, Default)]
pub struct WriteQueue {
    state: Mutex<State>,
    /// Something came or the queue was closed.
    arrived: Notify,
    /// A slot's commit ended.
    committed: Notify,
    /// Held by the slot that gathers.
    gate: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Submission>,
    events: usize,
    raw_bytes: usize,
    in_flight: usize,
    closed: bool,
    last_commit: Duration,
    last_shared: bool,
}

impl State {
    fn has_full_block(&self) -> bool {
        self.events >= MAX_EVENTS || self.raw_bytes >= MAX_RAW_BYTES
    }

    fn linger(&self) -> Option<Duration> {
        let worth =
            self.last_shared && self.last_commit >= LINGER_FROM && !self.has_full_block() && !self.closed;
        worth.then(|| (self.last_commit / 10).min(LINGER_MAX))
    }

    fn take_group(&mut self) -> Vec<Submission> {
        let (mut events, mut bytes) = (0, 0);
        let mut group = Vec::new();
        while let Some(next) = self.waiting.front() {
            let (more_events, more_bytes) = (next.accepted() as usize, next.raw_bytes());
            let fits = events + more_events <= GROUP_BLOCKS * MAX_EVENTS
                && bytes + more_bytes <= GROUP_BYTES
                && group.len() < GROUP_BATCHES;
            if !fits && !group.is_empty() {
                break;
            }
            events += more_events;
            bytes += more_bytes;
            group.extend(self.waiting.pop_front());
        }
        self.events -= events;
        self.raw_bytes -= bytes;
        self.in_flight += 1;
        group
    }
}

impl WriteQueue {
    /// Queues a batch; gives it back when the queue is closed.
    ///
    /// # Errors
    /// The batch itself, boxed, when the service is stopping.
    pub fn push(&self, submission: Submission) -> Result<(), Box<Submission>> {
        let mut state = self.lock();
        if state.closed {
            return Err(Box::new(submission));
        }
        state.events += submission.accepted() as usize;
        state.raw_bytes += submission.raw_bytes();
        state.waiting.push_back(submission);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// No more batches are taken; the slots end when the queue is empty.
    pub fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// Batches waiting.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.lock().waiting.len()
    }

    /// The next group, or `None` when the queue is closed and empty. Each group must be followed by
    /// [`WriteQueue::group_done`].
    pub(super) async fn gather(&self) -> Option<Vec<Submission>> {
        let _gate = self.gate.lock().await;
        loop {
            let arrived = self.arrived.notified();
            let committed = self.committed.notified();
            let linger = {
                let mut state = self.lock();
                if state.waiting.is_empty() {
                    if state.closed {
                        // The other slot may be waiting for the gate; it finds the queue closed too.
                        self.arrived.notify_one();
                        return None;
                    }
                    None
                } else if state.in_flight == 0 || state.has_full_block() {
                    match state.linger() {
                        None => return Some(state.take_group()),
                        some => some,
                    }
                } else {
                    None
                }
            };
            if let Some(linger) = linger {
                tokio::time::sleep(linger).await;
                let mut state = self.lock();
                if !state.waiting.is_empty() {
                    return Some(state.take_group());
                }
                continue;
            }
            tokio::select! {
                () = arrived => {}
                () = committed => {}
            }
        }
    }

    /// A group's commit has ended.
    pub(super) fn group_done(&self, since: Instant, batches: usize) {
        let mut state = self.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.last_commit = since.elapsed();
        state.last_shared = batches > 1;
        drop(state);
        self.committed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
