//! A few blocks on the workers: inflated and scanned beside each other, while the next ones may be fetched.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::future::try_join_all;
use tokio::time::{Instant, timeout_at};

use super::event_filter::EventFilter;
use super::scan::{Scanned, scan_block};
use super::top::TopEvents;
use super::workers::{self, Stop, StopGuard, Task};
use crate::block::BlockHeader;
use crate::block::decode::Inflater;
use crate::store::StoreError;
use crate::timestamp::Timestamp;

/// A block and what it is tested with.
pub(super) struct Candidate {
    pub header: BlockHeader,
    pub body: Bytes,
    pub filter: Arc<EventFilter>,
}

/// Blocks being scanned. Dropped with the search of a client that goes away, it stops within a few lines.
pub(super) struct Batch {
    /// Where the first of them begins, in the order of the search.
    pub edge: Timestamp,
    tasks: Vec<Task<(TopEvents, Scanned)>>,
    stop: Stop,
    _stop_with_us: StopGuard,
}

impl Batch {
    /// Starts on the blocks; each thread takes the next one when it is done with its last.
    pub fn start(blocks: Vec<Candidate>, edge: Timestamp, top: &TopEvents) -> Self {
        let stop = Stop::default();
        let tasks = workers::threads().min(blocks.len());
        let (blocks, next) = (Arc::new(blocks), Arc::new(AtomicUsize::new(0)));
        let task = |_| {
            let (blocks, next, stop) = (blocks.clone(), next.clone(), stop.clone());
            let top = top.empty_copy();
            workers::start(move |inflater| scan_all(&blocks, &next, inflater, top, &stop))
        };
        let tasks = (0..tasks).map(task).collect();
        Self { edge, tasks, _stop_with_us: stop.guard(), stop }
    }

    /// What was found, once all is read; what was found so far, after `deadline`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a thread failed.
    pub async fn done(mut self, deadline: Instant) -> Result<Vec<(TopEvents, Scanned)>, StoreError> {
        let mut tasks = Box::pin(try_join_all(std::mem::take(&mut self.tasks).into_iter().map(Task::done)));
        if let Ok(done) = timeout_at(deadline, &mut tasks).await {
            return done;
        }
        self.stop.set();
        tasks.await
    }
}

fn scan_all(
    blocks: &[Candidate],
    next: &AtomicUsize,
    inflater: &mut Inflater,
    mut top: TopEvents,
    stop: &Stop,
) -> (TopEvents, Scanned) {
    let mut scanned = Scanned::default();
    while let Some(Candidate { header, body, filter }) = blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
        if stop.is_set() {
            scanned.stopped = true;
            break;
        }
        top.set_project(header.project_id);
        match inflater.inflate(header.codec, header.raw_bytes, body) {
            Ok(raw) => {
                let one = scan_block(raw, filter, &mut top, stop);
                if one.unreadable > 0 {
                    tracing::error!(lines = one.unreadable, block = %header.id, "lines that are no events");
                }
                scanned += one;
            }
            Err(error) => {
                scanned.unreadable += 1;
                tracing::error!(%error, block = %header.id, "a block can't be read");
            }
        }
    }
    (top, scanned)
}
