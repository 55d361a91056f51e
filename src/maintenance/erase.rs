//! Deletion by filter: every stored event that matches goes, whatever block it is in.
//!
//! Blocks are walked by id under the lease, so that none is merged meanwhile. One that loses some of its events is
//! written anew under its id, one that loses all is deleted; each by a transaction of its own. Blocks that are not yet
//! folded are left until they are: counts and issues say what was received, and go on saying it. What waits in a spool
//! and what comes in during the walk isn't looked at.

use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::report::{Ran, Report};
use super::run::{LEASE_WAIT, Run};
use super::slice::{Halt, Slices};
use crate::block::decode::{StoredEvent, inflate_body, lines};
use crate::block::encode::{BlockEncoder, CompressionLevel, Part};
use crate::block::regroup::regroup;
use crate::block::{Block, BlockError};
use crate::search::event_filter::{Criteria, EventFilter};
use crate::search::language::{ProjectName, Query};
use crate::store::{Replaced, Replacement, StoreError, StoredBody};
use crate::timestamp::Timestamp;

/// Headers read at a time.
const PAGE: usize = 64;
/// Bytes of stored bodies read at a time, unless one alone has more.
const READ_BYTES: usize = 1 << 20;
/// How often it looks whether a block has been folded, and how long it waits in between.
const FOLD_LOOKS: u32 = 20;
const FOLD_PAUSE: Duration = Duration::from_millis(500);

/// A deletion by filter as asked for.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// Only this project.
    pub project_id: Option<i64>,
    /// Only events received before this.
    pub older_than: Option<Timestamp>,
    /// Which events.
    pub query: Query,
    /// Only count.
    pub dry_run: bool,
}

/// One project's part of it.
struct Target {
    project_id: i64,
    filter: Arc<EventFilter>,
    /// Events received at this or later stay.
    before: Timestamp,
    dry_run: bool,
}

/// What a block is to become.
struct Verdict {
    id: Uuid,
    /// Its first receipt.
    received: Timestamp,
    /// Events that match.
    matched: u32,
    /// The block without them; `None` when nothing is left, and in a dry run.
    rest: Option<Block>,
    /// Whether something is left.
    remains: bool,
}

impl Verdict {
    /// What the ledger is told.
    const fn deleted(&self) -> (Timestamp, u32) {
        (self.received, self.matched)
    }
}

impl Run<'_> {
    /// Deletes events as an admin asked, or counts them.
    pub async fn erase(&self, erasure: &Erasure) -> Result<Ran, StoreError> {
        if let Some(held) = self.take_lease(LEASE_WAIT).await? {
            return Ok(held);
        }
        let (since, mut report) = (Instant::now(), Report::default());
        let mut slices = Slices::new(self);
        let worked = self.erase_all(erasure, &mut slices, &mut report).await;
        self.finish(worked, report, since, false).await
    }

    async fn erase_all(
        &self,
        erasure: &Erasure,
        slices: &mut Slices<'_>,
        report: &mut Report,
    ) -> Result<bool, Halt> {
        let projects = self.store.list_projects().await?;
        let name = |project: &crate::project::Project| ProjectName {
            id: project.id,
            slug: project.slug.as_str().to_owned(),
        };
        let names: Arc<[ProjectName]> = projects.iter().map(name).collect();
        let mut finished = true;
        for project in projects.iter().filter(|one| erasure.project_id.is_none_or(|id| id == one.id)) {
            let always = Criteria::between(Timestamp::from_millis(0), Timestamp::LAST);
            let mut criteria = Criteria {
                text: erasure.query.clone(),
                project_id: Some(project.id),
                projects: names.clone(),
                ..always
            };
            criteria.narrow();
            let target = Target {
                project_id: project.id,
                filter: Arc::new(EventFilter::new(criteria)),
                before: erasure.older_than.unwrap_or(Timestamp::LAST),
                dry_run: erasure.dry_run,
            };
            let waiting = walk(&target, slices, report).await?;
            finished &= self.wait_for_folds(&target, waiting, slices, report).await?;
        }
        Ok(finished)
    }

    /// Deletes from blocks that were not yet folded, as they get folded; false when some are not in time.
    async fn wait_for_folds(
        &self,
        target: &Target,
        mut waiting: Vec<Uuid>,
        slices: &mut Slices<'_>,
        report: &mut Report,
    ) -> Result<bool, Halt> {
        for look in 0..FOLD_LOOKS {
            if waiting.is_empty() {
                return Ok(true);
            }
            if look > 0 {
                tokio::select! {
                    () = self.stop.cancelled() => return Err(Halt::Stopped),
                    () = tokio::time::sleep(FOLD_PAUSE) => {}
                }
            }
            self.folding.hurry().await?;
            let mut left = Vec::new();
            for some in waiting.chunks(PAGE) {
                left.extend(erase_from(target, some, slices, report).await?);
            }
            waiting = left;
        }
        Ok(waiting.is_empty())
    }
}

