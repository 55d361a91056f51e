//! What a plain SQL client sees of the events: the view `logs` and the bodies' framing, on MySQL and `MariaDB`.

#![allow(clippy::unwrap_used, reason = "a test stops at what fails")]

#[path = "support/skip.rs"]
mod skip;
mod support;
#[path = "support/writer.rs"]
mod writer;

use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use support::TestDatabase;
use tekno_logger::event::{Event, Level};
use tekno_logger::timestamp::Timestamp;
use tekno_logger::write::WriteOutcome;
use writer::{NOW, Writer, ctx, event, project};

async fn servers() -> Vec<TestDatabase> {
    let all = TestDatabase::all().await;
    all.into_iter().filter(|database| database.name != "sqlite").collect()
}

async fn client(database: &TestDatabase) -> MySqlConnection {
    MySqlConnection::connect(&database.variables(&[])["DATABASE_URL"]).await.unwrap()
}

async fn select(client: &mut MySqlConnection, sql: &str) -> Vec<MySqlRow> {
    sqlx::query(AssertSqlSafe(sql.to_owned()))
        .fetch_all(client)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn text(row: &MySqlRow, column: &str) -> Option<String> {
    row.try_get_unchecked(column).unwrap_or_else(|error| panic!("{column}: {error}"))
}

/// Nested so deep, a number in the middle.
fn nested(depth: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth))
}

const STACK: &str = "Error: \"quoted\"\n\tat f (C:\\app\\x.js:1:2)";
const CTX: &str = r#"{"url":"/a?b=c","nested":{"list":[1,2.5,{"deep":"sön \"q\" \\ \u0001"}]},"none":null}"#;

