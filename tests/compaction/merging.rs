//! What goes together, what stays apart, and what it saves.

use tekno_logger::block::encode::{BlockEncoder, CompressionLevel, Part};
use tekno_logger::block::{Codec, EncodedBatch};
use tekno_logger::event::{uuid_at, uuid_time};
use tekno_logger::timestamp::Timestamp;

use crate::fill::{
    HOUR, HOUR_MS, all_blocks, batch, bytes, clock_at, fold, lone_blocks, maintain, posts, store_blocks,
    stored_lines, varied,
};
use crate::support::TestDatabase;
use crate::writer::{project, rows};

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_of_one_event_posts_takes_little_more_than_the_same_events_in_full_blocks() {
    for database in TestDatabase::all().await {
        let (name, store) = (database.name, database.store().await);
        let shop = project(&store, "shop", 3).await;
        let batches = posts(&store, shop, HOUR, 1_000, 3_600).await;
        let clock = clock_at(HOUR + 2 * HOUR_MS);
        fold(&store, &clock).await;
        let before = stored_lines(&store, shop).await;
        let lone = bytes(&all_blocks(&store, shop).await);
        let report = maintain(&store, &clock).await;
        assert!(report.complete, "{name}");
        assert_eq!(stored_lines(&store, shop).await, before, "{name}: each event is as it was");
        let mut encoder = BlockEncoder::default();
        let full = batches.chunks(2_000).map(|some| {
            let parts: Vec<Part<'_>> = some.iter().map(Part::whole).collect();
            let id = uuid_at(some[0].batch.received_at());
            encoder.encode_block(id, shop, &parts, CompressionLevel::Compact)
        });
        let full = bytes(&full.collect::<Vec<_>>());
        let compacted = bytes(&all_blocks(&store, shop).await);
        println!("{name}: {lone} bytes in lone blocks, {compacted} compacted, {full} in full blocks");
        assert!(compacted * 10 <= full * 13, "{name}: {compacted} against {full}");
        assert!(report.merged_blocks >= 3_600 && report.bytes_saved > 0, "{name}: {report:?}");
        let again = maintain(&store, &clock).await;
        assert_eq!((again.merged_blocks, again.recompressed_blocks), (0, 0), "{name}: done is done");
        store.close();
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_that_come_slowly_are_rewritten_a_few_times_at_most() {
    let database = TestDatabase::sqlite();
    let store = database.store().await;
    let shop = project(&store, "shop", 3).await;
    let mut rewritten = 0;
    for run in 0..15 {
        posts(&store, shop, HOUR + run * 300_000, 5_000, 60).await;
        let clock = clock_at(HOUR + (run + 1) * 300_000);
        fold(&store, &clock).await;
        rewritten += maintain(&store, &clock).await.slices;
    }
    let found = all_blocks(&store, shop).await;
    assert!(found.len() <= 40, "{} blocks are left of 900 posts", found.len());
    assert_eq!(stored_lines(&store, shop).await.len(), 900);
    let later = clock_at(HOUR + 3 * HOUR_MS);
    fold(&store, &later).await;
    let last = maintain(&store, &later).await;
    assert!(last.complete);
    assert_eq!(all_blocks(&store, shop).await.len(), 2, "one an hour");
    assert!(rewritten < 600, "{rewritten} slices");
    store.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merged_block_has_the_least_id_of_its_parts_and_stays_within_their_hours() {
    for database in TestDatabase::all().await {
        let (name, store) = (database.name, database.store().await);
        let shop = project(&store, "shop", 3).await;
        let at = |minute: i64| Timestamp::from_millis(HOUR + minute * 60_000);
        // By (minute of receipt, minute of ts).
        let pairs = [(50, 49), (55, 54), (58, 57), (62, 61), (63, 58), (64, 59), (65, -300), (66, -301)];
        let batches: Vec<EncodedBatch> = (0..)
            .zip(pairs)
            .map(|(number, (received, ts))| batch(at(received), &[varied(number, at(ts))]))
            .collect();
        let blocks = lone_blocks(shop, &batches);
        store_blocks(&store, &blocks).await;
        let clock = clock_at(HOUR + 5 * HOUR_MS);
        fold(&store, &clock).await;
        let before = stored_lines(&store, shop).await;
        maintain(&store, &clock).await;
        let found = all_blocks(&store, shop).await;
        assert_eq!(stored_lines(&store, shop).await, before, "{name}");
        let sizes: Vec<u32> = found.iter().map(|block| block.header.event_count).collect();
        assert_eq!(sizes, [3, 1, 2, 1, 1], "{name}: the last two are in two hours of ts");
        for block in &found {
            let header = &block.header;
            let hour = |at: Timestamp| at.as_millis().div_euclid(HOUR_MS);
            assert_eq!(hour(header.received_first), hour(header.received_last), "{name}");
            assert_eq!(hour(header.ts_first), hour(header.ts_last), "{name}");
            assert_eq!(uuid_time(&header.id), header.received_first, "{name}: the least id");
            assert_eq!(header.codec, Codec::ZlibCompact, "{name}");
        }
        assert_eq!(found[0].header.id, blocks[0].header.id, "{name}");
        store.close();
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_young_or_not_yet_counted_is_left_alone() {
    for database in TestDatabase::all().await {
        let (name, store) = (database.name, database.store().await);
        let shop = project(&store, "shop", 3).await;
        posts(&store, shop, HOUR, 1_000, 100).await;
        let later = clock_at(HOUR + 30 * 60_000);
        let report = maintain(&store, &later).await;
        assert_eq!((report.merged_blocks, rows(&store, "blocks").await), (0, 100), "{name}: not counted");
        assert_eq!(rows(&store, "unfolded").await, 100, "{name}");
        fold(&store, &later).await;
        // The last of them is two minutes old then, the first 99 s older.
        let report = maintain(&store, &clock_at(HOUR + 120_000 + 50_000)).await;
        assert_eq!((report.merged_blocks, rows(&store, "blocks").await), (50, 51), "{name}: young");
        let report = maintain(&store, &later).await;
        assert_eq!(rows(&store, "blocks").await, 1, "{name}: {report:?}");
        store.close();
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn full_blocks_are_compressed_harder_once_and_counts_stay() {
    for database in TestDatabase::all().await {
        let (name, store) = (database.name, database.store().await);
        let shop = project(&store, "shop", 3).await;
        let at = Timestamp::from_millis(HOUR);
        let events: Vec<_> = (0..2_000).map(|number| varied(number, at)).collect();
        store_blocks(&store, &lone_blocks(shop, &[batch(at, &events)])).await;
        let clock = clock_at(HOUR + 10 * 60_000);
        fold(&store, &clock).await;
        let counts =
            crate::writer::number(&store, "SELECT CAST(SUM(event_count) AS SIGNED) FROM counts").await;
        let before = (stored_lines(&store, shop).await, all_blocks(&store, shop).await);
        let report = maintain(&store, &clock).await;
        assert_eq!((report.recompressed_blocks, report.merged_blocks), (1, 0), "{name}");
        let after = all_blocks(&store, shop).await;
        assert_eq!(stored_lines(&store, shop).await, before.0, "{name}");
        assert_eq!(after[0].header.id, before.1[0].header.id, "{name}");
        assert!(after[0].body.len() * 10 < before.1[0].body.len() * 9, "{name}");
        assert!(report.bytes_saved > 0, "{name}");
        assert_eq!(maintain(&store, &clock).await.recompressed_blocks, 0, "{name}");
        let now = crate::writer::number(&store, "SELECT CAST(SUM(event_count) AS SIGNED) FROM counts").await;
        assert_eq!(now, counts, "{name}");
        store.close();
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_that_come_late_are_merged_within_a_day_and_a_damaged_one_stops_nothing() {
    let database = TestDatabase::sqlite();
    let store = database.store().await;
    let shop = project(&store, "shop", 90).await;
    posts(&store, shop, HOUR, 1_000, 50).await;
    let clock = clock_at(HOUR + 3 * HOUR_MS);
    fold(&store, &clock).await;
    maintain(&store, &clock).await;
    // Out of a spool, say; and one that is damaged.
    posts(&store, shop, HOUR + 600_000, 1_000, 50).await;
    fold(&store, &clock).await;
    let damage = "UPDATE blocks SET body = X'00' WHERE id = (SELECT MAX(id) FROM blocks)";
    let mut session = store.work().await.unwrap();
    session.change(damage.to_owned(), tekno_logger::store::STATEMENT_TIMEOUT).await.unwrap();
    drop(session);
    let report = maintain(&store, &clock_at(HOUR + 26 * HOUR_MS)).await;
    assert!(report.complete, "{report:?}");
    let found = rows(&store, "blocks").await;
    assert_eq!(found, 2, "the damaged one, and all others in one");
    let report = maintain(&store, &clock_at(HOUR + 27 * HOUR_MS)).await;
    assert!(report.complete);
    store.close();
}
