//! What stands in the way at the start: a taken port, a folder that can't be written, a database file that is none.

use std::net::TcpListener;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use crate::load::{Batch, Dice, Ledger, Load, send, send_until_stored};
use crate::process::{PATIENCE, Process};
use crate::rig::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named_and_the_exit_code_says_so() {
    let taken = TcpListener::bind("[::]:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut rig = Rig::sqlite();
    rig.set("PORT", &port);
    let mut process = Process::start(&rig.variables);
    assert!(!process.exit(PATIENCE).await.success());
    assert!(process.log().contains(&format!("PORT {port}")), "{}", process.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cant_be_written_is_named_and_the_exit_code_says_so() {
    // Nobody, root included, can write there.
    for folder in ["/proc/1", "/proc/tekno", "/dev/null/data"] {
        for secrets in [true, false] {
            let mut rig = Rig::sqlite();
            rig.set("DATA_DIR", folder);
            if !secrets {
                rig.variables.remove("HMAC_SECRET");
                rig.variables.remove("ADMIN_TOKEN");
            }
            let mut process = Process::start(&rig.variables);
            assert!(!process.exit(PATIENCE).await.success(), "{folder}");
            let log = process.log();
            assert!(log.contains(folder) && log.contains("DATA_DIR"), "{folder}, secrets {secrets}: {log}");
            assert!(!log.contains("panicked"), "{log}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_database_is_named_and_nothing_panics() {
    let rig = Rig::sqlite();
    let file = rig.directory.path().join("data/tekno-logger.db");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "This is a letter to my aunt. ".repeat(400)).unwrap();
    let mut instance = rig.start().await;
    instance.client.not_ready("not a database").await;
    instance.client.database().await;
    assert!(instance.process.is_alive() && !instance.process.log().contains("panicked"));
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.starts_with("This is a letter"), "a stranger's file is left alone");
    // Moved out of the way, all is well without a restart.
    std::fs::remove_file(&file).unwrap();
    instance.client.ready(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_file_that_was_cut_is_named_and_nothing_panics() {
    let rig = Rig::sqlite();
    let mut instance = rig.start_ready().await;
    let project = instance.client.project("cut").await;
    let mut load = Load::start(2, &project, vec![instance.client.clone()], &mut Dice::new("cut file"));
    load.acknowledged_more(2_000, PATIENCE).await;
    load.stop().await;
    instance.process.signal("TERM");
    assert!(instance.process.exit(PATIENCE).await.success());
    let file = rig.directory.path().join("data/tekno-logger.db");
    // What is only in the log would heal the cut.
    assert_eq!(rig.numbers("PRAGMA wal_checkpoint(TRUNCATE)").await, [0]);
    let whole = std::fs::metadata(&file).unwrap().len();
    for length in [whole / 2, whole / 2 / 4096 * 4096, 4096, 1_000, 50] {
        std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(length).unwrap();
        let mut instance = rig.start().await;
        instance.client.not_ready("database away").await;
        instance.client.database().await;
        assert!(instance.process.is_alive() && !instance.process.log().contains("panicked"), "{length}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_that_holds_the_file_is_waited_for_and_is_no_outage() {
    let rig = Rig::sqlite();
    let instance = rig.start_ready().await;
    let project = instance.client.project("held").await;
    let ledger = Ledger::default();
    let mut dice = Dice::new("held");
    let file = rig.directory.path().join("data/tekno-logger.db");
    let mut holder = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    for number in 0..2 {
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut holder).await.unwrap();
        let batch = ledger.note(Batch::new(&format!("held-{number}"), 3, 10, &mut dice));
        let answer = send(&instance.client, &project, &batch).await;
        assert_eq!(answer.status(), 503, "{answer:?}");
        assert_eq!(instance.client.database().await, "connected", "a lock is no outage");
        sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
        send_until_stored(&instance.client, &project, &batch, PATIENCE).await;
        ledger.acknowledge(&batch);
    }
    ledger.check(&rig, &instance.client, &project).await;
}
