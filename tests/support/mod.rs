//! Private databases for tests: `SQLite` always, `MariaDB` and MySQL when `TEST_MARIADB_URL` or `TEST_MYSQL_URL` names
//! a server (`mysql://user:password@host:port/`, with the right to create databases).

#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests stop at what fails and read TEST_* variables"
)]

use std::collections::BTreeMap;

use sqlx::Connection as _;
use sqlx::mysql::MySqlConnection;
use tekno_logger::config::Config;
use tekno_logger::store::{DatabaseStatus, Store};

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

    /// A new database on the server a variable names, if it is set.
    pub async fn on_server(name: &'static str, variable: &str) -> Option<Self> {
        let server = std::env::var(variable).ok().filter(|url| !url.is_empty())?;
        let server = server.trim_end_matches('/').to_owned();
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

    /// Drops the database, at the end of a test.
    pub async fn remove(self) {
        if let Some((_, database)) = &self.server_url {
            self.run_sql(&format!("DROP DATABASE {database}")).await;
        }
    }
}
