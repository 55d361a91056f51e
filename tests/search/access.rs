//! One event by its id, and what a read key never sees.

use serde_json::{Value, json};

use crate::model::{Random, text};
use crate::reading::{Answer, Service, TestProject};
use crate::support::TestDatabase;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn numbered(count: usize, message: &str) -> Vec<Value> {
    (0..count)
        .map(|n| json!({ "message": message, "request_id": format!("req-{n}"), "ctx": { "n": n } }))
        .collect()
}

/// Every event by its id is what the list shows.
async fn finds_each_by_id(service: &Service, events: &[Value], name: &str) {
    for event in events {
        let found = service.get(&format!("/logs/{}", text(event, "id"))).await;
        assert_eq!(found.status, 200, "{name}: {}", found.body);
        assert_eq!(found.json(), *event, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_found_by_its_id_wherever_its_batch_was_put() {
    for database in TestDatabase::all().await {
        let (service, name) = (Service::start(&database).await, database.name);
        let (shop, blog) = (service.project("shop").await, service.project("blog").await);
        service.post(&blog, &numbered(3, "another's")).await;
        // Late events of a batch stand in a block of their own.
        let old = crate::reading::START.as_millis() - 5 * HOUR;
        service.post(&shop, &[json!({ "message": "timely" }), json!({ "message": "late", "ts": old })]).await;
        // This batch is too large for one block.
        let filler = "x y ".repeat(1_900);
        service.post(&shop, &numbered(250, &filler)).await;
        let all = service.pages("limit=1000").await;
        assert_eq!(all.len(), 255, "{name}");
        let (large, small): (Vec<Value>, Vec<Value>) =
            all.into_iter().partition(|event| text(event, "message").len() > 100);
        finds_each_by_id(&service, &small, name).await;
        let ends = [&large[0], &large[124], &large[125], &large[249]].map(Clone::clone);
        finds_each_by_id(&service, &ends, name).await;
        let blocks = service.page("project_id=shop&limit=1000").await["scanned"]["blocks"].as_u64().unwrap();
        assert!(blocks >= 4, "{name}: the batch was split over {} blocks", blocks - 2);
        let late = small.iter().find(|event| event["message"] == "late").unwrap();
        assert_eq!(service.get_as(&shop, &format!("/logs/{}", text(late, "id"))).await.status, 200);
        service.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_shown_nowhere() {
    for database in TestDatabase::all().await {
        let (service, name) = (Service::start(&database).await, database.name);
        let shop = service.project("shop").await;
        service.post(&shop, &numbered(3, "old news")).await;
        let first = service.pages("").await;
        service.hand.advance(DAY);
        service.post(&shop, &numbered(2, "fresh news")).await;
        // The first batch is at the last moment of its three days.
        service.hand.advance(2 * DAY);
        assert_eq!(service.pages("").await.len(), 5, "{name}");
        finds_each_by_id(&service, &first, name).await;
        service.hand.advance(1);
        for query in ["", "q=news", "order=asc", "request_id=req-1", "q=old&order=asc", "level=info&from=0"] {
            let found = service.pages(query).await;
            assert!(found.iter().all(|event| event["message"] == "fresh news"), "{name}: {query}");
        }
        assert_eq!(service.pages("q=news").await.len(), 2, "{name}");
        for event in &first {
            assert_eq!(service.get(&format!("/logs/{}", text(event, "id"))).await.status, 404, "{name}");
        }
        let wide = "/stats?from=-10d";
        crate::reading::until("counts are folded", async || service.get(wide).await.json()["total"] == 2)
            .await;
        service.hand.advance(DAY + 10_000);
        assert_eq!(service.pages("").await, Vec::<Value>::new(), "{name}");
        let stats = service.get(wide).await.json();
        assert_eq!((&stats["total"], &stats["top_issues"]), (&json!(0), &json!([])), "{name}: {stats}");
        service.stop().await;
        database.remove().await;
    }
}

/// What another project's reader asks, by ids, names and values that exist, and the same of what doesn't exist.
fn probe(random: &mut Random, other: &TestProject, theirs: &[Value], cursors: &[String]) -> (String, String) {
    let event = &theirs[random.below(theirs.len())];
    let id = text(event, "id");
    let digits: String = (0..8).map(|_| char::from(b'0' + u8::try_from(random.below(10)).unwrap())).collect();
    // As long as the real one, so that only its being there differs.
    let no_id = format!("{}{}{}", &id[..12], &digits, &id[20..]);
    match random.below(11) {
        0 => (format!("/logs/{id}"), format!("/logs/{no_id}")),
        1 => (format!("/logs?project_id={}", other.id), "/logs?project_id=9".to_owned()),
        2 => (format!("/logs?project_id={}", other.slug), "/logs?project_id=none".to_owned()),
        3 => (format!("/logs/{id}?project_id={}", other.id), format!("/logs/{no_id}?project_id=9")),
        4 => (format!("/stats?project_id={}", other.slug), "/stats?project_id=none".to_owned()),
        5 => {
            let fingerprint = text(event, "fingerprint");
            (format!("/logs?fingerprint={fingerprint}"), "/logs?fingerprint=0123456789abcdef".to_owned())
        }
        6 => (
            format!("/logs?request_id={}", text(event, "request_id")),
            format!("/logs?request_id=no-{digits}"),
        ),
        7 => (format!("/logs/histogram?project_id={}", other.id), "/logs/histogram?project_id=9".to_owned()),
        8 => (format!("/logs/patterns?q={id}"), format!("/logs/patterns?q={no_id}")),
        9 => ("/logs/facets?q=their&from=-1d".to_owned(), format!("/logs/facets?q=no{digits}&from=-1d")),
        _ => {
            let cursor = &cursors[random.below(cursors.len())];
            (format!("/logs?q=their&cursor={cursor}"), format!("/logs?q=nothing{digits}"))
        }
    }
}

/// What an answer says, but for its request id and the time and effort it took.
fn essence(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let (status, headers, body) = answer.without_request_id();
    let mut json: Value = serde_json::from_str(&body).unwrap();
    if let Some(scanned) = json.get_mut("scanned") {
        assert_eq!(scanned["complete"], json!(true));
        *scanned = Value::Null;
        let headers = headers.into_iter().filter(|(name, _)| name != "content-length").collect();
        return (status, headers, json.to_string());
    }
    (status, headers, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_probes_of_another_project_look_like_what_does_not_exist() {
    for database in TestDatabase::all().await {
        let (service, name) = (Service::start(&database).await, database.name);
        let (own, other) = (service.project("own").await, service.project("other").await);
        service.post(&own, &[json!({ "message": "ours", "request_id": "mine", "source": "app" })]).await;
        let secret = |n: usize| json!({ "message": "their secret", "request_id": format!("theirs-{n}"), "level": "error" });
        for batch in 0..5 {
            let events: Vec<Value> = (0..8).map(|n| secret(batch * 8 + n)).collect();
            service.post(&other, &events).await;
        }
        let theirs = service.pages("project_id=other").await;
        let mut cursors = Vec::new();
        for limit in 1..20 {
            let page = service.page(&format!("project_id=other&limit={limit}")).await;
            cursors.push(page["next_cursor"].as_str().unwrap().to_owned());
        }
        let mut random = Random::new(99);
        for number in 0..1_000 {
            let (real, absent) = probe(&mut random, &other, &theirs, &cursors);
            let (real_answer, absent_answer) =
                tokio::join!(service.get_as(&own, &real), service.get_as(&own, &absent));
            assert_eq!(essence(&real_answer), essence(&absent_answer), "{name}: probe {number}: {real}");
            assert!(!real_answer.body.contains("their"), "{name}: {real}: {}", real_answer.body);
        }
        for path in ["histogram", "facets", "patterns"] {
            let counted = service.get_as(&own, &format!("/logs/{path}")).await.json();
            assert_eq!(counted["total"], json!(1), "{name}: {counted}");
        }
        let mine = service.get_as(&own, "/logs").await.json();
        assert_eq!(mine["logs"].as_array().unwrap().len(), 1, "{name}");
        let stats = service.get_as(&own, "/stats").await.json();
        assert_eq!(stats["top_issues"], json!([]), "{name}: {stats}");
        service.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_an_id_is_not_found_like_any_other() {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    let shop = service.project("shop").await;
    service.post(&shop, &numbered(1, "here")).await;
    let id = text(&service.pages("").await[0], "id").to_owned();
    let absent = service.get(&format!("/logs/{}", id.replace("-0", "-1"))).await.without_request_id();
    assert_eq!(absent.0, 404);
    let upper = id.to_uppercase();
    for wrong in
        ["x", "0", "-", "%00", "..%2f", "1-1", &format!("{id}0"), &format!("{id}-0"), &upper, &id[1..]]
    {
        let answer = service.get(&format!("/logs/{wrong}")).await.without_request_id();
        assert_eq!(answer, absent, "{wrong}");
    }
    service.stop().await;
    database.remove().await;
}
