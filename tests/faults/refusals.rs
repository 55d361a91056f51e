//! A database that answers, but with a refusal: each number means what the table in the store says, and passes by.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _};
use tekno_logger::store::{Meaning, mysql_meaning};

use crate::load::{Answer, Batch, Dice, Ledger, Project, send, send_until_stored};
use crate::process::{PATIENCE, until};
use crate::rig::{Instance, REPLY, Rig};

/// A service whose database user is no administrator, with a project.
struct Refused {
    rig: Rig,
    instance: Instance,
    project: Project,
    ledger: Ledger,
    dice: Dice,
}

impl Refused {
    async fn start(options: &[&str]) -> Option<Self> {
        let mut rig = Rig::server(options).await?;
        rig.private().sql("CREATE USER tekno@'%'; GRANT ALL ON tekno.* TO tekno@'%'").await;
        let url = format!("mysql://tekno@127.0.0.1:{}/tekno", rig.proxy().port);
        rig.set("DATABASE_URL", &url);
        let instance = rig.start_ready().await;
        let project = instance.client.project("refused").await;
        let this = Self { rig, instance, project, ledger: Ledger::default(), dice: Dice::new("refused") };
        this.stores("before", 1_000).await;
        Some(this)
    }

    async fn sql(&self, sql: &str) {
        self.rig.private().sql(sql).await;
    }

    async fn reconnect(&self) {
        self.rig.private().end_connections_of("tekno").await;
    }

    fn batch(&self, id: &str, bytes: u64) -> std::sync::Arc<Batch> {
        // Context beyond 64 KiB would be cut.
        let events = 4 + bytes / 20_000;
        self.ledger.note(Batch::new(id, events, bytes / events, &mut self.dice.clone()))
    }

    async fn stores(&self, id: &str, bytes: u64) {
        let batch = self.batch(id, bytes);
        send_until_stored(&self.instance.client, &self.project, &batch, PATIENCE).await;
        self.ledger.acknowledge(&batch);
    }

