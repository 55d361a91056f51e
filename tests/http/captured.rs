//! Requests that real clients sent, byte for byte; only key and signature are this service's.

use serde_json::json;

use crate::running::{Post, everywhere};

#[tokio::test]
async fn the_client_class_of_the_integration_guide_works_unchanged() {
    everywhere(async |running| {
        let key = running.project("web").await;
        // After the time at which they were captured.
        running.hand.advance(70 * 86_400_000);
        for (head, body) in [
            (
                include_str!("../fixtures/native-tekno-node.json"),
                include_bytes!("../fixtures/native-tekno-node.body").as_slice(),
            ),
            (
                include_str!("../fixtures/native-tekno-python.json"),
                include_bytes!("../fixtures/native-tekno-python.body").as_slice(),
            ),
        ] {
            let head: serde_json::Value = serde_json::from_str(head).unwrap();
            let ours = Post::bare(&key, body);
            let mut post = Post {
                path: head["path"].as_str().unwrap().to_owned(),
                headers: ours.headers,
                body: ours.body,
            };
            for header in head["headers"].as_array().unwrap() {
                let (name, value) = (header[0].as_str().unwrap(), header[1].as_str().unwrap());
                let lower = name.to_ascii_lowercase();
                let ours = ["host", "x-project-key", "x-signature", "connection", "content-length"];
                if !ours.contains(&lower.as_str()) {
                    post = post.with(name, value);
                }
            }
            // As the class signs: bare hex over the body.
            assert_eq!(post.headers[1].1.len(), 64);
            assert_eq!(running.send(post).await.counts(), (1, 1, false), "{}", head["headers"]);
        }
        let found = running.logs("level=error").await;
        assert_eq!(found.len(), 2);
        for log in &found {
            assert_eq!(log["source"], "payment-api");
            assert_eq!(log["ctx"]["amount"], json!(99.99), "{log}");
            assert_eq!(log["ctx"]["note"], "café", "{log}");
            assert_ne!(log["ts"], log["received_at"], "its own timestamp");
        }
    })
    .await;
}
