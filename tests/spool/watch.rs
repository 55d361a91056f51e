//! What the tests of the spool ask again and again.

use serde_json::Value;

use crate::load::{Answer, Batch, Project, send};
use crate::process::{PATIENCE, until};
use crate::rig::{Client, Rig};

/// What `/readyz` tells an admin of the spool.
pub async fn depth(client: &Client) -> Value {
    client.get("/readyz").await.1["spool"].clone()
}

/// Waits until nothing is in the spool any more.
pub async fn drained(client: &Client) {
    until("the spool is drained", PATIENCE, async || {
        client.database().await == "connected" && depth(client).await["blocks"] == 0
    })
    .await;
}

/// Waits until the service knows that the database is away.
pub async fn away(client: &Client) {
    until("the loss is noticed", PATIENCE, async || client.database().await == "disconnected").await;
}

/// Takes the database away and has it noticed: the batch that notices it is spooled.
pub async fn take_away(rig: &Rig, client: &Client, project: &Project, batch: &Batch) {
    rig.proxy().refuse();
    spooled(client, project, batch).await;
    away(client).await;
}

/// Gives it back and waits until all is drained.
pub async fn give_back(rig: &Rig, client: &Client) {
    rig.proxy().listen().await;
    client.ready(PATIENCE).await;
    drained(client).await;
}

/// Sends a batch, which goes to the spool for the first time.
pub async fn spooled(client: &Client, project: &Project, batch: &Batch) {
    let Answer::Status(status, body, ..) = send(client, project, batch).await else { panic!("an answer") };
    assert_eq!((status, &body["stored"]), (200, &Value::from("spool")), "{body}");
    assert_eq!(body["duplicate"], false, "{body}");
}

/// How many events the database itself has of a project.
pub async fn events_stored(rig: &Rig, project: &Project) -> i64 {
    let sql = format!(
        "SELECT CAST(COALESCE(SUM(event_count), 0) AS SIGNED) FROM blocks WHERE project_id = {}",
        project.id
    );
    rig.numbers(&sql).await[0]
}
