//! One run: everything maintenance does, in order, under the lease.

use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Folding;
use super::compact::{Compactor, Pace};
use super::purge::Purge;
use super::report::{OwnSums, Progress, Ran, Report};
use super::slice::{COOLDOWNS_KEPT_MS, Chore, Halt, LEASE, RULE_COUNTS_KEPT_MS, Slices};
use crate::audit;
use crate::clock::Clock;
use crate::ledger::KEPT_DAYS;
use crate::project::{Project, RETENTION_DAYS};
use crate::store::{CountAges, Store, StoreError};
use crate::timestamp::Timestamp;
use crate::write::expired_ranges;

/// Least time between two runs that nobody asked for, over all instances.
pub const MIN_BETWEEN: Duration = Duration::from_mins(5);
/// Orphaned projects cleared in a run; the next run finds further ones.
const MAX_ORPHANS: usize = 100;
/// How long a purge waits for the lease.
pub(super) const LEASE_WAIT: Duration = Duration::from_secs(10);
const LEASE_LOOK: Duration = Duration::from_millis(200);

/// Messages of alerts are kept for so long.
const ALERTS_KEPT_MS: i64 = 30 * 86_400_000;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
/// Instances' clocks may differ: counts are widened this much later than `/stats` takes them to be.
const CLOCK_SLACK: i64 = 300;

/// When counts get wider, seen from `now`, both in epoch seconds; `/stats` shows past time no finer than this.
#[must_use]
pub fn wide_before(now: i64) -> (i64, i64) {
    ((now - HOUR).div_euclid(60) * 60, (now - DAY).div_euclid(HOUR) * HOUR)
}

/// What a run works with.
pub(super) struct Run<'a> {
    pub store: &'a Store,
    pub clock: &'a Clock,
    pub stop: &'a CancellationToken,
    pub progress: &'a Progress,
    /// The sums of who asked for it.
    pub own: Option<&'a OwnSums>,
    /// Admins who wait until it ends.
    pub waiting: &'a AtomicUsize,
    /// How often the lease is renewed.
    pub renew_every: Duration,
    /// Who counts what is not yet counted.
    pub folding: &'a Folding,
}

