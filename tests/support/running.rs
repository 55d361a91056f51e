//! The whole service in this process, on a port of its own, and a client that signs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use sha2::Sha256;
use tekno_logger::app::App;
use tekno_logger::clock::{Clock, ClockHand};
use tekno_logger::http::state::AppState;
use tekno_logger::lifecycle::{ExitOutcome, ShutdownTrigger};
use tekno_logger::timestamp::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{ADMIN_TOKEN, TestDatabase};

/// Where the clock of a service stands at first, in Unix seconds: the start of a minute.
pub const START_SECONDS: i64 = 1_790_000_040;
/// Longer than anything here takes; reaching it is a failure.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A running service.
pub struct Running {
    pub address: SocketAddr,
    /// Moves its clock.
    pub hand: ClockHand,
    pub state: Arc<AppState>,
    client: reqwest::Client,
    trigger: ShutdownTrigger,
    task: JoinHandle<ExitOutcome>,
}

/// A key as an admin was shown it.
#[derive(Clone, Debug)]
pub struct Key {
    pub project_id: i64,
    pub id: i64,
    pub text: String,
    pub signing_secret: String,
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("JSON, not {:?}", self.body))
    }

    /// The code of a problem document that is complete and says the status of the reply.
    pub fn code(&self) -> String {
        let problem = self.json();
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.body);
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"), "{}", self.body);
        let code = problem["code"].as_str().unwrap().to_owned();
        for member in ["type", "title", "detail"] {
            assert!(!problem[member].as_str().unwrap().is_empty(), "{member} in {}", self.body);
        }
        code
    }

    /// Status and code of a refusal.
    pub fn refusal(&self) -> (u16, String) {
        (self.status, self.code())
    }

    /// Received, accepted, and whether it was stored before, of a batch that was taken.
    pub fn counts(&self) -> (u64, u64, bool) {
        assert_eq!(self.status, 200, "{}", self.body);
        let receipt = self.json();
        assert_eq!(receipt["stored"], "database");
        assert_eq!(receipt["request_id"].as_str(), self.header("x-request-id"));
        (
            receipt["received"].as_u64().unwrap(),
            receipt["accepted"].as_u64().unwrap(),
            receipt["duplicate"].as_bool().unwrap(),
        )
    }
}

/// HMAC-SHA256 in lower-case hex.
pub fn sign(secret: &str, parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    for part in parts {
        mac.update(part);
    }
    data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
}

/// A signed request in the making.
#[derive(Clone)]
pub struct Post {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Post {
    /// Signed over the body alone, as bare hex.
    pub fn bare(key: &Key, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let signature = sign(&key.signing_secret, &[&body]);
        let headers =
            vec![("x-project-key".to_owned(), key.text.clone()), ("x-signature".to_owned(), signature)];
        Self { path: "/log".to_owned(), headers, body }
    }

    /// Signed over `<seconds>.<body>`, as `sha256=<hex>`.
    pub fn timed(key: &Key, seconds: i64, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let text = seconds.to_string();
        let signature = sign(&key.signing_secret, &[text.as_bytes(), b".", &body]);
        let post = Self { path: "/log".to_owned(), headers: Vec::new(), body };
        post.with("x-project-key", &key.text)
            .with("x-timestamp", &text)
            .with("x-signature", &format!("sha256={signature}"))
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn to(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(header, _)| header != name);
        self
    }
}

impl Running {
    /// On this database, limits per client off unless `changes` say otherwise, its clock at [`START_SECONDS`].
    pub async fn start(database: &TestDatabase, changes: &[(&str, &str)]) -> Self {
        let (clock, hand) = Clock::manual(Timestamp::from_millis(START_SECONDS * 1_000));
        Self::start_with(database, changes, clock, hand).await
    }

    /// The same on the machine's clock, for tests with another process on the same database.
    pub async fn start_in_real_time(database: &TestDatabase, changes: &[(&str, &str)]) -> Self {
        let (_, hand) = Clock::manual(Timestamp::from_millis(0));
        Self::start_with(database, changes, Clock::system(), hand).await
    }

    async fn start_with(
        database: &TestDatabase,
        changes: &[(&str, &str)],
        clock: Clock,
        hand: ClockHand,
    ) -> Self {
        let (mut app, running) = Self::build(database, changes, clock, hand);
        let ready = app.first_ready();
        let running = running(app);
        timeout(PATIENCE, ready).await.expect("the database is reached in time").expect("it runs");
        running
    }

