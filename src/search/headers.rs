//! Block headers of several projects as one stream in the order of a search, read page by page.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::cursor::Order;
use super::event_filter::EventFilter;
use super::run::Scope;
use super::segment::edge;
use crate::block::BlockHeader;
use crate::block::token_test::TokenTest;
use crate::store::{BlockQuery, Snapshot, StoreError};
use crate::timestamp::Timestamp;

/// Headers of the first read, all projects together, about; a project's next read is twice as large.
const FIRST_PAGE: usize = 64;
/// Headers read at a time and project at most. A header without token filters has about 200 bytes.
const MAX_PAGE: usize = 512;
/// The same with token filters, which have about 8 KiB and at most 128 KiB.
const MAX_PAGE_WITH_FILTERS: usize = 64;
/// Headers in memory for all projects together, about: 8 MiB with filters. Many projects have smaller pages for it.
const MAX_WAITING: usize = 1_024;
/// So many blocks chosen by an id are read without waiting for what the first of them has.
const FEW: usize = 16;
/// However many projects there are, this many of each.
const MIN_PAGE: usize = 2;

/// One project's headers in one store.
struct ProjectHeaders {
    source: usize,
    query: BlockQuery,
    waiting: VecDeque<BlockHeader>,
    ended: bool,
    /// Headers a page may have.
    most: usize,
}

/// The headers of all projects, best first.
pub(super) struct HeaderStream {
    order: Order,
    /// Filters of ids choose the blocks.
    by_ids: bool,
    projects: Vec<ProjectHeaders>,
    read: u64,
}

impl HeaderStream {
    /// Blocks of `scopes`, in each of so many stores, with events in `[from, to)`, that their project's filter may admit.
    pub fn new(
        sources: usize,
        scopes: &[Scope],
        (from, to): (Timestamp, Timestamp),
        order: Order,
        filters: &HashMap<i64, Arc<EventFilter>>,
    ) -> Self {
        let streams = (sources * scopes.len()).max(1);
        let limit = (FIRST_PAGE / streams).max(MIN_PAGE);
        let by_ids = filters.values().any(|filter| filter.tokens().filters().0);
        let most = (MAX_WAITING / streams).max(MIN_PAGE);
        let ascending = order == Order::Ascending;
        let everywhere = (0..sources).flat_map(|source| scopes.iter().map(move |scope| (source, scope)));
        let projects = everywhere.map(|(source, scope)| {
            let Scope { project_id, received_after } = *scope;
            let filter = filters.get(&project_id);
            let all = || (received_after, Timestamp::LAST);
            let (received_after, received_until) = filter.map_or_else(all, |filter| filter.receipts());
            let tokens = filter.map(|filter| filter.tokens().clone()).unwrap_or_default();
            let filters = filter.is_some_and(|filter| filter.uses_tokens());
            let query = BlockQuery {
                project_id,
                from,
                to,
                received_after,
                received_until,
                tokens,
                filters,
                ascending,
                after: None,
                limit,
            };
            ProjectHeaders { source, query, waiting: VecDeque::new(), ended: false, most }
        });
        Self { order, by_ids, projects: projects.collect(), read: 0 }
    }

    /// Headers read so far.
    pub const fn read(&self) -> u64 {
        self.read
    }

    /// The best header, left in the stream. Reads what is needed to tell, in one round trip a store for all projects.
    pub async fn peek(&mut self, snapshots: &mut [Snapshot]) -> Result<Option<&BlockHeader>, StoreError> {
        for (source, snapshot) in snapshots.iter_mut().enumerate() {
            let empty = |project: &&mut ProjectHeaders| {
                project.source == source && !project.ended && project.waiting.is_empty()
            };
            let mut empty: Vec<&mut ProjectHeaders> = self.projects.iter_mut().filter(empty).collect();
            if empty.is_empty() {
                continue;
            }
            let queries: Vec<&BlockQuery> = empty.iter().map(|project| &project.query).collect();
            let headers = snapshot.block_headers(&queries).await?;
            self.read += headers.len() as u64;
            let mut headers = headers.into_iter().peekable();
            for project in &mut empty {
                let own = |header: &BlockHeader| header.project_id == project.query.project_id;
                let page = std::iter::from_fn(|| headers.next_if(own)).collect();
                project.take_page(page, snapshot.tests_tokens());
            }
        }
        Ok(self.best().and_then(|index| self.projects[index].waiting.front()))
    }

    /// How many headers are left, if an id chose them and they are few: then all are worth reading at once.
    pub fn few_left(&self) -> Option<usize> {
        let known = self.by_ids && self.projects.iter().all(|project| project.ended);
        let left = known.then(|| self.projects.iter().map(|project| project.waiting.len()).sum());
        left.filter(|left| *left <= FEW)
    }

    /// Takes the header [`HeaderStream::peek`] showed, with the number of the store it is from.
    pub fn take(&mut self) -> Option<(usize, BlockHeader)> {
        let project = self.best().map(|index| &mut self.projects[index])?;
        let source = project.source;
        project.waiting.pop_front().map(|header| (source, header))
    }

    fn best(&self) -> Option<usize> {
        let fronts = self.projects.iter().enumerate().filter_map(|(index, project)| {
            project.waiting.front().map(|header| (edge(header, self.order), header.id, index))
        });
        let best = match self.order {
            Order::Descending => fronts.max(),
            Order::Ascending => fronts.min(),
        };
        best.map(|(_, _, index)| index)
    }
}

impl ProjectHeaders {
    fn take_page(&mut self, page: VecDeque<BlockHeader>, tested: bool) {
        self.ended = page.len() < self.query.limit;
        if let Some(last) = page.back() {
            let edge = if self.query.ascending { last.ts_first } else { last.ts_last };
            self.query.after = Some((edge, last.id));
        }
        let has_filters = self.query.filters && !(tested && self.query.tokens != TokenTest::Always);
        let most = if has_filters { MAX_PAGE_WITH_FILTERS } else { MAX_PAGE };
        self.query.limit = (self.query.limit * 2).min(most).min(self.most);
        self.waiting = page;
    }
}
