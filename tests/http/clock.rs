//! The machine's clock moved back and forth by an hour: nothing is taken for another thing, and nothing goes early.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::running::{Post, Running, START_SECONDS, everywhere};

const HOUR_MS: i64 = 3_600_000;
/// So far from the start that a day of batch ids begins in the middle of the moves.
const TO_MIDNIGHT_MS: i64 = (86_400 - START_SECONDS % 86_400) * 1_000;

async fn maintained(running: &Running) {
    let answer = running.admin(Method::POST, "/admin/maintain", &Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test]
async fn a_clock_moved_back_and_forth_by_an_hour_keeps_ids_apart_and_purges_nothing_early() {
    everywhere(async |running| {
        running.hand.advance(TO_MIDNIGHT_MS - HOUR_MS / 2);
        let key = running.project_with("web", json!({ "retention_days": 1 })).await;
        let all = "from=2026-01-01T00:00:00Z&to=2030-01-01T00:00:00Z&limit=1000";
        let mut sent: Vec<(i64, String)> = Vec::new();
        for (number, hours) in [0, 1, -1, -1, 1, 1, -1, 0].into_iter().enumerate() {
            running.hand.advance(hours * HOUR_MS);
            let now = running.state.clock.now().as_millis();
            let body = json!([{ "message": format!("move {number} a"), "level": "error" }, { "message": format!("move {number} b") }]).to_string();
            let named = Post::bare(&key, body).with("idempotency-key", &format!("move-{number}"));
            assert_eq!(running.send(named.clone()).await.counts(), (2, 2, false), "{number}");
            for step in [HOUR_MS, -HOUR_MS, -HOUR_MS, HOUR_MS] {
                running.hand.advance(step);
                assert_eq!(running.send(named.clone()).await.counts(), (2, 2, true), "{number}: it is remembered");
            }
            maintained(running).await;
            let logs = running.logs(all).await;
            assert_eq!(logs.len(), 2 * (number + 1), "nothing is gone");
            let known: HashSet<String> = sent.iter().map(|(_, id)| id.clone()).collect();
            let ids = logs.iter().map(|log| log["id"].as_str().unwrap().to_owned());
            sent.extend(ids.filter(|id| !known.contains(id)).map(|id| (now, id)));
        }
        let different: HashSet<&String> = sent.iter().map(|(_, id)| id).collect();
        assert_eq!(different.len(), 16, "ids are unique");
        // Those of one hour may stand in any order, those of different hours may not.
        sent.sort_by(|a, b| a.1.cmp(&b.1));
        assert!(sent.is_sorted_by_key(|(received, _)| *received), "{sent:?}");
        for (_, id) in &sent {
            assert_eq!(running.admin(Method::GET, &format!("/logs/{id}"), &Value::Null).await.status, 200);
        }
        // A day after the last of them they go.
        running.hand.advance(26 * HOUR_MS);
        maintained(running).await;
        assert_eq!(running.logs(all).await.len(), 0);
    })
    .await;
}
