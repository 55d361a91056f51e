//! Each part of a search by itself: fields, times, words, orders, limits, and what is wrong with a query.

use serde_json::{Value, json};

use crate::model::text;
use crate::reading::{START, Service};
use crate::support::TestDatabase;

/// Five events, a minute apart, named by their messages' first word; the newest is `e`.
fn events() -> Vec<Value> {
    let at = |minutes: i64| START.as_millis() - minutes * 60_000;
    let at_rfc = |minutes| tekno_logger::timestamp::Timestamp::from_millis(at(minutes)).to_string();
    vec![
        json!({ "message": "a Disk full on node-7", "level": "error", "source": "api", "env": "production",
            "user_id": "u-1", "request_id": "Req-9", "ts": at(4), "release": "2.0.1", "tags": ["billing", "eu"] }),
        json!({ "message": "b connection lost", "level": "WARNING", "source": "api", "env": "staging",
            "user_id": "u-2", "ts": at_rfc(3), "stack": "Error: boom\n    at pay (src/cart.js:7)" }),
        json!({ "message": "c say \"hello\" to C:\\temp", "level": "info", "source": "worker",
            "ctx": { "order": { "sku": "SKU-77", "total": 129 }, "ok": true }, "ts": at(2) }),
        json!({ "message": "d disk -quota reached", "level": "fatal", "source": "worker,eu", "ts": at(1) }),
        json!({ "message": "e straße ÜBER alles", "level": "debug", "source": "api", "ts": at(0) }),
    ]
}