fn events(ctx_text: &str) -> Vec<Event<'_>> {
    let at = |second: i64| Timestamp::from_millis(NOW + second * 1_000 + 7);
    let mut full =
        event(1, at(1), Level::Error, "naïve 😀 \"quotes\" 'single' \\ back\nline \u{0} nul \u{fffd}");
    full.ctx = Some(std::borrow::Cow::Borrowed(ctx(ctx_text)));
    full.user_id = Some("user-é".into());
    full.request_id = Some("req-1".into());
    full.tags = vec!["α".into(), "b,c".into()];
    full.release = Some("1.2.3".into());
    full.stack = Some(STACK.into());
    vec![event(0, at(0), Level::Info, "plain"), full]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_view_shows_every_field_as_it_was_stored() {
    for database in servers().await {
        let name = database.name;
        let store = database.store().await;
        let writer = Writer::start(&store);
        let shop = project(&store, "shop", 3).await;
        assert_eq!(writer.send_events(shop, "a", &events(CTX)).await, WriteOutcome::Stored);
        let mut client = client(&database).await;
        let columns = "project_id, id, CAST(ts AS CHAR) AS ts, level, source, env, message, CAST(ctx AS CHAR) AS ctx, \
                       user_id, request_id, CAST(tags AS CHAR) AS tags, `release`, stack, fingerprint, \
                       CAST(block_from AS CHAR) AS block_from, CAST(block_to AS CHAR) AS block_to";
        // A client's session may be in any time zone; the view is in UTC.
        sqlx::raw_sql("SET time_zone = '+05:00'").execute(&mut client).await.unwrap();
        let rows = select(&mut client, &format!("SELECT {columns} FROM logs ORDER BY ts DESC")).await;
        assert_eq!(rows.len(), 2, "{name}");
        let row = &rows[0];
        let expected = &events(CTX)[1];
        assert_eq!(row.get::<i64, _>("project_id"), shop, "{name}");
        assert!(text(row, "id").unwrap().ends_with("-1"), "{name}");
        assert_eq!(text(row, "ts").unwrap(), "2027-01-15 08:00:01.007", "{name}");
        assert_eq!(text(row, "message").as_deref(), Some(&*expected.message), "{name}");
        for (column, value) in [
            ("level", "error"),
            ("source", "shop"),
            ("env", "production"),
            ("user_id", "user-é"),
            ("request_id", "req-1"),
            ("release", "1.2.3"),
            ("stack", STACK),
            ("block_from", "2027-01-15 08:00:00.007"),
            ("block_to", "2027-01-15 08:00:01.007"),
        ] {
            assert_eq!(text(row, column).as_deref(), Some(value), "{name}: {column}");
        }
        let shown: Value = serde_json::from_str(&text(row, "ctx").unwrap()).unwrap();
        assert_eq!(shown, serde_json::from_str::<Value>(CTX).unwrap(), "{name}");
        let tags: Value = serde_json::from_str(&text(row, "tags").unwrap()).unwrap();
        assert_eq!(tags, json!(["α", "b,c"]), "{name}");
        assert_eq!(text(row, "fingerprint").unwrap(), expected.fingerprint.to_string(), "{name}");
        for column in ["ctx", "user_id", "request_id", "tags", "release", "stack"] {
            assert_eq!(text(&rows[1], column), None, "{name}: {column}");
        }
        let range =
            "SELECT id FROM logs WHERE project_id = 1 AND block_to >= '2027-01-15' AND level = 'error'";
        assert_eq!(select(&mut client, range).await.len(), 1, "{name}");
        let inside =
            "SELECT id FROM logs WHERE JSON_UNQUOTE(JSON_EXTRACT(ctx, '$.nested.list[2].deep')) LIKE 'sön%'";
        assert_eq!(select(&mut client, inside).await.len(), 1, "{name}");
        client.close().await.unwrap();
        writer.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_uncompress_gives_the_body_that_was_stored() {
    for database in servers().await {
        let name = database.name;
        let store = database.store().await;
        let writer = Writer::start(&store);
        let shop = project(&store, "shop", 3).await;
        for (number, message) in ["short", &"long and \u{1F600} repeated ".repeat(20_000)].iter().enumerate()
        {
            let one = [event(0, Timestamp::from_millis(NOW), Level::Info, message)];
            assert_eq!(writer.send_events(shop, &number.to_string(), &one).await, WriteOutcome::Stored);
        }
        let mut client = client(&database).await;
        let sql = "SELECT UNCOMPRESS(body) AS raw, UNCOMPRESSED_LENGTH(body) AS length, raw_bytes, body FROM blocks";
        let rows = select(&mut client, sql).await;
        assert_eq!(rows.len(), 2, "{name}");
        for row in rows {
            let (raw, body): (Vec<u8>, Vec<u8>) =
                (row.try_get_unchecked("raw").unwrap(), row.try_get_unchecked("body").unwrap());
            let length = u32::try_from(raw.len()).unwrap();
            assert_eq!(row.try_get_unchecked::<u32, _>("raw_bytes").unwrap(), length, "{name}");
            assert_eq!(row.try_get_unchecked::<u32, _>("length").unwrap(), length, "{name}");
            let ours =
                tekno_logger::block::decode::inflate_body(tekno_logger::block::Codec::Zlib, length, &body);
            assert_eq!(ours.unwrap(), raw, "{name}");
        }
        client.close().await.unwrap();
        writer.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_odd_event_takes_no_other_blocks_events_out_of_the_view() {
    for database in servers().await {
        let name = database.name;
        let store = database.store().await;
        let writer = Writer::start(&store);
        let shop = project(&store, "shop", 3).await;
        let at = Timestamp::from_millis(NOW);
        let deepest = nested(32);
        let surrogates = r#"{"half \ud800":"\udc00 and \ud83d\ude00","cut":"\ud83d"}"#;
        for (number, odd) in [nested(29).as_str(), &deepest, surrogates, CTX].into_iter().enumerate() {
            let mut one = event(0, at, Level::Warn, "odd");
            one.ctx = Some(std::borrow::Cow::Borrowed(ctx(odd)));
            writer.send_events(shop, &format!("odd {number}"), &[one]).await;
            writer.send(shop, &format!("plain {number}"), &[Level::Info]).await;
        }
        let mut client = client(&database).await;
        // A damaged body, as no version of the service writes one.
        let damage = "INSERT INTO blocks SELECT project_id, REPEAT('x', 16), received_first, received_last, ts_first, \
                      ts_last, event_count, raw_bytes, stored_bytes, codec, level_counts, id_filter, text_filter, \
                      X'0500000001020304' FROM blocks LIMIT 1";
        sqlx::raw_sql(damage).execute(&mut client).await.unwrap();
        let rows = select(&mut client, "SELECT level, message FROM logs").await;
        let level =
            |wanted: &str| rows.iter().filter(|row| text(row, "level").as_deref() == Some(wanted)).count();
        assert_eq!(rows.len(), 9, "{name}");
        assert_eq!(level("info"), 4, "{name}");
        let unreadable = rows.iter().filter(|row| text(row, "level").is_none());
        let unreadable: Vec<_> = unreadable.map(|row| text(row, "message").unwrap()).collect();
        // MariaDB reads 32 levels, and two of them are ours.
        let expected = if name == "mariadb" { 2 } else { 1 };
        assert_eq!((unreadable.len(), level("warn")), (expected, 5 - expected), "{name}: {unreadable:?}");
        assert_eq!(unreadable[0], "1 events that this server can not read: use the API", "{name}");
        client.close().await.unwrap();
        writer.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_the_right_to_make_views_does_without_one() {
    for database in servers().await {
        let name = database.name;
        let url = database.variables(&[])["DATABASE_URL"].clone();
        let schema = url.rsplit('/').next().unwrap().to_owned();
        let user = format!("u{}", &schema[schema.len() - 12..]);
        let rights = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX";
        // Both hosts, as some servers have a nameless user for localhost, who would be met first.
        for host in ["%", "localhost"] {
            database.run_sql(&format!("CREATE USER '{user}'@'{host}' IDENTIFIED BY 'pw-{user}'")).await;
            database.run_sql(&format!("GRANT {rights} ON {schema}.* TO '{user}'@'{host}'")).await;
        }
        let address = url.rsplit('@').next().unwrap();
        let changes = [("DATABASE_URL", &*format!("mysql://{user}:pw-{user}@{address}"))];
        let store = tekno_logger::store::Store::new(&database.config(&changes)).unwrap();
        store.migrate().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut client = client(&database).await;
        let count = "SELECT COUNT(*) AS n FROM information_schema.views WHERE table_schema = DATABASE()";
        assert_eq!(select(&mut client, count).await[0].get::<i64, _>("n"), 0, "{name}");
        // Once the right is given, the next start makes it.
        for host in ["%", "localhost"] {
            database.run_sql(&format!("GRANT CREATE VIEW ON {schema}.* TO '{user}'@'{host}'")).await;
        }
        let again = tekno_logger::store::Store::new(&database.config(&changes)).unwrap();
        again.migrate().await.unwrap();
        assert_eq!(select(&mut client, count).await[0].get::<i64, _>("n"), 1, "{name}");
        // One of an earlier version is replaced.
        sqlx::raw_sql("UPDATE settings SET number = 0 WHERE name = 'logs_view'")
            .execute(&mut client)
            .await
            .unwrap();
        sqlx::raw_sql("ALTER VIEW logs AS SELECT 1 AS one").execute(&mut client).await.unwrap();
        let owner = tekno_logger::store::Store::new(&database.config(&[])).unwrap();
        owner.migrate().await.unwrap();
        assert_eq!(select(&mut client, "SELECT id, level FROM logs").await.len(), 0, "{name}");
        client.close().await.unwrap();
        database.run_sql(&format!("DROP USER '{user}'@'%', '{user}'@'localhost'")).await;
        database.remove().await;
    }
}
