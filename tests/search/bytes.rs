//! How little a search fetches from a server: filters are tested there, bodies are kept here.

use serde_json::{Value, json};
use tekno_logger::block::BlockHeader;
use tekno_logger::block::filter::id_token;
use tekno_logger::block::token_test::TokenTest;
use tekno_logger::store::BlockQuery;

use crate::model::Random;
use crate::proxy::{Proxy, behind_proxy};
use crate::reading::{Service, TestProject};
use crate::support::{TestDatabase, every_block};

const BLOCKS: usize = 40;
const EACH: usize = 500;

/// Events whose ids are nothing but chance, as a client's are.
fn event(random: &mut Random) -> Value {
    let mut hex = |digits: usize| {
        (0..digits)
            .map(|_| char::from_digit(u32::try_from(random.below(16)).unwrap(), 16).unwrap())
            .collect::<String>()
    };
    let (request, trace) = (hex(32), hex(16));
    json!({
        "message": format!("order {} of cart {} answered 200 in {} ms", hex(5), hex(12), random.below(4_000)),
        "level": *random.pick(&[&"info", &"info", &"warn", &"error"]),
        "user_id": format!("customer-{}", random.below(50_000)),
        "request_id": request,
        "ctx": { "trace": trace, "bytes": random.below(60_000) },
    })
}

async fn fill(service: &Service, project: &TestProject) -> Vec<String> {
    let mut random = Random::new(77);
    let mut needles = Vec::new();
    for block in 0..BLOCKS {
        let events: Vec<Value> = (0..EACH).map(|_| event(&mut random)).collect();
        if block % 8 == 3 {
            needles.push(events[block]["request_id"].as_str().unwrap().to_owned());
        }
        service.post(project, &events).await;
        service.hand.advance(60_000);
    }
    needles
}

fn everything(project_id: i64, tokens: TokenTest) -> BlockQuery {
    BlockQuery { tokens, filters: true, ascending: true, ..every_block(project_id) }
}

async fn headers(service: &Service, project: &TestProject, tokens: TokenTest) -> Vec<BlockHeader> {
    let mut snapshot = service.state.store.snapshot().await.unwrap();
    let found = snapshot.block_headers(&[&everything(project.id, tokens)]).await.unwrap();
    snapshot.end().await;
    found
}

