//! What one instance's ledger says of events that wait in another instance's spool.

use serde_json::Value;

use crate::load::{Batch, Dice, Project};
use crate::poison::{allow, refuse};
use crate::process::{PATIENCE, until};
use crate::rig::{Client, Rig};
use crate::watch::{depth, drained, spooled};

async fn ledger(client: &Client, project: &Project) -> Value {
    client.get(&format!("/stats/ledger?project_id={}&from=-2h", project.id)).await.1
}

/// Events of the totals in other spools, missing ones, and whether it all adds up.
fn told(ledger: &Value) -> (i64, i64, bool) {
    let balance = &ledger["balance"];
    let other = ledger["totals"]["in_other_spools"].as_i64().unwrap_or(-1);
    (other, balance["missing"].as_i64().unwrap_or(-1), balance["balanced"] == true)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_in_another_instances_spool_are_told_apart_from_missing_ones() {
    let Some(mut rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("other spool");
    let mut first = rig.start_ready().await;
    let first_folder = rig.variables["DATA_DIR"].clone();
    rig.set("DATA_DIR", &format!("{first_folder}-other"));
    let second = rig.start_ready().await;
    let project = first.client.project("apart").await;
    // A database that refuses blocks is reached all the same.
    refuse(&rig, "").await;
    for number in 0..3 {
        spooled(&first.client, &project, &Batch::new(&format!("b{number}"), 10, 10, &mut dice)).await;
    }
    let waits = async || told(&ledger(&second.client, &project).await) == (30, 0, true);
    until("the other instance knows where they are", PATIENCE, waits).await;
    let shown = ledger(&second.client, &project).await;
    assert_eq!(
        (&shown["other_spools"][0]["events"], &shown["other_spools"][0]["silent"]),
        (&30.into(), &false.into())
    );
    assert_eq!(shown["totals"]["in_spool"], 0, "{shown}");
    let own = ledger(&first.client, &project).await;
    assert_eq!(told(&own), (0, 0, true), "its own spool is not another's: {own}");
    assert_eq!((&own["totals"]["in_spool"], &own["other_spools"]), (&30.into(), &Value::Array(Vec::new())));
    // Its instance dies: after a while nobody can say any more that they are there.
    first.process.kill();
    rig.private().sql("UPDATE tekno.spool_reports SET reported_ms = reported_ms - 120000").await;
    let shown = ledger(&second.client, &project).await;
    assert_eq!(told(&shown), (0, 30, false), "{shown}");
    assert_eq!(
        (&shown["other_spools"][0]["events"], &shown["other_spools"][0]["silent"]),
        (&30.into(), &true.into())
    );
    // Another process takes the folder over, and with it the spool's name.
    rig.set("DATA_DIR", &first_folder);
    let again = rig.start().await;
    until("they are heard of again", PATIENCE, waits).await;
    let shown = ledger(&second.client, &project).await;
    assert_eq!(shown["other_spools"].as_array().unwrap().len(), 1, "{shown}");
    allow(&rig).await;
    drop(again);
    let last = rig.start().await;
    drained(&last.client).await;
    until("nothing waits anywhere", PATIENCE, async || {
        let shown = ledger(&second.client, &project).await;
        told(&shown) == (0, 0, true)
            && shown["totals"]["stored"] == 30
            && shown["other_spools"] == Value::Array(Vec::new())
    })
    .await;
    assert_eq!(depth(&last.client).await["blocks"], 0);
}
