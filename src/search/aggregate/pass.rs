//! One pass over the stores: headers that tell enough are counted, the other blocks' bodies are read and their lines
//! visited on two of the workers' threads, while the next ones are fetched.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::Plan;
use super::runs::EventRuns;
use super::tally::{Tally, Test};
use crate::block::BlockHeader;
use crate::block::decode::Inflater;
use crate::block::token_test::TokenTest;
use crate::search::cursor::Order;
use crate::search::headers::HeaderStream;
use crate::search::run::Effort;
use crate::search::scan::Scanned;
use crate::search::workers::{self, Stop, StopGuard, Task};
use crate::store::{BlockQuery, Snapshot, StoreError};
use crate::timestamp::Timestamp;

/// Blocks read and visited at a time at most.
const MAX_WIDTH: usize = 64;
/// Bytes of compressed bodies read at a time, about; as many wait meanwhile.
const READ_BYTES: usize = 2 << 20;
/// Headers read at a time where they alone are counted, all projects together, about: 2 MiB.
const COUNTS_PAGE: usize = 8_192;
/// However many projects there are, this many of each.
const MIN_COUNTS_PAGE: usize = 32;

/// A block and what its lines are tested by.
type Candidate = (BlockHeader, Bytes, Test);
type Visit = Task<(Tally, Scanned)>;

/// A running pass.
pub(super) struct Pass<'a> {
    plan: &'a Plan<'a>,
    started: Instant,
    effort: Effort,
    headers: u64,
    /// What headers tell.
    by_header: Tally,
    /// What each of the threads has counted, while it doesn't work.
    idle: Vec<Tally>,
    working: Vec<Visit>,
    /// Blocks whose bodies are to be read next.
    waiting: Vec<(BlockHeader, Test)>,
    waiting_bytes: usize,
    /// Whether events are noted, for the stores that follow.
    notes: bool,
    /// What was counted in the stores before, and when that was received.
    known: Option<(Arc<EventRuns>, (Timestamp, Timestamp))>,
    /// Ends what works when this is dropped with a client that went away.
    stop: Stop,
    _stop_with_us: StopGuard,
}

impl<'a> Pass<'a> {
    pub fn new(plan: &'a Plan<'a>, started: Instant) -> Self {
        let stop = Stop::default();
        Self {
            plan,
            started,
            effort: Effort { complete: true, ..Effort::default() },
            headers: 0,
            by_header: plan.tally(),
            idle: Vec::new(),
            working: Vec::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            notes: false,
            known: None,
            _stop_with_us: stop.guard(),
            stop,
        }
    }

    /// Counts what is in one store. If other stores follow, what matches here is noted and left out there.
    pub async fn read(&mut self, snapshot: &mut Snapshot, others_follow: bool) -> Result<(), StoreError> {
        self.notes = others_follow;
        if self.plan.is_of_counts && !others_follow {
            self.read_counts(snapshot).await?;
        } else {
            self.read_bodies(snapshot).await?;
        }
        self.visit_waiting(snapshot).await?;
        self.end_visits().await?;
        if others_follow {
            self.gather_notes();
        }
        Ok(())
    }

    /// What was counted and what it took, and how many blocks were counted by their headers.
    pub fn finish(mut self) -> (Tally, Effort, u64) {
        let mut tally = self.by_header;
        self.idle.drain(..).for_each(|other| tally.merge(other));
        (tally, self.effort, self.headers)
    }

    async fn read_counts(&mut self, snapshot: &mut Snapshot) -> Result<(), StoreError> {
        let request = self.plan.request;
        let limit = (COUNTS_PAGE / request.scopes.len().max(1)).max(MIN_COUNTS_PAGE);
        let (from, to) = self.plan.range;
        let query = |scope: &crate::search::run::Scope| BlockQuery {
            project_id: scope.project_id,
            from,
            to,
            received_after: scope.received_after,
            received_until: Timestamp::LAST,
            tokens: TokenTest::Always,
            filters: false,
            ascending: false,
            after: None,
            limit,
        };
        let mut queries: Vec<BlockQuery> = request.scopes.iter().map(query).collect();
        while !queries.is_empty() {
            let headers = snapshot.block_headers(&queries.iter().collect::<Vec<_>>()).await?;
            self.effort.headers += headers.len() as u64;
            advance(&mut queries, &headers);
            for header in headers {
                let Some(test) = self.test_of(&header) else { continue };
                let is_whole = header.received_first >= test.filter.criteria().received_after;
                if is_whole && test.known.is_none() && self.by_header.add_header(&header, &test.filter) {
                    self.headers += 1;
                    continue;
                }
                if self.is_spent() {
                    self.give_up();
                    return Ok(());
                }
                self.wait_for(header, test);
                if self.is_full() {
                    self.visit_waiting(snapshot).await?;
                }
            }
            if self.is_spent() && !queries.is_empty() {
                self.give_up();
                break;
            }
        }
        Ok(())
    }

