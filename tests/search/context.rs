//! What happened around an event, compared with the list of all events.

use serde_json::{Value, json};
use tekno_logger::store::STATEMENT_TIMEOUT;

use crate::model::{Random, Spread, event, ids, sort, text};
use crate::reading::{START, Service, TestProject};
use crate::support::TestDatabase;

async fn fill(service: &Service, project: &TestProject, seed: u64) {
    let mut random = Random::new(seed);
    for batch in 0..25 {
        let spread = [Spread::Narrow, Spread::Wide, Spread::Late][batch % 3];
        let size = 1 + random.below(9);
        let events: Vec<Value> =
            (0..size).map(|number| event(&mut random, number, START.as_millis(), spread)).collect();
        service.post(project, &events).await;
    }
}

/// What a scope takes in, by the plain definition.
fn belongs(scope: &str, event: &Value, other: &Value) -> bool {
    let same = |name: &str| text(event, name).to_lowercase() == text(other, name).to_lowercase();
    event["project"] == other["project"]
        && match scope {
            "source" => same("source"),
            "request" => !other["request_id"].is_null() && same("request_id"),
            _ => true,
        }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_is_the_neighbours_of_an_event_in_the_list_of_its_scope() {
    for database in TestDatabase::all().await {
        let (service, name) = (Service::start(&database).await, database.name);
        for (slug, seed) in [("shop", 3), ("other", 4)] {
            let project = service.project(slug).await;
            fill(&service, &project, seed).await;
        }
        let mut all = service.pages("limit=1000").await;
        sort(&mut all);
        let mut random = Random::new(11);
        for round in 0..60 {
            let at = random.below(all.len());
            let event = &all[at];
            let scope = *random.pick(&[&"source", &"request", &"project"]);
            let (before, after) = (random.below(8), random.below(8));
            let path =
                format!("/logs/{}/context?before={before}&after={after}&scope={scope}", text(event, "id"));
            let answer = service.get(&path).await;
            if scope == "request" && event["request_id"].is_null() {
                assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("invalid_parameter")));
                continue;
            }
            assert_eq!(answer.status, 200, "{name} {path}: {}", answer.body);
            let answer = answer.json();
            let older: Vec<&str> = all[..at]
                .iter()
                .filter(|other| belongs(scope, event, other))
                .map(|other| text(other, "id"))
                .collect();
            let newer: Vec<&str> = all[at + 1..]
                .iter()
                .filter(|other| belongs(scope, event, other))
                .map(|other| text(other, "id"))
                .collect();
            let what = format!("{name} {round} {path}");
            assert_eq!(answer["event"], *event, "{what}");
            let shown = |side: &str| ids(answer[side].as_array().unwrap()).join(" ");
            assert_eq!(shown("before"), older[older.len().saturating_sub(before)..].join(" "), "{what}");
            assert_eq!(shown("after"), newer[..newer.len().min(after)].join(" "), "{what}");
            if before > 0 {
                assert_eq!(answer["before_cursor"].is_null(), older.len() <= before, "{what}: {answer}");
            }
            if after > 0 {
                assert_eq!(answer["after_cursor"].is_null(), newer.len() <= after, "{what}: {answer}");
            }
            assert_eq!(answer["scanned"]["complete"], json!(true), "{what}");
        }
        service.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_cursors_go_on_in_both_directions() {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    let shop = service.project("shop").await;
    for n in 0..30 {
        let ts = START.as_millis() - 100_000 + n * 1_000;
        service.post(&shop, &[json!({ "message": format!("event {n}"), "ts": ts })]).await;
    }
    let mut all = service.pages("limit=1000").await;
    sort(&mut all);
    let middle = text(&all[15], "id");
    let context = service.get(&format!("/logs/{middle}/context?before=4&after=4&scope=project")).await.json();
    let older = context["before_cursor"].as_str().unwrap();
    let older = service.page(&format!("order=desc&limit=1000&cursor={older}")).await;
    let newer = context["after_cursor"].as_str().unwrap();
    let newer = service.page(&format!("order=asc&limit=1000&cursor={newer}")).await;
    let mut joined: Vec<Value> = older["logs"].as_array().unwrap().clone();
    joined.reverse();
    for side in ["before", "event", "after"] {
        match &context[side] {
            Value::Array(events) => joined.extend(events.iter().cloned()),
            event => joined.push(event.clone()),
        }
    }
    joined.extend(newer["logs"].as_array().unwrap().iter().cloned());
    assert_eq!(ids(&joined), ids(&all));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_is_refused_to_others_and_for_what_is_not_there() {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    let (shop, other) = (service.project("shop").await, service.project("other").await);
    service.post(&shop, &[json!({ "message": "ours" })]).await;
    let id = text(&service.page("").await["logs"][0], "id").to_owned();
    let path = format!("/logs/{id}/context");
    assert_eq!(service.get_as(&shop, &path).await.status, 200);
    assert_eq!(service.get_public(&path).await.status, 401);
    let nothing = format!("/logs/{}-0/context", "0".repeat(26));
    let probe = service.get_as(&other, &path).await;
    assert_eq!(probe.status, 404);
    assert_eq!(
        probe.without_request_id(),
        service.get_as(&other, &nothing).await.without_request_id(),
        "a probe looks like nothing"
    );
    for query in ["before=101", "after=x", "scope=all", "before=-1"] {
        assert_eq!(service.get(&format!("{path}?{query}")).await.status, 400, "{query}");
    }
    // An event of another project right beside it is no part of any context.
    service.post(&other, &[json!({ "message": "theirs", "source": "shop" })]).await;
    for scope in ["source", "project"] {
        let shown = service.get(&format!("{path}?scope={scope}")).await;
        assert!(shown.status == 200 && !shown.body.contains("theirs"), "{}", shown.body);
    }
    let mut work = service.state.store.work().await.unwrap();
    work.packet("DELETE FROM blocks".to_owned(), STATEMENT_TIMEOUT).await.unwrap();
    drop(work);
    assert_eq!(service.get(&path).await.status, 404);
    service.stop().await;
}
