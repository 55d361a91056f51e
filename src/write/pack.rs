//! From a group of batches to its blocks and to what each block adds to counts and issues.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::{IssueTitle, SeedTexts, Submission, makes_issues};
use crate::block::encode::{BlockEncoder, CompressionLevel, Part};
use crate::block::{Block, EncodedBatch, EventHead, MAX_EVENTS, MAX_RAW_BYTES};
use crate::event::{BatchId, EventId, uuid_at};
use crate::fingerprint::Fingerprint;
use crate::ledger::hour_of;
use crate::store::{FoldPiece, IssueSeed, Unfolded, bucket};
use crate::timestamp::Timestamp;

/// An encoded group.
#[derive(Debug, Default)]
pub(super) struct Packed {
    pub blocks: Vec<Block>,
    pub pieces: Vec<FoldPiece>,
}

/// Batches of one project and hour of receipt, all timely or all late, with their titles.
type Lane<'a> = Vec<(&'a EncodedBatch, &'a [IssueTitle])>;

/// Encodes a group: blocks of one project and one hour of receipt each, as the ledger counts them, late parts apart from
/// timely ones.
pub(super) fn pack(encoder: &mut BlockEncoder, group: &[Submission], now: Timestamp) -> Packed {
    let mut lanes: BTreeMap<(i64, i64, usize), Lane<'_>> = BTreeMap::new();
    for submission in group {
        for (lane, part) in submission.parts.iter().enumerate() {
            if !part.heads.is_empty() {
                let hour = hour_of(submission.batch.received_at());
                let lane = lanes.entry((submission.project_id, hour, lane)).or_default();
                lane.push((part, &submission.titles));
            }
        }
    }
    let mut packed = Packed::default();
    for ((project_id, ..), batches) in lanes {
        let titles = titles_of(&batches);
        for parts in split(&batches) {
            let id = uuid_at(now);
            let block = encoder.encode_block(id, project_id, &parts, CompressionLevel::Ingest);
            let block_of = Unfolded { project_id, block_id: id };
            packed.pieces.push(fold_piece(block_of, &parts, &titles));
            packed.blocks.push(block);
        }
    }
    packed
}

type Titles<'a> = HashMap<(BatchId, Fingerprint), &'a IssueTitle>;

fn titles_of<'a>(batches: &[(&'a EncodedBatch, &'a [IssueTitle])]) -> Titles<'a> {
    let of_batch = |(batch, titles): &(&'a EncodedBatch, &'a [IssueTitle])| {
        let (batch, titles) = (batch.batch, *titles);
        titles.iter().map(move |title| ((batch, title.fingerprint), title))
    };
    batches.iter().flat_map(of_batch).collect()
}

/// Splits the batches of a lane into blocks, in order.
fn split<'a>(batches: &[(&'a EncodedBatch, &[IssueTitle])]) -> Vec<Vec<Part<'a>>> {
    let mut blocks = vec![Vec::new()];
    let (mut events, mut bytes) = (0, 0);
    for (batch, _) in batches {
        let mut start = 0;
        for (position, head) in batch.heads.iter().enumerate() {
            let line = head.line_bytes as usize + 2;
            if events > 0 && (events == MAX_EVENTS || bytes + line > MAX_RAW_BYTES) {
                push_part(&mut blocks, batch, start..position);
                blocks.push(Vec::new());
                (start, events, bytes) = (position, 0, 0);
            }
            events += 1;
            bytes += line;
        }
        push_part(&mut blocks, batch, start..batch.heads.len());
    }
    blocks.retain(|parts| !parts.is_empty());
    blocks
}

fn push_part<'a>(blocks: &mut [Vec<Part<'a>>], batch: &'a EncodedBatch, events: Range<usize>) {
    if !events.is_empty()
        && let Some(parts) = blocks.last_mut()
    {
        parts.push(Part { batch, events });
    }
}

fn fold_piece(block: Unfolded, parts: &[Part<'_>], titles: &Titles<'_>) -> FoldPiece {
    let mut sum = PieceBuilder::default();
    for part in parts {
        let heads = part.batch.heads.get(part.events.clone()).unwrap_or_default();
        for head in heads {
            let id = EventId { batch: part.batch.batch, index: head.index };
            let title = titles.get(&(part.batch.batch, head.fingerprint));
            let environment = part.batch.environments.get(usize::from(head.environment)).map(String::as_str);
            let texts = || title.map_or_else(SeedTexts::default, |title| title.texts.clone());
            sum.add(id, head, environment, texts);
        }
    }
    sum.finish(block)
}

/// Adds a block's events up, from heads at ingest or from lines read back.
#[derive(Default)]
pub(crate) struct PieceBuilder {
    levels: BTreeMap<(crate::event::Level, i64), u32>,
    issues: BTreeMap<(Fingerprint, i64), IssueSeed>,
    events: u32,
    received: Option<Timestamp>,
}

impl PieceBuilder {
    /// Counts one event of an environment, where that is known; `texts` gives what its issue is called when that is needed.
    pub(crate) fn add(
        &mut self,
        id: EventId,
        head: &EventHead,
        environment: Option<&str>,
        texts: impl FnOnce() -> SeedTexts,
    ) {
        let received = id.batch.received_at();
        self.events += 1;
        self.received = Some(self.received.map_or(received, |first| first.min(received)));
        let bucket = bucket(received);
        *self.levels.entry((head.level, bucket)).or_default() += 1;
        if !makes_issues(head.level) {
            return;
        }
        let seed = self.issues.entry((head.fingerprint, bucket)).or_insert_with(|| {
            let SeedTexts { title, source, release, sample: message } = texts();
            IssueSeed {
                fingerprint: head.fingerprint,
                title,
                source,
                level: head.level,
                first_seen: head.ts,
                last_seen: head.ts,
                count: 0,
                sample: id,
                message,
                bucket,
                received,
                release,
                environments: Vec::new(),
            }
        });
        if let Some(environment) = environment {
            seed.add_environment(environment, 1);
        }
        seed.count += 1;
        seed.received = seed.received.max(received);
        seed.level = seed.level.max(head.level);
        seed.first_seen = seed.first_seen.min(head.ts);
        if head.ts >= seed.last_seen {
            seed.last_seen = head.ts;
            seed.sample = id;
        }
    }

    pub(crate) fn finish(self, block: Unfolded) -> FoldPiece {
        let levels = self.levels.into_iter().map(|((level, bucket), count)| (level, bucket, count)).collect();
        let received = self.received.unwrap_or(Timestamp::from_millis(0));
        FoldPiece {
            block,
            events: self.events,
            received,
            levels,
            issues: self.issues.into_values().collect(),
        }
    }
}
