//! The whole endpoint over an `SQLite` of its own and a clock moved by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use poem::http::{self, HeaderMap, Method};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Body, Endpoint, Request, RequestParts};
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::alert::Outbox;
use crate::clock::{Clock, ClockHand};
use crate::config::Config;
use crate::fold::FoldMailbox;
use crate::http::health::Health;
use crate::http::layers::Edge;
use crate::http::places::Places;
use crate::http::route::RouteSpec;
use crate::http::state::{AppState, Parts};
use crate::http::{build, routes};
use crate::ingest::Ingest;
use crate::key::{ApiKey, KeyDirectory, KeyKind};
use crate::limit::Limiter;
use crate::maintenance::maintainer;
use crate::memory::Budget;
use crate::outbound::Outbound;
use crate::outcome::Outcomes;
use crate::quarantine::Quarantine;
use crate::registry;
use crate::removal::remover;
use crate::search::tail::tails;
use crate::store::{DatabaseStatus, Store};
use crate::timestamp::Timestamp;
use crate::write::WriteQueue;

pub const ADMIN_TOKEN: &str = "the-admin-token-of-tests-1f2e3d4c5b6a7988";
pub const METRICS_TOKEN: &str = "the-metrics-token-of-tests-8a7b6c5d4e3f2a1b";
const START_MILLIS: i64 = 1_790_000_000_000;

/// Settings as the environment would give them.
pub fn config() -> Config {
    let variables = [
        ("PORT", "0"),
        ("HMAC_SECRET", "tests-hmac-secret-0f1e2d3c4b5a69788796a5b4c3d2e1f0"),
        ("ADMIN_TOKEN", ADMIN_TOKEN),
        ("METRICS_TOKEN", METRICS_TOKEN),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Config::parse(&variables.into(), &|_| panic!("tests give their secrets")).unwrap()
}

/// A migrated store in a directory of its own. `SQLite` has threads of its own, so another runtime may open it.
fn store(config: &Config) -> Store {
    let store = Store::new(config).unwrap();
    let opening = store.clone();
    let migrate = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(opening.migrate())
    };
    std::thread::spawn(migrate).join().unwrap().unwrap();
    store.set_status(DatabaseStatus::Connected);
    store
}

pub struct App {
    pub edge: Edge,
    pub state: Arc<AppState>,
    _directory: tempfile::TempDir,
    pub hand: ClockHand,
    clients: AtomicU32,
}

impl App {
    pub fn new() -> Self {
        Self::with(config(), routes())
    }

    pub fn with(mut config: Config, table: Vec<RouteSpec>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        config.data_dir = directory.path().to_owned();
        let (clock, hand) = Clock::manual(Timestamp::from_millis(START_MILLIS));
        let store = store(&config);
        let limiter = Arc::new(Limiter::new(&config.limits));
        let queue = Arc::new(WriteQueue::default());
        let ingest =
            Ingest::new(config.limits.clone(), clock.clone(), limiter.clone(), queue, Outcomes::default());
        let (removals, _) = remover(store.clone(), clock.clone());
        let (maintenance, _) = maintainer(store.clone(), clock.clone());
        let quarantine = Quarantine::new(store.clone(), clock.clone(), Arc::new(FoldMailbox::default()));
        let (tails, _) = tails(store.clone(), None, clock.clone(), CancellationToken::new());
        let parts = Parts {
            outbound: Outbound::new(&config.outbound).unwrap(),
            outbox: Outbox::default(),
            limiter,
            config: Arc::new(config),
            health: Arc::new(Health::new(clock.now(), store.clone())),
            clock,
            store,
            spool: None,
            quarantine,
            directory: Arc::new(KeyDirectory::new()),
            metrics: Arc::new(Registry::default()),
            bodies: Budget::of_bodies(),
            ingest: Arc::new(ingest),
            removals,
            maintenance,
            tails,
            tail_places: Places::of_tails(),
            export_places: Places::of_exports(),
        };
        let state = Arc::new(AppState::new(parts));
        Self { edge: build(&state, table), state, hand, clients: AtomicU32::new(1), _directory: directory }
    }

    /// Has the database away, or back.
    pub fn set_away(&self, away: bool) {
        let status = if away { DatabaseStatus::Disconnected } else { DatabaseStatus::Connected };
        self.state.store.set_status(status);
    }

    /// A key as another instance makes it: stored, but not in this instance's directory.
    pub async fn stored_key(&self, project_id: i64, kind: KeyKind) -> ApiKey {
        let (state, now) = (&self.state, self.state.clock.now());
        let added = registry::add_key(&state.store, &state.key_ring, project_id, kind, "", now).await;
        added.unwrap().unwrap().1
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        // Each request from an address of its own, so that limits show only where a test asks for them.
        let client =
            std::net::Ipv4Addr::from_bits(0x0A00_0000 + self.clients.fetch_add(1, Ordering::Relaxed));
        self.send_from(&format!("{client}:1"), method, path, headers, body).await
    }

    pub async fn send_from(
        &self,
        client: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let request = http::Request::builder().method(method).uri(path);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let peer = RemoteAddr(Addr::SocketAddr(client.parse().expect("an address")));
        let parts = RequestParts::from((parts, LocalAddr::default(), peer, http::uri::Scheme::HTTP));
        let response = self.edge.call(Request::from_parts(parts, Body::from_string(body.to_owned()))).await;
        let response = response.expect("the edge answers everything");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.into_body().into_string().await.expect("a text") }
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, headers, "").await
    }

    /// As the admin.
    pub async fn admin(&self, method: Method, path: &str, body: &str) -> Answer {
        self.send(method, path, &[("x-admin-token", ADMIN_TOKEN)], body).await
    }

    /// A project by the API; gives its id and its server key.
    pub async fn project(&self, slug: &str) -> (i64, String) {
        let answer = self.admin(Method::POST, "/admin/projects", &format!(r#"{{"slug":"{slug}"}}"#)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let json = answer.json();
        (json["project"]["id"].as_i64().unwrap(), json["key"]["api_key"].as_str().unwrap().to_owned())
    }

    /// A read key by the API.
    pub async fn read_key(&self, project_id: i64) -> String {
        let path = format!("/admin/projects/{project_id}/keys");
        let answer = self.admin(Method::POST, &path, r#"{"kind":"read"}"#).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.json()["key"]["api_key"].as_str().unwrap().to_owned()
    }
}

#[derive(Debug)]
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

    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let json = self.json();
        assert_eq!(json["status"].as_u64(), Some(u64::from(self.status)));
        assert_eq!(json["request_id"].as_str(), self.header("x-request-id"));
        json["code"].as_str().unwrap().to_owned()
    }
}
