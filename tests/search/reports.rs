//! `/stats`, `/config`, `/metrics`, `/healthz` and `/readyz`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::model::{LEVELS, Random, Spread, event, text};
use crate::reading::{START, Service, send, until};
use crate::support::TestDatabase;

#[tokio::test(flavor = "multi_thread")]
async fn stats_add_up_to_what_is_stored() {
    for database in TestDatabase::all().await {
        let (service, name) = (Service::start(&database).await, database.name);
        let projects = [service.project("shop").await, service.project("blog").await];
        let mut random = Random::new(5);
        for batch in 0..20 {
            let project = &projects[batch % 2];
            let now = START.as_millis();
            let events: Vec<Value> = (0..9).map(|n| event(&mut random, n, now, Spread::Narrow)).collect();
            service.post(project, &events).await;
            service.hand.advance(97_000);
        }
        let all = service.pages("limit=1000").await;
        assert_eq!(all.len(), 180, "{name}");
        for (query, slug) in
            [("", None), ("&project_id=shop", Some("shop")), ("&project_id=blog", Some("blog"))]
        {
            let mine = || all.iter().filter(|event| slug.is_none_or(|slug| event["project"] == slug));
            let mut levels = BTreeMap::from(LEVELS.map(|level| (level, 0_u64)));
            let mut issues: BTreeMap<(&str, &str), u64> = BTreeMap::new();
            let issue_of = |value| (text(value, "project"), text(value, "fingerprint"));
            for event in mine() {
                *levels.get_mut(text(event, "level")).unwrap() += 1;
                if ["error", "fatal"].contains(&text(event, "level")) {
                    *issues.entry(issue_of(event)).or_default() += 1;
                }
            }
            let path = format!("/stats?from=-24h{query}");
            until("counts are folded", async || service.get(&path).await.json()["total"] == mine().count())
                .await;
            let stats = service.get(&path).await.json();
            levels.retain(|_, count| *count > 0);
            assert_eq!(stats["events"], json!(levels), "{name}: {path}");
            let trend = stats["trend"].as_array().unwrap();
            let counts = trend.iter().flat_map(|bucket| bucket["counts"].as_object().unwrap().values());
            assert_eq!(
                counts.map(|count| count.as_u64().unwrap()).sum::<u64>(),
                mine().count() as u64,
                "{name}"
            );
            assert!(
                trend.len() <= 120 && trend.windows(2).all(|pair| pair[0]["to"] == pair[1]["from"]),
                "{name}"
            );
            assert_eq!(stats["storage"]["events"], json!(mine().count()), "{name}");
            for issue in stats["top_issues"].as_array().unwrap() {
                assert_eq!(issue["count"], json!(issues[&issue_of(issue)]), "{name}: {issue}");
                assert_eq!(
                    service.get(&format!("/logs/{}", text(issue, "sample"))).await.status,
                    200,
                    "{name}"
                );
            }
            let mut top: Vec<u64> = issues.values().copied().collect();
            top.sort_unstable_by(|left, right| right.cmp(left));
            top.truncate(10);
            let shown =
                stats["top_issues"].as_array().unwrap().iter().map(|issue| issue["count"].as_u64().unwrap());
            assert_eq!(shown.collect::<Vec<_>>(), top, "{name}: {path}");
        }
        for wrong in ["from=now&to=-1h", "from=-200d", "from=later"] {
            assert_eq!(service.get(&format!("/stats?{wrong}")).await.status, 400, "{wrong}");
        }
        service.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stats_are_shown_against_the_period_before() {
    const HOUR: i64 = 3_600_000;
    for database in TestDatabase::all().await {
        let (service, name) = (Service::start(&database).await, database.name);
        let shop = service.project("shop").await;
        let events = |count: usize, errors: usize| -> Vec<Value> {
            (0..count)
                .map(|n| json!({ "message": "m", "level": if n < errors { "error" } else { "info" } }))
                .collect()
        };
        // 30 hours ago: the day before; 2 hours ago: the last 24 hours.
        service.post(&shop, &events(8, 6)).await;
        service.hand.advance(28 * HOUR);
        service.post(&shop, &events(10, 1)).await;
        service.hand.advance(2 * HOUR);
        until("counts are folded", async || {
            let stats = service.get("/stats").await.json();
            stats["total"] == 10 && stats["previous"]["total"] == 8
        })
        .await;
        let maintained = |service: &Service| {
            let request = service.client.post(format!("{}/admin/maintain", service.base));
            send(request.header("X-Admin-Token", crate::support::ADMIN_TOKEN))
        };
        for counts in ["as folded", "in wide buckets"] {
            let stats = service.get("/stats").await.json();
            assert_eq!((&stats["total"], &stats["error_rate"]), (&json!(10), &json!(0.1)), "{name}: {stats}");
            let previous = &stats["previous"];
            assert_eq!(
                (&previous["total"], &previous["error_rate"]),
                (&json!(8), &json!(0.75)),
                "{name}: {counts}"
            );
            assert_eq!(previous["to"], stats["from"], "{name}: {stats}");
            assert_eq!(previous["complete"], json!(true), "{name}: {stats}");
            let rate = stats["per_minute"].as_f64().unwrap();
            assert!((10.0 / 1_471.0..=10.0 / 1_440.0).contains(&rate), "{name}: {rate} a minute");
            assert_eq!(maintained(&service).await.status, 200, "{name}");
        }
        // Half of what was before has expired.
        let stats = service.get("/stats?from=-60h").await.json();
        assert_eq!((&stats["total"], &stats["previous"]["complete"]), (&json!(18), &json!(false)), "{name}");
        service.stop().await;
        database.remove().await;
    }
}

/// Metric families of an `OpenMetrics` text, with their kinds; panics at what is none.
fn families(text: &str) -> BTreeMap<&str, &str> {
    assert!(text.ends_with("# EOF\n"), "{text}");
    let mut kinds = BTreeMap::new();
    let mut documented = Vec::new();
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(help.len() > 5, "{line}");
            documented.push(name);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(kinds.insert(name, kind).is_none(), "{name} twice");
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().unwrap() >= 0.0, "{line}");
            let name = sample.split('{').next().unwrap();
            let family = name.strip_suffix("_total").filter(|family| kinds.get(family) == Some(&"counter"));
            assert!(kinds.contains_key(family.unwrap_or(name)), "{line} has no type");
        }
    }
    documented.sort_unstable();
    assert_eq!(documented, kinds.keys().copied().collect::<Vec<_>>());
    kinds
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_openmetrics_and_have_every_name() {
    let database = TestDatabase::sqlite();
    let metrics_token = "tests-metrics-token-5c4d3e2f1a0b9c8d7e6f5a4b3c2d";
    let service = Service::start_with(&database, &[("METRICS_TOKEN", metrics_token)]).await;
    let shop = service.project("shop").await;
    // One of every outcome, so that every name has a number.
    let part = r#"[{"message":"counted"},{"level":"info"}]"#;
    for (batch, body, status) in [("a", part, 200), ("a", "[{\"message\":\"other\"}]", 409), ("b", "{", 400)]
    {
        let answer = service.try_post(&shop, batch, body.to_owned()).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    let answer = service.get("/metrics").await;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(answer.headers.contains(&("content-type".to_owned(), kind.to_owned())), "{:?}", answer.headers);
    let names: Vec<&str> = families(&answer.body).into_keys().collect();
    assert_eq!(
        names,
        [
            "tekno_accept_errors",
            "tekno_alert_waiting",
            "tekno_body_bytes",
            "tekno_body_bytes_peak",
            "tekno_build",
            "tekno_compaction_merged_blocks",
            "tekno_compaction_recompressed_blocks",
            "tekno_compaction_saved_bytes",
            "tekno_connections_accepted",
            "tekno_connections_cut",
            "tekno_connections_open",
            "tekno_connections_refused",
            "tekno_database_connected",
            "tekno_events_accepted",
            "tekno_events_duplicate",
            "tekno_events_received",
            "tekno_events_refused",
            "tekno_events_rejected",
            "tekno_exports_open",
            "tekno_ingest_requests_refused",
            "tekno_limiter_clients",
            "tekno_project_events",
            "tekno_quarantine_bytes",
            "tekno_quarantine_events",
            "tekno_quarantine_events_added",
            "tekno_quarantine_events_deleted",
            "tekno_quarantine_events_stored",
            "tekno_quarantine_failing",
            "tekno_queue_batches",
            "tekno_queue_bytes",
            "tekno_queue_bytes_peak",
            "tekno_search_cache_bytes",
            "tekno_tails_open",
        ]
    );
    for line in
        ["tekno_database_connected 1", "tekno_events_accepted_total 1", "tekno_events_received_total 3"]
    {
        assert!(answer.body.lines().any(|found| found == line), "{line}: {}", answer.body);
    }
    let get = |token: &str| service.client.get(format!("{}/metrics", service.base)).bearer_auth(token).send();
    assert_eq!(get(metrics_token).await.unwrap().status(), 200);
    assert_eq!(get(&shop.read_key).await.unwrap().status(), 401);
    assert_eq!(service.get_public("/metrics").await.status, 401);
    service.stop().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_public_and_its_detail_an_admins() {
    let database = TestDatabase::sqlite();
    let service = Service::start(&database).await;
    service.hand.advance(12_345);
    let health = service.get_public("/healthz").await.json();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(health, json!({ "ok": true, "database": "connected", "uptime": 12, "version": version }));

    let ready = service.get_public("/readyz").await;
    assert_eq!((ready.status, &ready.json()["checks"]["database"]), (200, &json!(true)));
    assert_eq!(
        service.get("/readyz").await.json()["checks"]["database"],
        json!({ "ok": true, "detail": null })
    );
    service.state.health.set_check("probe", Some("The probe at 10.1.2.3 fails.".to_owned()));
    let public = service.get_public("/readyz").await;
    assert_eq!((public.status, &public.json()["checks"]["probe"]), (503, &json!(false)));
    assert!(!public.body.contains("10.1.2.3"), "{}", public.body);
    let admin = service.get("/readyz").await;
    assert_eq!(admin.json()["checks"]["probe"]["detail"], "The probe at 10.1.2.3 fails.");
    assert_eq!(service.get_public("/healthz").await.status, 200, "a platform need not restart it for that");

    let config = service.get_public("/config").await;
    assert!(config.headers.contains(&("cache-control".to_owned(), "public, max-age=300".to_owned())));
    let json = config.json();
    assert_eq!(json["max_events_per_post"], 10_000);
    assert_eq!(json["levels"], json!(LEVELS));
    for secret in [crate::support::ADMIN_TOKEN, crate::support::HMAC_SECRET] {
        assert!(!config.body.contains(secret));
    }
    service.stop().await;
    database.remove().await;
}
