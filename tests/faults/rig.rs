//! One database and the instances of the service on it, through one proxy or directly.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _};

use crate::load::Project;
use crate::process::{PATIENCE, Process, until};
use crate::proxy::Proxy;
use crate::server::PrivateServer;

pub const ADMIN_TOKEN: &str = "tests-admin-token-a1b2c3d4e5f60718293a4b5c6d7e8f90";
/// Longest wait for any answer, whatever the database does. The service's own bound is 5 s; the rest is for a machine with
/// other work, and still far from waiting for a connection that went silent.
pub const REPLY: Duration = Duration::from_secs(20);
const HMAC_SECRET: &str = "tests-hmac-secret-0f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// Where events are kept in a test.
pub enum Database {
    Sqlite,
    Server { server: PrivateServer, proxy: Proxy },
}

/// A database with what is needed to start the service on it.
pub struct Rig {
    pub database: Database,
    pub directory: tempfile::TempDir,
    /// Variables beyond the usual ones.
    pub variables: BTreeMap<String, String>,
}

impl Rig {
    pub fn sqlite() -> Self {
        Self::on(Database::Sqlite)
    }

    /// A private server behind a proxy, or `None` where none is installed.
    pub async fn server(options: &[&str]) -> Option<Self> {
        let server = PrivateServer::start(options).await?;
        let proxy = Proxy::to(server.port).await;
        let mut rig = Self::on(Database::Server { server, proxy });
        let url = PrivateServer::url(rig.proxy().port);
        rig.set("DATABASE_URL", &url);
        Some(rig)
    }

    /// The same with a spool.
    pub async fn spooling(options: &[&str]) -> Option<Self> {
        let mut rig = Self::server(options).await?;
        rig.set("SPOOL_MAX_BYTES", "268435456");
        Some(rig)
    }

    fn on(database: Database) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut rig = Self { database, directory, variables: BTreeMap::new() };
        let data_dir = rig.directory.path().join("data").display().to_string();
        for (name, value) in [
            ("PORT", "0"),
            ("APP_ENV", "development"),
            ("LOG_LEVEL", "info"),
            ("HMAC_SECRET", HMAC_SECRET),
            ("ADMIN_TOKEN", ADMIN_TOKEN),
            ("DATA_DIR", data_dir.as_str()),
            ("RATE_LIMIT_PER_MINUTE", "0"),
            ("RATE_LIMIT_PER_IP", "0"),
            ("READ_RATE_LIMIT_PER_IP", "0"),
            ("MAX_CONNECTIONS", "4000"),
            // Most faults are told from the answers of a service without one; tests/spool.rs has it.
            ("SPOOL_MAX_BYTES", "0"),
        ] {
            rig.set(name, value);
        }
        rig
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    pub fn private(&self) -> &PrivateServer {
        let Database::Server { server, .. } = &self.database else { panic!("there is no server") };
        server
    }

    pub fn proxy(&self) -> &Proxy {
        let Database::Server { proxy, .. } = &self.database else { panic!("there is no proxy") };
        proxy
    }

    /// Starts the service and waits until it listens.
    pub async fn start(&self) -> Instance {
        let process = Process::start(&self.variables);
        let port = process.port().await;
        Instance { process, client: Client::new(port) }
    }

    /// Starts the service and waits until it is ready.
    pub async fn start_ready(&self) -> Instance {
        let instance = self.start().await;
        instance.client.ready(PATIENCE).await;
        instance
    }

    /// The whole numbers of the first column of a query, asked past the service.
    pub async fn numbers(&self, sql: &str) -> Vec<i64> {
        match &self.database {
            Database::Server { server, .. } => server.numbers(sql).await,
            Database::Sqlite => self.numbers_of_file("tekno-logger.db", sql).await,
        }
    }

    /// The same of the spool's file.
    pub async fn spool_numbers(&self, sql: &str) -> Vec<i64> {
        self.numbers_of_file("spool.db", sql).await
    }

    async fn numbers_of_file(&self, name: &str, sql: &str) -> Vec<i64> {
        let file = self.directory.path().join("data").join(name);
        let mut connection: SqliteConnection =
            SqliteConnectOptions::new().filename(file).connect().await.unwrap();
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

/// A running service and a client of it.
pub struct Instance {
    pub process: Process,
    pub client: Client,
}

/// Asks one instance.
#[derive(Clone)]
pub struct Client {
    pub base: String,
    pub http: reqwest::Client,
}

impl Client {
    pub fn new(port: u16) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        Self { base: format!("http://127.0.0.1:{port}"), http }
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let sent =
            self.http.get(format!("{}{path}", self.base)).header("x-admin-token", ADMIN_TOKEN).send().await;
        let answer = sent.unwrap_or_else(|error| panic!("GET {path}: {error}"));
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    /// Waits until `/readyz` is green.
    pub async fn ready(&self, patience: Duration) {
        until("/readyz is 200", patience, async || self.get("/readyz").await.0 == 200).await;
    }

    /// Waits until `/readyz` is red and says, to an admin, something with `text` in it.
    pub async fn not_ready(&self, text: &str) {
        until(&format!("/readyz says {text:?}"), PATIENCE, async || {
            let (status, answer) = self.get("/readyz").await;
            status == 503 && answer["checks"].to_string().contains(text)
        })
        .await;
    }

    /// What `/healthz` says of the database; the answer has to be 200, and waits for nothing.
    pub async fn database(&self) -> String {
        let asked = tokio::time::timeout(REPLY, self.get("/healthz")).await;
        let (status, answer) = asked.expect("/healthz answers at once");
        assert_eq!(status, 200);
        answer["database"].as_str().unwrap().to_owned()
    }

    /// Makes a project with a server key.
    pub async fn project(&self, slug: &str) -> Project {
        let body = format!(r#"{{"slug":"{slug}"}}"#);
        let path = format!("{}/admin/projects", self.base);
        let sent = self.http.post(path).header("x-admin-token", ADMIN_TOKEN).body(body).send().await.unwrap();
        let (status, text) = (sent.status().as_u16(), sent.text().await.unwrap());
        assert_eq!(status, 201, "{text}");
        let made: Value = serde_json::from_str(&text).unwrap();
        let text = |name: &str| made["key"][name].as_str().unwrap().to_owned();
        Project {
            id: made["project"]["id"].as_i64().unwrap(),
            api_key: text("api_key"),
            signing_secret: text("signing_secret"),
        }
    }
}
