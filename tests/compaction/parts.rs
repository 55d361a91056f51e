//! Id filters that lie in parts on a server: tested there as in memory, and never left behind or without their block.

use tekno_logger::block::filter::{build, id_token, may_contain, part};
use tekno_logger::block::token_test::TokenTest;
use tekno_logger::block::{Block, BlockHeader};
use tekno_logger::clock::Clock;
use tekno_logger::maintenance::{Erasure, Purge};
use tekno_logger::search::language::Query;
use tekno_logger::store::{BlockQuery, STATEMENT_TIMEOUT, Session, Store};
use tekno_logger::timestamp::Timestamp;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::fill::{
    HOUR, HOUR_MS, batch, clock_at, fold, lone_blocks, maintain, posts, store_blocks, varied, worker,
};
use crate::support::TestDatabase;
use crate::writer::{number, project};

const PARTS: &str = "SELECT COUNT(*) FROM id_filters";
/// Parts whose block has gone, or has no such part.
const ORPHANS: &str = "SELECT COUNT(*) FROM id_filters AS f WHERE NOT EXISTS (SELECT 1 FROM blocks AS b \
     WHERE b.project_id = f.project_id AND b.id = f.id AND LENGTH(b.id_filter) BETWEEN 1 AND 7 \
     AND f.part < (1 << LENGTH(b.id_filter)) AND LENGTH(f.bits) = 2048)";
/// Blocks that lack a part of their filter, or have a long one in their row.
const LACKING: &str = "SELECT COUNT(*) FROM blocks AS b WHERE LENGTH(id_filter) > 2048 \
     OR (LENGTH(id_filter) BETWEEN 1 AND 7 AND (1 << LENGTH(id_filter)) <> \
     (SELECT COUNT(*) FROM id_filters AS f WHERE f.project_id = b.project_id AND f.id = b.id))";

/// Parts stored, of which none is an orphan and none is lacking.
async fn parts(store: &Store, when: &str) -> i64 {
    assert_eq!(number(store, ORPHANS).await, 0, "{when}: parts without their block");
    assert_eq!(number(store, LACKING).await, 0, "{when}: blocks without their parts");
    number(store, PARTS).await
}

/// Blocks of so many events received at once, each of a request of its own.
async fn full_block(store: &Store, project_id: i64, at: i64, events: u64) {
    let at = Timestamp::from_millis(at);
    let from = at.as_millis().unsigned_abs();
    let events: Vec<_> = (from..from + events).map(|number| varied(number, at)).collect();
    store_blocks(store, &lone_blocks(project_id, &[batch(at, &events)])).await;
}

