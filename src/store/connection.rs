//! One connection to either kind of database, with the few operations the store is written in.
//!
//! A connection whose last operation did not end well is never used again: see [`Connection::is_clean`].

use std::time::Duration;

use futures_util::{FutureExt, TryStreamExt};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Either};

use super::dialect::Dialect;
use super::error::StoreError;
use super::session_start::start_session;
use super::value::{Row, Value, mysql_arguments, sqlite_arguments};

/// How to reach the database.
#[derive(Clone, Debug)]
pub enum Target {
    /// A server.
    MySql {
        /// Address, user, TLS.
        options: Box<MySqlConnectOptions>,
        /// False for the writers: their transactions start by themselves and end in a text packet.
        autocommit: bool,
    },
    /// A file.
    Sqlite(Box<SqliteConnectOptions>),
}

impl Target {
    /// Which SQL it speaks.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match self {
            Self::MySql { .. } => Dialect::MySql,
            Self::Sqlite(_) => Dialect::Sqlite,
        }
    }
}

enum Wire {
    MySql(MySqlConnection),
    Sqlite(SqliteConnection),
}

/// An open connection.
pub struct Connection {
    wire: Wire,
    clean: bool,
    round_trips: u64,
    /// Bytes of the largest packet the server takes. It breaks the connection over a larger one, which would look like
    /// an outage and be tried again, so that is refused here.
    max_packet: usize,
}

/// What a packet has beside the text or the values it carries.
const PACKET_OVERHEAD: usize = 512;

/// A text packet of several statements: how many ran before the one that failed, and why it failed.
#[derive(Debug)]
pub struct PacketError {
    /// Statements that succeeded before.
    pub done: usize,
    /// The failure.
    pub error: StoreError,
}

impl Connection {
    /// Opens a connection.
    ///
    /// # Errors
    /// [`StoreError::TimedOut`] after `timeout`, else what the server said.
    pub async fn open(target: &Target, timeout: Duration) -> Result<Self, StoreError> {
        let open = async {
            match target {
                Target::MySql { options, autocommit } => {
                    let mut wire = options.connect().await?;
                    let max_packet = start_session(&mut wire, *autocommit).await?;
                    Ok((Wire::MySql(wire), max_packet))
                }
                Target::Sqlite(options) => Ok((Wire::Sqlite(options.connect().await?), usize::MAX)),
            }
        };
        let (wire, max_packet) = within(timeout, open).await?;
        Ok(Self { wire, clean: true, round_trips: 0, max_packet })
    }

