//! What `POST /log` takes: paths, shapes, signatures, fields, and events that are late, early or partly wrong.

use serde_json::{Value, json};

use crate::running::{Post, Running, START_SECONDS, everywhere, on_sqlite};

async fn one(running: &Running, query: &str) -> Value {
    let found = running.logs(query).await;
    assert_eq!(found.len(), 1, "{query}: {found:?}");
    found[0].clone()
}

#[tokio::test]
async fn every_path_shape_and_spelling_of_the_signature_is_taken_and_found() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let mut expected = Vec::new();
        for path in ["/log", "/api/log"] {
            for (shape, events) in [("array", 2), ("wrapped", 2), ("single", 1)] {
                for spelling in ["bare", "prefixed", "upper", "timed", "timed-bare"] {
                    let message = |number: usize| format!("m {path} {shape} {spelling} {number}");
                    let event = |number| json!({ "message": message(number), "level": "warn" });
                    let body = match shape {
                        "array" => json!([event(0), event(1)]),
                        "wrapped" => json!({ "events": [event(0), event(1)] }),
                        _ => event(0),
                    };
                    let bare = Post::bare(&key, body.to_string());
                    let timed = Post::timed(&key, START_SECONDS, body.to_string());
                    let signature = |post: &Post| {
                        let found = post.headers.iter().find(|(name, _)| name == "x-signature");
                        found.unwrap().1.clone()
                    };
                    let resigned = |post: Post, value: &str| {
                        let value = value.to_owned();
                        post.without("x-signature").with("x-signature", &value)
                    };
                    let (hex, prefixed) = (signature(&bare), signature(&timed));
                    let post = match spelling {
                        "bare" => bare,
                        "prefixed" => resigned(bare, &format!("sha256={hex}")),
                        "upper" => resigned(bare, &hex.to_uppercase()),
                        "timed" => timed,
                        _ => resigned(timed, prefixed.strip_prefix("sha256=").unwrap()),
                    };
                    let answer = running.send(post.to(path)).await;
                    assert_eq!(answer.counts(), (events, events, false), "{path} {shape} {spelling}");
                    assert_eq!(answer.json()["rejected"], json!([]));
                    expected.extend((0..usize::try_from(events).unwrap()).map(message));
                }
            }
        }
        let found = running.logs("project_id=web&limit=1000").await;
        let mut messages: Vec<&str> = found.iter().map(|log| log["message"].as_str().unwrap()).collect();
        messages.sort_unstable();
        expected.sort_unstable();
        assert_eq!(messages, expected);
        assert!(found.iter().all(|log| log["level"] == "warn" && log["project"] == "web"));
    })
    .await;
}