/// Looks at every block that may hold a match; gives those that have one and are not yet folded.
async fn walk(target: &Target, slices: &mut Slices<'_>, report: &mut Report) -> Result<Vec<Uuid>, Halt> {
    let (mut after, mut waiting) = (Uuid::nil(), Vec::new());
    let Criteria { from, to, .. } = *target.filter.criteria();
    loop {
        let since = slices.begin().await?;
        let mut session = slices.store().work().await?;
        let tokens = target.filter.uses_tokens();
        let headers = session.headers_by_id(target.project_id, after, (from, to), tokens, PAGE).await?;
        drop(session);
        slices.end(since, 0, report).await;
        let Some(last) = headers.last() else { return Ok(waiting) };
        after = last.id;
        let is_last = headers.len() < PAGE;
        let (mut some, mut bytes) = (Vec::new(), 0);
        for header in headers {
            if header.received_first >= target.before || !target.filter.admits(&header) {
                continue;
            }
            bytes += header.stored_bytes as usize;
            some.push(header.id);
            if bytes >= READ_BYTES {
                waiting.extend(erase_from(target, &some, slices, report).await?);
                (some, bytes) = (Vec::new(), 0);
            }
        }
        waiting.extend(erase_from(target, &some, slices, report).await?);
        if is_last {
            return Ok(waiting);
        }
    }
}

/// Deletes what matches in some blocks; gives those with a match that are not yet folded.
async fn erase_from(
    target: &Target,
    blocks: &[Uuid],
    slices: &mut Slices<'_>,
    report: &mut Report,
) -> Result<Vec<Uuid>, Halt> {
    if blocks.is_empty() {
        return Ok(Vec::new());
    }
    let since = slices.begin().await?;
    let mut session = slices.store().work().await?;
    // Asked before the bodies are read: what is folded stays so.
    let unfolded = if target.dry_run { Vec::new() } else { session.unfolded_among(blocks).await? };
    let bodies = session.stored_bodies(target.project_id, blocks).await?;
    drop(session);
    let (verdicts, unreadable) = judge_all(target, bodies).await?;
    report.unreadable_blocks += unreadable;
    let (waiting, verdicts): (Vec<_>, Vec<_>) =
        verdicts.into_iter().partition(|verdict| unfolded.contains(&verdict.id));
    if target.dry_run {
        for verdict in &verdicts {
            add(report, verdict);
        }
        slices.end(since, 0, report).await;
    } else {
        slices.end(since, 0, report).await;
        carry_out(target, verdicts, slices, report).await?;
    }
    Ok(waiting.iter().map(|verdict| verdict.id).collect())
}

fn add(report: &mut Report, verdict: &Verdict) {
    report.purged.events += u64::from(verdict.matched);
    if verdict.remains {
        report.rewritten_blocks += 1;
    } else {
        report.purged.blocks += 1;
    }
}

