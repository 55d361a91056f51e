//! Private databases for tests: `SQLite` always, `MariaDB` and MySQL when `TEST_MARIADB_URL` or `TEST_MYSQL_URL` names
//! a server (`mysql://user:password@host:port/`, with the right to create databases).

#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests stop at what fails and read TEST_* variables"
)]

use std::collections::BTreeMap;
use std::task::Poll;
use std::time::{Duration, Instant};

use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use tekno_logger::block::token_test::TokenTest;
use tekno_logger::config::Config;
use tekno_logger::store::{BlockQuery, DatabaseStatus, Store};
use tekno_logger::timestamp::Timestamp;

use crate::skip;

/// `HMAC_SECRET` of every test.
pub const HMAC_SECRET: &str = "tests-hmac-secret-0f1e2d3c4b5a69788796a5b4c3d2e1f0";
/// `ADMIN_TOKEN` of every test.
pub const ADMIN_TOKEN: &str = "tests-admin-token-a1b2c3d4e5f60718293a4b5c6d7e8f90";

/// A database of a test's own; dropped with it.
pub struct TestDatabase {
    /// `sqlite`, `mariadb` or `mysql`.
    pub name: &'static str,
    server_url: Option<(String, String)>,
    /// `DATA_DIR`.
    pub directory: tempfile::TempDir,
}

impl TestDatabase {
    /// The embedded default in an empty directory.
    pub fn sqlite() -> Self {
        Self { name: "sqlite", server_url: None, directory: tempfile::tempdir().unwrap() }
    }

    /// A new database on the server a variable names; `None`, said loudly, if it is not set.
    pub async fn on_server(name: &'static str, variable: &str) -> Option<Self> {
        let Some(server) = std::env::var(variable).ok().filter(|url| !url.is_empty() && *url != skip::NONE)
        else {
            skip::skip_server(name, variable, &format!("{variable} is not set"));
            return None;
        };
        // The database that a URL names is not ours to use.
        let host = server.find("://").map_or(0, |scheme| scheme + 3);
        let server = server[host..].find('/').map_or(&server[..], |path| &server[..host + path]).to_owned();
        let mut random = [0; 8];
        getrandom::fill(&mut random).unwrap();
        let database = format!("tekno_test_{}", data_encoding::HEXLOWER.encode(&random));
        let test = Self {
            name,
            server_url: Some((server, database.clone())),
            directory: tempfile::tempdir().unwrap(),
        };
        test.run_sql(&format!("CREATE DATABASE {database}")).await;
        Some(test)
    }

    /// Every database at hand.
    pub async fn all() -> Vec<Self> {
        let mut all = vec![Self::sqlite()];
        all.extend(Self::on_server("mariadb", "TEST_MARIADB_URL").await);
        all.extend(Self::on_server("mysql", "TEST_MYSQL_URL").await);
        all
    }

    /// The first server at hand.
    pub async fn server() -> Option<Self> {
        match Self::on_server("mariadb", "TEST_MARIADB_URL").await {
            None => Self::on_server("mysql", "TEST_MYSQL_URL").await,
            some => some,
        }
    }

    /// The settings of a service on this database, `changes` applied last.
    pub fn variables(&self, changes: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::from([
            ("PORT".to_owned(), "0".to_owned()),
            ("HMAC_SECRET".to_owned(), HMAC_SECRET.to_owned()),
            ("ADMIN_TOKEN".to_owned(), ADMIN_TOKEN.to_owned()),
            ("APP_ENV".to_owned(), "development".to_owned()),
            ("DATA_DIR".to_owned(), self.directory.path().display().to_string()),
        ]);
        if let Some((server, database)) = &self.server_url {
            variables.insert("DATABASE_URL".to_owned(), format!("{server}/{database}"));
        }
        for (name, value) in changes {
            variables.insert((*name).to_owned(), (*value).to_owned());
        }
        variables
    }