#[tokio::test]
async fn a_timestamp_counts_for_300_seconds_either_way_and_not_for_301() {
    on_sqlite(&[], async |running| {
        let key = running.project("web").await;
        for (offset, status) in
            [(0, 200), (-299, 200), (299, 200), (-300, 200), (300, 200), (-301, 401), (301, 401)]
        {
            let body = json!({ "message": format!("at {offset}") }).to_string();
            let answer = running.send(Post::timed(&key, START_SECONDS + offset, body)).await;
            assert_eq!(answer.status, status, "{offset}: {}", answer.body);
        }
        let post = Post::timed(&key, START_SECONDS, r#"{"message":"later"}"#);
        running.hand.advance(301_000);
        assert_eq!(running.send(post).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn what_is_right_in_a_batch_is_stored_and_what_is_wrong_is_named_by_its_index() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
        let body = format!(
            r#"[{{"message":"first"}},{{"level":"info"}},7,{{"message":"deep","ctx":{deep}}},{{"message":"  "}},
                {{"message":"half \ud800 and nul \u0000 end"}},{{"message":"{}"}}]"#,
            "é".repeat(200_000)
        );
        let answer = running.send(Post::bare(&key, body)).await;
        let (received, accepted, _) = answer.counts();
        let receipt = answer.json();
        let rejected = receipt["rejected"].as_array().unwrap();
        assert_eq!((received, accepted + rejected.len() as u64), (7, 7), "{}", answer.body);
        let refused: Vec<(u64, &str)> = rejected
            .iter()
            .map(|one| (one["index"].as_u64().unwrap(), one["code"].as_str().unwrap()))
            .collect();
        assert!(refused.contains(&(1, "message_missing")), "{refused:?}");
        assert!(refused.iter().any(|(index, _)| *index == 2), "{refused:?}");
        assert!(rejected.iter().all(|one| !one["detail"].as_str().unwrap().is_empty()));
        assert!(refused.iter().all(|(index, _)| ![0, 5, 6].contains(index)), "{refused:?}");
        assert_eq!(one(running, "q=first").await["truncated"], Value::Null);
        let repaired = one(running, "q=half").await;
        let message = repaired["message"].as_str().unwrap();
        assert!(message.starts_with("half \u{fffd} and nul") && !message.contains('\0'), "{message:?}");
        let long = one(running, "q=%C3%A9%C3%A9%C3%A9").await;
        let message = long["message"].as_str().unwrap();
        assert!((8_100..=8_192).contains(&message.len()) && message.chars().all(|one| one == 'é'));
        assert_eq!(long["truncated"], true);
    })
    .await;
}

#[tokio::test]
async fn fields_levels_and_times_come_back_as_the_contract_says() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let now = "2026-09-21T14:14:00.000Z";
        let body = json!([
            { "message": "full", "level": "CRITICAL", "source": "pay", "environment": "staging", "context": { "a": [1, { "b": null }] },
              "user_id": 7, "request_id": "r-1", "tags": ["x", "y"], "release": "1.2.3", "stack_trace": "at a\nat b",
              "timestamp": "2026-09-21T16:13:00+02:00", "url": "/cart", "service": "shop" },
            { "message": "plain" },
            { "message": "notice", "level": "notice" }, { "message": "err", "level": "Err" }, { "message": "warning", "level": "WARNING" },
            { "message": "pino 50", "level": 50 }, { "message": "syslog 3", "level": 3 }, { "message": "odd", "level": "loud" },
            { "message": "seconds", "ts": 1_790_000_000 }, { "message": "millis", "ts": 1_790_000_000_123_i64 },
            { "message": "future", "ts": "2027-01-01T00:00:00Z" }, { "message": "no time", "ts": "soon" },
        ]);
        assert_eq!(running.send(Post::bare(&key, body.to_string())).await.counts(), (12, 12, false));
        let full = one(running, "q=full").await;
        for (field, value) in [
            ("level", json!("fatal")), ("source", json!("pay")), ("env", json!("staging")), ("user_id", json!("7")),
            ("request_id", json!("r-1")), ("tags", json!(["x", "y"])), ("release", json!("1.2.3")),
            ("stack", json!("at a\nat b")), ("ts", json!("2026-09-21T14:13:00.000Z")), ("received_at", json!(now)),
            ("project_id", json!(key.project_id)), ("expires_at", json!("2026-09-24T14:14:00.000Z")),
            ("ctx", json!({ "a": [1, { "b": null }], "url": "/cart", "service": "shop" })),
        ] {
            assert_eq!(full[field], value, "{field}");
        }
        let body = json!([
            { "message": "relative", "ts": "-15m" }, { "message": "text number", "ts": "1790000000" },
            { "message": "fraction", "ts": 1_790_000_000.5 }, { "message": "wide", "ctx": { "big": "y".repeat(100_000), "small": 1 } },
            { "message": "unit", "source": "s".repeat(300), "user_id": "ü".repeat(300) },
        ]);
        assert_eq!(running.send(Post::bare(&key, body.to_string())).await.counts(), (5, 5, false));
        for (query, ts) in [
            ("relative", "2026-09-21T13:59:00.000Z"),
            ("%22text+number%22", "2026-09-21T14:13:20.000Z"),
            ("fraction", "2026-09-21T14:13:20.500Z"),
        ] {
            assert_eq!(one(running, &format!("q={query}")).await["ts"], ts, "{query}");
        }
        let wide = one(running, "q=wide").await;
        assert!(wide["truncated"] == true && wide["ctx"].to_string().len() <= 65_536, "{}", wide["truncated"]);
        let unit = one(running, "q=unit").await;
        assert_eq!((&unit["source"], &unit["user_id"]), (&json!("s".repeat(256)), &json!("ü".repeat(256))));
        assert_eq!(unit["truncated"], true);
        let plain = one(running, "q=plain").await;
        for (field, value) in [("level", "info"), ("source", "web"), ("env", "production"), ("ts", now)] {
            assert_eq!(plain[field], value, "{field}");
        }
        for (query, level) in [("notice", "info"), ("err", "error"), ("warning", "warn"), ("%22pino+50%22", "error"), ("odd", "info")] {
            assert_eq!(one(running, &format!("q={query}")).await["level"], level, "{query}");
        }
        for (query, ts) in [
            ("seconds", "2026-09-21T14:13:20.000Z"), ("millis", "2026-09-21T14:13:20.123Z"), ("future", now), ("%22no+time%22", now),
        ] {
            assert_eq!(one(running, &format!("q={query}")).await["ts"], ts, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_late_event_stands_in_a_block_of_its_own_and_is_found() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let late = json!({ "message": "two hours late", "ts": (START_SECONDS - 7_200) * 1_000 });
        let body = json!([{ "message": "on time" }, late]);
        assert_eq!(running.send(Post::bare(&key, body.to_string())).await.counts(), (2, 2, false));
        let found = running.logs("from=-121m&to=-119m").await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["message"], "two hours late");
        assert_eq!(running.logs("from=-5m").await.len(), 1);
        assert_eq!(running.logs("").await.len(), 2);
        let stats = running.admin(reqwest::Method::GET, "/stats", &Value::Null).await;
        let scan = running.admin(reqwest::Method::GET, "/logs?from=-24h", &Value::Null).await.json();
        assert_eq!(scan["scanned"]["blocks"], 2, "{scan} {}", stats.body);
    })
    .await;
}