    /// Which SQL it speaks.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match self.wire {
            Wire::MySql(_) => Dialect::MySql,
            Wire::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// False after an operation that failed, timed out or was dropped half-way, and inside a transaction.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.clean
    }

    /// Statements and packets sent so far: the database was waited for once for each.
    #[must_use]
    pub const fn round_trips(&self) -> u64 {
        self.round_trips
    }

    fn ask(&mut self) -> bool {
        self.round_trips += 1;
        std::mem::replace(&mut self.clean, false)
    }

    /// Bytes that all values of a statement may have together.
    pub(super) const fn room_for_values(&self) -> usize {
        self.max_packet.saturating_sub(PACKET_OVERHEAD)
    }

    fn check_size(&self, bytes: usize) -> Result<(), StoreError> {
        if bytes.saturating_add(PACKET_OVERHEAD) <= self.max_packet {
            return Ok(());
        }
        let max = self.max_packet;
        Err(StoreError::Refused(format!(
            "{bytes} bytes are more than the server's max_allowed_packet of {max}"
        )))
    }

    /// Runs a prepared statement; returns the rows it changed (on a server: matched).
    ///
    /// # Errors
    /// What the database said, or [`StoreError::TimedOut`].
    pub async fn execute(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        timeout: Duration,
    ) -> Result<u64, StoreError> {
        self.check_size(sql.len().max(values.iter().map(Value::wire_bytes).sum()))?;
        let was_clean = self.ask();
        let sql = AssertSqlSafe(sql.to_owned());
        let changed = match &mut self.wire {
            Wire::MySql(wire) => {
                let query = sqlx::query_with(sql, mysql_arguments(values)?).execute(wire);
                within(timeout, query).await?.rows_affected()
            }
            Wire::Sqlite(wire) => {
                let query = sqlx::query_with(sql, sqlite_arguments(values)?).execute(wire);
                within(timeout, query).await?.rows_affected()
            }
        };
        self.clean = was_clean;
        Ok(changed)
    }

    /// Runs a prepared query and returns all its rows; the caller bounds them by `LIMIT`.
    ///
    /// # Errors
    /// As [`Connection::execute`].
    pub async fn query(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        timeout: Duration,
    ) -> Result<Vec<Row>, StoreError> {
        let was_clean = self.ask();
        let sql = AssertSqlSafe(sql.to_owned());
        let rows = match &mut self.wire {
            Wire::MySql(wire) => {
                let query = sqlx::query_with(sql, mysql_arguments(values)?).fetch_all(wire);
                within(timeout, query).await?.into_iter().map(Row::MySql).collect()
            }
            Wire::Sqlite(wire) => {
                let query = sqlx::query_with(sql, sqlite_arguments(values)?).fetch_all(wire);
                within(timeout, query).await?.into_iter().map(Row::Sqlite).collect()
            }
        };
        self.clean = was_clean;
        Ok(rows)
    }

    /// Runs a query as text, for lists whose length varies, or several of them, separated by `;`: their rows come one
    /// after the other. The caller quotes what it puts in.
    ///
    /// # Errors
    /// As [`Connection::execute`].
    pub async fn select(&mut self, sql: String, timeout: Duration) -> Result<Vec<Row>, StoreError> {
        self.check_size(sql.len())?;
        let was_clean = self.ask();
        let query = sqlx::raw_sql(AssertSqlSafe(sql));
        let rows = match &mut self.wire {
            Wire::MySql(wire) => {
                within(timeout, query.fetch_all(wire)).await?.into_iter().map(Row::MySql).collect()
            }
            Wire::Sqlite(wire) => {
                within(timeout, query.fetch_all(wire)).await?.into_iter().map(Row::Sqlite).collect()
            }
        };
        self.clean = was_clean;
        Ok(rows)
    }

    /// Starts a transaction that only reads, and runs its first queries in the same packet: everything read until it
    /// ends is as it was at this moment. The connection is not clean until [`Connection::commit`].
    ///
    /// # Errors
    /// As [`Connection::execute`].
    pub async fn begin_snapshot(&mut self, select: &str, timeout: Duration) -> Result<Vec<Row>, StoreError> {
        let begin = self.dialect().begin_snapshot();
        let rows = self.select(format!("{begin};{select}"), timeout).await?;
        self.clean = false;
        Ok(rows)
    }

    /// Sends several statements, separated by `;`, in one packet of text. The caller quotes what it puts in.
    ///
    /// # Errors
    /// The first failure, with the number of statements that went well before it.
    pub async fn packet(&mut self, sql: String, timeout: Duration) -> Result<(), PacketError> {
        self.check_size(sql.len()).map_err(|error| PacketError { done: 0, error })?;
        let was_clean = self.ask();
        let mut done = 0;
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        let sent = async {
            match &mut self.wire {
                Wire::MySql(wire) => {
                    let mut results = sql.fetch_many(wire);
                    while let Some(step) = results.try_next().await? {
                        done += usize::from(matches!(step, Either::Left(_)));
                    }
                }
                Wire::Sqlite(wire) => {
                    let mut results = sql.fetch_many(wire);
                    while let Some(step) = results.try_next().await? {
                        done += usize::from(matches!(step, Either::Left(_)));
                    }
                }
            }
            Ok(())
        };
        let sent = within(timeout, sent).await;
        sent.map_err(|error| PacketError { done, error })?;
        self.clean = was_clean;
        Ok(())
    }

    /// Runs one statement as text, for lists whose length varies; returns the rows it changed (on a server: matched).
    ///
    /// # Errors
    /// As [`Connection::execute`].
    pub async fn change(&mut self, sql: String, timeout: Duration) -> Result<u64, StoreError> {
        self.check_size(sql.len())?;
        let was_clean = self.ask();
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        let changed = match &mut self.wire {
            Wire::MySql(wire) => within(timeout, sql.execute(wire)).await?.rows_affected(),
            Wire::Sqlite(wire) => within(timeout, sql.execute(wire)).await?.rows_affected(),
        };
        self.clean = was_clean;
        Ok(changed)
    }

    /// Starts a transaction that will write; the connection is not clean until it ends.
    ///
    /// # Errors
    /// As [`Connection::execute`].
    pub async fn begin(&mut self, timeout: Duration) -> Result<(), StoreError> {
        let begin = self.dialect().begin_write();
        self.packet(begin.to_owned(), timeout).await.map_err(|failed| failed.error)?;
        self.clean = false;
        Ok(())
    }

    /// As [`Connection::begin`], after a query in the same packet: what that finds is of the moment before, and the
    /// transaction sees what is committed until its own first query.
    ///
    /// # Errors
    /// As [`Connection::execute`].
    pub async fn begin_after(&mut self, select: &str, timeout: Duration) -> Result<Vec<Row>, StoreError> {
        let begin = self.dialect().begin_write();
        let rows = self.select(format!("{select};{begin}"), timeout).await?;
        self.clean = false;
        Ok(rows)
    }

    /// Starts a writer slot's transaction: on a server it starts by itself with the next statement.
    ///
    /// # Errors
    /// As [`Connection::execute`].
    pub async fn begin_group(&mut self, timeout: Duration) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Sqlite {
            return self.begin(timeout).await;
        }
        self.clean = false;
        Ok(())
    }

    /// Sends a text packet whose last statement is `COMMIT`.
    ///
    /// # Errors
    /// As [`Connection::packet`]; the transaction is then still open unless the failure is ambiguous.
    pub async fn packet_commit(&mut self, sql: String, timeout: Duration) -> Result<(), PacketError> {
        self.packet(sql, timeout).await?;
        self.clean = true;
        Ok(())
    }

    /// Ends a transaction for good.
    ///
    /// # Errors
    /// As [`Connection::execute`]; [`StoreError::is_ambiguous`] says whether it may have happened all the same.
    pub async fn commit(&mut self, timeout: Duration) -> Result<(), StoreError> {
        self.packet("COMMIT".to_owned(), timeout).await.map_err(|failed| failed.error)?;
        self.clean = true;
        Ok(())
    }

    /// Undoes a transaction and makes the connection clean again, also after a refused statement.
    ///
    /// # Errors
    /// As [`Connection::execute`].
    pub async fn rollback(&mut self, timeout: Duration) -> Result<(), StoreError> {
        self.packet("ROLLBACK".to_owned(), timeout).await.map_err(|failed| failed.error)?;
        self.clean = true;
        Ok(())
    }

    /// Brings the schema up to `migrator`'s; the caller holds the lease.
    ///
    /// # Errors
    /// [`StoreError::SchemaTooNew`], else what the database said.
    pub async fn migrate(&mut self, migrator: &Migrator, timeout: Duration) -> Result<(), StoreError> {
        self.clean = false;
        // Not `run`: with its generic `Acquire` the future could not move between threads.
        let run = match &mut self.wire {
            Wire::MySql(wire) => migrator.run_direct(None, wire, false).boxed(),
            Wire::Sqlite(wire) => migrator.run_direct(None, wire, false).boxed(),
        };
        let ran = tokio::time::timeout(timeout, run).await.map_err(|_| StoreError::TimedOut(timeout))?;
        ran.map_err(|error| match error {
            MigrateError::VersionMissing(version) => StoreError::SchemaTooNew(format!("migration {version}")),
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                StoreError::from(error)
            }
            other => StoreError::Refused(other.to_string()),
        })?;
        self.clean = true;
        Ok(())
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// As [`Connection::execute`].
    pub async fn ping(&mut self, timeout: Duration) -> Result<(), StoreError> {
        let was_clean = self.ask();
        match &mut self.wire {
            Wire::MySql(wire) => within(timeout, wire.ping()).await?,
            Wire::Sqlite(wire) => within(timeout, wire.ping()).await?,
        }
        self.clean = was_clean;
        Ok(())
    }
}

pub(super) async fn within<T>(
    timeout: Duration,
    operation: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(timeout, operation).await {
        Ok(result) => result.map_err(StoreError::from),
        Err(_) => Err(StoreError::TimedOut(timeout)),
    }
}
