//! Events of 24 hours in the database within seconds: encoded here, committed as a writer slot commits.

use std::sync::mpsc;
use std::time::Instant;

use tekno_logger::block::encode::{BatchEncoder, BlockEncoder, CompressionLevel, Part};
use tekno_logger::block::{Block, EncodedBatch};
use tekno_logger::config::Config;
use tekno_logger::event::{BatchId, Event, Level, uuid_at};
use tekno_logger::fingerprint::fingerprint;
use tekno_logger::store::{DatabaseStatus, Store};
use tekno_logger::timestamp::Timestamp;

use super::events::{self, BenchEvent};
use super::rig::Rig;

const DAY_MS: i64 = 86_400_000;
/// Events of a batch.
const BATCH: usize = 250;
/// Blocks of a transaction.
const GROUP: usize = 8;
/// Threads that encode.
const ENCODERS: usize = 2;

/// What to fill in.
#[derive(Clone, Copy, Debug)]
pub struct Fill {
    /// Events, over the 24 hours before `now_ms`.
    pub events: usize,
    /// Events of a block, at most 2,000.
    pub block: usize,
    /// As compaction leaves them, or as ingest makes them.
    pub level: CompressionLevel,
    /// The end of the 24 hours.
    pub now_ms: i64,
}

impl Fill {
    /// The time of an event by its number.
    fn time(&self, number: usize) -> i64 {
        let share = i128::from(DAY_MS) * number as i128 / self.events.max(1) as i128;
        self.now_ms - DAY_MS + i64::try_from(share).expect("less than a day")
    }

    /// The events of a batch by its number.
    pub fn batch(&self, number: usize) -> Vec<BenchEvent> {
        let first = number * BATCH;
        let count = BATCH.min(self.events - first);
        let mut made = events::events(0x5ea7_0000 + number as u64, count, self.now_ms);
        for (position, event) in made.iter_mut().enumerate() {
            event.ts_ms = self.time(first + position);
        }
        made
    }

    /// Batches in all.
    pub const fn batches(&self) -> usize {
        self.events.div_ceil(BATCH)
    }

    /// Fills the service's database while the service is stopped; the seconds it took.
    pub async fn run(&self, rig: &mut Rig, project_id: i64) -> f64 {
        rig.stop_service();
        let begun = Instant::now();
        let kept = |_: &std::path::Path| panic!("the settings are given");
        let config = Config::parse(&rig.settings(), &kept).unwrap_or_else(|error| panic!("{error}"));
        let store = Store::new(&config).expect("a store");
        store.set_status(DatabaseStatus::Connected);
        let (sender, blocks) = mpsc::sync_channel::<Block>(4 * GROUP);
        for encoder in 0..ENCODERS {
            let (fill, sender) = (*self, sender.clone());
            std::thread::spawn(move || fill.encode(encoder, project_id, &sender));
        }
        drop(sender);
        let mut session = store.writer().await.expect("the database answers");
        loop {
            let group: Vec<Block> = blocks.iter().take(GROUP).collect();
            if group.is_empty() {
                break;
            }
            session.commit_blocks(&group, &[], &[], &[]).await.expect("blocks go in");
        }
        drop(session);
        store.close();
        // Counting them is another measurement's.
        rig.server.run_sql("DELETE FROM svc.unfolded; ANALYZE TABLE svc.blocks").await;
        let seconds = begun.elapsed().as_secs_f64();
        rig.start_service().await;
        seconds
    }

    /// Every so many blocks, of which this thread makes its own.
    fn encode(&self, own: usize, project_id: i64, sender: &mpsc::SyncSender<Block>) {
        let each = (self.block / BATCH).max(1);
        let mut encoder = BlockEncoder::default();
        for first in (own * each..self.batches()).step_by(ENCODERS * each) {
            let batches = first..(first + each).min(self.batches());
            let batches: Vec<EncodedBatch> = batches.map(|number| encoded(&self.batch(number))).collect();
            let parts: Vec<Part<'_>> = batches.iter().map(Part::whole).collect();
            let last = batches.last().expect("a block has a batch").batch.received_at();
            let block = encoder.encode_block(uuid_at(last), project_id, &parts, self.level);
            sender.send(block).expect("blocks are taken");
        }
    }
}

fn encoded(batch: &[BenchEvent]) -> EncodedBatch {
    let last = batch.last().map_or(0, |event| event.ts_ms);
    let mut encoder = BatchEncoder::new(BatchId::new(Timestamp::from_millis(last)));
    for (index, event) in (0..).zip(batch) {
        encoder.push(&stored(index, event));
    }
    encoder.finish()
}

fn stored(index: u32, made: &BenchEvent) -> Event<'_> {
    let ctx = serde_json::value::RawValue::from_string(made.ctx.clone()).expect("JSON");
    let level = Level::parse(made.level).expect("a level");
    let mut event = Event {
        source: made.source.into(),
        ctx: Some(std::borrow::Cow::Owned(ctx)),
        user_id: Some(made.user_id.as_str().into()),
        request_id: Some(made.request_id.as_str().into()),
        ..Event::plain(index, Timestamp::from_millis(made.ts_ms), level, made.message.as_str())
    };
    event.fingerprint = fingerprint(&event);
    event
}
