//! `tekno-logger export`, beside a running service on the same database.

use std::io::Read;
use std::process::{Command, Output};

use reqwest::Method;
use serde_json::{Value, json};

use crate::running::{Post, Running};
use crate::support::{ADMIN_TOKEN, TestDatabase};

async fn export(database: &TestDatabase, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tekno-logger"));
    command.env_clear().envs(database.variables(&[("LOG_LEVEL", "warn")])).arg("export").args(arguments);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

async fn exported(database: &TestDatabase, arguments: &[&str]) -> String {
    let output = export(database, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn over_http(running: &Running, query: &str) -> String {
    let path = format!("/logs/export?{query}");
    let answer = running.request(Method::GET, &path, &[("x-admin-token", ADMIN_TOKEN)], "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

async fn fill(running: &Running) {
    for slug in ["shop", "other"] {
        let key = running.project(slug).await;
        for batch in 0..3 {
            let event = |n: u32| {
                let level = if n.is_multiple_of(3) { "error" } else { "info" };
                json!({ "message": format!("event {batch} {n}"), "level": level, "ctx": { "n": n } })
            };
            let body = Value::from((0..100).map(event).collect::<Vec<_>>()).to_string();
            assert_eq!(running.send(Post::bare(&key, body)).await.status, 200);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_writes_what_the_route_answers() {
    for database in TestDatabase::all().await {
        let running = Running::start_in_real_time(&database, &[]).await;
        fill(&running).await;
        for (arguments, query) in [
            (&[][..], ""),
            (&["--format", "csv", "--project", "shop"], "format=csv&project_id=shop"),
            (
                &["--format", "json", "--order", "asc", "--level", "error"],
                "format=json&order=asc&level=error",
            ),
            (&["-q", "-\"event 1\" ctx.n:>=50", "--from=-1h"], "q=-%22event+1%22+ctx.n%3A%3E%3D50&from=-1h"),
        ] {
            assert_eq!(
                exported(&database, arguments).await,
                over_http(&running, query).await,
                "{}: {arguments:?}",
                database.name
            );
        }
        running.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_new_or_added_to_and_packed_as_asked() {
    let database = TestDatabase::sqlite();
    let running = Running::start_in_real_time(&database, &[]).await;
    fill(&running).await;
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    let all = over_http(&running, "").await;
    let tenth: Value = serde_json::from_str(all.lines().nth(9).unwrap()).unwrap();
    let tenth = tenth["id"].as_str().unwrap();

    let (gzip, zstd) = (place("a.gz"), place("a.zst"));
    assert_eq!(exported(&database, &["--output", &gzip, "--compress", "gzip"]).await, "");
    let refused = export(&database, &["--output", &gzip]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is there already"));
    exported(&database, &["--output", &gzip, "--compress", "gzip", "--append", "--cursor", tenth]).await;
    let mut unpacked = String::new();
    let file = std::fs::File::open(&gzip).unwrap();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut unpacked).unwrap();
    let rest: String = all.split_inclusive('\n').skip(10).collect();
    assert_eq!(unpacked, all.clone() + &rest, "what is added goes on after the tenth event");
    exported(&database, &["-o", &zstd, "--compress", "zstd"]).await;
    let unpacked = zstd::stream::decode_all(std::fs::File::open(&zstd).unwrap()).unwrap();
    assert_eq!(String::from_utf8(unpacked).unwrap(), all);

    let table = place("a.csv");
    for _ in 0..2 {
        exported(&database, &["-o", &table, "--append", "--format", "csv", "--project", "shop"]).await;
    }
    let rows = std::fs::read_to_string(&table).unwrap();
    assert_eq!(rows.matches("id,project_id").count(), 1, "one header row");
    assert_eq!(rows.matches("\r\n").count(), 601);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_whole_says_so_and_fails() {
    let database = TestDatabase::sqlite();
    let running = Running::start_in_real_time(&database, &[]).await;
    fill(&running).await;
    for (arguments, code, why) in [
        (&["--output", "/dev/full", "--append"][..], 1, "incomplete after"),
        (&["--project", "nobody"], 1, "there is no such project"),
        (&["--cursor", "x"], 1, "cursor must be"),
        (&["--level", "loud"], 1, "level must be"),
        (&["--output", "/nonexistent/a", "--format", "csv"], 1, "/nonexistent/a"),
        (&["--output", "a", "--append", "--format", "json"], 1, "no valid JSON array"),
        (&["--format", "xml"], 2, "xml"),
        (&["--append"], 2, "--output"),
        (&["--compress", "rar"], 2, "rar"),
    ] {
        let output = export(&database, arguments).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(why), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    let mut damage = running.state.store.work().await.unwrap();
    let sql = "UPDATE blocks SET body = X'0102030405060708' WHERE project_id = 1".to_owned();
    damage.packet(sql, tekno_logger::store::STATEMENT_TIMEOUT).await.unwrap();
    drop(damage);
    let damaged = export(&database, &[]).await;
    assert_eq!(damaged.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&damaged.stderr).contains("damaged"), "what is missing is said");
    assert_eq!(String::from_utf8_lossy(&damaged.stdout).lines().count(), 300, "the rest is written");
    running.stop().await;
}