    async fn read_bodies(&mut self, snapshot: &mut Snapshot) -> Result<(), StoreError> {
        let request = self.plan.request;
        let filters =
            self.plan.filters.iter().map(|(project, test)| (*project, test.filter.clone())).collect();
        let mut stream = HeaderStream::new(1, &request.scopes, self.plan.range, Order::Descending, &filters);
        while stream.peek(std::slice::from_mut(snapshot)).await?.is_some() {
            let Some((_, header)) = stream.take() else { break };
            if self.is_spent() {
                self.give_up();
                break;
            }
            if let Some(test) = self.test_of(&header) {
                self.wait_for(header, test);
            }
            if self.is_full() {
                self.visit_waiting(snapshot).await?;
            }
        }
        self.effort.headers += stream.read();
        Ok(())
    }

    /// What a block's lines are tested by; `None` if none of them can match.
    fn test_of(&self, header: &BlockHeader) -> Option<Test> {
        let test = self.plan.filters.get(&header.project_id).filter(|test| test.filter.admits(header))?;
        let overlaps = |(_, (first, last)): &&(Arc<EventRuns>, (Timestamp, Timestamp))| {
            header.received_first <= *last && header.received_last >= *first
        };
        let known = self.known.as_ref().filter(overlaps).map(|(runs, _)| runs.clone());
        Some(Test { known, ..test.clone() })
    }

    fn wait_for(&mut self, header: BlockHeader, test: Test) {
        self.waiting_bytes += header.stored_bytes as usize;
        // What follows needs neither, and they are most of a header's bytes.
        let header = BlockHeader { id_filter: Vec::new(), text_filter: Vec::new(), ..header };
        self.waiting.push((header, test));
    }

    const fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WIDTH || self.waiting_bytes >= READ_BYTES
    }

    fn is_spent(&self) -> bool {
        let budgets = &self.plan.request.budgets;
        self.started.elapsed() > budgets.time || self.effort.bytes + self.waiting_bytes as u64 > budgets.bytes
    }

    /// Leaves out what has not been read.
    fn give_up(&mut self) {
        self.effort.complete = false;
        self.waiting.clear();
        self.waiting_bytes = 0;
    }

    /// Fetches the bodies of those that wait, while the ones before are visited, and sets the threads to them.
    async fn visit_waiting(&mut self, snapshot: &mut Snapshot) -> Result<(), StoreError> {
        self.waiting_bytes = 0;
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let bodies = snapshot.bodies(&waiting.iter().map(|(header, _)| header).collect::<Vec<_>>()).await?;
        self.effort.bytes += bodies.fetched_bytes;
        self.effort.cached_bytes += bodies.cached_bytes;
        let found = waiting.into_iter().zip(bodies.list);
        let mut blocks: Vec<Candidate> =
            found.filter_map(|((header, test), body)| Some((header, body?, test))).collect();
        self.effort.blocks += blocks.len() as u64;
        self.end_visits().await?;
        let second = blocks.split_off(blocks.len().div_ceil(2));
        for blocks in [blocks, second].into_iter().filter(|blocks| !blocks.is_empty()) {
            let mut tally = self.idle.pop().unwrap_or_else(|| self.plan.tally());
            if self.notes && tally.noted.is_none() {
                tally.noted = Some(EventRuns::default());
            }
            let stop = self.stop.clone();
            self.working.push(workers::start(move |inflater| visit(&blocks, tally, inflater, &stop)));
        }
        Ok(())
    }

    async fn end_visits(&mut self) -> Result<(), StoreError> {
        for working in self.working.drain(..) {
            let (tally, scanned) = working.done().await?;
            self.effort.events += scanned.events;
            self.effort.unreadable += scanned.unreadable;
            self.idle.push(tally);
        }
        Ok(())
    }

    fn gather_notes(&mut self) {
        let mut all = match self.known.take() {
            Some((runs, _)) => Arc::try_unwrap(runs).unwrap_or_default(),
            None => EventRuns::default(),
        };
        self.idle.iter_mut().filter_map(|tally| tally.noted.take()).for_each(|noted| all.merge(noted));
        all.sort();
        self.effort.complete &= !all.is_full();
        self.known = all.received().map(|received| (Arc::new(all), received));
    }
}

/// Moves queries behind what was read; those at their end are left out.
fn advance(queries: &mut Vec<BlockQuery>, headers: &[BlockHeader]) {
    let pages = headers.chunk_by(|one, next| one.project_id == next.project_id);
    let mut last: HashMap<i64, &[BlockHeader]> = pages.map(|page| (page[0].project_id, page)).collect();
    queries.retain_mut(|query| {
        let page = last.remove(&query.project_id).unwrap_or_default();
        query.after = page.last().map(|header| (header.ts_last, header.id));
        page.len() >= query.limit
    });
}

fn visit(blocks: &[Candidate], mut tally: Tally, inflater: &mut Inflater, stop: &Stop) -> (Tally, Scanned) {
    let mut scanned = Scanned::default();
    for (header, body, test) in blocks {
        if stop.is_set() {
            break;
        }
        scanned += tally.add_block(header, body, test, inflater);
    }
    (tally, scanned)
}
