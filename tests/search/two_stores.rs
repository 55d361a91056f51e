//! Events that are on their way from one store to another are counted once.

use std::sync::Arc;

use tekno_logger::block::encode::{BatchEncoder, BlockEncoder, CompressionLevel, Part};
use tekno_logger::block::{Block, EncodedBatch, MinuteCount};
use tekno_logger::event::{BatchId, Event, Level, uuid_at};
use tekno_logger::fingerprint::Fingerprint;
use tekno_logger::search::aggregate::{
    BUDGETS, CountRequest, Counted, HistogramWish, ListWish, Wishes, count,
};
use tekno_logger::search::buckets::Zone;
use tekno_logger::search::cursor::Order;
use tekno_logger::search::event_filter::Criteria;
use tekno_logger::search::facets::FacetField;
use tekno_logger::search::language::ProjectName;
use tekno_logger::search::run::{Budgets, Scope, SearchRequest, search};
use tekno_logger::store::{NewBatch, Store};
use tekno_logger::timestamp::Timestamp;

use crate::model::Random;
use crate::support::TestDatabase;

const NOW: i64 = 1_800_000_000_000;
const PROJECT: i64 = 1;

fn batch(random: &mut Random, number: usize) -> EncodedBatch {
    let received = NOW - 3_600_000 + i64::try_from(number * 20_000 + random.below(30_000)).unwrap();
    let mut encoder = BatchEncoder::new(BatchId::new(Timestamp::from_millis(received)));
    for index in 0..=random.below(12) {
        // Some were refused: their indexes are missing.
        if random.chance(20) {
            continue;
        }
        let level = Level::ALL[random.below(6)];
        let ts = Timestamp::from_millis(received - i64::try_from(random.below(90_000)).unwrap());
        encoder.push(&Event {
            source: ["shop", "api"][random.below(2)].into(),
            fingerprint: Fingerprint(level as u64),
            ..Event::plain(u32::try_from(index).unwrap(), ts, level, format!("message number {index}"))
        });
    }
    encoder.finish()
}

