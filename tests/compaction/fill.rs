//! Blocks as slow traffic leaves them, and what is stored of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tekno_logger::block::encode::{BatchEncoder, BlockEncoder, CompressionLevel, Part};
use tekno_logger::block::{Block, EncodedBatch, decode};
use tekno_logger::clock::Clock;
use tekno_logger::event::{BatchId, Event, Level, uuid_at};
use tekno_logger::fold::Fold;
use tekno_logger::maintenance::{Folding, Maintainer, Ran, Report, maintainer};
use tekno_logger::store::{STATEMENT_TIMEOUT, Store};
use tekno_logger::timestamp::Timestamp;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::writer::event;

pub const HOUR_MS: i64 = 3_600_000;
/// The start of an hour; tests fill from here on.
pub const HOUR: i64 = 500_000 * HOUR_MS;

/// An event with what makes real ones differ.
pub fn varied(number: u64, ts: Timestamp) -> Event<'static> {
    let scrambled = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let level = [Level::Info, Level::Info, Level::Warn, Level::Error][(scrambled >> 60) as usize % 4];
    let message = match number % 3 {
        0 => format!("GET /orders/{} answered 200 in {} ms", scrambled % 9_973, scrambled % 311),
        1 => {
            format!("payment of order {} was refused by the bank: code {}", scrambled % 7_919, scrambled % 17)
        }
        _ => format!("cache miss for user:{}", scrambled % 4_001),
    };
    let mut one = event(0, ts, level, "");
    one.message = message.into();
    one.request_id = Some(format!("{scrambled:016x}").into());
    one.user_id = Some(format!("u-{}", scrambled % 997).into());
    one
}

/// A batch received at `at`.
pub fn batch(at: Timestamp, events: &[Event<'_>]) -> EncodedBatch {
    let mut encoder = BatchEncoder::new(BatchId::new(at));
    for (index, event) in (0..).zip(events) {
        encoder.push(&Event { index, ..event.clone() });
    }
    encoder.finish()
}

/// A block of its own for each batch, as a post that comes alone gets.
pub fn lone_blocks(project_id: i64, batches: &[EncodedBatch]) -> Vec<Block> {
    let mut encoder = BlockEncoder::default();
    let block = |batch: &EncodedBatch| {
        let id = uuid_at(batch.batch.received_at());
        encoder.encode_block(id, project_id, &[Part::whole(batch)], CompressionLevel::Ingest)
    };
    batches.iter().map(block).collect()
}

/// Stores blocks as writers do, a few hundred in a transaction.
pub async fn store_blocks(store: &Store, blocks: &[Block]) {
    for some in blocks.chunks(200) {
        store.writer().await.unwrap().commit_blocks(some, &[], &[], &[]).await.unwrap();
    }
}

/// One-event posts, one each `step` milliseconds from `from` on; gives their batches.
pub async fn posts(store: &Store, project_id: i64, from: i64, step: i64, count: u64) -> Vec<EncodedBatch> {
    let one = |number: u64| {
        let at = Timestamp::from_millis(from + i64::try_from(number).unwrap() * step);
        batch(at, &[varied(number, at.plus_millis(-500).max(Timestamp::from_millis(from)))])
    };
    let batches: Vec<EncodedBatch> = (0..count).map(one).collect();
    store_blocks(store, &lone_blocks(project_id, &batches)).await;
    batches
}

/// Counts everything stored, as a service that started after it would.
pub async fn fold(store: &Store, clock: &Clock) {
    Fold::new(store.clone(), clock.clone(), Arc::default()).tick(true).await.unwrap();
}

pub fn clock_at(millis: i64) -> Clock {
    Clock::manual(Timestamp::from_millis(millis)).0
}

pub fn worker(store: &Store, clock: &Clock) -> Maintainer {
    let fold = Fold::new(store.clone(), clock.clone(), Arc::default());
    maintainer(store.clone(), clock.clone()).1.folding(Folding::Own(Box::new(fold)))
}

/// A run that an admin asked for, to its end.
pub async fn maintain(store: &Store, clock: &Clock) -> Report {
    match worker(store, clock).maintain(true, &CancellationToken::new()).await.unwrap() {
        Ran::Done(report) => report,
        other => panic!("{other:?}"),
    }
}

/// Every stored line of a project by its event's id.
pub async fn stored_lines(store: &Store, project_id: i64) -> BTreeMap<String, Vec<u8>> {
    let mut lines = BTreeMap::new();
    for block in all_blocks(store, project_id).await {
        let raw = decode::inflate_body(block.header.codec, block.header.raw_bytes, &block.body).unwrap();
        assert_eq!(decode::lines(&raw).count(), block.header.event_count as usize);
        for line in decode::lines(&raw) {
            let id = decode::StoredEvent::parse(line).unwrap().id.to_string();
            assert!(lines.insert(id, line.to_vec()).is_none(), "an event is stored twice");
        }
    }
    lines
}

/// Every block of a project. A commit of a run that was dropped may still arrive in between: then they are read again.
pub async fn all_blocks(store: &Store, project_id: i64) -> Vec<Block> {
    for _ in 0..10 {
        if let Some(blocks) = blocks_unless_one_goes(store, project_id).await {
            return blocks;
        }
    }
    panic!("blocks go while nothing runs");
}

async fn blocks_unless_one_goes(store: &Store, project_id: i64) -> Option<Vec<Block>> {
    let mut session = store.read().await.unwrap();
    let find = format!("SELECT id FROM blocks WHERE project_id = {project_id} ORDER BY id");
    let mut blocks = Vec::new();
    for row in session.select(find, STATEMENT_TIMEOUT).await.unwrap() {
        let id = Uuid::from_bytes(row.array(0).unwrap());
        blocks.push(session.block(project_id, id).await.unwrap()?);
    }
    Some(blocks)
}

/// Bytes of bodies, filters and headers.
pub fn bytes(blocks: &[Block]) -> usize {
    let one = |block: &Block| {
        let counts = tekno_logger::block::counts::encode_counts(&block.header.counts).len();
        block.body.len() + block.header.id_filter.len() + block.header.text_filter.len() + counts + 90
    };
    blocks.iter().map(one).sum()
}