/// Names of what a query finds, in the order it gives.
async fn found(service: &Service, query: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let page = service.page(&query).await;
    assert_eq!(page["warnings"], json!([]), "{query}");
    page["logs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| text(event, "message").chars().next().unwrap())
        .collect()
}

/// A search and the names of what it finds, in order. The events stand at 08:00 and the minutes before it.
type Case = (&'static [(&'static str, &'static str)], &'static str);

const CASES: &[Case] = &[
    (&[], "edcba"),
    (&[("order", "asc")], "abcde"),
    (&[("order", "asc"), ("limit", "2")], "ab"),
    (&[("limit", "3")], "edc"),
    (&[("level", "error")], "a"),
    (&[("level", "warn")], "b"),
    (&[("level", "warning,ERR,critical")], "dba"),
    (&[("source", "API")], "eba"),
    (&[("source", "api,worker")], "ecba"),
    (&[("source", "nobody")], ""),
    (&[("env", "staging")], "b"),
    (&[("env", "production")], "edca"),
    (&[("user_id", "U-2")], "b"),
    (&[("request_id", "req-9")], "a"),
    (&[("request_id", "req-")], ""),
    (&[("project_id", "shop")], "edcba"),
    (&[("project_id", "other")], ""),
    (&[("from", "-150s")], "edc"),
    (&[("to", "-150s")], "ba"),
    (&[("from", "now-3m"), ("to", "now-1m")], "cb"),
    (&[("from", "1799999880000")], "edc"),
    (&[("to", "1799999880000")], "ba"),
    (&[("from", "1799999880")], "edc"),
    (&[("from", "1799999820000"), ("to", "1799999820000")], ""),
    (&[("from", "2027-01-15T07:58:00Z")], "edc"),
    (&[("from", "2027-01-15T09:58:00+02:00")], "edc"),
    (&[("from", "2027-01-15T09:58:00 02:00")], "edc"),
    (&[("from", "2027-01-16")], ""),
    (&[("to", "2027-01-15")], ""),
    (&[("from", "now"), ("to", "-1h")], ""),
    (&[("q", "disk")], "da"),
    (&[("q", "DISK full")], "a"),
    (&[("q", "\"disk full\"")], "a"),
    (&[("q", "\"full disk\"")], ""),
    (&[("q", "disk -full")], "d"),
    (&[("q", "-disk -connection")], "ec"),
    (&[("q", "\"-quota\"")], "d"),
    (&[("q", "-\"disk full\" disk")], "d"),
    (&[("q", "\"say \\\"hello\\\"\"")], "c"),
    (&[("q", "c:\\temp")], "c"),
    (&[("q", "\"c:\\\\temp\"")], "c"),
    (&[("q", "STRASSE")], ""),
    (&[("q", "STRAßE über")], "e"),
    (&[("q", "sku-77")], "c"),
    (&[("q", "129")], "c"),
    (&[("q", "sku 77")], "c"),
    (&[("q", "total")], ""),
    (&[("q", "\"cart.js:7\"")], "b"),
    (&[("q", "boom")], "b"),
    (&[("q", "BILLING")], "a"),
    (&[("q", "2.0.1 u-1 req-9 api")], "a"),
    (&[("q", "staging")], ""),
    (&[("q", "fatal")], ""),
    (&[("q", "disk"), ("level", "fatal"), ("source", "worker,eu"), ("from", "-2m")], ""),
    (&[("q", "disk"), ("level", "error,fatal"), ("from", "-2m"), ("order", "asc")], "d"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_finds_what_it_names_and_nothing_else() {
    for database in TestDatabase::all().await {
        let service = Service::start(&database).await;
        let shop = service.project("shop").await;
        service.project("other").await;
        service.post(&shop, &events()).await;
        for (query, expected) in CASES {
            assert_eq!(found(&service, query).await, *expected, "{}: {query:?}", database.name);
        }
        let all = service.pages("").await;
        for event in &all {
            let by_fingerprint = found(&service, &[("fingerprint", text(event, "fingerprint"))]).await;
            assert_eq!(by_fingerprint, text(event, "message")[..1], "{}", database.name);
        }
        for path in ["/api/log", "/admin/logs/search"] {
            assert_eq!(service.get(path).await.json()["logs"], Value::from(all.clone()), "{path}");
        }
        service.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_query_is_refused_by_name_or_said_in_a_warning() {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    let shop = service.project("shop").await;
    service.post(&shop, &events()).await;
    let long = "x".repeat(1_001);
    let many = "x ".repeat(65);
    for (query, name) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=1e8", "limit"),
        ("limit=-1", "limit"),
        ("order=sideways", "order"),
        ("level=loud", "level"),
        ("from=tomorrow", "from"),
        ("to=12:00", "to"),
        ("fingerprint=xyz", "fingerprint"),
        ("cursor=abc", "cursor"),
        ("level=info&level=warn", "level"),
        ("project_id=1&project_id=2", "project_id"),
        (&format!("q={long}"), "q"),
        (&format!("q={many}"), "q"),
        (&format!("user_id={long}"), "user_id"),
    ] {
        let answer = service.get(&format!("/logs?{query}")).await;
        let json = answer.json();
        assert_eq!((answer.status, &json["code"]), (400, &json!("invalid_parameter")), "{query}");
        assert!(text(&json, "detail").starts_with(name), "{query}: {json}");
    }
    let cursor = service.page("limit=1").await["next_cursor"].as_str().unwrap().to_owned();
    assert_eq!(service.get(&format!("/logs?order=asc&cursor={cursor}")).await.status, 400);
    for (query, found, warning) in [
        ("levle=error&limit=2", 2, "The parameter levle is unknown and was ignored."),
        ("q=%22disk+full", 0, "a quote is not closed, so it is searched as text"),
    ] {
        let page = service.page(query).await;
        assert_eq!(page["logs"].as_array().unwrap().len(), found, "{query}");
        assert_eq!(page["warnings"], json!([warning]), "{query}");
    }
    let unknown: Vec<String> = (0..30).map(|n| format!("p{n}=1")).collect();
    assert_eq!(service.page(&unknown.join("&")).await["warnings"].as_array().unwrap().len(), 8, "bounded");
    service.stop().await;
    database.remove().await;
}
