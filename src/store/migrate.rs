//! Brings the schema up to date under a lease of our own, so that any number of instances may start at once.
//!
//! Each migration is one idempotent statement; one that was cut off half-way is simply run again. A schema newer than
//! this binary knows is refused.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use rust_embed::RustEmbed;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::connection::Connection;
use super::dialect::Dialect;
use super::error::StoreError;
use super::settings::{release_lease, take_lease};
use super::{STATEMENT_TIMEOUT, Store, view};

const LEASE: &str = "migrate";
const LEASE_LENGTH: Duration = Duration::from_mins(1);
/// Longest a migration may run; less than the lease.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(50);
/// How often an instance looks whether another has finished migrating.
const WAIT_STEP: Duration = Duration::from_millis(100);
/// Tries after losing against another instance.
const MAX_CONFLICTS: u32 = 50;
/// How long it goes on looking.
const WAIT_LIMIT: Duration = Duration::from_secs(90);

/// The tables that the spool's file has too. A migration goes there when the table it makes or changes is one of these:
/// any other would be pages more in front of what may have to be salvaged.
const SPOOL_TABLES: [&str; 6] = ["leases", "settings", "projects", "api_keys", "blocks", "batches"];

#[derive(RustEmbed)]
#[folder = "migrations/mysql"]
struct MySqlFiles;

#[derive(RustEmbed)]
#[folder = "migrations/sqlite"]
struct SqliteFiles;

/// What the spool's file has beside the tables of every `SQLite` database.
#[derive(RustEmbed)]
#[folder = "migrations/spool"]
struct SpoolFiles;

impl Store {
    /// Migrates, waiting while another instance does.
    ///
    /// # Errors
    /// [`StoreError::SchemaTooNew`], else what the database said; calling it again is harmless.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let mut tried = self.migrate_once().await;
        for _ in 0..MAX_CONFLICTS {
            if !matches!(tried, Err(StoreError::Conflict(_))) {
                break;
            }
            // Others are opening or making the same file or tables.
            tokio::time::sleep(WAIT_STEP).await;
            tried = self.migrate_once().await;
        }
        tried
    }

    async fn migrate_once(&self) -> Result<(), StoreError> {
        let mut session = self.probe().await?;
        let Steps { migrator, left_out } = steps(session.dialect(), self.0.is_spool)?;
        if is_current(&mut session, &migrator).await && view::is_current(&mut session).await {
            return Ok(());
        }
        let owner = self.instance();
        create_leases(&mut session, &migrator).await?;
        let mut waited = Duration::ZERO;
        while !take_lease(&mut session, LEASE, owner, LEASE_LENGTH).await? {
            if waited >= WAIT_LIMIT {
                return Err(StoreError::TimedOut(WAIT_LIMIT));
            }
            tokio::time::sleep(WAIT_STEP).await;
            waited += WAIT_STEP;
        }
        let mut migrated = run(&mut session, &migrator, &left_out).await;
        if migrated.is_ok() {
            migrated = view::create(&mut session).await;
        }
        if session.is_clean() {
            release_lease(&mut session, LEASE, owner).await?;
        }
        migrated
    }
}

/// What a database is brought up to date with.
struct Steps {
    /// The embedded migrations of its dialect that belong in it, in order.
    migrator: Migrator,
    /// Numbers of those that don't; a spool of an earlier version may have had them.
    left_out: Vec<i64>,
}

fn steps(dialect: Dialect, is_spool: bool) -> Result<Steps, StoreError> {
    let mut migrations = match dialect {
        Dialect::MySql => load::<MySqlFiles>()?,
        Dialect::Sqlite => load::<SqliteFiles>()?,
    };
    let mut left_out = Vec::new();
    if is_spool {
        let of_spool =
            |one: &Migration| table_of(one.sql.as_str()).is_some_and(|name| SPOOL_TABLES.contains(&name));
        let (kept, others): (Vec<_>, Vec<_>) = migrations.into_iter().partition(of_spool);
        migrations = kept;
        left_out = others.iter().map(|one| one.version).collect();
        migrations.extend(load::<SpoolFiles>()?);
    }
    migrations.sort_by_key(|migration| migration.version);
    let mut migrator = Migrator::with_migrations(migrations);
    // The library's lock is a server lock that Galera, TiDB and Vitess lack; ours is the lease.
    migrator.set_locking(false);
    Ok(Steps { migrator, left_out })
}

/// The table that a migration makes or changes: the first name after the words that say so, comments left out. `None`
/// for a statement of another form, which no migration may have.
fn table_of(sql: &str) -> Option<&str> {
    let mut words =
        sql.lines().filter(|line| !line.trim_start().starts_with("--")).flat_map(str::split_whitespace);
    let verb = words.next()?;
    let before = match (verb, words.next()?) {
        ("CREATE" | "ALTER" | "DROP", "TABLE") => "TABLE",
        ("CREATE", "INDEX" | "UNIQUE") => "ON",
        ("INSERT", "INTO") => "INTO",
        ("UPDATE", table) => return Some(table),
        ("DELETE", "FROM") => "FROM",
        _ => return None,
    };
    let mut words =
        words.skip_while(|word| before == "ON" && *word != "ON").skip(usize::from(before == "ON"));
    let name = words.find(|word| !matches!(*word, "IF" | "NOT" | "EXISTS"))?;
    Some(name.split('(').next().unwrap_or(name))
}

fn load<Files: RustEmbed>() -> Result<Vec<Migration>, StoreError> {
    Files::iter()
        .map(|name| migration(&name, &Files::get(&name).map(|file| file.data).unwrap_or_default()))
        .collect()
}

