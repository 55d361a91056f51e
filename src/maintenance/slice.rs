//! Work under the lease, cut into slices: each a small transaction of at most about 200 ms, after which others get
//! their turn, a stop is heard and the lease is renewed.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::report::{OwnSums, Progress, Report};
use super::run::Run;
use crate::audit;
use crate::store::{
    BatchKey, BatchRange, CountAges, CountsWidened, Purged, Replaced, Replacement, SeriesSpan, Store,
    StoreError,
};
use crate::timestamp::Timestamp;

/// How long a slice should take at most; fewer rows are taken from then on when it took longer.
pub const SLICE: Duration = Duration::from_millis(200);
/// A slice that took less than this may take more rows the next time.
const QUICK_SLICE: Duration = Duration::from_millis(25);
/// Rows of the first slice, and the bounds of the others.
const FIRST_ROWS: usize = 25;
const MIN_ROWS: usize = 10;
const MAX_ROWS: usize = 2_000;
/// Bytes of bodies that one slice deletes, and one block more: the server frees their pages after the statement, in the
/// background, and whoever writes meanwhile waits for it.
const SLICE_BYTES: u64 = 2 << 20;
/// Rows of counts named one by one in a statement.
const MAX_COUNT_ROWS: usize = 400;
/// Messages of alerts that are kept once they are done.
const MAX_ALERTS: usize = 10_000;
/// What rules counted themselves: three hours late, and the four windows of an hour before that say what is usual.
pub(super) const RULE_COUNTS_KEPT_MS: i64 = 8 * 3_600_000;
/// Longer than any cooldown.
pub(super) const COOLDOWNS_KEPT_MS: i64 = 2 * 86_400_000;
/// Series whose counts one slice looks through: each has at most some 2,000 rows.
const SERIES_IN_A_SPAN: usize = 50;
/// Pause after a slice, as a multiple of what it took: the server works on after it (see [`SLICE_BYTES`]).
const PAUSE: u32 = 3;
/// Longest pause.
const MAX_PAUSE: Duration = Duration::from_millis(100);
/// The same where it is a multiple.
const MAX_REST: Duration = Duration::from_secs(4);
/// The lease is taken for so long …
pub const LEASE: Duration = Duration::from_mins(1);
/// … and renewed this often.
pub(super) const RENEW_EVERY: Duration = Duration::from_secs(10);
/// Tries at one slice that loses against other transactions.
const MAX_CONFLICTS: u32 = 8;
const CONFLICT_PAUSE: Duration = Duration::from_millis(20);

/// Why work ended before its end.
#[derive(Debug)]
pub enum Halt {
    /// The process stops.
    Stopped,
    /// Another instance has the lease now.
    LeaseLost,
    /// The database did not do it.
    Store(StoreError),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// One slice's work.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chore<'a> {
    Blocks { project_id: i64, before: Timestamp },
    Quarantine { project_id: i64, before: Timestamp },
    Batches { range: BatchRange, now: Timestamp },
    Issues { project_id: i64, since: Timestamp },
    NextSeries { project_id: i64, after: Option<i64> },
    Counts { span: SeriesSpan, ages: &'a CountAges },
    NextRules { project_id: i64, after: Option<i64> },
    RuleCounts { span: SeriesSpan, before: i64 },
    Orphan { project_id: i64 },
    Audit { since: Timestamp },
    Ledger { before: Timestamp },
    Alerts { before: Timestamp },
    Cooldowns { before: Timestamp },
}

/// What it came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    pub purged: Purged,
    pub batch_ids: u64,
    pub issues: u64,
    pub audit_rows: u64,
    pub ledger_rows: u64,
    pub alerts: u64,
    pub counts: CountsWidened,
    /// Where a range of batch ids goes on.
    pub next_batch: Option<BatchKey>,
    /// The series asked for.
    pub span: Option<SeriesSpan>,
    /// Whether the same again may find more.
    pub more: bool,
    /// Whether bytes ended the slice before its rows did: more rows would only be read in vain.
    pub ended_by_bytes: bool,
}

/// Who takes slices.
pub(super) struct Slices<'a> {
    store: &'a Store,
    stop: &'a CancellationToken,
    progress: &'a Progress,
    own: Option<&'a OwnSums>,
    renewed: Instant,
    renew_every: Duration,
    rows: usize,
}

impl<'a> Slices<'a> {
    /// The caller has just taken the lease.
    pub fn new(run: &Run<'a>) -> Self {
        let Run { store, stop, progress, own, renew_every, .. } = *run;
        Self { store, stop, progress, own, renewed: Instant::now(), renew_every, rows: FIRST_ROWS }
    }

    /// Does one slice and adds it to the report.
    pub async fn take(&mut self, chore: Chore<'_>, report: &mut Report) -> Result<Done, Halt> {
        let since = self.begin().await?;
        let done = self.perform(chore).await?;
        report.add_purged(done.purged);
        report.add_counts(done.counts);
        report.batch_ids += done.batch_ids;
        report.issues += done.issues;
        report.ledger_rows += done.ledger_rows;
        report.alerts += done.alerts;
        report.audit_rows += done.audit_rows;
        self.adapt(since.elapsed(), done.ended_by_bytes);
        self.end(since, 0, report).await;
        Ok(done)
    }

