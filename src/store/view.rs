//! The view `logs`: events as rows, for any SQL client of MySQL and `MariaDB`.
//!
//! A step of its own after the migrations, as a server without `JSON_TABLE` (`TiDB`, `SQLite`) or a user without the
//! right to make views does without it: nothing in the service reads it.

use super::STATEMENT_TIMEOUT;
use super::connection::Connection;
use super::dialect::Dialect;
use super::error::StoreError;
use super::value::Value;

/// Raised when the definition below changes; kept in `settings`.
const VERSION: i64 = 1;
/// Name of that setting.
const NAME: &str = "logs_view";

/// `MariaDB` would give the columns its database's character set, and lose what is not in it; `MySQL` before 8.0.31
/// knows only its own, which is the right one.
const CHARSETS: [&str; 2] = [" CHARACTER SET utf8mb4", ""];
/// Replacing an older one asks for the right to drop it, which making the first doesn't.
const VERBS: [&str; 2] = ["CREATE", "CREATE OR REPLACE"];

/// Errors that say that the user may not: for the database, the table, a column, and in general.
const DENIALS: [u16; 4] = [1044, 1142, 1143, 1227];

/// The body is inflated and read as JSON by the server. Where it can't read one (`MariaDB` stops at 32 levels of
/// nesting), one row says so, as an error would take every other block's events with it.
const DEFINITION: &str = "{create} SQL SECURITY INVOKER VIEW logs AS \
SELECT b.project_id, j.id, \
CAST(TIMESTAMPADD(MICROSECOND, j.ts_ms * 1000, TIMESTAMP'1970-01-01 00:00:00') AS DATETIME(3)) AS ts, \
j.level, j.source, j.env, j.message, j.ctx, j.user_id, j.request_id, j.tags, j.`release`, j.stack, j.fingerprint, \
CAST(TIMESTAMPADD(MICROSECOND, b.ts_first * 1000, TIMESTAMP'1970-01-01 00:00:00') AS DATETIME(3)) AS block_from, \
CAST(TIMESTAMPADD(MICROSECOND, b.ts_last * 1000, TIMESTAMP'1970-01-01 00:00:00') AS DATETIME(3)) AS block_to \
FROM blocks AS b, JSON_TABLE(\
CASE WHEN JSON_VALID(CONVERT(UNCOMPRESS(b.body) USING utf8mb4)) = 1 \
THEN CONVERT(UNCOMPRESS(b.body) USING utf8mb4) \
ELSE CONCAT('[{\"ts\":', b.ts_last, ',\"message\":\"', b.event_count, \
' events that this server can not read: use the API\"}]') END, '$[*]' COLUMNS (\
id VARCHAR(40){charset} PATH '$.id', ts_ms BIGINT PATH '$.ts', level VARCHAR(8){charset} PATH '$.level', \
source VARCHAR(1024){charset} PATH '$.source', env VARCHAR(1024){charset} PATH '$.env', message LONGTEXT{charset} PATH '$.message', \
ctx JSON PATH '$.ctx', user_id VARCHAR(1024){charset} PATH '$.user_id', request_id VARCHAR(1024){charset} PATH '$.request_id', \
tags JSON PATH '$.tags', `release` VARCHAR(1024){charset} PATH '$.release', stack LONGTEXT{charset} PATH '$.stack', \
fingerprint VARCHAR(32){charset} PATH '$.fingerprint')) AS j";

/// True when the view is there as this version defines it, or can never be.
pub(super) async fn is_current(connection: &mut Connection) -> bool {
    if connection.dialect() == Dialect::Sqlite {
        return true;
    }
    let find = "SELECT number FROM settings WHERE name = ?";
    let rows = connection.query(find, &[NAME.into()], STATEMENT_TIMEOUT).await;
    rows.is_ok_and(|rows| rows.first().is_some_and(|row| row.int(0).is_ok_and(|made| made == VERSION)))
}

/// Makes the view, or says once in the log why there is none. The caller holds the lease on migrations.
///
/// # Errors
/// What the database said to anything but the view itself.
pub(super) async fn create(connection: &mut Connection) -> Result<(), StoreError> {
    if connection.dialect() == Dialect::Sqlite {
        tracing::debug!("SQLite has no view of the logs");
        return Ok(());
    }
    let mut why = String::new();
    for (charset, verb) in CHARSETS.iter().flat_map(|charset| VERBS.map(|verb| (charset, verb))) {
        let definition = DEFINITION.replace("{charset}", charset).replace("{create}", verb);
        match connection.packet(definition, STATEMENT_TIMEOUT).await {
            Ok(()) => return note_version(connection).await,
            Err(failed) => match failed.error {
                StoreError::Refused(refused) => why = refused,
                StoreError::Away(denied) if is_denial(&denied) => why = denied,
                other => return Err(other),
            },
        }
        // The connection is sound: only the definition was refused.
        connection.rollback(STATEMENT_TIMEOUT).await?;
    }
    tracing::info!(why, "the view `logs` for SQL clients is left out: this server can't have it");
    Ok(())
}

/// Elsewhere a denied right means that the database can't be used; a view can be done without.
fn is_denial(text: &str) -> bool {
    DENIALS.iter().any(|number| text.starts_with(&format!("{number}:")))
}

async fn note_version(connection: &mut Connection) -> Result<(), StoreError> {
    let note = "INSERT INTO settings (name, number, content) VALUES (?, ?, '') \
                ON DUPLICATE KEY UPDATE number = VALUES(number)";
    let values: [Value<'_>; 2] = [NAME.into(), VERSION.into()];
    connection.execute(note, &values, STATEMENT_TIMEOUT).await.map(drop)
}