async fn erase(store: &Store, clock: &Clock, query: &str) -> u64 {
    let (query, _) = Query::parse(query, clock.now()).unwrap();
    let asked = Erasure { project_id: None, older_than: None, query, dry_run: false };
    match worker(store, clock).erase(&asked, &CancellationToken::new()).await.unwrap() {
        tekno_logger::maintenance::Ran::Done(report) => report.purged.events,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_come_and_go_with_their_blocks() {
    let Some(database) = TestDatabase::server().await else { return };
    let store = database.store().await;
    let clock = clock_at(HOUR + 40 * HOUR_MS);
    let (shop, blog) = (project(&store, "shop", 90).await, project(&store, "blog", 90).await);
    for hour in 0..3 {
        full_block(&store, shop, HOUR + hour * HOUR_MS, 1_900).await;
        full_block(&store, blog, HOUR + hour * HOUR_MS, 1_900).await;
    }
    let stored = parts(&store, "stored").await;
    assert!(stored >= 6 * 2, "{stored}");
    posts(&store, shop, HOUR + 10 * HOUR_MS, 4_000, 800).await;
    assert_eq!(parts(&store, "small ones").await, stored, "a small filter stays in its row");
    fold(&store, &clock).await;
    assert!(maintain(&store, &clock).await.merged_blocks >= 700);
    let merged = parts(&store, "merged").await;
    assert!(merged > stored, "{merged}");

    assert!(erase(&store, &clock, "level:error cache").await > 100);
    let rewritten = parts(&store, "rewritten").await;
    assert!(rewritten > 0 && rewritten <= merged, "{rewritten}");
    assert_eq!(erase(&store, &clock, "level:error cache").await, 0);

    let purge = Purge {
        project_id: Some(shop),
        older_than: Some(Timestamp::from_millis(HOUR + HOUR_MS)),
        dry_run: false,
    };
    worker(&store, &clock).purge(&purge, &CancellationToken::new()).await.unwrap();
    let purged = parts(&store, "purged").await;
    assert!(purged < rewritten, "{purged}");

    assert!(store.hide_project(blog, clock.now()).await.unwrap());
    while store.delete_project_step(blog).await.unwrap() {}
    let left = parts(&store, "a project deleted").await;
    assert!(left > 0 && left < purged, "{left}");
    let purge = Purge { project_id: None, older_than: Some(clock.now()), dry_run: false };
    worker(&store, &clock).purge(&purge, &CancellationToken::new()).await.unwrap();
    assert_eq!(parts(&store, "all purged").await, 0);
    store.close();
    database.remove().await;
}

/// A block with an id filter of its own making.
fn block_with(project_id: i64, number: u8, id_filter: Vec<u8>) -> Block {
    let at = Timestamp::from_millis(HOUR + i64::from(number));
    let mut block = lone_blocks(project_id, &[batch(at, &[varied(u64::from(number), at)])]).remove(0);
    let mut id = [number; 16];
    id[0] = 1;
    block.header.id = Uuid::from_bytes(id);
    block.header.id_filter = id_filter;
    block
}

fn asked(project_id: i64, tokens: TokenTest) -> BlockQuery {
    BlockQuery {
        project_id,
        from: Timestamp::from_millis(0),
        to: Timestamp::LAST,
        received_after: Timestamp::from_millis(0),
        received_until: Timestamp::LAST,
        tokens,
        filters: true,
        ascending: true,
        after: None,
        limit: 1_000,
    }
}

async fn chosen(session: &mut Session, project_id: i64, token: u64) -> Vec<Uuid> {
    let headers = session.block_headers(&asked(project_id, TokenTest::Id(token))).await.unwrap();
    headers.iter().map(|header| header.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_tests_filters_of_every_length_as_memory_does() {
    let Some(database) = TestDatabase::server().await else { return };
    let store = database.store().await;
    let shop = project(&store, "shop", 90).await;
    let token = |number: usize| id_token("request_id", &number.to_string());
    // 8 bytes to 64 KiB, each about as full as can be; and what says nothing.
    let mut filters: Vec<Vec<u8>> =
        (0..14).map(|power| build(&(0..(6_usize << power)).map(token).collect::<Vec<_>>())).collect();
    assert_eq!(filters.iter().map(Vec::len).collect::<Vec<_>>(), (3..17).map(|n| 1 << n).collect::<Vec<_>>());
    filters.extend([Vec::new(), vec![0; 12], vec![0; 1_500], vec![0; 8_192]]);
    let blocks: Vec<Block> = (0..).zip(filters).map(|(n, filter)| block_with(shop, n, filter)).collect();
    store_blocks(&store, &blocks).await;
    assert_eq!(number(&store, PARTS).await, 2 + 4 + 8 + 16 + 32 + 4);
    let mut session = store.read().await.unwrap();

    let (mut admitted, mut denied) = (0, 0);
    for number in (0..40).chain((0..14).map(|power| (6 << power) - 1)).chain(1_000_000..1_000_120) {
        let admits = |block: &&Block| may_contain(&block.header.id_filter, token(number));
        let expected: Vec<Uuid> = blocks.iter().filter(admits).map(|block| block.header.id).collect();
        assert_eq!(chosen(&mut session, shop, token(number)).await, expected, "{number}");
        admitted += expected.len();
        denied += blocks.len() - expected.len();
    }
    assert!(admitted > 200 && denied > 1_000, "{admitted} {denied}");

    let mut headers = session.block_headers(&asked(shop, TokenTest::Always)).await.unwrap();
    session.complete_id_filters(&mut headers).await.unwrap();
    let whole = |header: &BlockHeader| (header.id, header.id_filter.clone());
    let stored: Vec<_> = blocks.iter().map(|block| whole(&block.header)).collect();
    assert_eq!(headers.iter().map(whole).collect::<Vec<_>>(), stored, "they are put together again");

    let last = blocks.last().unwrap().header.id;
    assert!(!chosen(&mut session, shop, token(3)).await.contains(&last));
    let own = part(token(3)) & 3;
    session.change(format!("DELETE FROM id_filters WHERE part = {own}"), STATEMENT_TIMEOUT).await.unwrap();
    assert!(chosen(&mut session, shop, token(3)).await.contains(&last), "a part that isn't there admits");
    let mut headers = session.block_headers(&asked(shop, TokenTest::Always)).await.unwrap();
    session.complete_id_filters(&mut headers).await.unwrap();
    assert!(headers.last().unwrap().id_filter.is_empty());
    drop(session);
    store.close();
    database.remove().await;
}

/// Rows that the statements of this connection have read since the last time it was asked.
async fn rows_read(session: &mut Session) -> i64 {
    let rows = session
        .select("SHOW SESSION STATUS WHERE Variable_name LIKE 'Handler_read%'".to_owned(), STATEMENT_TIMEOUT)
        .await
        .unwrap();
    let read: i64 = rows.iter().map(|row| row.text(1).unwrap().parse::<i64>().unwrap()).sum();
    session.packet("FLUSH STATUS".to_owned(), STATEMENT_TIMEOUT).await.unwrap();
    read
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_for_an_id_reads_one_part_a_block() {
    let Some(database) = TestDatabase::server().await else { return };
    let store = database.store().await;
    let shop = project(&store, "shop", 90).await;
    let filter = build(&(0..6_000).map(|n: u32| id_token("user_id", &n.to_string())).collect::<Vec<_>>());
    assert_eq!(filter.len(), 8_192);
    let blocks: Vec<Block> = (0..100).map(|number| block_with(shop, number, filter.clone())).collect();
    store_blocks(&store, &blocks).await;
    assert_eq!(number(&store, PARTS).await, 400);
    let mut session = store.read().await.unwrap();
    session.select("ANALYZE TABLE blocks, id_filters".to_owned(), STATEMENT_TIMEOUT).await.unwrap();
    rows_read(&mut session).await;
    let needle = id_token("request_id", "in none of them");
    chosen(&mut session, shop, needle).await;
    let read = rows_read(&mut session).await;
    // Each block by an index or as it stands, and one part by its key.
    assert!((200..=320).contains(&read), "{read} rows read");
    drop(session);
    store.close();
    database.remove().await;
}
