//! The query language through the running service: what it finds, what it warns of, what it refuses.

use serde_json::{Value, json};

use crate::reading::{START, Service};
use crate::support::TestDatabase;

/// Three events of each of two projects, named by their messages.
fn events(project: &str) -> [Value; 3] {
    let ts = START.as_millis();
    [
        json!({ "message": format!("{project} one: gateway timeout after 1500 ms"), "level": "error", "ts": ts - 3000,
            "user_id": "u-1", "ctx": { "http": { "status": 504 }, "items": [{ "sku": "A17" }, { "sku": "B2" }] } }),
        json!({ "message": format!("{project} two: Connection refused"), "level": "warn", "ts": ts - 2000,
            "tags": ["blue", "two words"], "ctx": { "http": { "status": 502 }, "order_id": "order-77812" } }),
        json!({ "message": format!("{project} three: cache miss (cold)"), "level": "debug", "ts": ts - 1000,
            "release": "2.4.1", "source": "cache" }),
    ]
}

fn path(query: &str) -> String {
    let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
    format!("order=asc&q={query}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_finds_its_events_on_every_database() {
    for database in TestDatabase::all().await {
        let service = Service::start(&database).await;
        for slug in ["shop", "blog"] {
            let project = service.project(slug).await;
            service.post(&project, &events(slug)).await;
        }
        for (query, expected) in [
            ("project:shop", "shop one, shop two, shop three"),
            ("project:shop timeout OR project:blog refused", "shop one, blog two"),
            ("project:b* -level:<=debug", "blog one, blog two"),
            ("project:shop level:(error OR debug)", "shop one, shop three"),
            ("project:shop level:>=warn ctx.http.status:<504", "shop two"),
            ("project:shop ctx.http.status:>=504", "shop one"),
            ("project:shop CTX.order_id:ORDER-77812", "shop two"),
            ("project:shop ctx.items.sku:b2", "shop one"),
            ("project:shop NOT has:ctx.http", "shop three"),
            ("project:shop tags:\"two words\"", "shop two"),
            ("project:shop release:2.*", "shop three"),
            ("project:shop /after \\d{4} ms/", "shop one"),
            ("project:shop message:/CONNECTION refused$/i", "shop two"),
            ("project:shop ts:>=-2s", "shop two, shop three"),
            ("project:shop ts:<-2s", "shop one"),
            ("shop received_at:<now", ""),
            ("shop user_id:U-1", "shop one"),
            ("blog -(timeout OR (cache miss))", "blog two"),
        ] {
            let page = service.page(&path(query)).await;
            let names = page["logs"].as_array().unwrap().iter().map(|log| {
                let message = log["message"].as_str().unwrap();
                message.split(':').next().unwrap().to_owned()
            });
            assert_eq!(names.collect::<Vec<_>>().join(", "), expected, "{}: {query}", database.name);
            assert_eq!(page["warnings"], json!([]), "{query}");
        }
        service.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_parse_is_searched_as_text_and_said_so() {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    let project = service.project("shop").await;
    service.post(&project, &events("shop")).await;
    for (query, found, warning) in [
        ("(cold", 1, "a ( is not closed, so it is searched as text"),
        ("(refused", 0, "a ( is not closed, so it is searched as text"),
        ("after OR", 0, "OR has nothing to join, so it is searched as text"),
        ("one:", 1, ""),
        (
            "status:504",
            0,
            "status is not a field, so status:504 is searched as text; a value in ctx is ctx.status",
        ),
        ("message:/(/", 0, "message:/(/ is not a regular expression, so it is searched as text"),
    ] {
        let page = service.page(&path(query)).await;
        assert_eq!(page["logs"].as_array().unwrap().len(), found, "{query}");
        let warnings: Vec<&str> = Some(warning).into_iter().filter(|text| !text.is_empty()).collect();
        assert_eq!(page["warnings"], json!(warnings), "{query}");
    }
    for query in ["x".repeat(1_001), "x ".repeat(65), format!("{}x{}", "(".repeat(17), ")".repeat(17))] {
        let answer = service.get(&format!("/logs?{}", path(&query))).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.json()["code"], "invalid_parameter", "{query}");
    }
    service.stop().await;
    database.remove().await;
}
