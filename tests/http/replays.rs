//! What is the same batch: replays of every kind are answered as duplicates and stored once.

use serde_json::json;

use crate::running::{Post, START_SECONDS, everywhere, on_sqlite};

const BODY: &str = r#"[{"message":"one"},{"level":"info"},{"message":"two"}]"#;

#[tokio::test]
async fn a_replay_is_a_duplicate_with_the_counts_of_the_first_answer() {
    everywhere(async |running| {
        let key = running.project("web").await;
        for (post, stored) in [(Post::bare(&key, BODY), 2), (Post::timed(&key, START_SECONDS, BODY), 4)] {
            assert_eq!(running.send(post.clone()).await.counts(), (3, 2, false));
            for _ in 0..3 {
                let again = running.send(post.clone()).await;
                assert_eq!(again.counts(), (3, 2, true));
                assert_eq!(again.json()["rejected"][0]["index"], 1);
            }
            assert_eq!(running.send(post.to("/api/log")).await.counts(), (3, 2, true), "by either path");
            assert_eq!(running.logs("").await.len(), stored);
        }
    })
    .await;
}

#[tokio::test]
async fn a_bare_signature_is_remembered_for_two_minutes() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let post = Post::bare(&key, BODY);
        assert_eq!(running.send(post.clone()).await.counts(), (3, 2, false));
        running.hand.advance(119_000);
        assert_eq!(running.send(post.clone()).await.counts(), (3, 2, true));
        running.hand.advance(2_000);
        assert_eq!(running.send(post.clone()).await.counts(), (3, 2, false), "121 s after the first");
        assert_eq!(running.logs("").await.len(), 4);
    })
    .await;
}

#[tokio::test]
async fn the_same_idempotency_key_means_the_same_batch_for_a_day() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let send = async |body: &str, id: &str| {
            running.send(Post::bare(&key, body).with("idempotency-key", id)).await
        };
        assert_eq!(send(BODY, "batch-1").await.counts(), (3, 2, false));
        assert_eq!(send(BODY, "batch-1").await.counts(), (3, 2, true));
        let conflict = send(r#"[{"message":"other"}]"#, "batch-1").await;
        assert_eq!(conflict.refusal(), (409, "idempotency_conflict".to_owned()));
        let third = r#"[{"message":"third"}]"#;
        assert_eq!(send(third, "batch-3").await.counts(), (1, 1, false));
        let conflict = send(third, "batch-1").await;
        assert_eq!(conflict.refusal(), (409, "idempotency_conflict".to_owned()), "though its body is stored");
        running.hand.advance(23 * 3_600_000);
        assert_eq!(send(BODY, "batch-1").await.counts(), (3, 2, true));
        let conflict = send(r#"[{"message":"other"}]"#, "batch-1").await;
        assert_eq!(conflict.refusal(), (409, "idempotency_conflict".to_owned()));
        running.hand.advance(3_601_000);
        assert_eq!(send(r#"[{"message":"other"}]"#, "batch-1").await.counts(), (1, 1, false), "after a day");
        assert_eq!(running.logs("").await.len(), 4);
    })
    .await;
}

#[tokio::test]
async fn a_captured_request_replayed_under_another_idempotency_key_is_a_duplicate() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let bare = Post::bare(&key, BODY);
        let timed = Post::timed(&key, START_SECONDS, r#"{"message":"timed"}"#);
        let timed_with_id = Post::timed(&key, START_SECONDS, r#"{"message":"with id"}"#);
        assert_eq!(running.send(bare.clone().with("idempotency-key", "a")).await.counts(), (3, 2, false));
        assert_eq!(running.send(timed.clone()).await.counts(), (1, 1, false));
        let first = timed_with_id.clone().with("idempotency-key", "b");
        assert_eq!(running.send(first).await.counts(), (1, 1, false));

        assert_eq!(running.send(bare.clone().with("idempotency-key", "c")).await.counts(), (3, 2, true));
        assert_eq!(running.send(bare).await.counts(), (3, 2, true), "under none");
        // A request with a time can be replayed for as long as its time is taken: five minutes, and ten when the
        // client's clock is ahead.
        for (step, elapsed) in [(0, "at once"), (110_000, "110 s"), (185_000, "295 s")] {
            running.hand.advance(step);
            let fresh = format!("fresh-{step}");
            for post in [&timed, &timed_with_id] {
                let replay = post.clone().with("idempotency-key", &fresh);
                assert_eq!(running.send(replay).await.counts(), (1, 1, true), "{elapsed}");
                assert_eq!(running.send(post.clone()).await.counts(), (1, 1, true), "{elapsed}, under none");
            }
        }
        assert_eq!(running.logs("").await.len(), 4);
    })
    .await;
}

#[tokio::test]
async fn the_same_body_under_a_new_idempotency_key_is_a_new_batch_after_two_minutes() {
    everywhere(async |running| {
        let key = running.project("web").await;
        for id in ["hour-1", "hour-2", "hour-3"] {
            let post = Post::bare(&key, BODY).with("idempotency-key", id);
            assert_eq!(running.send(post).await.counts(), (3, 2, false), "{id}");
            running.hand.advance(121_000);
        }
        assert_eq!(running.logs("").await.len(), 6);
    })
    .await;
}

#[tokio::test]
async fn batch_ids_belong_to_a_key_and_not_to_a_project() {
    on_sqlite(&[], async |running| {
        let first = running.project("web").await;
        let second = running.key(first.project_id, "server").await;
        let other = running.project("other").await;
        for key in [&first, &second, &other] {
            let post = Post::bare(key, BODY).with("idempotency-key", "one");
            assert_eq!(running.send(post).await.counts(), (3, 2, false));
        }
    })
    .await;
}

#[tokio::test]
async fn equal_batches_sent_at_once_are_stored_once() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let post = Post::timed(&key, START_SECONDS, BODY);
        let answers = futures_util::future::join_all((0..20).map(|_| running.send(post.clone()))).await;
        let first = answers.iter().filter(|answer| answer.counts() == (3, 2, false)).count();
        let again = answers.iter().filter(|answer| answer.counts() == (3, 2, true)).count();
        assert_eq!((first, again), (1, 19));
        assert_eq!(running.logs("").await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn an_idempotency_key_is_1_to_256_visible_characters_sent_once() {
    on_sqlite(&[], async |running| {
        let key = running.project("web").await;
        let body = json!({ "message": "m" }).to_string();
        let long = "x".repeat(256);
        let post = Post::bare(&key, body);
        assert_eq!(running.send(post.clone().with("idempotency-key", &long)).await.status, 200);
        for wrong in ["", "a b", &"x".repeat(257), "\u{fc}"] {
            let answer = running.send(post.clone().with("idempotency-key", wrong)).await;
            assert_eq!(answer.refusal(), (400, "invalid_parameter".to_owned()), "{wrong}");
        }
        let twice = post.with("idempotency-key", "a").with("idempotency-key", "b");
        assert_eq!(running.send(twice).await.refusal(), (401, "unauthorized".to_owned()));
    })
    .await;
}
