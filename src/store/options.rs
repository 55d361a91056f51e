//! From settings to connection options, for either kind of database.

use std::path::Path;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use super::connection::Target;
use super::session_start::LOCK_WAIT_SECONDS;
use crate::config::{Config, DatabaseConfig, DatabaseTls};

/// The embedded database's file in `DATA_DIR`.
const SQLITE_FILE: &str = "tekno-logger.db";
/// How long a statement waits for another process that holds the embedded database.
const LOCK_WAIT: Duration = Duration::from_secs(LOCK_WAIT_SECONDS as u64);
/// Bytes of a page of the spool's file.
pub(super) const PAGE_BYTES: u32 = 4096;
/// Pages a file of `SQLite` may have.
const MAX_PAGES: u64 = 4_294_967_294;
/// Prepared statements a connection keeps; the store has fewer shapes than this.
const STATEMENT_CACHE: usize = 48;

/// Where the writers and where everything else connects.
pub(super) struct Targets {
    pub writers: Target,
    pub work: Target,
}

pub(super) fn targets(config: &Config) -> Result<Targets, String> {
    match &config.database {
        DatabaseConfig::Embedded => {
            let options = sqlite_options(config)?;
            Ok(Targets { writers: options.clone(), work: options })
        }
        server @ DatabaseConfig::Server { .. } => {
            let options = mysql_options(server);
            let target = |autocommit| Target::MySql { options: Box::new(options.clone()), autocommit };
            Ok(Targets { writers: target(false), work: target(true) })
        }
    }
}

fn sqlite_options(config: &Config) -> Result<Target, String> {
    std::fs::create_dir_all(&config.data_dir)
        .map_err(|error| format!("DATA_DIR {} can't be made: {error}", config.data_dir.display()))?;
    let file = config.data_dir.join(SQLITE_FILE);
    // The library names neither the folder nor the cause.
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&file)
        .map_err(|error| format!("DATA_DIR {} can't be written: {error}", config.data_dir.display()))?;
    Ok(Target::Sqlite(Box::new(sqlite_file(&file))))
}

fn sqlite_file(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // As on a server: so short that a lock held by another process isn't taken for an outage.
        .busy_timeout(LOCK_WAIT)
        .statement_cache_capacity(STATEMENT_CACHE)
        // Freed pages are reused, and the log does not keep its greatest size for ever.
        .pragma("journal_size_limit", "16777216")
        .disable_statement_logging()
}

/// The spool's file, which grows no larger than `max_bytes`: beyond it a write is refused as on a full disk.
pub(super) fn spool_target(file: &Path, max_bytes: u64) -> Target {
    let pages = (max_bytes / u64::from(PAGE_BYTES)).clamp(1, MAX_PAGES);
    let options = sqlite_file(file)
        .page_size(PAGE_BYTES)
        // KiB of memory a connection keeps pages in: it writes once, reads once, and there are several.
        .pragma("cache_size", "-256")
        .pragma("max_page_count", pages.to_string());
    Target::Sqlite(Box::new(options))
}

/// A damaged spool, opened as far as it can be: also where pages at its end are gone.
pub(super) fn wreck_target(file: &Path) -> Target {
    let options = SqliteConnectOptions::new()
        .filename(file)
        // Else no page could be read where one is missing at the end.
        .pragma("writable_schema", "ON")
        .disable_statement_logging();
    Target::Sqlite(Box::new(options))
}

/// A file that is thrown away, whatever happens to it.
pub(super) fn scratch_target(file: &Path) -> Target {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .page_size(PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Off)
        .synchronous(SqliteSynchronous::Off)
        .disable_statement_logging();
    Target::Sqlite(Box::new(options))
}

fn mysql_options(server: &DatabaseConfig) -> MySqlConnectOptions {
    let mut options = MySqlConnectOptions::new()
        .statement_cache_capacity(STATEMENT_CACHE)
        // Vitess refuses these two; nothing here uses `||` or names an engine.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .disable_statement_logging();
    let DatabaseConfig::Server { host, port, socket, name, user, password, tls, tls_ca } = server else {
        return options;
    };
    options = options.host(host).port(*port).username(user).database(name);
    // An empty password would be sent as one, and refused.
    if !password.expose().is_empty() {
        options = options.password(password.expose());
    }
    if let Some(socket) = socket {
        options = options.socket(socket);
    }
    if let Some(tls_ca) = tls_ca {
        options = options.ssl_ca(tls_ca);
    }
    let mode = match tls {
        DatabaseTls::Verify => MySqlSslMode::VerifyIdentity,
        DatabaseTls::Encrypt => MySqlSslMode::Required,
        DatabaseTls::Disabled => MySqlSslMode::Disabled,
    };
    options.ssl_mode(mode)
}