fn migration(name: &str, sql: &[u8]) -> Result<Migration, StoreError> {
    let malformed = || StoreError::Refused(format!("migration {name} is not named NNNN_what.sql in UTF-8"));
    let (version, what) =
        name.strip_suffix(".sql").and_then(|stem| stem.split_once('_')).ok_or_else(malformed)?;
    let version = version.parse().map_err(|_| malformed())?;
    let sql = String::from_utf8(sql.to_vec()).map_err(|_| malformed())?;
    let sql = AssertSqlSafe(sql).into_sql_str();
    Ok(Migration::new(version, Cow::Owned(what.to_owned()), MigrationType::Simple, sql, false))
}

/// True when the last known migration has run and no newer one has; any doubt is settled under the lease.
async fn is_current(connection: &mut Connection, migrator: &Migrator) -> bool {
    let Some(last) = migrator.iter().last() else { return true };
    let find = "SELECT MAX(version), COUNT(*), MIN(success) FROM _sqlx_migrations";
    let Ok(rows) = connection.query(find, &[], STATEMENT_TIMEOUT).await else { return false };
    let expected = i64::try_from(migrator.iter().count()).unwrap_or(i64::MAX);
    rows.first().is_some_and(|row| {
        row.optional_int(0).ok().flatten() == Some(last.version)
            && row.int(1).ok() == Some(expected)
            && row.optional_int(2).ok().flatten() == Some(1)
    })
}

/// The table of leases has to be there before a lease can be taken; making it again changes nothing.
async fn create_leases(connection: &mut Connection, migrator: &Migrator) -> Result<(), StoreError> {
    let first = migrator.iter().next().map(|migration| migration.sql.as_str().to_owned()).unwrap_or_default();
    connection.packet(first, STATEMENT_TIMEOUT).await.map_err(|failed| failed.error)
}

async fn run(connection: &mut Connection, migrator: &Migrator, left_out: &[i64]) -> Result<(), StoreError> {
    // A migration that was cut off left a row that says so; it is idempotent, so it may run again. One that is left out
    // would be taken for one of a newer version; the empty table it made stays.
    let left_out: Vec<String> = left_out.iter().map(i64::to_string).collect();
    let mut forget = "DELETE FROM _sqlx_migrations WHERE success = 0".to_owned();
    if !left_out.is_empty() {
        let _ = write!(forget, " OR version IN ({})", left_out.join(","));
    }
    let _ = connection.packet(forget, STATEMENT_TIMEOUT).await;
    connection.migrate(migrator, MIGRATION_TIMEOUT).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dialect: Dialect, is_spool: bool) -> Vec<(i64, String)> {
        let migrator = steps(dialect, is_spool).unwrap().migrator;
        migrator.iter().map(|one| (one.version, one.description.to_string())).collect()
    }

    #[test]
    fn both_dialects_have_the_same_migrations_in_order() {
        let mysql = names(Dialect::MySql, false);
        assert_eq!(mysql, names(Dialect::Sqlite, false));
        assert_eq!(mysql[0], (1, "leases".to_owned()));
        assert!(mysql.is_sorted_by(|one, next| one.0 < next.0));
    }

    #[test]
    fn every_migration_says_which_table_it_is_about_and_both_dialects_say_the_same() {
        let tables = |dialect| -> Vec<(i64, String)> {
            let all = steps(dialect, false).unwrap().migrator;
            let table = |one: &Migration| table_of(one.sql.as_str()).map(str::to_owned);
            let named =
                |one: &Migration| table(one).unwrap_or_else(|| panic!("{} is of no known form", one.version));
            all.iter().map(|one| (one.version, named(one))).collect()
        };
        let sqlite = tables(Dialect::Sqlite);
        assert_eq!(sqlite, tables(Dialect::MySql));
        for name in SPOOL_TABLES {
            assert!(sqlite.iter().any(|(_, table)| table == name), "{name} is made by a migration");
        }
    }

    #[test]
    fn the_table_of_a_statement_is_found_in_each_form() {
        for (sql, table) in [
            ("-- CREATE TABLE x\nCREATE TABLE IF NOT EXISTS blocks (\n", "blocks"),
            ("CREATE TABLE blocks(id INT)", "blocks"),
            ("ALTER TABLE projects ADD COLUMN a INT", "projects"),
            ("CREATE UNIQUE INDEX a ON issues (b)", "issues"),
            ("CREATE INDEX IF NOT EXISTS a ON issues(b)", "issues"),
            ("UPDATE settings SET a = 1", "settings"),
            ("DROP TABLE IF EXISTS ledger", "ledger"),
        ] {
            assert_eq!(table_of(sql), Some(table), "{sql}");
        }
        assert_eq!(table_of("PRAGMA foreign_keys = ON"), None);
    }

    #[test]
    fn the_spool_has_what_it_needs_and_no_more() {
        let of_spool: Vec<String> = names(Dialect::Sqlite, true).into_iter().map(|(_, name)| name).collect();
        let made = ["leases", "settings", "projects", "api_keys", "blocks", "batches", "spool_groups"];
        for name in made {
            assert!(of_spool.iter().any(|one| one == name), "{name} in {of_spool:?}");
        }
        for name in ["unfolded", "counts", "issues", "quarantine", "ledger", "audit_log", "alert_outbox"] {
            assert!(!of_spool.iter().any(|one| one == name), "{name} in {of_spool:?}");
        }
    }
}