    /// Batches are refused with patience, and an admin reads the number until it is over.
    async fn is_away_with(&self, number: &str) {
        let client = &self.instance.client;
        until("a batch is refused", PATIENCE, async || {
            let answer = send(client, &self.project, &self.batch(&format!("during-{number}"), 1_000)).await;
            let Answer::Status(status, body, retry, took) = answer else { panic!("an answer") };
            assert!(matches!(status, 200 | 503), "{status} {body}");
            assert!(status == 200 || retry.is_some(), "a 503 says when to come again");
            assert!(took < REPLY, "answered after {took:?}");
            status == 503
        })
        .await;
        client.not_ready(number).await;
        for _ in 0..20 {
            assert_eq!(client.get("/readyz").await.0, 503, "it stays red for as long as it lasts");
            assert_ne!(client.database().await, "connected");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// It is over: nobody restarts anything.
    async fn heals(&self) {
        self.instance.client.ready(PATIENCE).await;
        self.stores("after", 1_000).await;
        self.ledger.check(&self.rig, &self.instance.client, &self.project).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_server_is_waited_for() {
    let Some(refused) = Refused::start(&[]).await else { return };
    refused.sql("SET GLOBAL read_only = 1").await;
    refused.is_away_with("1290").await;
    refused.sql("SET GLOBAL read_only = 0").await;
    refused.heals().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_no_connection_left_is_waited_for() {
    let Some(refused) = Refused::start(&["--max-user-connections=50"]).await else { return };
    let url = format!("mysql://tekno@127.0.0.1:{}/tekno", refused.rig.private().port);
    refused.sql("SET GLOBAL max_user_connections = 1").await;
    // A neighbour of the same user is faster.
    let neighbour = loop {
        refused.reconnect().await;
        if let Ok(connection) = sqlx::MySqlConnection::connect(&url).await {
            break connection;
        }
    };
    refused.is_away_with("1203").await;
    drop(neighbour);
    refused.sql("SET GLOBAL max_user_connections = 50").await;
    refused.heals().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_no_connection_left_is_waited_for() {
    let Some(refused) = Refused::start(&[]).await else { return };
    refused.sql("CREATE USER crowd@'%'; SET GLOBAL max_connections = 10").await;
    refused.reconnect().await;
    let url = format!("mysql://crowd@127.0.0.1:{}/", refused.rig.private().port);
    let mut crowd = Vec::new();
    while crowd.len() < 10 {
        match sqlx::MySqlConnection::connect(&url).await {
            Ok(connection) => crowd.push(connection),
            Err(_) => refused.reconnect().await,
        }
    }
    refused.is_away_with("1040").await;
    drop(crowd);
    refused.sql("SET GLOBAL max_connections = 60").await;
    refused.heals().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whose_queries_are_used_up_is_waited_for() {
    let Some(refused) = Refused::start(&[]).await else { return };
    refused.sql("ALTER USER tekno@'%' WITH MAX_QUERIES_PER_HOUR 1").await;
    refused.reconnect().await;
    refused.is_away_with("1226").await;
    refused.sql("ALTER USER tekno@'%' WITH MAX_QUERIES_PER_HOUR 0; FLUSH USER_RESOURCES").await;
    refused.heals().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prepared_statements_that_are_used_up_are_waited_for() {
    let Some(refused) = Refused::start(&[]).await else { return };
    refused.sql("SET GLOBAL max_prepared_stmt_count = 0").await;
    refused.reconnect().await;
    refused.is_away_with("1461").await;
    refused.sql("SET GLOBAL max_prepared_stmt_count = 16382").await;
    refused.heals().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_taken_away_are_waited_for() {
    let Some(refused) = Refused::start(&[]).await else { return };
    // What shared hosts do to a database that is over its quota.
    refused.sql("REVOKE ALL ON tekno.* FROM tekno@'%'; GRANT SELECT, DELETE ON tekno.* TO tekno@'%'").await;
    refused.reconnect().await;
    refused.is_away_with("1142").await;
    refused.sql("GRANT ALL ON tekno.* TO tekno@'%'").await;
    refused.heals().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_the_server_would_not_take_goes_in_parts() {
    let Some(refused) = Refused::start(&[]).await else { return };
    refused.sql("SET GLOBAL max_allowed_packet = 65536").await;
    refused.reconnect().await;
    refused.instance.client.ready(PATIENCE).await;
    refused.stores("small", 20_000).await;
    let connections = refused.rig.proxy().connections();
    // 19 events of 16 KB that hardly shrink.
    let large = refused.batch("large", 300_000);
    let answer = send(&refused.instance.client, &refused.project, &large).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    refused.ledger.acknowledge(&large);
    for number in 0..5 {
        let small = refused.batch(&format!("small-{number}"), 20_000);
        let answer = send(&refused.instance.client, &refused.project, &small).await;
        assert_eq!(answer.status(), 200, "the next batch passes at once: {answer:?}");
        refused.ledger.acknowledge(&small);
    }
    assert_eq!(refused.instance.client.database().await, "connected");
    assert!(refused.rig.proxy().connections() <= connections + 2, "no connection was broken by it");
    assert_eq!(refused.rig.numbers("SELECT COUNT(*) FROM quarantine").await, [0]);
    refused.heals().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_held_by_somebody_else_is_waited_for_and_is_no_outage() {
    let Some(refused) = Refused::start(&[]).await else { return };
    let mut holder = refused.rig.private().connect("tekno").await.unwrap();
    let lock = "START TRANSACTION; SELECT id FROM batches FOR UPDATE";
    sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut holder).await.unwrap();
    for number in 0..2 {
        let batch = refused.batch(&format!("locked-{number}"), 1_000);
        let Answer::Status(status, body, retry, took) =
            send(&refused.instance.client, &refused.project, &batch).await
        else {
            panic!("an answer")
        };
        assert_eq!((status, retry.is_some()), (503, true), "{body}");
        assert!(took < REPLY, "answered after {took:?}");
        assert_eq!(refused.instance.client.database().await, "connected", "a lock is no outage");
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    let batch = refused.batch("unlocked", 1_000);
    assert_eq!(send(&refused.instance.client, &refused.project, &batch).await.status(), 200);
    refused.ledger.acknowledge(&batch);
    refused.heals().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_waited_for_until_the_deadline_is_no_outage() {
    let Some(refused) = Refused::start(&[]).await else { return };
    let mut rows = refused.rig.private().connect("tekno").await.unwrap();
    let mut table = refused.rig.private().connect("tekno").await.unwrap();
    let lock = "START TRANSACTION; SELECT id FROM batches FOR UPDATE";
    sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut rows).await.unwrap();
    let rows = tokio::sync::Mutex::new(rows);
    let batch = refused.batch("locked", 1_000);
    let sending = send(&refused.instance.client, &refused.project, &batch);
    // The first attempt waits for rows, which the server ends after a second; who wants the whole table meanwhile has
    // the next one wait without an end. On a connection that is there, since it has to be within that second.
    let mut locking = None;
    let waits = async {
        let inserts =
            "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'INSERT INTO batches%'";
        until("it waits for rows", PATIENCE, async || {
            let found: i64 = sqlx::query_scalar(inserts).fetch_one(&mut *rows.lock().await).await.unwrap();
            found > 0
        })
        .await;
        let lock = async move { sqlx::raw_sql("LOCK TABLES batches WRITE").execute(&mut table).await };
        locking = Some(tokio::spawn(lock));
    };
    let (answer, ()) = tokio::join!(sending, waits);
    let locking = locking.expect("it waited");
    let Answer::Status(status, body, retry, took) = answer else { panic!("an answer") };
    assert_eq!((status, retry.is_some()), (503, true), "{body}");
    assert!(took < REPLY, "answered after {took:?}");
    assert_eq!(refused.instance.client.database().await, "connected", "a lock is no outage");
    assert!(!locking.is_finished(), "the table was asked for all the time");
    sqlx::raw_sql("ROLLBACK").execute(&mut *rows.lock().await).await.unwrap();
    locking.await.unwrap().unwrap();
    // It would be connected again soon.
    let log = refused.instance.process.log();
    assert!(!log.contains("a commit was not answered"), "a lock is no lost connection: {log}");
    refused.heals().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fold_that_went_silent_inside_its_transaction_holds_up_the_counts_for_a_while_only() {
    let Some(refused) = Refused::start(&[]).await else { return };
    refused.rig.proxy().stall_at_lone_commit();
    refused.stores("uncounted", 1_000).await;
    until("the fold is stuck", PATIENCE, async || refused.rig.proxy().stalled_commits() == 1).await;
    refused.stores("later", 1_000).await;
    refused.heals().await;
}

/// Runs statements on one connection; the number of the error the last one ends with.
async fn error_number(connection: &mut sqlx::MySqlConnection, statements: &[&str]) -> u16 {
    let mut number = 0;
    for sql in statements {
        let ran = sqlx::raw_sql(AssertSqlSafe((*sql).to_owned())).execute(&mut *connection).await;
        number = match ran {
            Ok(_) => 0,
            Err(sqlx::Error::Database(error)) => {
                error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>().unwrap().number()
            }
            Err(other) => panic!("{sql}: {other}"),
        };
    }
    number
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_a_real_server_gives_mean_what_the_table_says() {
    let Some(rig) = Rig::server(&[]).await else { return };
    let server = rig.private();
    server.sql("CREATE TABLE tekno.t (id INT PRIMARY KEY, n INT) ENGINE=InnoDB; INSERT INTO tekno.t VALUES (1,1),(2,2)").await;
    server.sql("CREATE TABLE tekno.m (b CHAR(250)) ENGINE=MEMORY MAX_ROWS=10; CREATE USER plain@'%'").await;
    let provoked: &[(&[&str], u16, Meaning)] = &[
        (&["INSERT INTO t VALUES (1, 1)"], 1062, Meaning::Duplicate),
        (&["SELECT nonsense"], 1054, Meaning::Refused),
        (&["SELECT * FROM gone"], 1146, Meaning::Away),
        (&["SET SESSION TRANSACTION READ ONLY", "INSERT INTO t VALUES (9, 9)"], 1792, Meaning::Away),
        (&["SET STATEMENT max_statement_time=0.01 FOR SELECT SLEEP(1) FROM t, t AS u"], 1969, Meaning::Away),
    ];
    for (statements, number, meaning) in provoked {
        let mut connection = server.connect("tekno").await.unwrap();
        assert_eq!(error_number(&mut connection, statements).await, *number, "{statements:?}");
        assert_eq!(mysql_meaning(*number), *meaning, "{number}");
    }
    let (mut first, mut second) =
        (server.connect("tekno").await.unwrap(), server.connect("tekno").await.unwrap());
    let hold = ["START TRANSACTION", "UPDATE t SET n = n + 1 WHERE id = 1"];
    assert_eq!(error_number(&mut first, &hold).await, 0);
    let wait = ["SET innodb_lock_wait_timeout = 1", "UPDATE t SET n = n + 1 WHERE id = 1"];
    assert_eq!(error_number(&mut second, &wait).await, 1205);
    assert_eq!(mysql_meaning(1205), Meaning::Conflict);
    // Each holds one row and wants the other's.
    let hold_other =
        ["SET innodb_lock_wait_timeout = 20", "START TRANSACTION", "UPDATE t SET n = n + 1 WHERE id = 2"];
    assert_eq!(error_number(&mut second, &hold_other).await, 0);
    let (one, other) = tokio::join!(
        error_number(&mut first, &["UPDATE t SET n = n + 1 WHERE id = 2"]),
        error_number(&mut second, &["UPDATE t SET n = n + 1 WHERE id = 1"]),
    );
    assert_eq!(one.max(other), 1213);
    assert_eq!(mysql_meaning(1213), Meaning::Conflict);
}
