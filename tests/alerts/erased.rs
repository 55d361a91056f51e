//! What a deletion by filter finds not yet counted is counted first, and what is worth an alert in it is said.

use std::process::Command;

use reqwest::Method;
use serde_json::json;
use tekno_logger::event::{Event, Level};
use tekno_logger::fingerprint::Fingerprint;
use tekno_logger::store::Store;

use crate::process::binary;
use crate::rules::said;
use crate::running::{Running, START_SECONDS};
use crate::support::TestDatabase;
use crate::writer::{NOW, Writer, event, rows};

/// Six errors that were committed by a process which died before it counted them.
async fn leave_uncounted(store: &Store, project_id: i64) {
    let writer = Writer::start(store);
    writer.hand.advance(START_SECONDS * 1_000 - NOW - 20_000);
    let now = writer.clock.now();
    let error =
        |index| Event { fingerprint: Fingerprint(107), ..event(index, now, Level::Error, "disk is full") };
    let events: Vec<Event<'_>> = (0..6).map(error).collect();
    writer.send_events(project_id, "left", &events).await;
    writer.stop().await;
    assert_eq!(rows(store, "unfolded").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_by_query_has_what_nobody_counted_counted_with_its_alerts() {
    for database in TestDatabase::all().await {
        let running = Running::start(&database, &[]).await;
        let key = running.project("web").await;
        leave_uncounted(&running.state.store, key.project_id).await;
        let purge = json!({ "project_id": key.project_id, "q": "disk" });
        let purged = running.admin(Method::POST, "/admin/purge", &purge).await.json();
        assert_eq!((&purged["deleted_events"], &purged["complete"]), (&json!(6), &json!(true)), "{purged}");
        assert_eq!(said(&running, "new_issue", 1).await.len(), 1);
        assert_eq!(said(&running, "spike", 1).await.len(), 1);
        running.stop().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_purge_of_the_command_line_leaves_the_alerts_to_the_next_service() {
    for database in TestDatabase::all().await {
        let running = Running::start(&database, &[]).await;
        let key = running.project("web").await;
        running.stop().await;
        let store = database.store().await;
        leave_uncounted(&store, key.project_id).await;
        store.close();
        let mut command = Command::new(binary());
        command.env_clear().envs(database.variables(&[])).args(["purge", "--query", "disk"]);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let running = Running::start(&database, &[]).await;
        assert_eq!(running.logs("").await.len(), 0, "it is deleted");
        assert_eq!(said(&running, "new_issue", 1).await.len(), 1);
        running.stop().await;
        database.remove().await;
    }
}