impl Run<'_> {
    /// Does everything that is due; unless `forced`, only when it was not done a short while ago.
    pub async fn maintain(&self, forced: bool) -> Result<Ran, StoreError> {
        if !forced && self.is_too_soon().await? {
            return Ok(Ran::TooSoon);
        }
        if let Some(held) = self.take_lease(Duration::ZERO).await? {
            return Ok(held);
        }
        let (since, mut report) = (Instant::now(), Report::default());
        let mut slices = Slices::new(self);
        let worked = self.work(&mut slices, forced, &mut report).await;
        self.finish(worked, report, since, true).await
    }

    /// Deletes blocks as an admin asked.
    pub async fn purge(&self, purge: &Purge) -> Result<Ran, StoreError> {
        let (since, mut report) = (Instant::now(), Report::default());
        let projects = self.store.list_projects().await?;
        let now = self.clock.now();
        let wanted: Vec<(i64, Timestamp)> = purge.wanted(&projects, now);
        if purge.dry_run {
            for (project_id, before) in wanted {
                let mut session = self.store.read().await?;
                report.add_purged(session.count_expired_blocks(project_id, before).await?);
                report.purged.events += session.count_expired_quarantine(project_id, before).await?;
            }
            report.complete = true;
            report.took = since.elapsed();
            return Ok(Ran::Done(report));
        }
        if let Some(held) = self.take_lease(LEASE_WAIT).await? {
            return Ok(held);
        }
        let mut slices = Slices::new(self);
        let mut worked = Ok(true);
        for (project_id, before) in wanted {
            worked = purge_blocks(&mut slices, project_id, before, &mut report).await.map(|()| true);
            if worked.is_err() {
                break;
            }
        }
        self.finish(worked, report, since, false).await
    }

    async fn is_too_soon(&self) -> Result<bool, StoreError> {
        let ago = self.store.maintained_ms_ago().await?;
        let least = i64::try_from(MIN_BETWEEN.as_millis()).unwrap_or(i64::MAX);
        Ok(ago.is_some_and(|ago| (0..least).contains(&ago)))
    }

    /// Takes the lease, or says who has it after waiting so long.
    pub(super) async fn take_lease(&self, wait: Duration) -> Result<Option<Ran>, StoreError> {
        let since = Instant::now();
        loop {
            if self.store.lease_maintenance(LEASE).await? {
                self.progress.note(Report::default());
                self.note_own(Report::default());
                return Ok(None);
            }
            let holder = self.store.maintenance_holder().await?;
            if (since.elapsed() >= wait || self.stop.is_cancelled())
                && let Some(holder) = holder
            {
                return Ok(Some(Ran::HeldBy(holder)));
            }
            tokio::time::sleep(LEASE_LOOK).await;
        }
    }

    fn note_own(&self, report: Report) {
        if let Some(own) = self.own {
            own.note(report);
        }
    }

    /// Gives the lease back; `worked` says whether everything was done.
    pub(super) async fn finish(
        &self,
        worked: Result<bool, Halt>,
        mut report: Report,
        since: Instant,
        is_all: bool,
    ) -> Result<Ran, StoreError> {
        report.took = since.elapsed();
        report.complete = matches!(worked, Ok(true));
        self.progress.end(self.clock.now(), report, is_all);
        match worked {
            Ok(finished) => self.store.release_maintenance(is_all && finished).await?,
            Err(Halt::Stopped) => self.store.release_maintenance(false).await?,
            Err(Halt::LeaseLost) => tracing::warn!("maintenance was taken over by another instance"),
            Err(Halt::Store(error)) => {
                // The lease would run out by itself; giving it back now spares the next run the wait.
                let _ = self.store.release_maintenance(false).await;
                return Err(error);
            }
        }
        Ok(Ran::Done(report))
    }

    /// False when there is more to compact than its share of time allows.
    async fn work(&self, slices: &mut Slices<'_>, forced: bool, report: &mut Report) -> Result<bool, Halt> {
        self.clear_orphans(slices, report).await?;
        let now = self.clock.now();
        for range in expired_ranges(now) {
            let mut range = range;
            while let Some(next) = slices.take(Chore::Batches { range, now }, report).await?.next_batch {
                range.from = next;
            }
        }
        let old = now.plus_millis(-audit::MAX_AGE_DAYS * DAY * 1_000);
        while slices.take(Chore::Audit { since: old }, report).await?.more {}
        let before = now.plus_millis(-ALERTS_KEPT_MS);
        while slices.take(Chore::Alerts { before }, report).await?.more {}
        let before = now.plus_millis(-COOLDOWNS_KEPT_MS);
        while slices.take(Chore::Cooldowns { before }, report).await?.more {}
        let projects = self.store.list_projects().await?;
        for project in &projects {
            let since = project.kept_since(now);
            purge_blocks(slices, project.id, since, report).await?;
            widen_counts(slices, project, now, report).await?;
            delete_rule_counts(slices, project.id, now, report).await?;
            while slices.take(Chore::Issues { project_id: project.id, since }, report).await?.more {}
        }
        // After the blocks: nothing that old is stored any more, so nothing comes to these hours again.
        let before = now.plus_millis(-KEPT_DAYS * DAY * 1_000);
        while slices.take(Chore::Ledger { before }, report).await?.more {}
        self.compact(slices, &projects, forced, report).await
    }

    /// Compacts every project, beginning with another one each minute: where time runs out, none is left out for ever.
    async fn compact(
        &self,
        slices: &mut Slices<'_>,
        projects: &[Project],
        forced: bool,
        report: &mut Report,
    ) -> Result<bool, Halt> {
        let now = self.clock.now();
        let mut compactor = Compactor::new(Pace::new(forced, self.waiting));
        let minute = usize::try_from(now.as_seconds().div_euclid(60)).unwrap_or(0);
        let (later, first) = projects.split_at(minute % projects.len().max(1));
        for project in first.iter().chain(later) {
            if !compactor.compact(slices, project.id, now, report).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn clear_orphans(&self, slices: &mut Slices<'_>, report: &mut Report) -> Result<(), Halt> {
        slices.check().await?;
        let orphans = self.store.work().await?.orphaned_projects(MAX_ORPHANS).await?;
        for project_id in orphans {
            while slices.take(Chore::Orphan { project_id }, report).await?.more {}
            report.orphaned_projects += 1;
        }
        Ok(())
    }
}

async fn purge_blocks(
    slices: &mut Slices<'_>,
    project_id: i64,
    before: Timestamp,
    report: &mut Report,
) -> Result<(), Halt> {
    while slices.take(Chore::Blocks { project_id, before }, report).await?.more {}
    while slices.take(Chore::Quarantine { project_id, before }, report).await?.more {}
    Ok(())
}

async fn widen_counts(
    slices: &mut Slices<'_>,
    project: &Project,
    now: Timestamp,
    report: &mut Report,
) -> Result<(), Halt> {
    let ages = count_ages(project, now);
    let mut after = None;
    while let Some(span) =
        slices.take(Chore::NextSeries { project_id: project.id, after }, report).await?.span
    {
        while slices.take(Chore::Counts { span, ages: &ages }, report).await?.more {}
        after = Some(span.last);
    }
    Ok(())
}

async fn delete_rule_counts(
    slices: &mut Slices<'_>,
    project_id: i64,
    now: Timestamp,
    report: &mut Report,
) -> Result<(), Halt> {
    let before = now.plus_millis(-RULE_COUNTS_KEPT_MS).as_seconds();
    let mut after = None;
    while let Some(span) = slices.take(Chore::NextRules { project_id, after }, report).await?.span {
        while slices.take(Chore::RuleCounts { span, before }, report).await?.more {}
        after = Some(span.last);
    }
    Ok(())
}

/// Levels are counted for the longest retention there is, issues for their project's.
fn count_ages(project: &Project, now: Timestamp) -> CountAges {
    let hour = |at: i64| at.div_euclid(HOUR) * HOUR;
    let (minutes_before, hours_before) = wide_before(now.as_seconds() - CLOCK_SLACK);
    CountAges {
        minutes_before,
        hours_before,
        issues_from: hour(project.kept_since(now).as_seconds()),
        levels_from: hour(now.as_seconds() - i64::from(*RETENTION_DAYS.end()) * DAY),
    }
}
