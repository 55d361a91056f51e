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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::arbitrary::{NOON, batch_id, batch_of};
    use crate::block::encode::{BlockEncoder, CompressionLevel, Part};
    use crate::block::yardstick::{self, Random};
    use crate::event::uuid_at;
    use crate::search::cursor::Order;
    use crate::search::event_filter::Criteria;
    use crate::search::language::Query;

    const BLOCKS: usize = 12;
    const EVENTS: usize = 200;

    /// The same block many times, searched for an expression that takes its time with every line.
    fn blocks(query: &str) -> Vec<Candidate> {
        let batch = batch_of(batch_id(NOON, 1), &yardstick::events(&mut Random(1), EVENTS, NOON));
        let id = uuid_at(Timestamp::from_millis(NOON));
        let parts = [Part::whole(&batch)];
        let block = BlockEncoder::default().encode_block(id, 1, &parts, CompressionLevel::Ingest);
        let text = Query::parse(query, Timestamp::from_millis(NOON)).expect("a query").0;
        let all = Criteria::between(Timestamp::from_millis(0), Timestamp::from_millis(i64::MAX));
        let filter = Arc::new(EventFilter::new(Criteria { text, ..all }));
        let body = Bytes::from(block.body);
        let candidate =
            || Candidate { header: block.header.clone(), body: body.clone(), filter: filter.clone() };
        (0..BLOCKS).map(|_| candidate()).collect()
    }

    async fn run(query: &str, deadline: Instant) -> Scanned {
        let top = TopEvents::new(Order::Descending, None, 10);
        let batch = Batch::start(blocks(query), Timestamp::from_millis(NOON), &top);
        let done = batch.done(deadline).await.expect("no thread fails");
        let mut all = Scanned::default();
        for (_, scanned) in done {
            all += scanned;
        }
        all
    }

    #[tokio::test]
    async fn every_block_is_scanned_once_over_all_threads() {
        let far = Instant::now() + std::time::Duration::from_mins(5);
        let scanned = run("zzyzx", far).await;
        assert_eq!((scanned.events, scanned.stopped), ((BLOCKS * EVENTS) as u64, false));
    }

    #[tokio::test]
    async fn an_expression_that_takes_too_long_is_stopped_inside_a_block() {
        let scanned = run("/(?:[a-z]{1,40} ?){1,40}zzyzx{40}|[^a]{300}b/", Instant::now()).await;
        assert!(scanned.stopped);
        assert!(
            scanned.events < (BLOCKS * EVENTS) as u64,
            "{} events were tested all the same",
            scanned.events
        );
    }
}
