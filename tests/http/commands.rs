//! The command line of the real binary, beside a running service on the same database.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::captured_log::found;
use crate::running::{Key, Post, Running};
use crate::support::{ADMIN_TOKEN, HMAC_SECRET, TestDatabase};

/// Runs the binary with these variables and no others; at its most talkative.
async fn run(variables: Vec<(String, String)>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tekno-logger"));
    command.env_clear().envs(variables).args(arguments);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

async fn run_on(database: &TestDatabase, arguments: &[&str]) -> Output {
    let variables = database.variables(&[("LOG_LEVEL", "debug")]);
    run(variables.into_iter().collect(), arguments).await
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json_of(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("JSON alone, not {}", text(&output.stdout)))
}

fn key_in(made: &Value) -> Key {
    Key {
        project_id: made["project"]["id"].as_i64().unwrap(),
        id: made["key"]["id"].as_i64().unwrap(),
        text: made["key"]["api_key"].as_str().unwrap().to_owned(),
        signing_secret: made["key"]["signing_secret"].as_str().unwrap().to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projects_and_keys_of_the_command_line_work_at_once_on_a_running_service() {
    for database in TestDatabase::all().await {
        let running = Running::start_in_real_time(&database, &[]).await;
        let arguments = [
            "project",
            "create",
            "--slug",
            "shop",
            "--name",
            "The Shop",
            "--retention-days",
            "9",
            "--minute-cap",
            "500",
            "--json",
        ];
        let created = run_on(&database, &arguments).await;
        let made = json_of(&created);
        let shown = running.admin(reqwest::Method::GET, "/admin/projects/shop", &Value::Null).await.json();
        assert_eq!(made["project"], shown["project"], "as the HTTP API shows it");
        let mut fields: Vec<&String> = made["key"].as_object().unwrap().keys().collect();
        fields.sort_unstable();
        assert_eq!(fields, ["api_key", "created_at", "id", "kind", "note", "signing_secret"]);
        let first = key_in(&made);
        let send = async |key: &Key, name: &str| {
            running.send(Post::bare(key, json!({ "message": name }).to_string())).await
        };
        assert_eq!(send(&first, "by the first").await.counts(), (1, 1, false));
        let rotated = run_on(&database, &["project", "rotate-key", "shop", "--json"]).await;
        let second = key_in(&json_of(&rotated));
        assert_ne!(first.text, second.text);
        assert_eq!(send(&second, "by the second").await.counts(), (1, 1, false));
        assert_eq!(send(&first, "by the first again").await.counts(), (1, 1, false));

        let revoke = format!("/admin/projects/shop/keys/{}", first.id);
        let revoked = running.admin(reqwest::Method::DELETE, &revoke, &Value::Null).await;
        assert_eq!(revoked.status, 204, "by the id it was printed with");
        assert_eq!(send(&first, "too late").await.status, 401);
        let by_id = run_on(&database, &["project", "rotate-key", &first.project_id.to_string()]).await;
        assert!(
            by_id.status.success() && text(&by_id.stdout).contains("Signing secret: "),
            "{}",
            text(&by_id.stdout)
        );
        running.project("other").await;
        let list = json_of(&run_on(&database, &["project", "list", "--json"]).await);
        let slugs: Vec<&str> =
            list["projects"].as_array().unwrap().iter().map(|one| one["slug"].as_str().unwrap()).collect();
        assert_eq!(slugs, ["shop", "other"]);
        let lines = text(&run_on(&database, &["project", "list"]).await.stdout);
        assert_eq!(lines.lines().count(), 3, "{lines}");

        let tested = run_on(&database, &["send-test", "shop"]).await;
        assert!(tested.status.success(), "{}", text(&tested.stderr));
        assert_eq!(running.logs("q=%22test+event%22").await.len(), 1);
        assert_eq!(running.logs("").await.len(), 4);
        let secrets = [&first, &second].map(|key| [key.text.as_str(), key.signing_secret.as_str()]).concat();
        for output in [&created, &rotated, &tested] {
            assert_eq!(found(&output.stderr, secrets.iter().copied()), (0, None), "the log of a command");
        }
        assert_eq!(found(lines.as_bytes(), secrets.iter().copied()), (0, None));
        assert_eq!(found(&database.dump().await, secrets.iter().copied()), (0, None));
        running.stop().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn a_command_that_cannot_be_done_says_why_and_fails() {
    for database in TestDatabase::all().await {
        json_of(&run_on(&database, &["project", "create", "--slug", "shop", "--json"]).await);
        for (arguments, code, why) in [
            (&["project", "create", "--slug", "shop"][..], 1, "the slug is taken"),
            (&["project", "rotate-key", "nobody"], 1, "there is no such project"),
            (&["project", "rotate-key", "99"], 1, "there is no such project"),
            (&["send-test", "nobody"], 1, "there is no such project"),
            (&["project", "rotate-key", "01"], 2, "01"),
            (&["project", "create", "--slug", "Shop"], 2, "Shop"),
            (&["project", "create", "--slug", "a", "--retention-days", "91"], 2, "91"),
            (&["project", "create", "--slug", "a", "--minute-cap", "0"], 2, "0"),
            (&["project", "create"], 2, "--name"),
        ] {
            let output = run_on(&database, arguments).await;
            assert_eq!(output.status.code(), Some(code), "{arguments:?}");
            assert!(text(&output.stderr).contains(why), "{arguments:?}: {}", text(&output.stderr));
            assert!(output.stdout.is_empty(), "{arguments:?}");
        }
        let variables =
            database.variables(&[("HMAC_SECRET", "another-secret-of-enough-characters-0123456789")]);
        let output = run(variables.into_iter().collect(), &["project", "create", "--slug", "b"]).await;
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("HMAC_SECRET is not the one"), "{}", text(&output.stderr));
        database.remove().await;
    }
}

fn wrong_settings() -> Vec<(String, String)> {
    let variables = [
        ("PORT", "seventy"),
        ("DATABASE_URL", "mysql://app:hidden-pass-1@db.example/logs?colour=red"),
        ("HMAC_SECRET", "short-secret"),
        ("ADMIN_TOKEN", "changeme"),
        ("MAX_EVENTS_PER_POST", "0"),
        ("DEFAULT_RETENTION_DAYS", "91"),
        ("LOG_LEVEL", "loud"),
        ("RATE_LIMIT_PER_IP", "-1"),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

#[tokio::test]
async fn every_wrong_setting_is_listed_at_once_with_exit_code_78_and_without_its_secret() {
    for arguments in [&["check-config"][..], &["serve"], &[], &["project", "list"]] {
        let output = run(wrong_settings(), arguments).await;
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{arguments:?}: {said}");
        for (name, _) in wrong_settings() {
            assert!(
                said.lines().any(|line| line.trim_start().starts_with(&name)),
                "{arguments:?}, {name}: {said}"
            );
        }
        assert_eq!(found(said.as_bytes(), ["hidden-pass-1", "short-secret"]), (0, None), "{said}");
    }
}

#[tokio::test]
async fn a_good_configuration_is_shown_with_its_secrets_masked() {
    let database = TestDatabase::sqlite();
    let output = run_on(&database, &["check-config"]).await;
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("MAX_PAYLOAD_BYTES") && said.contains("524288"), "{said}");
    assert_eq!(found(said.as_bytes(), [HMAC_SECRET, ADMIN_TOKEN]), (0, None), "{said}");
}

/// Starts the embedded default, reads its start output up to the command to paste, runs that, and stops it.
fn serve_and_paste(directory: &std::path::Path) -> (String, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tekno-logger"));
    command.env_clear().env("PORT", "0").env("DATA_DIR", directory).env("LOG_LEVEL", "trace");
    let mut serving = command.arg("serve").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = serving.stderr.take().unwrap();
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        log.read_to_string(&mut text).map(|_| text).unwrap()
    });
    let mut lines = BufReader::new(serving.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut banner = String::new();
    while !banner.contains("\ncurl ") {
        banner += &lines.next().expect("a command to paste before the end");
        banner += "\n";
    }
    let script = banner.split_once("\n\nKEY=").unwrap().1;
    let pasted = Command::new("sh").args(["-c", &format!("KEY={script}")]).output().unwrap();
    let stopped = Command::new("kill").args(["-TERM", &serving.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    assert_eq!(serving.wait().unwrap().code(), Some(0), "a clean stop");
    (banner, text(&pasted.stdout) + &text(&pasted.stderr), reading.join().unwrap())
}

#[tokio::test]
async fn the_command_printed_at_the_first_start_works_and_our_log_has_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let (banner, pasted, log) = tokio::task::spawn_blocking(move || serve_and_paste(&path)).await.unwrap();
    let receipt: Value = serde_json::from_str(&pasted).unwrap_or_else(|_| panic!("{pasted}"));
    assert_eq!((&receipt["accepted"], &receipt["duplicate"]), (&json!(1), &json!(false)), "{pasted}");
    let secret = |name: &str| {
        let line = banner.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} in {banner}")).trim_matches('\'').to_owned()
    };
    let secrets = ["ADMIN_TOKEN=", "KEY=", "SECRET="].map(secret);
    assert!(log.contains("listening"), "{log}");
    assert_eq!(found(log.as_bytes(), secrets.iter().map(String::as_str)), (0, None), "our log");
}
