//! Random events, random searches: what the service answers over all pages is what a plain filter finds.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::{Filter, Random, Spread, event, ids, millis, sent_part, sort, text};
use crate::reading::{START, Service, TestProject};
use crate::support::TestDatabase;

pub const SLUGS: [&str; 3] = ["shop", "blog", "api"];
const SEARCHES: u64 = 150;

/// Posts batches of many shapes to several projects; gives what was sent by marker.
pub async fn fill(
    service: &Service,
    projects: &[TestProject],
    random: &mut Random,
) -> BTreeMap<String, Value> {
    let mut sent = BTreeMap::new();
    let mut now = START.as_millis();
    for batch in 0..60 {
        let project = &projects[random.below(projects.len())];
        let size = *random.pick(&[&1, &1, &2, &7, &40]);
        let mut events = Vec::new();
        for _ in 0..size {
            let spread = *random.pick(&[&Spread::Narrow, &Spread::Narrow, &Spread::Wide, &Spread::Late]);
            let event = event(random, sent.len(), now, spread);
            sent.insert(format!("{} {}", project.slug, event["ctx"]["n"].as_str().unwrap()), event.clone());
            events.push(event);
        }
        service.post(project, &events).await;
        // Many batches share a millisecond of receipt.
        if batch % 3 == 0 {
            let step = i64::try_from(random.below(400_000)).unwrap();
            service.hand.advance(step);
            now += step;
        }
    }
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn every_search_over_all_its_pages_finds_what_a_plain_filter_finds() {
    for database in TestDatabase::all().await {
        let service = Service::start(&database).await;
        let mut projects = Vec::new();
        for slug in SLUGS {
            projects.push(service.project(slug).await);
        }
        let mut random = Random::new(20_260);
        let sent = fill(&service, &projects, &mut random).await;

        let mut stored = service.pages("limit=1000&order=asc").await;
        let shown = ids(&stored).join(" ");
        sort(&mut stored);
        assert_eq!(ids(&stored).join(" "), shown, "{}: in order", database.name);
        assert_eq!(stored.len(), sent.len(), "{}: all and each once", database.name);
        for event in &stored {
            let marker = format!("{} {}", text(event, "project"), event["ctx"]["n"].as_str().unwrap());
            let original = &sent[&marker];
            assert_eq!(sent_part(event), sent_part(original), "{}: {marker}", database.name);
            assert_eq!(Some(millis(event)), original["ts"].as_i64(), "{}: {marker}", database.name);
        }

        let mut found_some = 0;
        for search in 0..SEARCHES {
            let filter = Filter::random(&mut random, &stored, &SLUGS);
            let limit = *random.pick(&[&1, &7, &100, &1_000]);
            let expected = filter.expected(&stored);
            // Single events a page are slow where there are many.
            let limit = if limit == 1 && expected.len() > 60 { 13 } else { limit };
            let found = service.pages(&format!("{}&limit={limit}", filter.query)).await;
            assert_eq!(ids(&found), expected, "{}: search {search} {filter:?} limit {limit}", database.name);
            found_some += usize::from(!found.is_empty());
        }
        assert!(found_some > 60, "{}: only {found_some} searches found something", database.name);
        service.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn context_comes_back_as_it_was_sent_to_the_last_digit_and_in_its_order() {
    let contexts = [
        r#"{"zebra":1,"apple":{"y":1,"b":2},"mango":[3,1,2]}"#,
        r#"{"big":123456789012345678901234567890,"precise":0.1234567890123456789012345,"exp":1E30}"#,
        r#"{"minus":-0,"one":1.0,"same":1,"same":2}"#,
        r#"{"text":"ü \u0001 \" \\ end"}"#,
        "[1,\"two\",null,false]",
        "\"plain\"",
        "18446744073709551616",
    ];
    for database in TestDatabase::all().await {
        let service = Service::start(&database).await;
        let project = service.project("shop").await;
        let events: Vec<String> =
            contexts.iter().map(|ctx| format!(r#"{{"message":"as sent","ctx":{ctx}}}"#)).collect();
        service.post_text(&project, format!("[{}]", events.join(","))).await;
        let answer = service.get("/logs?q=%22as+sent%22").await;
        for ctx in contexts {
            let expected = format!(r#""ctx":{ctx},"#);
            let shown: Vec<&str> = answer
                .body
                .split("\"ctx\":")
                .skip(1)
                .map(|rest| rest.split(",\"user_id\"").next().unwrap())
                .collect();
            assert!(answer.body.contains(&expected), "{}: {ctx} in {shown:#?}", database.name);
        }
        for event in answer.json()["logs"].as_array().unwrap() {
            let one = service.get(&format!("/logs/{}", text(event, "id"))).await.body;
            assert!(answer.body.contains(&one), "{}: {one}", database.name);
            assert!(contexts.iter().any(|ctx| one.contains(&format!(r#""ctx":{ctx},"#))), "{one}");
        }
        let names: Map<String, Value> = answer.json()["logs"][0].as_object().unwrap().clone();
        for name in [
            "id",
            "project_id",
            "project",
            "ts",
            "received_at",
            "level",
            "source",
            "env",
            "message",
            "ctx",
            "user_id",
            "request_id",
            "tags",
            "release",
            "stack",
            "fingerprint",
            "expires_at",
        ] {
            assert!(names.contains_key(name), "{name}");
        }
        service.stop().await;
        database.remove().await;
    }
}
