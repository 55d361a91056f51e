//! Compaction: small blocks become large ones, and every block is compressed harder once.
//!
//! Each rewrite is a slice of its own: read, encode off the async threads, one transaction that holds the lease. It
//! takes a share of the time only, so that ingest on a tenth of a CPU goes on: it rests after each rewrite, makes way
//! for admins, and leaves what is left to the next run. How far it came stands in the database.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::merge_plan::{SETTLED_AFTER_MS, YOUNG_MS, hour, next_start, plan};
use super::report::Report;
use super::slice::{Halt, Slices};
use crate::block::decode::inflate_body;
use crate::block::encode::{BlockEncoder, CompressionLevel, Part};
use crate::block::regroup::regroup;
use crate::block::{Block, BlockError};
use crate::store::{BlockSketch, Replaced, Replacement, StoreError, StoredBody, least_id};
use crate::timestamp::Timestamp;

/// Blocks looked at at a time.
const PAGE: usize = 2_000;
/// Blocks merged in the first transaction, and the bounds of later ones: fewer where one takes longer than a slice.
const FIRST_PARTS: usize = 500;
const MIN_PARTS: usize = 32;
const MAX_PARTS: usize = 2_000;
/// Times one page is planned: each round at least doubles what is small.
const MAX_ROUNDS: usize = 32;
/// A run that nobody asked for compacts for so long, rests included …
const TIME_UNASKED: Duration = Duration::from_mins(1);
/// … and one that an admin asked for so long.
const TIME_ASKED: Duration = Duration::from_mins(15);
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// How much of the time compaction takes.
pub(super) struct Pace<'a> {
    /// After a rewrite it rests so many times as long as that took.
    rest: u32,
    until: Instant,
    /// Admins who wait for their turn, where it makes way for them.
    waiting: Option<&'a AtomicUsize>,
}

impl<'a> Pace<'a> {
    /// Half of the time for an admin, else a fifth, and none while an admin waits.
    pub fn new(asked: bool, waiting: &'a AtomicUsize) -> Self {
        let now = Instant::now();
        if asked {
            Self { rest: 1, until: now + TIME_ASKED, waiting: None }
        } else {
            Self { rest: 4, until: now + TIME_UNASKED, waiting: Some(waiting) }
        }
    }

    fn is_over(&self) -> bool {
        let others = self.waiting.is_some_and(|waiting| waiting.load(Ordering::Relaxed) > 0);
        others || Instant::now() >= self.until
    }
}

/// How far a project is compacted: blocks with lesser ids are, and all blocks were looked at on that day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    from: Uuid,
    day: i64,
}

impl Mark {
    /// The walk begins at the start once a day: blocks that waited in a spool come late, with ids of their time.
    fn read(text: Option<&str>, now: Timestamp) -> Self {
        let day = now.as_millis().div_euclid(DAY_MS);
        let read = text.and_then(|text| {
            let (id, day) = text.split_once(':')?;
            Some(Self { from: Uuid::from_u128(u128::from_str_radix(id, 16).ok()?), day: day.parse().ok()? })
        });
        read.filter(|mark| mark.day == day).unwrap_or(Self { from: Uuid::nil(), day })
    }

    fn write(self) -> String {
        format!("{:032x}:{}", self.from.as_u128(), self.day)
    }
}

/// Compacts one project at a time.
pub(super) struct Compactor<'a> {
    pace: Pace<'a>,
    encoder: Option<BlockEncoder>,
    parts: usize,
    /// Blocks that could not be rewritten.
    skipped: HashSet<Uuid>,
}

impl<'a> Compactor<'a> {
    pub fn new(pace: Pace<'a>) -> Self {
        Self { pace, encoder: None, parts: FIRST_PARTS, skipped: HashSet::new() }
    }

    /// Compacts what is due of a project; false when time ran out before.
    pub async fn compact(
        &mut self,
        slices: &mut Slices<'_>,
        project_id: i64,
        now: Timestamp,
        report: &mut Report,
    ) -> Result<bool, Halt> {
        let stored = slices.store().work().await?.compacted_mark(project_id).await?;
        let mut mark = Mark::read(stored.as_deref(), now);
        let finished = self.walk(slices, (project_id, now), &mut mark.from, report).await?;
        // What comes to an hour that isn't over yet is looked for there the next time.
        let settled = Timestamp::from_millis(hour(now.plus_millis(-SETTLED_AFTER_MS)) * HOUR_MS);
        mark.from = mark.from.min(least_id(settled));
        let text = mark.write();
        if stored.as_deref() != Some(&text) {
            slices.store().work().await?.note_compacted(project_id, &text).await?;
        }
        Ok(finished)
    }

    async fn walk(
        &mut self,
        slices: &mut Slices<'_>,
        (project_id, now): (i64, Timestamp),
        from: &mut Uuid,
        report: &mut Report,
    ) -> Result<bool, Halt> {
        let before = now.plus_millis(-YOUNG_MS);
        loop {
            let mut page = Vec::new();
            for _ in 0..MAX_ROUNDS {
                let since = slices.begin().await?;
                let mut session = slices.store().work().await?;
                page = session.block_sketches(project_id, *from, before, PAGE).await?;
                drop(session);
                let groups = plan(&page, &self.skipped, now, self.parts);
                slices.end(since, 0, report).await;
                if groups.is_empty() {
                    break;
                }
                for group in &groups {
                    if self.pace.is_over() {
                        return Ok(false);
                    }
                    self.rewrite(slices, project_id, group, report).await?;
                }
            }
            if page.len() < PAGE {
                return Ok(true);
            }
            *from = next_start(&page, *from).unwrap_or(Uuid::max());
        }
    }

