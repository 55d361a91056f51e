//! Everything a search finds, page by page: each page has a snapshot of its own, however long its reader takes.
//!
//! A page is planned anew from where the one before ended, so blocks that were merged or removed meanwhile change
//! nothing. Memory is that of one page.

use super::cursor::{Order, Position};
use super::event_filter::Criteria;
use super::run::{Budgets, HARD_TIME, Hit, Scope, SearchRequest, search};
use crate::store::{Store, StoreError};
use crate::timestamp::Timestamp;

/// Events of a page at most; its bytes are bounded by [`super::top::MAX_BYTES`].
pub const PAGE_EVENTS: usize = 4_000;
/// Events this much younger than the export's start may still be in it, in milliseconds: instances' clocks differ, and
/// an export of what is still coming in must end.
const CLOCKS_DIFFER_MS: i64 = 15_000;
/// Pages in a row that got no further before it gives up.
const MAX_STUCK: u32 = 3;

/// An export under way.
#[derive(Debug)]
pub struct Export {
    request: SearchRequest,
    stuck: u32,
    done: bool,
    unreadable: u64,
}

impl Export {
    /// What `criteria` ask of `scopes` and happened by `now`, from after `after` on.
    #[must_use]
    pub fn new(
        scopes: Vec<Scope>,
        mut criteria: Criteria,
        order: Order,
        after: Option<Position>,
        now: Timestamp,
    ) -> Self {
        criteria.to = criteria.to.min(now.plus_millis(CLOCKS_DIFFER_MS));
        let budgets = Budgets::default();
        let request = SearchRequest { scopes, criteria, order, after, limit: PAGE_EVENTS, budgets };
        Self { request, stuck: 0, done: false, unreadable: 0 }
    }

    /// The next events in order, perhaps none; `None` at the end. After an error it can be asked again.
    ///
    /// # Errors
    /// What the database said; `TimedOut` when several pages in a row got no further.
    pub async fn next_page(&mut self, stores: &[Store]) -> Result<Option<Vec<Hit>>, StoreError> {
        if self.done {
            return Ok(None);
        }
        let page = search(stores, &self.request).await?;
        self.unreadable += page.effort.unreadable;
        if page.hits.is_empty() && page.next.is_some() && page.next == self.request.after {
            self.stuck += 1;
            if self.stuck >= MAX_STUCK {
                return Err(StoreError::TimedOut(HARD_TIME));
            }
            return Ok(Some(Vec::new()));
        }
        self.stuck = 0;
        self.done = page.next.is_none();
        self.request.after = page.next.or(self.request.after);
        Ok(Some(page.hits))
    }

    /// Its order.
    #[must_use]
    pub const fn order(&self) -> Order {
        self.request.order
    }

    /// Where the next page begins.
    #[must_use]
    pub const fn position(&self) -> Option<Position> {
        self.request.after
    }

    /// Damaged blocks and events met, which are not in it.
    #[must_use]
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Goes on without what may no longer be read.
    pub fn set_scopes(&mut self, scopes: Vec<Scope>) {
        self.request.scopes = scopes;
    }
}
