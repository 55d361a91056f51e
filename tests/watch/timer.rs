//! The whole service: events posted, a clock that goes on, and what its own timer says.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::running::{PATIENCE, Post, Running, everywhere};

/// Titles in the history, once one of them begins so.
async fn titles_with(running: &Running, beginning: &str) -> Vec<String> {
    let since = Instant::now();
    loop {
        let answer = running.admin(Method::GET, "/admin/alerts/history?limit=500", &Value::Null).await.json();
        let rows = answer["history"].as_array().unwrap().clone();
        let titles: Vec<String> = rows.iter().map(|row| row["title"].as_str().unwrap().to_owned()).collect();
        if titles.iter().any(|title| title.starts_with(beginning)) {
            return titles;
        }
        assert!(since.elapsed() < PATIENCE, "no {beginning:?} in {titles:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timer_says_that_a_spike_and_an_overflow_are_over_when_nothing_comes_any_more() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let event = json!({ "level": "error", "message": "card declined", "source": "shop" });
        let post = Post::bare(&key, json!(vec![event; 6]).to_string());
        assert_eq!(running.send(post).await.status, 200);
        let titles = titles_with(running, "Incoming events").await;
        assert!(titles.iter().all(|title| !title.starts_with("Resolved")), "{titles:?}");
        // The timer goes on by the machine's clock, what it sees by this one.
        running.hand.advance(6 * 60_000);
        let titles = titles_with(running, "Resolved: Spike: card declined").await;
        assert!(titles.iter().all(|title| !title.starts_with("Overflow ended")), "{titles:?}");
        running.hand.advance(3_600_000);
        let titles = titles_with(running, "Overflow ended: 6 events from 2026-09-21T").await;
        assert_eq!(
            titles.iter().filter(|title| title.starts_with("Resolved: Spike")).count(),
            1,
            "{titles:?}"
        );
    })
    .await;
}
