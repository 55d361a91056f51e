//! Brings the schema up to date under a lease of our own, so that any number of instances may start at once.
//!
//! Each migration is one idempotent statement; one that was cut off half-way is simply run again. A schema newer than
//! this binary knows is refused.

use std::borrow::Cow;
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

/// Migrations that make tables the spool's file has no use for: each table is pages more in front of what may have to be
/// salvaged.
const NOT_IN_SPOOL: &[i64] = &[10, 19];

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
        let migrator = migrator(session.dialect(), self.0.is_spool)?;
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
        let mut migrated = run(&mut session, &migrator).await;
        if migrated.is_ok() {
            migrated = view::create(&mut session).await;
        }
        if session.is_clean() {
            release_lease(&mut session, LEASE, owner).await?;
        }
        migrated
    }
}

/// The embedded migrations of a dialect, in order.
fn migrator(dialect: Dialect, is_spool: bool) -> Result<Migrator, StoreError> {
    let mut migrations = match dialect {
        Dialect::MySql => load::<MySqlFiles>()?,
        Dialect::Sqlite => load::<SqliteFiles>()?,
    };
    if is_spool {
        migrations.retain(|migration| !NOT_IN_SPOOL.contains(&migration.version));
        migrations.extend(load::<SpoolFiles>()?);
    }
    migrations.sort_by_key(|migration| migration.version);
    let mut migrator = Migrator::with_migrations(migrations);
    // The library's lock is a server lock that Galera, TiDB and Vitess lack; ours is the lease.
    migrator.set_locking(false);
    Ok(migrator)
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

async fn run(connection: &mut Connection, migrator: &Migrator) -> Result<(), StoreError> {
    // A migration that was cut off left a row that says so; it is idempotent, so it may run again.
    let forget = "DELETE FROM _sqlx_migrations WHERE success = 0".to_owned();
    let _ = connection.packet(forget, STATEMENT_TIMEOUT).await;
    connection.migrate(migrator, MIGRATION_TIMEOUT).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dialects_have_the_same_migrations_in_order() {
        let names = |dialect| -> Vec<(i64, String)> {
            let migrator = migrator(dialect, false).unwrap();
            migrator.iter().map(|one| (one.version, one.description.to_string())).collect()
        };
        let mysql = names(Dialect::MySql);
        assert_eq!(mysql, names(Dialect::Sqlite));
        assert_eq!(mysql[0], (1, "leases".to_owned()));
        assert!(mysql.is_sorted_by(|one, next| one.0 < next.0));
    }
}
