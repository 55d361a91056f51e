//! Block headers of several projects as one stream in the order of a search, read page by page.

use std::collections::VecDeque;

use super::cursor::Order;
use super::run::Scope;
use crate::block::BlockHeader;
use crate::store::{BlockQuery, Store, StoreError};
use crate::timestamp::Timestamp;

/// Headers read at a time and project.
const PAGE: usize = 64;

/// One project's headers.
struct ProjectHeaders {
    query: BlockQuery,
    waiting: VecDeque<BlockHeader>,
    ended: bool,
}

/// The headers of all projects, best first.
pub(super) struct HeaderStream {
    order: Order,
    projects: Vec<ProjectHeaders>,
}

impl HeaderStream {
    /// Blocks of `scopes` with events in `[from, to)`; with their token filters when `filters`.
    pub fn new(scopes: &[Scope], from: Timestamp, to: Timestamp, order: Order, filters: bool) -> Self {
        let projects = scopes
            .iter()
            .map(|scope| ProjectHeaders {
                query: BlockQuery {
                    project_id: scope.project_id,
                    from,
                    to,
                    received_after: scope.received_after,
                    filters,
                    ascending: order == Order::Ascending,
                    after: None,
                    limit: PAGE,
                },
                waiting: VecDeque::new(),
                ended: false,
            })
            .collect();
        Self { order, projects }
    }

    /// The time by which a header stands in this order: nothing after it has a better one.
    pub fn edge(&self, header: &BlockHeader) -> Timestamp {
        match self.order {
            Order::Descending => header.ts_last,
            Order::Ascending => header.ts_first,
        }
    }

    /// The best header, left in the stream.
    pub async fn peek(&mut self, store: &Store) -> Result<Option<&BlockHeader>, StoreError> {
        for project in &mut self.projects {
            project.fill(store).await?;
        }
        Ok(self.best().and_then(|index| self.projects[index].waiting.front()))
    }

    /// Takes the header [`HeaderStream::peek`] showed.
    pub fn take(&mut self) -> Option<BlockHeader> {
        self.best().and_then(|index| self.projects[index].waiting.pop_front())
    }

    fn best(&self) -> Option<usize> {
        let fronts = self.projects.iter().enumerate().filter_map(|(index, project)| {
            project.waiting.front().map(|header| (self.edge(header), header.id, index))
        });
        let best = match self.order {
            Order::Descending => fronts.max(),
            Order::Ascending => fronts.min(),
        };
        best.map(|(_, _, index)| index)
    }
}

impl ProjectHeaders {
    async fn fill(&mut self, store: &Store) -> Result<(), StoreError> {
        if self.ended || !self.waiting.is_empty() {
            return Ok(());
        }
        let page = store.read().await?.block_headers(&self.query).await?;
        self.ended = page.len() < PAGE;
        if let Some(last) = page.last() {
            let edge = if self.query.ascending { last.ts_first } else { last.ts_last };
            self.query.after = Some((edge, last.id));
        }
        self.waiting.extend(page);
        Ok(())
    }
}