fn block(parts: &[Part<'_>]) -> Option<Block> {
    let some = parts.iter().any(|part| !part.events.is_empty());
    let id = uuid_at(parts.first()?.batch.batch.received_at());
    some.then(|| BlockEncoder::default().encode_block(id, PROJECT, parts, CompressionLevel::Ingest))
}

async fn commit(store: &Store, blocks: &[Block]) {
    let batches: [NewBatch; 0] = [];
    let mut writer = store.writer().await.unwrap();
    writer.commit_blocks(blocks, &batches, &[], &[]).await.unwrap_or_else(|error| panic!("{error:?}"));
}

fn request(from: i64, to: i64, wishes: Wishes) -> CountRequest {
    let at = Timestamp::from_millis;
    let projects = Arc::new([ProjectName { id: PROJECT, slug: "shop".to_owned() }]);
    CountRequest {
        scopes: vec![Scope { project_id: PROJECT, received_after: at(0) }],
        criteria: Criteria { projects, ..Criteria::between(at(from), at(to)) },
        wishes,
        now: at(NOW),
        budgets: BUDGETS,
    }
}

fn histogram(by: Option<&str>) -> Wishes {
    let by = by.and_then(FacetField::parse);
    Wishes {
        histogram: Some(HistogramWish { buckets: 40, zone: Zone::default(), by }),
        top: 10,
        ..Wishes::default()
    }
}

async fn counted(stores: &[Store], request: &CountRequest) -> Counted {
    let counted = count(stores, request).await.unwrap();
    assert!(counted.effort.complete);
    counted
}

/// How many events a search lists, which knows each by its id.
async fn listed(stores: &[Store], request: &CountRequest) -> u64 {
    let search_request = SearchRequest {
        scopes: request.scopes.clone(),
        criteria: request.criteria.clone(),
        order: Order::Descending,
        after: None,
        limit: 1_000,
        budgets: Budgets::default(),
    };
    search(stores, &search_request).await.unwrap().hits.len() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_in_two_stores_is_counted_once() {
    let (first, second) = (TestDatabase::sqlite(), TestDatabase::sqlite());
    let (spool, database) = (first.store().await, second.store().await);
    let mut random = Random::new(41);
    let batches: Vec<EncodedBatch> = (0..60).map(|number| batch(&mut random, number)).collect();
    let (mut in_spool, mut in_database) = (Vec::new(), Vec::new());
    for group in batches.chunks(3) {
        let (mut here, mut there) = (Vec::new(), Vec::new());
        for batch in group {
            let (all, half) = (batch.heads.len(), batch.heads.len() / 2);
            match random.below(5) {
                0 => here.push(Part::whole(batch)),
                1 | 2 => there.push(Part::whole(batch)),
                // Drained, and not yet gone from the spool.
                3 => {
                    here.push(Part::whole(batch));
                    there.push(Part::whole(batch));
                }
                // One of its two blocks is drained.
                _ => {
                    here.push(Part { batch, events: half..all });
                    there.push(Part { batch, events: 0..half });
                }
            }
        }
        in_spool.extend(block(&here));
        in_database.extend(block(&there));
    }
    commit(&spool, &in_spool).await;
    commit(&database, &in_database).await;
    let both = [spool.clone(), database.clone()];
    let all: u64 = batches.iter().map(|batch| batch.heads.len() as u64).sum();
    let everything = counted(&both, &request(0, i64::MAX, histogram(None))).await;
    assert_eq!(everything.total, all);
    assert_eq!(everything.histogram.unwrap().total(), all);
    for _ in 0..40 {
        let from = NOW - 3_700_000 + i64::try_from(random.below(2_400_000)).unwrap();
        let to = from + i64::try_from(random.below(2_400_000)).unwrap();
        let expected = listed(&both, &request(from, to, Wishes::default())).await;
        for by in [None, Some("source")] {
            let found = counted(&both, &request(from, to, histogram(by))).await;
            assert_eq!((found.total, found.histogram.unwrap().total()), (expected, expected), "{by:?}");
        }
        let list = ListWish { order: Order::Ascending, after: None, limit: 1_000 };
        let wishes = Wishes { patterns: true, list: Some(list), top: 100, ..histogram(None) };
        let found = counted(&both, &request(from, to, wishes)).await;
        let patterns: u64 = found.patterns.unwrap().patterns.iter().map(|pattern| pattern.count).sum();
        assert_eq!((patterns, found.list.unwrap().hits.len() as u64), (expected, expected));
    }
    let spent = CountRequest {
        budgets: Budgets { bytes: 0, ..BUDGETS },
        ..request(0, i64::MAX, histogram(Some("source")))
    };
    let cut = count(&both, &spent).await.unwrap();
    assert!(!cut.effort.complete && cut.total < all, "a budget that runs out is said");
    first.remove().await;
    second.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints times; with --nocapture"]
async fn the_time_that_ten_thousand_headers_take() {
    for database in TestDatabase::all().await {
        let store = database.store().await;
        let mut random = Random::new(5);
        let template = std::iter::from_fn(|| {
            let batch = batch(&mut random, 1);
            block(&[Part::whole(&batch)])
        });
        let mut block = template.into_iter().next().unwrap();
        (block.header.id_filter, block.header.text_filter) = (vec![7; 2_048], vec![9; 2_048]);
        for some in 0..105 {
            let moved = |number: i64| {
                let mut block = block.clone();
                let received = NOW - 86_400_000 + (some * 100 + number) * 8_000;
                let at = Timestamp::from_millis(received);
                let minute = received / 60_000;
                let header = &mut block.header;
                (header.id, header.received_first, header.received_last) = (uuid_at(at), at, at);
                (header.ts_first, header.ts_last) = (at.plus_millis(-9_000), at);
                header.counts = ((received - 9_000) / 60_000..=minute)
                    .flat_map(|minute| Level::ALL.map(|level| MinuteCount { minute, level, count: 80 }))
                    .collect();
                block
            };
            commit(&store, &(0..100).map(moved).collect::<Vec<_>>()).await;
        }
        for query in ["cold", "warm", "warm"] {
            let started = std::time::Instant::now();
            let found = counted(std::slice::from_ref(&store), &request(0, i64::MAX, histogram(None))).await;
            println!("{}: {query}: {} headers in {:?}", database.name, found.headers, started.elapsed());
        }
        database.remove().await;
    }
}
