//! Exports of the running service, compared with the list of all events.

use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use tekno_logger::http::export_format::COLUMNS;
use tekno_logger::http::places::{MAX_EXPORTS, MAX_EXPORTS_EACH};
use tekno_logger::http::state::MAX_SEARCHES;
use tekno_logger::search::cursor::Order;
use tekno_logger::search::event_filter::Criteria;
use tekno_logger::search::export::Export;
use tekno_logger::search::run::Scope;
use tekno_logger::search::top::MAX_BYTES;
use tekno_logger::store::STATEMENT_TIMEOUT;
use tekno_logger::timestamp::Timestamp;

use crate::model::{Random, Spread, event, ids, text};
use crate::reading::{START, Service, TestProject, send, until};
use crate::support::{ADMIN_TOKEN, TestDatabase};

fn ask(service: &Service, query: &str) -> RequestBuilder {
    let request = service.client.get(format!("{}/logs/export?{query}", service.base));
    request.header("X-Admin-Token", ADMIN_TOKEN)
}

async fn export(service: &Service, query: &str) -> String {
    let answer = send(ask(service, query)).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    answer.body
}

/// The lines of an NDJSON export.
fn lines(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A reader of RFC 4180.
fn table(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    while let Some(next) = chars.next() {
        match next {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted && chars.peek() == Some(&'\n') => {
                chars.next();
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            other => cell.push(other),
        }
    }
    assert!(!quoted && row.is_empty() && cell.is_empty(), "the table ends with its last row");
    rows
}

/// What a cell of the table says of a field.
fn cell_of(value: &Value, name: &str) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) if name != "ctx" => text.clone(),
        Value::Array(values) if name == "tags" && values.is_empty() => String::new(),
        other => other.to_string(),
    };
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{text}") } else { text }
}