/// Makes the blocks what they are to become: all that go in one transaction, the others singly.
async fn carry_out(
    target: &Target,
    verdicts: Vec<Verdict>,
    slices: &mut Slices<'_>,
    report: &mut Report,
) -> Result<(), Halt> {
    let (rewritten, gone): (Vec<_>, Vec<_>) = verdicts.into_iter().partition(|verdict| verdict.remains);
    let project_id = target.project_id;
    if gone.len() > 1 {
        let since = slices.begin().await?;
        let deleted = gone.iter().map(Verdict::deleted).collect();
        let old = gone.iter().map(|verdict| verdict.id).collect();
        let replaced = slices.replace(&Replacement { project_id, old, new: None, deleted }).await?;
        let done = match replaced {
            Replaced::LeaseLost => return Err(Halt::LeaseLost),
            Replaced::Done => true,
            Replaced::Changed => false,
        };
        if done {
            for verdict in &gone {
                add(report, verdict);
            }
        }
        slices.end(since, 0, report).await;
        if !done {
            // One of them has gone with its project: the others singly.
            replace_singly(project_id, gone, slices, report).await?;
        }
    } else {
        replace_singly(project_id, gone, slices, report).await?;
    }
    replace_singly(project_id, rewritten, slices, report).await
}

async fn replace_singly(
    project_id: i64,
    verdicts: Vec<Verdict>,
    slices: &mut Slices<'_>,
    report: &mut Report,
) -> Result<(), Halt> {
    for mut verdict in verdicts {
        let since = slices.begin().await?;
        let (old, new, deleted) = (vec![verdict.id], verdict.rest.take(), vec![verdict.deleted()]);
        match slices.replace(&Replacement { project_id, old, new, deleted }).await? {
            Replaced::Done => add(report, &verdict),
            Replaced::Changed => {}
            Replaced::LeaseLost => return Err(Halt::LeaseLost),
        }
        slices.end(since, 0, report).await;
    }
    Ok(())
}

/// Off the async threads: verdicts on the blocks that have a match, and how many blocks can't be read.
async fn judge_all(target: &Target, bodies: Vec<StoredBody>) -> Result<(Vec<Verdict>, u64), Halt> {
    let (filter, before) = (target.filter.clone(), target.before);
    let (project_id, dry_run) = (target.project_id, target.dry_run);
    let work = tokio::task::spawn_blocking(move || {
        let mut encoder = BlockEncoder::default();
        let (mut verdicts, mut unreadable) = (Vec::new(), 0);
        for body in bodies {
            let encoder = (!dry_run).then_some(&mut encoder);
            match judge(&filter, before, project_id, &body, encoder) {
                Ok(verdict) => verdicts.extend(verdict),
                Err(error) => {
                    unreadable += 1;
                    tracing::error!(%error, block = %body.id, "a block can't be searched for what is to be deleted");
                }
            }
        }
        (verdicts, unreadable)
    });
    work.await.map_err(|error| StoreError::Corrupt(format!("reading blocks failed: {error}")).into())
}

/// What becomes of one block; `None` when nothing in it matches. A block with a line that can't be read is an error:
/// it could not be written anew without losing that line.
fn judge(
    filter: &EventFilter,
    before: Timestamp,
    project_id: i64,
    stored: &StoredBody,
    encoder: Option<&mut BlockEncoder>,
) -> Result<Option<Verdict>, BlockError> {
    let raw = inflate_body(stored.codec, stored.raw_bytes, &stored.body)?;
    let (mut kept, mut matched) = (Vec::new(), 0);
    for line in lines(&raw) {
        let is_match = |event: &StoredEvent<'_>| event.id.batch.received_at() < before;
        if filter.matches(line).as_ref().is_some_and(is_match) {
            matched += 1;
        } else {
            kept.extend_from_slice(line);
            kept.push(b'\n');
        }
    }
    if matched == 0 {
        return Ok(None);
    }
    let batches = regroup(&kept)?;
    let parts: Vec<Part<'_>> = batches.iter().map(Part::whole).collect();
    let remains = !parts.is_empty();
    let rest = encoder
        .filter(|_| remains)
        .map(|encoder| encoder.encode_block(stored.id, project_id, &parts, CompressionLevel::Compact));
    Ok(Some(Verdict { id: stored.id, received: stored.received_first, matched, rest, remains }))
}