/// Bytes the server sends for a search that finds one event, with what the service's own tasks ask meanwhile.
async fn bytes_of(proxy: &Proxy, service: &Service, query: &str) -> u64 {
    let before = proxy.answered();
    let page = service.page(query).await;
    assert_eq!(page["logs"].as_array().unwrap().len(), 1, "{query}: {page}");
    proxy.answered() - before
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_among_many_events_costs_its_block_and_hardly_more() {
    let Some(database) = TestDatabase::server().await else { return };
    let (proxy, service) = behind_proxy(&database).await;
    let shop = service.project("shop").await;
    let needles = fill(&service, &shop).await;
    let blocks = headers(&service, &shop, TokenTest::Always).await;
    let largest = blocks.iter().map(|block| u64::from(block.stored_bytes)).max().unwrap();
    let stored: u64 = blocks.iter().map(|block| u64::from(block.stored_bytes)).sum();
    assert!(stored > 1 << 20, "{stored} bytes are too few to tell");
    let mut fetched = 0;
    for (number, needle) in needles.iter().enumerate() {
        let query = match number % 3 {
            0 => format!("request_id={needle}"),
            1 => format!("q=request_id:{}", needle.to_uppercase()),
            _ => format!("q=request_id:{needle}+OR+user_id:nobody-at-all"),
        };
        fetched += bytes_of(&proxy, &service, &query).await;
    }
    // Per search: its block, at most three more by chance over all of them, and headers.
    let searches = needles.len() as u64;
    let most = (searches + 3) * largest + searches * (24 << 10);
    assert!(fetched <= most, "{searches} searches fetched {fetched} bytes of {stored}, more than {most}");
    service.stop().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_asked_again_fetches_no_body_again() {
    let Some(database) = TestDatabase::server().await else { return };
    let (proxy, service) = behind_proxy(&database).await;
    let shop = service.project("shop").await;
    for n in 0..20 {
        let events: Vec<Value> = (0..200).map(|m| json!({ "message": format!("event {n} {m} x") })).collect();
        service.post(&shop, &events).await;
        service.hand.advance(60_000);
    }
    let query = "q=%22-x%22&project_id=shop";
    let first = service.page(query).await["scanned"].clone();
    assert_eq!(first["cached_bytes"], 0, "{first}");
    let before = proxy.answered();
    let second = service.page(query).await["scanned"].clone();
    let answered = proxy.answered() - before;
    assert_eq!((&second["bytes"], &second["cached_bytes"]), (&json!(0), &first["bytes"]), "{second}");
    assert_eq!(second["blocks"], first["blocks"]);
    assert!(answered < first["bytes"].as_u64().unwrap(), "{answered} of {first}");
    assert!(service.state.store.cached_body_bytes() as u64 >= first["bytes"].as_u64().unwrap());

    let purge = service.client.post(format!("{}/admin/purge", service.base));
    let purge = purge.header("X-Admin-Token", crate::support::ADMIN_TOKEN).body(r#"{"older_than":"-1m"}"#);
    assert_eq!(crate::reading::send(purge).await.status, 200);
    let left = service.state.store.cached_body_bytes() as u64;
    assert!(left < first["bytes"].as_u64().unwrap() / 4, "{left}: what was deleted is forgotten");
    service.stop().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_chooses_the_blocks_that_memory_would_choose() {
    for database in TestDatabase::all().await {
        let (service, name) = (Service::start(&database).await, database.name);
        let shop = service.project("shop").await;
        let mut random = Random::new(5);
        let mut ids = vec!["never-seen-1".to_owned(), "never-seen-2".to_owned()];
        // Blocks of many sizes have filters of many sizes, and none at all.
        for block in 0..60 {
            let size = *random.pick(&[&1, &1, &3, &10, &40, &150, &600, &1_500]);
            let events: Vec<Value> = (0..size).map(|_| event(&mut random)).collect();
            ids.push(events[random.below(size)]["user_id"].as_str().unwrap().to_owned());
            service.post(&shop, &events).await;
            service.hand.advance(if block % 3 == 0 { 0 } else { 1_000 });
        }
        let mut all = headers(&service, &shop, TokenTest::Always).await;
        service.state.store.read().await.unwrap().complete_id_filters(&mut all).await.unwrap();
        let sizes: std::collections::BTreeSet<usize> =
            all.iter().map(|block| block.id_filter.len()).collect();
        assert!(sizes.len() >= 4, "{name}: {sizes:?}");
        let trigrams = |text: &str| TokenTest::text(&tekno_logger::block::trigram::query_trigrams(text));
        let mut tests =
            vec![trigrams("cart"), trigrams("zzzyx"), trigrams("answered 200"), trigrams("custom")];
        tests.extend(ids.iter().map(|id| TokenTest::Id(id_token("user_id", id))));
        for _ in 0..30 {
            let mut pick = || tests[random.below(tests.len())].clone();
            let pair = [TokenTest::all([pick(), pick()]), pick()];
            tests.push(if tests.len() % 2 == 0 { TokenTest::any(pair) } else { TokenTest::all(pair) });
        }
        let mut left_out = 0;
        for test in tests {
            let admitted = |header: &&BlockHeader| test.admits(&header.id_filter, &header.text_filter);
            let expected: Vec<_> = all.iter().filter(admitted).map(|header| header.id).collect();
            left_out += all.len() - expected.len();
            let chosen = headers(&service, &shop, test.clone()).await;
            let chosen: Vec<_> = if database.name == "sqlite" {
                chosen.iter().filter(admitted).map(|header| header.id).collect()
            } else {
                chosen.iter().map(|header| header.id).collect()
            };
            assert_eq!(chosen, expected, "{name}: {test:?}");
        }
        assert!(left_out > 100, "{name}: the tests choose something");
        service.stop().await;
        database.remove().await;
    }
}
