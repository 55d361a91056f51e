//! The yardstick: the same events as rows, by a bare client's multi-row INSERT.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::events::BenchEvent;

/// A row table as services of this kind have it: one row an event, JSON beside it, indexes for its page's filters.
pub const TABLE: &str = "CREATE TABLE IF NOT EXISTS logs (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    project_id INT UNSIGNED NOT NULL,
    ts DATETIME(3) NOT NULL,
    level ENUM('trace','debug','info','warn','error','fatal') NOT NULL,
    message TEXT NOT NULL,
    source VARCHAR(255) NOT NULL,
    env VARCHAR(64) NOT NULL,
    ctx_json JSON NULL,
    user_id VARCHAR(255) NULL,
    request_id VARCHAR(255) NULL,
    fingerprint CHAR(40) NOT NULL,
    day_id INT UNSIGNED NOT NULL,
    created_at DATETIME NOT NULL,
    KEY project_ts (project_id, ts),
    KEY project_level_ts (project_id, level, ts),
    KEY project_fingerprint_ts (project_id, fingerprint, ts),
    KEY project_request (project_id, request_id),
    KEY project_user_ts (project_id, user_id, ts),
    KEY day (day_id)
) DEFAULT CHARSET=utf8mb4";

const INSERT: &str = "INSERT INTO logs (project_id,ts,level,message,source,env,ctx_json,user_id,request_id,\
                      fingerprint,day_id,created_at) VALUES ";

/// Inserts all events, 250 rows a statement, over two connections; the seconds it took.
pub async fn insert(url: &str, events: &[BenchEvent]) -> f64 {
    let statements: Vec<String> = events.chunks(250).map(statement).collect();
    let (statements, next) = (Arc::new(statements), Arc::new(AtomicUsize::new(0)));
    let mut clients = Vec::new();
    for _ in 0..2 {
        clients.push(MySqlConnection::connect(url).await.expect("the database answers"));
    }
    let begun = Instant::now();
    let tasks: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            let (statements, next) = (statements.clone(), next.clone());
            tokio::spawn(async move {
                while let Some(statement) = statements.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let insert = sqlx::raw_sql(AssertSqlSafe(statement.clone()));
                    insert.execute(&mut client).await.expect("rows go in");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a client ends");
    }
    begun.elapsed().as_secs_f64()
}

fn statement(events: &[BenchEvent]) -> String {
    let mut sql = String::with_capacity(events.len() * 480);
    sql.push_str(INSERT);
    for (position, event) in events.iter().enumerate() {
        if position > 0 {
            sql.push(',');
        }
        event.row(&mut sql);
    }
    sql
}
