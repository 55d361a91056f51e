//! The whole endpoint over a storage in memory and a clock moved by hand.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use poem::http::{self, HeaderMap, Method};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Body, Endpoint, Request, RequestParts};
use prometheus_client::registry::Registry;
use serde_json::Value;

use crate::clock::{Clock, ClockHand};
use crate::config::{AppEnv, ClientAddressSource, Config, DatabaseConfig, Limits, Secret};
use crate::http::health::Health;
use crate::http::layers::Edge;
use crate::http::route::RouteSpec;
use crate::http::state::{
    AppState, MintKey, NewProject, Parts, ProjectChange, ProjectStore, StoreError, Stored,
};
use crate::http::{build, routes};
use crate::key::{ApiKey, KeyDirectory, KeyKind, KeyRecord};
use crate::limit::Limiter;
use crate::memory::{BODY_BUDGET_BYTES, Budget};
use crate::project::{Project, ProjectRef, ProjectSlug};
use crate::timestamp::Timestamp;

pub const ADMIN_TOKEN: &str = "the-admin-token";
pub const METRICS_TOKEN: &str = "the-metrics-token";
const START_MILLIS: i64 = 1_790_000_000_000;

pub fn config() -> Config {
    Config {
        app_env: AppEnv::Development,
        port: 0,
        database: DatabaseConfig::Embedded,
        data_dir: PathBuf::new(),
        hmac_secret: Secret::new("a secret of tests"),
        hmac_secret_previous: None,
        admin_token: Secret::new(ADMIN_TOKEN),
        metrics_token: Some(Secret::new(METRICS_TOKEN)),
        public_url: None,
        client_address: ClientAddressSource::Peer,
        default_retention_days: 3,
        limits: Limits {
            max_payload_bytes: 524_288,
            max_inflated_bytes: 8 << 20,
            max_events_per_post: 250,
            rate_limit_per_minute: 5_000,
            rate_limit_per_ip: 100,
            read_rate_limit_per_ip: 600,
            max_connections: 100,
        },
    }
}

/// Projects and keys in memory.
#[derive(Default)]
pub struct MemoryStore {
    rows: Mutex<Rows>,
}

#[derive(Default)]
struct Rows {
    projects: Vec<Project>,
    keys: Vec<KeyRecord>,
    last_project: i64,
    loads: u32,
    away: bool,
}

impl MemoryStore {
    pub fn set_away(&self, away: bool) {
        self.rows.lock().unwrap().away = away;
    }

    /// How often the directory was loaded.
    pub fn loads(&self) -> u32 {
        self.rows.lock().unwrap().loads
    }

    fn run<T: Send + 'static>(&self, step: impl FnOnce(&mut Rows) -> Result<T, StoreError>) -> Stored<'_, T> {
        let mut rows = self.rows.lock().unwrap();
        let result = if rows.away { Err(StoreError::Unavailable) } else { step(&mut rows) };
        std::future::ready(result).boxed()
    }
}

