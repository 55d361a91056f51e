//! Keeps the database small: one instance at a time deletes what has expired, puts counts into wider buckets and makes
//! small blocks into large ones.
//!
//! It runs at start, after a commit when none ran for five minutes, each hour, and when an admin asks. Work is done in
//! slices of at most about 200 ms under a lease by the database's clock. What is left to do stands in the tables
//! themselves, so a run that was killed is simply begun again. Reads never depend on it: they leave out what has expired.

mod compact;
pub mod erase;
mod merge_plan;
pub mod purge;
pub mod report;
mod run;
mod schedule;
mod slice;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::audit::Recorded;
use crate::clock::Clock;
use crate::fold::{Fold, FoldMailbox};
use crate::store::{DatabaseStatus, Store, StoreError};

pub use erase::Erasure;
pub use purge::Purge;
pub use report::{EndedPurge, OwnSums, Progress, Ran, Report, Totals, holder_json};
pub use run::{MIN_BETWEEN, wide_before};
use slice::RENEW_EVERY;
pub use slice::SLICE;

use run::Run;
use schedule::Schedule;

/// Requests waiting at most.
const MAX_WAITING: usize = 8;
/// Longest an admin waits for an answer; the work goes on.
const WAIT: Duration = Duration::from_secs(25);
/// Time to the next try when the database is away or a run failed.
const RETRY_AFTER: Duration = Duration::from_secs(30);
/// How often a start looks whether the database is there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Told by the writers that something was committed.
#[derive(Clone, Debug, Default)]
pub struct Nudge(Arc<Notify>);

impl Nudge {
    /// Something was committed; never waits.
    pub fn committed(&self) {
        self.0.notify_one();
    }
}

enum What {
    Maintain,
    Purge(Purge),
    Erase(Erasure),
}

struct Request {
    what: What,
    /// Its row in the audit log.
    recorded: Option<Recorded>,
    own: OwnSums,
    reply: oneshot::Sender<Result<Ran, StoreError>>,
}

/// Asks for maintenance and sees how it goes.
#[derive(Clone)]
pub struct Maintenance {
    requests: mpsc::Sender<Request>,
    nudge: Nudge,
    progress: Progress,
    waiting: Arc<AtomicUsize>,
    wait: Duration,
}

/// Why a request was not answered.
#[derive(Debug)]
pub enum NoAnswer {
    /// Too many wait already, or the process stops.
    Busy,
    /// The database did not do it.
    Store(StoreError),
}

impl Maintenance {
    /// What writers tell of their commits.
    #[must_use]
    pub fn nudge(&self) -> Nudge {
        self.nudge.clone()
    }

    /// How it goes.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Answers after this instead of 25 s.
    #[must_use]
    pub fn answering_within(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Does everything that is due. Answers after 25 s at the latest, then with what was done so far; the work goes on.
    /// `recorded` is told how it ended.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn maintain(&self, recorded: Option<Recorded>) -> Result<Ran, NoAnswer> {
        self.ask(What::Maintain, recorded).await
    }

    /// Deletes blocks. Answers as [`Maintenance::maintain`].
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn purge(&self, purge: Purge, recorded: Option<Recorded>) -> Result<Ran, NoAnswer> {
        self.ask(What::Purge(purge), recorded).await
    }

    /// Deletes events by a filter. Answers as [`Maintenance::maintain`].
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn erase(&self, erasure: Erasure, recorded: Option<Recorded>) -> Result<Ran, NoAnswer> {
        self.ask(What::Erase(erasure), recorded).await
    }

    async fn ask(&self, what: What, recorded: Option<Recorded>) -> Result<Ran, NoAnswer> {
        let ((reply, answer), own) = (oneshot::channel(), OwnSums::default());
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let sent = self.requests.try_send(Request { what, recorded, own: own.clone(), reply });
        if let Err(refused) = sent {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            let (mpsc::error::TrySendError::Full(request) | mpsc::error::TrySendError::Closed(request)) =
                refused;
            if let Some(recorded) = request.recorded {
                recorded.failed("overloaded").await;
            }
            return Err(NoAnswer::Busy);
        }
        match tokio::time::timeout(self.wait, answer).await {
            Ok(Ok(answer)) => answer.map_err(NoAnswer::Store),
            Ok(Err(_)) => Err(NoAnswer::Busy),
            Err(_) => Ok(own.so_far()),
        }
    }
}

/// Who counts the blocks that a deletion by filter finds not yet counted. Maintenance never does so without alert rules:
/// what is due in those blocks would never be said.
pub enum Folding {
    /// The task that folds, here or in another process. It is told to look.
    Task(Arc<FoldMailbox>),
    /// Nobody else may be there: this does, with the rules it was given.
    Own(Box<Fold>),
}

impl Default for Folding {
    fn default() -> Self {
        Self::Task(Arc::default())
    }
}

impl Folding {
    async fn hurry(&self) -> Result<(), StoreError> {
        match self {
            Self::Task(mailbox) => {
                mailbox.look_for_orphans();
                Ok(())
            }
            Self::Own(fold) => fold.tick(true).await,
        }
    }
}

