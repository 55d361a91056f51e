//! Live tails: events as they arrive, whichever instance took them.
//!
//! One owned task a process, [`TailPoller`], looks for new blocks while there are tails, and after each commit of this
//! process at once. It rereads the last [`TAILED_MS`] of block ids each time and leaves out what it has met, since a
//! commit may show after a later one. Each tail has a bounded mailbox; what a slow reader leaves there is dropped,
//! oldest first, and counted. A tail holds no connection and no turn; dropping it frees all it had.

mod mailbox;
mod poller;
mod scan;
mod seen;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::event_filter::{Criteria, EventFilter};
use super::run::Scope;
use crate::clock::Clock;
use crate::event::EventId;
use crate::spool::Spool;
use crate::store::Store;

pub use mailbox::{Letters, MAX_WAITING_BYTES, MAX_WAITING_EVENTS, TailEvent};
pub use poller::TailPoller;

use mailbox::Mailbox;

/// How far back blocks are looked for each time, by their ids, in milliseconds. Instances whose clocks differ by less
/// see each other's events.
pub const TAILED_MS: i64 = 15_000;
/// Tails that may wait to be begun.
const WAITING_JOINS: usize = 64;
/// Longest a tail waits to be begun.
const JOIN_WAIT: Duration = Duration::from_secs(10);

/// What is asked of each project's blocks.
type Filters = HashMap<i64, Arc<EventFilter>>;

/// Filters for what `criteria` ask of each of `scopes`.
#[must_use]
fn filters(scopes: &[Scope], criteria: &Criteria) -> Arc<Filters> {
    let filter_for = |scope: &Scope| {
        let &Scope { project_id, received_after } = scope;
        let criteria = Criteria { project_id: Some(project_id), received_after, ..criteria.clone() };
        (project_id, Arc::new(EventFilter::new(criteria)))
    };
    Arc::new(scopes.iter().map(filter_for).collect())
}

/// Asks the poller for tails, and tells it of commits.
#[derive(Clone, Debug)]
pub struct Tails {
    joins: mpsc::Sender<Join>,
    nudge: TailNudge,
    stopping: CancellationToken,
}

/// What writers tell of their commits, so that tails need not wait for the next look.
#[derive(Clone, Debug, Default)]
pub struct TailNudge(Arc<Notify>);

impl TailNudge {
    /// Something was committed; never waits.
    pub fn committed(&self) {
        self.0.notify_one();
    }
}

/// A tail to be begun.
#[derive(Debug)]
struct Join {
    mailbox: Arc<Mailbox>,
    after: Option<EventId>,
    reply: oneshot::Sender<bool>,
}

/// Why a tail can't begin: the database can't be asked now, too many wait for it, or the process stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotNow;

/// Tails and the task that feeds them. `stopping` ends them.
#[must_use]
pub fn tails(
    store: Store,
    spool: Option<Spool>,
    clock: Clock,
    stopping: CancellationToken,
) -> (Tails, TailPoller) {
    let (sender, joins) = mpsc::channel(WAITING_JOINS);
    let nudge = TailNudge::default();
    let poller = TailPoller::new(store, spool, clock, joins, nudge.0.clone());
    (Tails { joins: sender, nudge, stopping }, poller)
}

impl Tails {
    /// What writers tell of their commits.
    #[must_use]
    pub fn nudge(&self) -> TailNudge {
        self.nudge.clone()
    }

    /// Cancelled when all tails are to end.
    #[must_use]
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Begins a tail: what is committed after this has answered is in it. With `after`, also what was committed since
    /// that event was tailed, as far as a mailbox has room for it.
    ///
    /// # Errors
    /// [`NotNow`].
    pub async fn join(
        &self,
        scopes: &[Scope],
        criteria: &Criteria,
        after: Option<EventId>,
    ) -> Result<Tail, NotNow> {
        let mailbox = Arc::new(Mailbox::new(filters(scopes, criteria)));
        let (reply, joined) = oneshot::channel();
        let join = Join { mailbox: mailbox.clone(), after, reply };
        self.joins.try_send(join).map_err(|_| NotNow)?;
        match tokio::time::timeout(JOIN_WAIT, joined).await {
            Ok(Ok(true)) => Ok(Tail { mailbox, criteria: criteria.clone() }),
            _ => Err(NotNow),
        }
    }
}

/// One tail, as its reader has it.
#[derive(Debug)]
pub struct Tail {
    mailbox: Arc<Mailbox>,
    criteria: Criteria,
}

impl Tail {
    /// What waits, up to about `max_bytes`.
    #[must_use]
    pub fn take(&self, max_bytes: usize) -> Letters {
        self.mailbox.take(max_bytes)
    }

    /// Waits until something does.
    pub async fn rung(&self) {
        self.mailbox.rung().await;
    }

    /// Goes on with other projects.
    pub fn set_scopes(&mut self, scopes: &[Scope], criteria: Criteria) {
        self.mailbox.set_filters(filters(scopes, &criteria));
        self.criteria = criteria;
    }

    /// What it was begun with.
    #[must_use]
    pub const fn criteria(&self) -> &Criteria {
        &self.criteria
    }
}