#[tokio::test]
async fn issues_merge_variables_keep_statuses_apart_and_honour_the_clients_own() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let event = |message: &str| json!({ "message": message, "level": "error", "source": "api" });
        let mut grouped = event("anything at all");
        grouped["fingerprint"] = json!("checkout");
        let mut grouped_too = event("something quite different");
        grouped_too["fingerprint"] = json!("checkout");
        let body = json!([
            event("GET /a answered 404"),
            event("GET /a answered 500"),
            event("user 4711 not found in 12 ms"),
            event("user 93 not found in 1503 ms"),
            grouped,
            grouped_too,
        ]);
        assert_eq!(running.send(Post::bare(&key, body.to_string())).await.counts(), (6, 6, false));
        let fingerprint = async |query: &str| one(running, query).await["fingerprint"].clone();
        assert_ne!(fingerprint("q=404").await, fingerprint("q=500").await);
        assert_eq!(fingerprint("q=4711").await, fingerprint("q=1503").await);
        assert_eq!(fingerprint("q=anything").await, fingerprint("q=different").await);
        assert_ne!(fingerprint("q=anything").await, fingerprint("q=4711").await);
    })
    .await;
}

#[tokio::test]
async fn a_test_event_of_the_admin_goes_through_the_whole_pipeline() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let path = format!("/admin/projects/{}/test-event", key.project_id);
        let answer = running.admin(reqwest::Method::POST, &path, &Value::Null).await;
        assert_eq!(answer.counts(), (1, 1, false));
        assert_eq!(running.logs("project_id=web").await.len(), 1);
    })
    .await;
}