async fn fill(service: &Service, project: &TestProject, batches: usize, size: usize) {
    let mut random = Random::new(5);
    for batch in 0..batches {
        let spread = [Spread::Narrow, Spread::Wide, Spread::Late][batch % 3];
        let events: Vec<Value> =
            (0..size).map(|n| event(&mut random, batch * size + n, START.as_millis(), spread)).collect();
        service.post(project, &events).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_holds_what_the_list_shows_in_its_order() {
    for database in TestDatabase::all().await {
        let (service, name) = (Service::start(&database).await, database.name);
        let (shop, other) = (service.project("shop").await, service.project("other").await);
        fill(&service, &shop, 24, 50).await;
        service.post(&other, &[json!({ "message": "of another", "level": "error" })]).await;
        for query in ["", "order=asc", "level=error,fatal&order=asc", "q=timeout+-disk", "q=nothing-has-this"]
        {
            let listed = service.pages(&format!("{query}&limit=1000")).await;
            let exported = lines(&export(&service, query).await);
            assert_eq!(exported, listed, "{name} {query}");
            let array: Vec<Value> =
                serde_json::from_str(&export(&service, &format!("{query}&format=json")).await).unwrap();
            assert_eq!(array, listed, "{name} {query}");
            let rows = table(&export(&service, &format!("{query}&format=csv")).await);
            assert_eq!(rows[0], COLUMNS, "{name}");
            assert_eq!(rows.len(), listed.len() + 1, "{name} {query}");
            for (row, log) in rows[1..].iter().zip(&listed) {
                let cells: Vec<String> = COLUMNS.map(|name| cell_of(&log[name], name)).to_vec();
                assert_eq!(*row, cells, "{name} {query}");
            }
        }
        let own =
            send(service.client.get(format!("{}/logs/export", service.base)).bearer_auth(&other.read_key));
        let own = lines(&own.await.body);
        assert_eq!((own.len(), &own[0]["message"]), (1, &json!("of another")), "{name}");
        service.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_many_pages_has_each_event_once_and_goes_on_from_any_of_them() {
    for database in TestDatabase::all().await {
        let (service, name) = (Service::start(&database).await, database.name);
        let shop = service.project("shop").await;
        fill(&service, &shop, 12, 800).await;
        for order in ["asc", "desc"] {
            let all = lines(&export(&service, &format!("order={order}")).await);
            assert_eq!(all.len(), 9_600, "{name} {order}");
            assert!(all.windows(2).all(|pair| {
                let (left, right) = (text(&pair[0], "ts"), text(&pair[1], "ts"));
                if order == "asc" { left <= right } else { left >= right }
            }));
            for at in [0, 3_999, 4_000, 9_598, 9_599] {
                let cursor = text(&all[at], "id");
                let rest = lines(&export(&service, &format!("order={order}&cursor={cursor}")).await);
                assert_eq!(ids(&rest), ids(&all[at + 1..]), "{name} {order} {at}");
            }
            let page = service.page(&format!("order={order}&limit=7")).await;
            let cursor = text(&page, "next_cursor");
            let rows = table(&export(&service, &format!("order={order}&format=csv&cursor={cursor}")).await);
            assert_eq!(rows.len(), all.len() - 7, "{name}: a part has no header row");
        }
        service.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_stays_text_in_every_format() {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    let shop = service.project("shop").await;
    let hostile = [
        "=HYPERLINK(\"http://evil.example\",\"x\")",
        "+1",
        "-1+1|cmd",
        "@SUM(1)",
        "\t=1",
        "\r\n=1,2",
        "a\",\"b",
        "\u{feff}=1",
        "x\r\ny",
        "\u{2028}",
        "'=1",
        " =1",
    ];
    for (n, text) in hostile.iter().enumerate() {
        let source = format!("{text}{n}");
        service
            .post(&shop, &[json!({ "message": text, "source": source, "ctx": text, "tags": [text] })])
            .await;
        service.hand.advance(5);
    }
    let listed = service.pages("order=asc").await;
    assert_eq!(lines(&export(&service, "order=asc").await), listed);
    let rows = table(&export(&service, "order=asc&format=csv").await);
    assert_eq!(rows.len(), hostile.len() + 1);
    for (row, log) in rows[1..].iter().zip(&listed) {
        assert_eq!(*row, COLUMNS.map(|name| cell_of(&log[name], name)));
        assert!(row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])), "{row:?}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_head_of_an_export_names_a_safe_file_and_wrong_questions_are_refused_before_it() {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    let shop = service.project("shop").await;
    for (query, name, kind) in [
        ("project_id=shop&format=csv", "logs-shop-20270115T080000Z.csv", "text/csv; charset=utf-8"),
        ("format=json", "logs-shop-20270115T080000Z.json", "application/json"),
        ("", "logs-shop-20270115T080000Z.ndjson", "application/x-ndjson"),
    ] {
        let answer = send(ask(&service, query)).await;
        let header = |name: &str| answer.headers.iter().find(|header| header.0 == name).map(|one| &*one.1);
        assert_eq!(header("content-disposition"), Some(&*format!("attachment; filename=\"{name}\"")));
        assert_eq!((header("content-type"), header("cache-control")), (Some(kind), Some("no-store")));
    }
    let gone = format!("cursor={}-0", "0".repeat(26));
    let desc = service.page("").await;
    assert_eq!(desc["next_cursor"], Value::Null);
    for query in ["format=xml", "order=up", "cursor=x", &gone, "level=loud"] {
        let refused = send(ask(&service, query)).await;
        assert_eq!((refused.status, &refused.json()["code"]), (400, &json!("invalid_parameter")), "{query}");
    }
    assert_eq!(send(ask(&service, "project_id=none")).await.status, 404);
    assert_eq!(service.get_public("/logs/export").await.status, 401);
    assert_eq!(service.get_as(&shop, "/logs/export?project_id=77").await.status, 404);
    service.stop().await;
}

/// An export of which nothing is read but its beginning.
async fn unread(service: &Service) -> Response {
    let mut response = ask(service, "order=asc").send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.chunk().await.unwrap().unwrap();
    response
}

/// More than the buffers of a connection hold: about 24 MiB.
async fn fill_large(service: &Service, project: &TestProject) {
    let filler = "x".repeat(7_500);
    for round in 0..8 {
        let event = |n: u32| json!({ "message": format!("{round} {n} {filler}") });
        service.post(project, &(0..400).map(event).collect::<Vec<Value>>()).await;
        service.hand.advance(100);
    }
}

/// The rest of an export that was broken off, and whether its end is missing.
async fn rest(response: &mut Response) -> (String, bool) {
    let mut rest = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => rest.extend_from_slice(&chunk),
            Ok(None) => return (String::from_utf8_lossy(&rest).into_owned(), false),
            Err(_) => return (String::from_utf8_lossy(&rest).into_owned(), true),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_holds_no_turn_and_no_connection_and_its_place_until_it_leaves() {
    let database = TestDatabase::sqlite();
    let service = Service::start_with(&database, &[("CLIENT_ADDRESS_HEADER", "x-client")]).await;
    let shop = service.project("shop").await;
    fill_large(&service, &shop).await;
    let mut slow = Vec::new();
    for _ in 0..MAX_EXPORTS_EACH {
        slow.push(unread(&service).await);
    }
    let refused = send(ask(&service, "")).await;
    assert_eq!((refused.status, &refused.json()["code"]), (503, &json!("overloaded")));
    for client in 0..MAX_EXPORTS - MAX_EXPORTS_EACH {
        let asked = ask(&service, "").header("x-client", format!("192.0.2.{client}")).send().await.unwrap();
        assert_eq!(asked.status(), 200);
        slow.push(asked);
    }
    let refused = send(ask(&service, "").header("x-client", "192.0.2.99")).await;
    assert_eq!(refused.status, 503, "so many in all");
    until("nobody holds a turn", async || service.state.searches.free() == MAX_SEARCHES).await;
    assert_eq!(service.page("q=%220+7+%22&limit=1").await["logs"].as_array().unwrap().len(), 1);
    drop(slow);
    until("their places are free", async || service.state.export_places.taken() == 0).await;
    assert_eq!(lines(&export(&service, "").await).len(), 3_200);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_whose_reader_may_no_longer_read_breaks_off_and_says_where() {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    let shop = service.project("shop").await;
    fill_large(&service, &shop).await;
    let all = lines(&export(&service, "order=asc").await);
    let asked = service.client.get(format!("{}/logs/export?order=asc", service.base));
    let mut broken = asked.bearer_auth(&shop.read_key).send().await.unwrap();
    let first = broken.chunk().await.unwrap().unwrap();
    let revoke = service.client.delete(format!("{}/admin/projects/shop/keys/2", service.base));
    assert_eq!(revoke.header("X-Admin-Token", ADMIN_TOKEN).send().await.unwrap().status(), 204);
    service.hand.advance(15_000);
    let (rest, cut) = rest(&mut broken).await;
    assert!(cut, "an export that breaks off has no end");
    let text = String::from_utf8_lossy(&first).into_owned() + &rest;
    let shown = lines(&text);
    let (last, shown) = shown.split_last().unwrap();
    assert_eq!(last["export_incomplete"]["code"], "unauthorized");
    assert_eq!(ids(shown), ids(&all[..shown.len()]));
    assert!(shown.len() < all.len(), "nothing was left to break off");
    let cursor = last["export_incomplete"]["next_cursor"].as_str().unwrap();
    let rest = lines(&export(&service, &format!("order=asc&cursor={cursor}")).await);
    assert_eq!(ids(&rest), ids(&all[shown.len()..]));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_an_export_is_bounded_by_bytes_and_a_block_that_goes_between_two_is_no_matter() {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    let shop = service.project("shop").await;
    fill_large(&service, &shop).await;
    let all = lines(&export(&service, "order=asc").await);
    let scopes = vec![Scope { project_id: shop.id, received_after: Timestamp::from_millis(0) }];
    let everything = Criteria::between(Timestamp::from_millis(0), Timestamp::from_millis(i64::MAX));
    let now = service.state.clock.now();
    let mut export = Export::new(scopes, everything, Order::Ascending, None, now);
    let stores = [service.state.store.clone()];
    let mut found = Vec::new();
    let mut pages = 0;
    while let Some(hits) = export.next_page(&stores).await.unwrap() {
        let bytes: usize = hits.iter().map(|hit| hit.line.len()).sum();
        assert!(bytes <= MAX_BYTES, "{bytes}");
        found.extend(hits.iter().map(|hit| hit.position().unwrap().id.to_string()));
        pages += 1;
        if pages == 2 {
            // All blocks go and come back under other ids, as a merge has it.
            let mut work = service.state.store.work().await.unwrap();
            let moved = "UPDATE blocks SET id = CAST(substr(id, 1, 6) || X'77' || substr(id, 8) AS BLOB)";
            work.packet(moved.to_owned(), STATEMENT_TIMEOUT).await.unwrap();
        }
    }
    assert!(pages > 4, "{pages}");
    assert_eq!(found, ids(&all));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_breaks_an_export_off() {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    let shop = service.project("shop").await;
    fill_large(&service, &shop).await;
    let asked = ask(&service, "format=json").send().await.unwrap();
    let mut asked = asked;
    let first = asked.chunk().await.unwrap().unwrap();
    service.stop().await;
    let (rest, cut) = rest(&mut asked).await;
    let text = String::from_utf8_lossy(&first).into_owned() + &rest;
    assert!(cut && serde_json::from_str::<Value>(&text).is_err(), "nobody takes it for a whole one");
}
