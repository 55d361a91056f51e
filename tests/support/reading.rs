//! The whole service in this process on a clock moved by hand, for tests that write events and read them back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use sha2::Sha256;
use tekno_logger::app::App;
use tekno_logger::clock::{Clock, ClockHand};
use tekno_logger::http::state::AppState;
use tekno_logger::lifecycle::{ExitOutcome, ShutdownTrigger};
use tekno_logger::timestamp::Timestamp;
use tokio::task::JoinHandle;

use crate::support::{ADMIN_TOKEN, TestDatabase};

/// Where each test's clock starts.
pub const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Longer than anything here takes; reaching it is a failure.
pub const PATIENCE: Duration = Duration::from_mins(1);
const LIMITS: [(&str, &str); 5] = [
    ("RATE_LIMIT_PER_IP", "0"),
    ("READ_RATE_LIMIT_PER_IP", "0"),
    ("RATE_LIMIT_PER_MINUTE", "0"),
    ("MAX_PAYLOAD_BYTES", "8388608"),
    ("MAX_EVENTS_PER_POST", "10000"),
];

/// A running service.
pub struct Service {
    pub state: Arc<AppState>,
    pub hand: ClockHand,
    pub base: String,
    pub client: Client,
    batches: AtomicU32,
    trigger: ShutdownTrigger,
    running: JoinHandle<ExitOutcome>,
}

/// A project and its keys.
pub struct TestProject {
    pub id: i64,
    pub slug: String,
    server_key: String,
    signing_secret: String,
    pub read_key: String,
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Without what differs from one request to the next: the request's id and the date.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("JSON, not {:?}", self.body))
    }

    /// The whole answer, with the request's id taken out wherever it stands.
    pub fn without_request_id(&self) -> (u16, Vec<(String, String)>, String) {
        let id = self.json()["request_id"].as_str().unwrap_or("-").to_owned();
        (self.status, self.headers.clone(), self.body.replace(&id, ""))
    }
}

impl Service {
    /// Starts it on a database and waits until it has reached it.
    pub async fn start(database: &TestDatabase) -> Self {
        Self::start_with(database, &[]).await
    }

    /// The same with some settings changed.
    pub async fn start_with(database: &TestDatabase, changes: &[(&str, &str)]) -> Self {
        let (clock, hand) = Clock::manual(START);
        let config = database.config(&[&LIMITS, changes].concat());
        let mut app = App::build(config, clock).unwrap();
        let base = format!("http://127.0.0.1:{}", app.local_addr().port());
        let (state, trigger, ready) = (app.state(), app.trigger(), app.first_ready());
        let running = tokio::spawn(app.run());
        tokio::time::timeout(PATIENCE, ready).await.expect("the database is reached").unwrap();
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { state, hand, base, client, batches: AtomicU32::new(0), trigger, running }
    }

    /// Stops it and waits until it has.
    pub async fn stop(self) {
        self.trigger.stop();
        self.running.await.unwrap();
    }

    /// A new project with a read key.
    pub async fn project(&self, slug: &str) -> TestProject {
        let projects = self.client.post(format!("{}/admin/projects", self.base));
        let made = self.admin(projects, &json!({ "slug": slug })).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let made = made.json();
        let id = made["project"]["id"].as_i64().unwrap();
        let keys = self.client.post(format!("{}/admin/projects/{id}/keys", self.base));
        let read = self.admin(keys, &json!({ "kind": "read" })).await.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        TestProject {
            id,
            slug: slug.to_owned(),
            server_key: text(&made["key"]["api_key"]),
            signing_secret: text(&made["key"]["signing_secret"]),
            read_key: text(&read["key"]["api_key"]),
        }
    }

    async fn admin(&self, request: RequestBuilder, body: &Value) -> Answer {
        send(request.header("X-Admin-Token", ADMIN_TOKEN).body(body.to_string())).await
    }

    /// Posts one signed batch and sees it stored.
    pub async fn post(&self, project: &TestProject, events: &[Value]) {
        self.post_text(project, Value::from(events.to_vec()).to_string()).await;
    }

    /// The same with the body as it is.
    pub async fn post_text(&self, project: &TestProject, body: String) {
        let number = self.batches.fetch_add(1, Ordering::Relaxed);
        let answer = self.try_post(project, &format!("batch-{number}"), body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.json()["rejected"], json!([]), "{}", answer.body);
    }

    /// Posts a signed body under a batch id, whatever comes of it.
    pub async fn try_post(&self, project: &TestProject, batch: &str, body: String) -> Answer {
        let mut mac = Hmac::<Sha256>::new_from_slice(project.signing_secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let request = self
            .client
            .post(format!("{}/log", self.base))
            .header("X-Project-Key", &project.server_key)
            .header("X-Signature", data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes()))
            .header("Idempotency-Key", batch)
            .body(body);
        send(request).await
    }

    /// A GET as the admin.
    pub async fn get(&self, path: &str) -> Answer {
        send(self.client.get(format!("{}{path}", self.base)).header("X-Admin-Token", ADMIN_TOKEN)).await
    }

    /// A GET with a project's read key.
    pub async fn get_as(&self, project: &TestProject, path: &str) -> Answer {
        let request = self.client.get(format!("{}{path}", self.base));
        send(request.bearer_auth(&project.read_key)).await
    }

    /// A GET without any credentials.
    pub async fn get_public(&self, path: &str) -> Answer {
        send(self.client.get(format!("{}{path}", self.base))).await
    }

    /// One page of `/logs` as the admin; it must be answered.
    pub async fn page(&self, query: &str) -> Value {
        let answer = self.get(&format!("/logs?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        answer.json()
    }

    /// All pages of a search, one after the other.
    pub async fn pages(&self, query: &str) -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        for _ in 0..10_000 {
            let page = self.page(&format!("{query}&cursor={cursor}")).await;
            assert_eq!(page["scanned"]["complete"], json!(true), "{query}: {page}");
            all.extend(page["logs"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => return all,
            }
        }
        panic!("{query}: the pages never end");
    }
}

/// Sends a request and reads its answer.
pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let own = ["x-request-id", "date"];
    let headers = response.headers().iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    Answer { status: response.status().as_u16(), headers, body: response.text().await.unwrap() }
}

/// Waits for something that comes about by itself.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let all = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, all).await;
    assert!(waited.is_ok(), "it never happened: {what}");
}
