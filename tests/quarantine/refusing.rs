//! What is stored and what is quarantined of batches with bad events; and the harness for it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tekno_logger::timestamp::Timestamp;

use crate::running::{Answer, Key, PATIENCE, Post, Running, START_SECONDS};
use crate::support::TestDatabase;

/// Events with a `ts` before this are refused by [`Site::refuse_old`]; batches here are received after it.
pub const LINE_MS: i64 = START_SECONDS * 1_000 - 600_000;

/// A service whose database can be told what to refuse.
pub struct Site {
    pub database: TestDatabase,
    pub running: Running,
}

impl Site {
    pub async fn start(database: TestDatabase) -> Self {
        let changes = [
            ("MAX_EVENTS_PER_POST", "3000"),
            ("RATE_LIMIT_PER_MINUTE", "0"),
            ("MAX_PAYLOAD_BYTES", "8388608"),
            ("SPOOL_MAX_BYTES", "0"),
        ];
        let running = Running::start(&database, &changes).await;
        Self { database, running }
    }

    /// Runs a test on every database at hand.
    pub async fn everywhere(test: impl AsyncFn(&Site)) {
        for database in TestDatabase::all().await {
            let site = Self::start(database).await;
            test(&site).await;
            site.balanced().await;
            site.running.stop().await;
            site.database.remove().await;
        }
    }

    /// Waits until the ledger adds up: what is in quarantine is neither missing nor counted twice.
    pub async fn balanced(&self) {
        let started = Instant::now();
        loop {
            let answer = self.running.admin(Method::GET, "/stats/ledger?from=-91d", &Value::Null).await;
            let found = answer.json();
            if found["balance"]["balanced"] == true && found["balance"]["uncounted"] == 0 {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "the ledger does not add up: {}", answer.body);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// From now on the database refuses rows of a table for which `condition` holds.
    pub async fn refuse(&self, table: &str, condition: &str) {
        let name = format!("refuse_{table}");
        let trigger = if self.database.name == "sqlite" {
            format!(
                "CREATE TRIGGER {name} BEFORE INSERT ON {table} WHEN {condition} \
                 BEGIN SELECT RAISE(ABORT, 'not this one'); END"
            )
        } else {
            format!(
                "CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW IF {condition} THEN \
                 SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not this one'; END IF"
            )
        };
        self.database.rows(&trigger).await;
    }

    /// It refuses blocks with an event from before [`LINE_MS`].
    pub async fn refuse_old(&self) {
        self.refuse("blocks", &format!("NEW.ts_first < {LINE_MS}")).await;
    }

    /// It refuses nothing of that table any more.
    pub async fn allow(&self, table: &str) {
        self.database.rows(&format!("DROP TRIGGER refuse_{table}")).await;
    }

    pub async fn send(&self, key: &Key, id: &str, events: &[Value]) -> Answer {
        let body = json!(events).to_string();
        self.running.send(Post::bare(key, body).with("idempotency-key", id)).await
    }

    /// Messages of all stored events of a project.
    pub async fn stored(&self, key: &Key) -> BTreeSet<String> {
        let found = self.running.logs(&format!("project_id={}&from=-30d&limit=1000", key.project_id)).await;
        let messages: BTreeSet<String> =
            found.iter().map(|log| log["message"].as_str().unwrap().to_owned()).collect();
        assert_eq!(messages.len(), found.len(), "{}: an event is stored twice", self.database.name);
        messages
    }

    /// Everything in quarantine, read in pages of `limit`.
    pub async fn quarantine(&self, query: &str, limit: usize) -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/admin/quarantine?limit={limit}&{query}&cursor={cursor}");
            let answer = self.running.admin(Method::GET, &path, &Value::Null).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            let page = answer.json();
            all.extend(page["quarantine"].as_array().unwrap().clone());
            match page["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => return all,
            }
        }
    }

    pub async fn retry(&self, id: &str) -> Answer {
        self.running.admin(Method::POST, &format!("/admin/quarantine/{id}/retry"), &Value::Null).await
    }