    /// On a database that isn't there: returns as soon as the port listens.
    pub fn start_without_database(database: &TestDatabase, changes: &[(&str, &str)]) -> Self {
        let (clock, hand) = Clock::manual(Timestamp::from_millis(START_SECONDS * 1_000));
        let (app, running) = Self::build(database, changes, clock, hand);
        running(app)
    }

    fn build(
        database: &TestDatabase,
        changes: &[(&str, &str)],
        clock: Clock,
        hand: ClockHand,
    ) -> (App, impl FnOnce(App) -> Self) {
        let mut all = vec![("RATE_LIMIT_PER_IP", "0"), ("READ_RATE_LIMIT_PER_IP", "0")];
        all.extend_from_slice(changes);
        let app = App::build(database.config(&all), clock).unwrap();
        let running = move |app: App| {
            // The socket listens on every address of the machine.
            let address = SocketAddr::from(([127, 0, 0, 1], app.local_addr().port()));
            let (state, trigger) = (app.state(), app.trigger());
            let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
            let client = client.timeout(PATIENCE).build().unwrap();
            Self { address, hand, state, client, trigger, task: tokio::spawn(app.run()) }
        };
        (app, running)
    }

    /// Stops in order; anything but a clean end is a failure.
    pub async fn stop(self) {
        self.trigger.stop();
        let outcome = timeout(PATIENCE, self.task).await.expect("it stops in time").unwrap();
        assert_eq!(outcome, ExitOutcome::Clean);
    }

    pub async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let request = self.client.request(method, format!("http://{}{path}", self.address)).body(body.into());
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let mut response = request.send().await.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        // A stream of events has no end: its first piece has to do.
        let body = if headers.get("content-type").is_some_and(|kind| kind == "text/event-stream") {
            let piece = response.chunk().await.unwrap().unwrap_or_default();
            String::from_utf8(piece.to_vec()).unwrap()
        } else {
            response.text().await.unwrap()
        };
        Answer { status, headers, body }
    }

    pub async fn send(&self, post: Post) -> Answer {
        let headers: Vec<(&str, &str)> =
            post.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.request(Method::POST, &post.path, &headers, post.body).await
    }

    pub async fn admin(&self, method: Method, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.request(method, path, &[("x-admin-token", ADMIN_TOKEN)], body).await
    }

    /// Makes a project with the fields of `extra`.
    pub async fn project_with(&self, slug: &str, extra: Value) -> Key {
        let mut body = json!({ "slug": slug });
        body.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap_or_default());
        let answer = self.admin(Method::POST, "/admin/projects", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let made = answer.json();
        key_of(made["project"]["id"].as_i64().unwrap(), &made["key"])
    }

    pub async fn project(&self, slug: &str) -> Key {
        self.project_with(slug, Value::Null).await
    }

    /// One more key; a read key has no signing secret.
    pub async fn key(&self, project_id: i64, kind: &str) -> Key {
        let path = format!("/admin/projects/{project_id}/keys");
        let answer = self.admin(Method::POST, &path, &json!({ "kind": kind })).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        key_of(project_id, &answer.json()["key"])
    }

    /// What an admin finds with a query of `GET /logs`.
    pub async fn logs(&self, query: &str) -> Vec<Value> {
        let answer = self.admin(Method::GET, &format!("/logs?{query}"), &Value::Null).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let found = answer.json();
        assert_eq!(found["scanned"]["complete"], true, "{}", answer.body);
        found["logs"].as_array().unwrap().clone()
    }

    /// Sends bytes on a connection of their own and returns all that comes back until the service closes it.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        read.expect("an answer in time").unwrap();
        String::from_utf8(answer).unwrap()
    }
}

fn key_of(project_id: i64, key: &Value) -> Key {
    Key {
        project_id,
        id: key["id"].as_i64().unwrap(),
        text: key["api_key"].as_str().unwrap().to_owned(),
        signing_secret: key["signing_secret"].as_str().unwrap_or("").to_owned(),
    }
}

/// Runs a test on every database at hand, each with a service of its own.
pub async fn everywhere(test: impl AsyncFn(&Running)) {
    for database in TestDatabase::all().await {
        let running = Running::start(&database, &[]).await;
        test(&running).await;
        running.stop().await;
        database.remove().await;
    }
}

/// Runs a test on `SQLite`, with changed settings.
pub async fn on_sqlite(changes: &[(&str, &str)], test: impl AsyncFn(&Running)) {
    let database = TestDatabase::sqlite();
    let running = Running::start(&database, changes).await;
    test(&running).await;
    running.stop().await;
}