impl ProjectStore for MemoryStore {
    fn list_projects(&self) -> Stored<'_, Vec<Project>> {
        self.run(|rows| Ok(rows.projects.clone()))
    }

    fn project(&self, reference: ProjectRef) -> Stored<'_, Option<Project>> {
        let named = move |project: &&Project| match &reference {
            ProjectRef::Id(id) => project.id == *id,
            ProjectRef::Slug(slug) => project.slug == *slug,
        };
        self.run(move |rows| Ok(rows.projects.iter().find(named).cloned()))
    }

    fn create_project(&self, new: NewProject, now: Timestamp) -> Stored<'_, Project> {
        self.run(|rows| {
            if rows.projects.iter().any(|project| project.slug == new.slug) {
                return Err(StoreError::SlugTaken);
            }
            rows.last_project += 1;
            let project = Project {
                id: rows.last_project,
                slug: new.slug,
                name: new.name,
                retention_days: new.retention_days,
                minute_cap: new.minute_cap,
                scrub: new.scrub,
                created_at: now,
            };
            rows.projects.push(project.clone());
            Ok(project)
        })
    }

    fn update_project(&self, id: i64, change: ProjectChange) -> Stored<'_, Option<Project>> {
        self.run(|rows| {
            let taken = |slug: &ProjectSlug| {
                rows.projects.iter().any(|project| project.id != id && project.slug == *slug)
            };
            if change.slug.as_ref().is_some_and(taken) {
                return Err(StoreError::SlugTaken);
            }
            Ok(rows.projects.iter_mut().find(|project| project.id == id).map(|project| {
                change.slug.into_iter().for_each(|slug| project.slug = slug);
                change.name.into_iter().for_each(|name| project.name = name);
                change.retention_days.into_iter().for_each(|days| project.retention_days = days);
                change.minute_cap.into_iter().for_each(|cap| project.minute_cap = cap);
                change.scrub.into_iter().for_each(|scrub| project.scrub = scrub);
                project.clone()
            }))
        })
    }

    fn delete_project(&self, id: i64) -> Stored<'_, bool> {
        self.run(|rows| {
            let before = rows.projects.len();
            rows.projects.retain(|project| project.id != id);
            rows.keys.retain(|key| key.project_id != id);
            Ok(rows.projects.len() < before)
        })
    }

    fn list_keys(&self, project_id: i64) -> Stored<'_, Vec<KeyRecord>> {
        self.run(|rows| Ok(rows.keys.iter().filter(|key| key.project_id == project_id).cloned().collect()))
    }

    fn add_key(
        &self,
        project_id: i64,
        kind: KeyKind,
        note: String,
        now: Timestamp,
        mint: MintKey,
    ) -> Stored<'_, Option<(KeyRecord, ApiKey)>> {
        self.run(|rows| {
            let number = rows.keys.iter().filter(|key| key.project_id == project_id).count() + 1;
            let number = u32::try_from(number).unwrap();
            let key = mint(number);
            let record = KeyRecord {
                id: i64::try_from(rows.keys.len()).unwrap() + 1,
                project_id,
                number,
                kind,
                sha256: key.sha256(),
                note,
                hint: key.hint().to_owned(),
                created_at: now,
                revoked_at: None,
            };
            rows.keys.push(record.clone());
            Ok(Some((record, key)))
        })
    }

    fn revoke_key(&self, project_id: i64, key_id: i64, now: Timestamp) -> Stored<'_, bool> {
        self.run(|rows| {
            let key = rows.keys.iter_mut().find(|key| key.id == key_id && key.project_id == project_id);
            Ok(key.map(|key| key.revoked_at = key.revoked_at.or(Some(now))).is_some())
        })
    }

    fn load_directory(&self) -> Stored<'_, (Vec<Project>, Vec<KeyRecord>)> {
        self.run(|rows| {
            rows.loads += 1;
            Ok((rows.projects.clone(), rows.keys.clone()))
        })
    }
}

pub struct App {
    pub edge: Edge,
    pub state: Arc<AppState>,
    pub store: Arc<MemoryStore>,
    pub hand: ClockHand,
    clients: AtomicU32,
}

impl App {
    pub fn new() -> Self {
        Self::with(config(), routes())
    }

    pub fn with(config: Config, table: Vec<RouteSpec>) -> Self {
        let (clock, hand) = Clock::manual(Timestamp::from_millis(START_MILLIS));
        let store = Arc::new(MemoryStore::default());
        let health = Arc::new(Health::new(clock.now()));
        let parts = Parts {
            limiter: Arc::new(Limiter::new(&config.limits)),
            config: Arc::new(config),
            clock,
            store: store.clone(),
            directory: Arc::new(KeyDirectory::new()),
            health,
            metrics: Arc::new(Registry::default()),
            bodies: Budget::new(BODY_BUDGET_BYTES),
        };
        let state = Arc::new(AppState::new(parts));
        Self { edge: build(&state, table), state, store, hand, clients: AtomicU32::new(1) }
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