    /// Waits until exactly so many events of a project are counted.
    pub async fn counted(&self, key: &Key, events: u64) {
        // Blocks that were cut are counted once they are old enough to belong to nobody.
        self.running.hand.advance(6_000);
        let since = Instant::now();
        let path = format!("/stats?project_id={}&from=-1d", key.project_id);
        loop {
            let total = self.running.admin(Method::GET, &path, &Value::Null).await.json()["total"].clone();
            if total == events {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "{}: {total} of {events} counted", self.database.name);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// An event the database takes.
pub fn good(message: &str) -> Value {
    json!({ "message": message, "level": "error" })
}

/// One that [`Site::refuse_old`] refuses.
pub fn bad(message: &str) -> Value {
    let ts = Timestamp::from_millis(LINE_MS - 1).to_string();
    json!({ "message": message, "level": "error", "ts": ts, "ctx": { "emoji": "\u{1f9ea} \u{7f}" } })
}

/// `count` events of which those at `bad_at` are refused.
pub fn batch(name: &str, count: usize, bad_at: &[usize]) -> Vec<Value> {
    let event = |index| {
        let message = format!("{name} {index}");
        if bad_at.contains(&index) { bad(&message) } else { good(&message) }
    };
    (0..count).map(event).collect()
}

pub fn messages(name: &str, indexes: impl IntoIterator<Item = usize>) -> BTreeSet<String> {
    indexes.into_iter().map(|index| format!("{name} {index}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_events_are_quarantined_before_the_answer_and_all_others_are_stored() {
    Site::everywhere(async |site| {
        let key = site.running.project("shop").await;
        site.refuse_old().await;
        let bad_at = [0, 77, 78, 249];
        let events = batch("event", 250, &bad_at);
        let answer = site.send(&key, "first", &events).await;
        assert_eq!(answer.counts(), (250, 250, false));
        assert_eq!(answer.json()["quarantined"], 4, "{}", answer.body);
        let kept = (0..250).filter(|index| !bad_at.contains(index));
        assert_eq!(site.stored(&key).await, messages("event", kept), "{}", site.database.name);
        let quarantined = site.quarantine("", 3).await;
        let shown: BTreeSet<_> =
            quarantined.iter().map(|one| one["event"]["message"].as_str().unwrap().to_owned()).collect();
        assert_eq!(shown, messages("event", bad_at));
        for one in &quarantined {
            assert_eq!(one["reason"]["code"], "rule", "{one}");
            assert_eq!(one["reason"]["error_message"], "not this one", "{one}");
            assert_eq!((&one["project"], &one["id"]), (&json!("shop"), &one["event"]["id"]), "{one}");
            assert_eq!(one["event"]["ctx"]["emoji"], "\u{1f9ea} \u{7f}", "{one}");
            assert_eq!(one["received_at"], Timestamp::from_millis(START_SECONDS * 1_000).to_string());
        }
        let again = site.send(&key, "first", &events).await;
        assert_eq!(again.counts(), (250, 250, true), "the batch is known, whatever became of its events");
        assert_eq!(site.quarantine("", 100).await.len(), 4);
        site.counted(&key, 246).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_nothing_but_a_bad_event_is_quarantined_whole() {
    Site::everywhere(async |site| {
        let key = site.running.project("shop").await;
        site.refuse_old().await;
        for number in 0..3 {
            let name = format!("lone{number}");
            let answer = site.send(&key, &name, &batch(&name, 1, &[0])).await;
            assert_eq!((answer.counts(), &answer.json()["quarantined"]), ((1, 1, false), &json!(1)));
        }
        assert_eq!(site.stored(&key).await.len(), 0);
        assert_eq!(site.quarantine("", 2).await.len(), 3);
        let again = site.send(&key, "lone0", &batch("lone0", 1, &[0])).await;
        assert_eq!(again.counts(), (1, 1, true));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_events_of_some_senders_cost_the_others_nothing() {
    Site::everywhere(async |site| {
        let (shop, blog) = (site.running.project("shop").await, site.running.project("blog").await);
        site.refuse_old().await;
        let mut sending = Vec::new();
        for number in 0..24 {
            let (key, bad_at) = if number % 3 == 0 { (&shop, vec![1, 5]) } else { (&blog, Vec::new()) };
            let name = format!("n{number}");
            sending.push(async move { site.send(key, &name, &batch(&name, 8, &bad_at)).await });
        }
        for answer in futures_util::future::join_all(sending).await {
            assert_eq!(answer.counts(), (8, 8, false));
        }
        assert_eq!((site.stored(&shop).await.len(), site.stored(&blog).await.len()), (8 * 6, 16 * 8));
        assert_eq!(site.quarantine("project_id=shop", 100).await.len(), 16);
        assert_eq!(site.quarantine("project_id=blog", 100).await.len(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_is_refused_as_a_whole_only_is_stored_in_parts() {
    Site::everywhere(async |site| {
        let key = site.running.project("shop").await;
        site.refuse("blocks", "NEW.event_count > 3").await;
        let answer = site.send(&key, "parts", &batch("part", 40, &[])).await;
        assert_eq!((answer.counts(), &answer.json()["quarantined"]), ((40, 40, false), &Value::Null));
        assert_eq!(site.stored(&key).await, messages("part", 0..40));
        site.counted(&key, 40).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_and_timely_events_of_one_batch_are_sifted_alike() {
    Site::everywhere(async |site| {
        let key = site.running.project("shop").await;
        let late_ms = LINE_MS - 90 * 60_000;
        site.refuse("blocks", &format!("NEW.ts_first < {LINE_MS} AND NEW.ts_last >= {}", late_ms + 5)).await;
        let late = |number: i64| {
            let ts = Timestamp::from_millis(late_ms + number).to_string();
            json!({ "message": format!("late {number}"), "ts": ts })
        };
        let mut events = batch("timely", 20, &[3]);
        events.extend((0..8).map(late));
        let answer = site.send(&key, "mixed", &events).await;
        assert_eq!(answer.json()["quarantined"], 1 + 3, "{}", answer.body);
        assert_eq!(site.stored(&key).await.len(), 19 + 5);
    })
    .await;
}