    /// The database.
    pub const fn store(&self) -> &Store {
        self.store
    }

    /// Begins a slice that the caller does itself.
    pub async fn begin(&mut self) -> Result<Instant, Halt> {
        self.check().await?;
        Ok(Instant::now())
    }

    /// Ends it, and rests so many times as long as it took; 0 rests as after any other slice.
    pub async fn end(&mut self, since: Instant, rest: u32, report: &mut Report) {
        let took = since.elapsed();
        report.slices += 1;
        report.longest_slice = report.longest_slice.max(took);
        self.note(report);
        let pause = if rest == 0 { (took * PAUSE).min(MAX_PAUSE) } else { (took * rest).min(MAX_REST) };
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    /// Puts a block in the place of others, again where another transaction was in the way.
    pub async fn replace(&self, replacement: &Replacement) -> Result<Replaced, StoreError> {
        let mut conflicts = 0;
        loop {
            match self.store.replace_blocks(replacement, LEASE).await {
                Err(StoreError::Conflict(_)) if conflicts < MAX_CONFLICTS => conflicts += 1,
                other => return other,
            }
            tokio::time::sleep(CONFLICT_PAUSE * conflicts).await;
        }
    }

    fn note(&self, report: &Report) {
        self.progress.note(*report);
        if let Some(own) = self.own {
            own.note(*report);
        }
    }

    /// Ends the work where it may no longer go on.
    pub async fn check(&mut self) -> Result<(), Halt> {
        if self.stop.is_cancelled() {
            return Err(Halt::Stopped);
        }
        if self.renewed.elapsed() >= self.renew_every {
            if !self.store.lease_maintenance(LEASE).await? {
                return Err(Halt::LeaseLost);
            }
            self.renewed = Instant::now();
        }
        Ok(())
    }

    /// How many rows the last slices could have had.
    fn adapt(&mut self, took: Duration, ended_by_bytes: bool) {
        if took > SLICE {
            self.rows = (self.rows / 2).max(MIN_ROWS);
        } else if took < QUICK_SLICE && !ended_by_bytes {
            self.rows = (self.rows * 2).min(MAX_ROWS);
        }
    }

    async fn perform(&self, chore: Chore<'_>) -> Result<Done, StoreError> {
        let mut conflicts = 0;
        loop {
            match self.perform_once(chore).await {
                Err(StoreError::Conflict(_)) if conflicts < MAX_CONFLICTS => conflicts += 1,
                other => return other,
            }
            tokio::time::sleep(CONFLICT_PAUSE * conflicts).await;
        }
    }

    async fn perform_once(&self, chore: Chore<'_>) -> Result<Done, StoreError> {
        let (rows, mut done) = (self.rows, Done::default());
        if let Chore::Orphan { project_id } = chore {
            done.more = self.store.delete_project_step(project_id).await?;
            return Ok(done);
        }
        let mut session = self.store.work().await?;
        match chore {
            Chore::Blocks { project_id, before } => {
                let slice = session.delete_expired_blocks(project_id, before, rows, SLICE_BYTES).await?;
                (done.purged, done.more, done.ended_by_bytes) =
                    (slice.purged, slice.more, slice.ended_by_bytes);
                self.store.forget_bodies(project_id, before);
            }
            Chore::Quarantine { project_id, before } => {
                let events = session.delete_expired_quarantine(project_id, before, rows).await?;
                done.purged.events = events;
                done.more = events >= rows as u64;
            }
            Chore::Batches { range, now } => {
                (done.batch_ids, done.next_batch) = session.delete_expired_batches(range, now, rows).await?;
            }
            Chore::Issues { project_id, since } => {
                done.issues = session.delete_expired_issues(project_id, since, rows).await?;
                done.more = done.issues == rows as u64;
            }
            Chore::NextSeries { project_id, after } => {
                done.span = session.next_series(project_id, after, SERIES_IN_A_SPAN).await?;
            }
            Chore::Counts { span, ages } => {
                done.counts = session.widen_counts(span, ages, rows.min(MAX_COUNT_ROWS)).await?;
                done.more = done.counts.more;
            }
            Chore::Audit { since } => {
                done.audit_rows = session.delete_old_audit_rows(since, audit::MAX_ROWS, rows).await?;
                done.more = done.audit_rows == rows as u64;
            }
            Chore::Ledger { before } => {
                done.ledger_rows = session.delete_old_ledger(before, rows).await?;
                done.more = done.ledger_rows > 0;
            }
            Chore::Alerts { before } => {
                done.alerts = session.delete_old_alerts(before, MAX_ALERTS, rows).await?;
                done.more = done.alerts == rows as u64;
            }
            Chore::NextRules { project_id, after } => {
                done.span = session.next_counting_rules(project_id, after, SERIES_IN_A_SPAN).await?;
            }
            Chore::RuleCounts { span, before } => {
                let rows = rows.min(MAX_COUNT_ROWS);
                done.more = session.delete_old_rule_counts(span, before, rows).await? == rows;
            }
            Chore::Cooldowns { before } => {
                done.more = session.delete_old_cooldowns(before, rows).await? >= rows as u64;
            }
            Chore::Orphan { .. } => {}
        }
        Ok(done)
    }
}