    /// The same, read.
    pub fn config(&self, changes: &[(&str, &str)]) -> Config {
        let kept = |_: &std::path::Path| panic!("tests give their secrets");
        Config::parse(&self.variables(changes), &kept).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A migrated store on this database.
    pub async fn store(&self) -> Store {
        let store = Store::new(&self.config(&[])).unwrap();
        store.migrate().await.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        store.set_status(DatabaseStatus::Connected);
        store
    }

    /// Runs a statement on the server, outside the store.
    pub async fn run_sql(&self, sql: &str) {
        let Some((server, _)) = &self.server_url else { return };
        let mut connection = MySqlConnection::connect(&format!("{server}/")).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn sqlite_connection(&self) -> SqliteConnection {
        let file = self.directory.path().join("tekno-logger.db");
        SqliteConnectOptions::new().filename(file).connect().await.unwrap()
    }

    /// Takes the embedded database away from everybody else.
    pub async fn lock_sqlite(&self) -> SqliteLock {
        let mut connection = self.sqlite_connection().await;
        sqlx::raw_sql("PRAGMA busy_timeout = 10000; BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
        SqliteLock(connection)
    }

    /// Every row of a query as the bytes of its columns; `NULL` is empty.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<Vec<u8>>> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        if let Some((server, database)) = &self.server_url {
            let mut connection = MySqlConnection::connect(&format!("{server}/{database}")).await.unwrap();
            let rows: Vec<MySqlRow> = sqlx::raw_sql(sql).fetch_all(&mut connection).await.unwrap();
            let bytes = |row: &MySqlRow, at| row.get_unchecked::<Option<Vec<u8>>, _>(at).unwrap_or_default();
            rows.iter().map(|row| (0..row.len()).map(|at| bytes(row, at)).collect()).collect()
        } else {
            let mut connection = self.sqlite_connection().await;
            let rows: Vec<SqliteRow> = sqlx::raw_sql(sql).fetch_all(&mut connection).await.unwrap();
            let bytes = |row: &SqliteRow, at| row.get_unchecked::<Option<Vec<u8>>, _>(at).unwrap_or_default();
            rows.iter().map(|row| (0..row.len()).map(|at| bytes(row, at)).collect()).collect()
        }
    }

    /// Names of all tables.
    pub async fn tables(&self) -> Vec<String> {
        let find = if self.server_url.is_some() {
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
        } else {
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        };
        let names = self.rows(find).await;
        names.into_iter().map(|mut row| String::from_utf8(row.remove(0)).unwrap()).collect()
    }

    /// How many rows of a table belong to a project.
    pub async fn count(&self, table: &str, project_id: i64) -> usize {
        self.rows(&format!("SELECT 1 FROM {table} WHERE project_id = {project_id}")).await.len()
    }

    /// Waits until nothing of these projects is left to be folded.
    pub async fn until_folded(&self, projects: &[i64]) {
        let since = Instant::now();
        loop {
            let mut left = 0;
            for project in projects {
                left += self.count("unfolded", *project).await;
            }
            if left == 0 {
                return;
            }
            assert!(since.elapsed() < Duration::from_mins(1), "the fold never came: {left} blocks are left");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Everything a thief of the database would have: each column of each row of each table, compressed bodies
    /// inflated, and for the embedded database the bytes of all its files.
    pub async fn dump(&self) -> Vec<u8> {
        let mut dump = Vec::new();
        for table in self.tables().await {
            for row in self.rows(&format!("SELECT * FROM {table}")).await {
                for column in row {
                    if let Some(text) = column.get(4..).and_then(inflated) {
                        dump.extend_from_slice(&text);
                        dump.push(b'\n');
                    }
                    dump.extend_from_slice(&column);
                    dump.push(b'\n');
                }
            }
        }
        if self.server_url.is_none() {
            for entry in std::fs::read_dir(self.directory.path()).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    dump.extend_from_slice(&std::fs::read(path).unwrap());
                }
            }
        }
        dump
    }

    /// Drops the database, at the end of a test.
    pub async fn remove(self) {
        if let Some((_, database)) = &self.server_url {
            self.run_sql(&format!("DROP DATABASE {database}")).await;
        }
    }
}

/// What a zlib stream holds; `None` for anything else.
fn inflated(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::ZlibDecoder::new(bytes), &mut text).ok().map(|_| text)
}

/// The embedded database while nobody else can write to it.
pub struct SqliteLock(SqliteConnection);

impl SqliteLock {
    /// Gives it back.
    pub async fn release(mut self) {
        sqlx::raw_sql("ROLLBACK").execute(&mut self.0).await.unwrap();
        self.0.close().await.unwrap();
    }
}

/// Drops a future after it has waited so many times, as a kill would; gives its output when it ended before.
pub async fn killed_after<F: Future>(waits: u32, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut left = waits;
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// Every block of a project, the newest first, up to 100,000.
pub fn every_block(project_id: i64) -> BlockQuery {
    BlockQuery {
        project_id,
        from: Timestamp::from_millis(0),
        to: Timestamp::LAST,
        received_after: Timestamp::from_millis(0),
        received_until: Timestamp::LAST,
        tokens: TokenTest::Always,
        filters: false,
        ascending: false,
        after: None,
        limit: 100_000,
    }
}
