//! What a new session on a server is set to.

use futures_util::TryStreamExt;
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Either, Row as _};

/// Seconds after which a server gives up a connection of ours that says nothing: a network that went silent inside a
/// transaction leaves its locks for no longer. More than the pool lets a connection idle without asking it.
const SILENCE_SECONDS: u32 = 40;
/// Seconds a statement waits for another transaction's lock: short, so that one lock isn't taken for an outage.
pub(super) const LOCK_WAIT_SECONDS: u32 = 1;
/// Sets a new session up in one round trip; gives the largest packet the server takes, in bytes.
pub(super) async fn start_session(
    wire: &mut MySqlConnection,
    autocommit: bool,
) -> Result<usize, sqlx::Error> {
    let autocommit = u8::from(autocommit);
    let sql = format!(
        "SET autocommit={autocommit}; SELECT CAST(@@max_allowed_packet AS SIGNED); \
         SET wait_timeout={SILENCE_SECONDS}, innodb_lock_wait_timeout={LOCK_WAIT_SECONDS}"
    );
    let mut max_packet = None;
    let mut results = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(wire);
    loop {
        match results.try_next().await {
            Ok(Some(Either::Right(row))) => max_packet = usize::try_from(row.try_get::<i64, _>(0)?).ok(),
            Ok(Some(Either::Left(_))) => {}
            Ok(None) => break,
            // The last two settings bound waits; a kin of MySQL that lacks them is used without.
            Err(sqlx::Error::Database(error)) if max_packet.is_some() => {
                tracing::debug!(%error, "waits are not bounded by the server");
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(max_packet.unwrap_or(usize::MAX))
}