    /// Makes one block of some, in a slice.
    async fn rewrite(
        &mut self,
        slices: &mut Slices<'_>,
        project_id: i64,
        group: &[BlockSketch],
        report: &mut Report,
    ) -> Result<(), Halt> {
        let since = slices.begin().await?;
        let ids: Vec<Uuid> = group.iter().map(|block| block.id).collect();
        let bodies = slices.store().work().await?.stored_bodies(project_id, &ids).await?;
        let before: u64 = bodies.iter().map(|body| body.body.len() as u64 + body.filter_bytes).sum();
        let encoded = if bodies.len() == ids.len() {
            self.encode(project_id, bodies, group.iter().map(|block| (block.id, block.event_count)).collect())
                .await?
        } else {
            Err(ids.clone())
        };
        let replaced = match encoded {
            Ok(block) => self.replace(slices, project_id, &ids, block).await?.ok_or_else(|| ids.clone()),
            Err(not_these) => Err(not_these),
        };
        match replaced {
            Ok(after) => {
                report.merged_blocks += if ids.len() > 1 { ids.len() as u64 } else { 0 };
                report.recompressed_blocks += u64::from(ids.len() == 1);
                report.bytes_saved += before.saturating_sub(after);
            }
            Err(not_these) => self.skipped.extend(not_these),
        }
        self.adapt(since.elapsed());
        slices.end(since, self.pace.rest, report).await;
        Ok(())
    }

    /// Off the async threads; gives the block, or those whose bodies can't be read.
    async fn encode(
        &mut self,
        project_id: i64,
        bodies: Vec<StoredBody>,
        events: HashMap<Uuid, u32>,
    ) -> Result<Result<Block, Vec<Uuid>>, Halt> {
        let mut encoder = self.encoder.take().unwrap_or_default();
        let work = tokio::task::spawn_blocking(move || {
            let block = merge(&mut encoder, project_id, &bodies, &events);
            (encoder, block)
        });
        let (encoder, block) =
            work.await.map_err(|error| StoreError::Corrupt(format!("compaction failed: {error}")))?;
        self.encoder = Some(encoder);
        Ok(block.map_err(|(id, error)| {
            tracing::error!(%error, block = %id, "a block can't be compacted");
            vec![id]
        }))
    }

    /// The bytes of the new block; `None` when the old ones were no longer as they were or the database refuses.
    async fn replace(
        &self,
        slices: &Slices<'_>,
        project_id: i64,
        old: &[Uuid],
        new: Block,
    ) -> Result<Option<u64>, Halt> {
        let filters = new.header.id_filter.len() + new.header.text_filter.len();
        let bytes = (new.body.len() + filters) as u64;
        let replacement = Replacement { project_id, old: old.to_vec(), new: Some(new), deleted: Vec::new() };
        match slices.replace(&replacement).await {
            Ok(Replaced::Done) => Ok(Some(bytes)),
            Ok(Replaced::Changed) => Ok(None),
            Ok(Replaced::LeaseLost) => Err(Halt::LeaseLost),
            Err(StoreError::Refused(why)) => {
                tracing::error!(why, "the database refuses a compacted block");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// How many blocks the last slices could have merged.
    fn adapt(&mut self, took: Duration) {
        if took > super::SLICE {
            self.parts = (self.parts / 2).max(MIN_PARTS);
        } else if took < super::SLICE / 4 {
            self.parts = (self.parts * 2).min(MAX_PARTS);
        }
    }
}

/// One block of all events, under the first body's id; or which of them can't be read, or holds not as many events as
/// its header says.
fn merge(
    encoder: &mut BlockEncoder,
    project_id: i64,
    bodies: &[StoredBody],
    events: &HashMap<Uuid, u32>,
) -> Result<Block, (Uuid, BlockError)> {
    let mut batches = Vec::new();
    for StoredBody { id, raw_bytes, codec, body, .. } in bodies {
        let read = inflate_body(*codec, *raw_bytes, body).and_then(|raw| regroup(&raw));
        let read = read.map_err(|error| (*id, error))?;
        let found: usize = read.iter().map(|batch| batch.heads.len()).sum();
        if events.get(id).is_none_or(|events| *events as usize != found) {
            return Err((*id, BlockError::Line));
        }
        batches.extend(read);
    }
    let id = bodies.first().map_or(Uuid::nil(), |body| body.id);
    let parts: Vec<Part<'_>> = batches.iter().map(Part::whole).collect();
    Ok(encoder.encode_block(id, project_id, &parts, CompressionLevel::Compact))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_and_ends_with_its_day() {
        let now = Timestamp::from_millis(20_000 * DAY_MS + 5);
        let mark = Mark { from: Uuid::from_u128(77), day: 20_000 };
        assert_eq!(Mark::read(Some(&mark.write()), now), mark);
        let start = Mark { from: Uuid::nil(), day: 20_001 };
        assert_eq!(Mark::read(Some(&mark.write()), now.plus_millis(DAY_MS)), start);
        for damaged in [None, Some(""), Some("x:20000"), Some("77")] {
            assert_eq!(Mark::read(damaged, now).from, Uuid::nil(), "{damaged:?}");
        }
    }
}