/// The owned task that maintains.
pub struct Maintainer {
    store: Store,
    clock: Clock,
    nudge: Nudge,
    progress: Progress,
    requests: mpsc::Receiver<Request>,
    /// Requests sent and not yet begun.
    waiting: Arc<AtomicUsize>,
    renew_every: Duration,
    folding: Folding,
}

/// A maintainer and the way to ask it.
#[must_use]
pub fn maintainer(store: Store, clock: Clock) -> (Maintenance, Maintainer) {
    let (sender, requests) = mpsc::channel(MAX_WAITING);
    let (nudge, progress) = (Nudge::default(), Progress::default());
    let waiting = Arc::<AtomicUsize>::default();
    let asking = Maintenance {
        requests: sender,
        nudge: nudge.clone(),
        progress: progress.clone(),
        waiting: waiting.clone(),
        wait: WAIT,
    };
    let (renew_every, folding) = (RENEW_EVERY, Folding::default());
    (asking, Maintainer { store, clock, nudge, progress, requests, waiting, renew_every, folding })
}

impl Maintainer {
    /// Renews the lease this often instead of every 10 s; a run that can't renew it ends.
    #[must_use]
    pub fn renewing_every(mut self, renew_every: Duration) -> Self {
        self.renew_every = renew_every;
        self
    }

    /// Has what a deletion finds not yet counted counted by this; else it only waits for it.
    #[must_use]
    pub fn folding(mut self, folding: Folding) -> Self {
        self.folding = folding;
        self
    }

    /// Works until `stop`; a run in hand ends after its slice.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut schedule = Schedule::starting(Instant::now());
        loop {
            let now = Instant::now();
            tokio::select! {
                () = stop.cancelled() => return,
                Some(request) = self.requests.recv() => {
                    self.serve(request, &stop).await;
                    continue;
                }
                () = self.nudge.0.notified(), if schedule.heeds_commits(now) => {
                    schedule.committed(Instant::now());
                }
                () = tokio::time::sleep_until(schedule.wake_at(now).into()) => {}
            }
            if schedule.is_due(Instant::now()) {
                match self.run_when_due(&stop).await {
                    None => schedule.ran(Instant::now()),
                    Some(pause) => schedule.retry(Instant::now(), pause),
                }
            }
        }
    }

    /// A run that nobody asked for; gives the pause before the next try when it didn't come to its end.
    async fn run_when_due(&self, stop: &CancellationToken) -> Option<Duration> {
        if self.store.status() != DatabaseStatus::Connected {
            return Some(LOOK_EVERY);
        }
        match self.maintain(false, stop).await {
            Ok(Ran::Done(report)) if report.complete => {
                tracing::debug!(?report, "maintained");
                None
            }
            Ok(Ran::Done(_)) => Some(RETRY_AFTER),
            Ok(Ran::HeldBy(_) | Ran::TooSoon | Ran::Waiting) => None,
            Err(error) => {
                tracing::warn!(%error, "maintenance goes on later");
                Some(RETRY_AFTER)
            }
        }
    }

    async fn serve(&self, request: Request, stop: &CancellationToken) {
        let Request { what, recorded, own, reply } = request;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        let run = Run { own: Some(&own), ..self.one_run(stop) };
        let answer = match &what {
            What::Maintain => run.maintain(true).await,
            What::Purge(purge) => run.purge(purge).await,
            What::Erase(erasure) => run.erase(erasure).await,
        };
        let dry_run = match &what {
            What::Maintain => None,
            What::Purge(purge) => Some(purge.dry_run),
            What::Erase(erasure) => Some(erasure.dry_run),
        };
        if let (Ok(Ran::Done(report)), Some(dry_run)) = (&answer, dry_run) {
            self.progress.end_purge(EndedPurge { at: self.clock.now(), report: *report, dry_run });
        }
        if let Some(recorded) = recorded {
            match &answer {
                Ok(ran) => recorded.done(ran.json()).await,
                Err(_) => recorded.failed("storage_unavailable").await,
            }
        }
        // The admin may have stopped waiting; the work is done all the same.
        let _ = reply.send(answer);
    }

    /// Does everything that is due; unless `forced`, only when no instance did within five minutes.
    ///
    /// # Errors
    /// What the database said; nothing is lost, the next run goes on.
    pub async fn maintain(&self, forced: bool, stop: &CancellationToken) -> Result<Ran, StoreError> {
        self.one_run(stop).maintain(forced).await
    }

    /// Deletes blocks as asked.
    ///
    /// # Errors
    /// As [`Maintainer::maintain`].
    pub async fn purge(&self, purge: &Purge, stop: &CancellationToken) -> Result<Ran, StoreError> {
        self.one_run(stop).purge(purge).await
    }

    /// Deletes events by a filter.
    ///
    /// # Errors
    /// As [`Maintainer::maintain`].
    pub async fn erase(&self, erasure: &Erasure, stop: &CancellationToken) -> Result<Ran, StoreError> {
        self.one_run(stop).erase(erasure).await
    }

    fn one_run<'a>(&'a self, stop: &'a CancellationToken) -> Run<'a> {
        let Self { store, clock, progress, waiting, renew_every, folding, .. } = self;
        Run { store, clock, stop, progress, own: None, waiting, renew_every: *renew_every, folding }
    }
}
