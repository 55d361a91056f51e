//! What draining keeps, leaves out and in which order it comes.

use crate::load::{Batch, Dice, Ledger, Project};
use crate::rig::{Client, Rig};
use crate::watch::{depth, events_stored, give_back, spooled, take_away};

/// Three batches in the spool, each in a group of its own.
async fn three_spooled(rig: &Rig, client: &Client, project: &Project, dice: &mut Dice) -> Ledger {
    let ledger = Ledger::default();
    for number in 0..3 {
        let batch = ledger.note(Batch::new(&format!("{}-{number}", project.id), 5, 10, dice));
        if number == 0 {
            take_away(rig, client, project, &batch).await;
        } else {
            spooled(client, project, &batch).await;
        }
        ledger.acknowledge(&batch);
    }
    ledger
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_of_a_revoked_key_are_dropped_and_counted() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("revoked");
    let instance = rig.start_ready().await;
    let client = &instance.client;
    let (bad, good) = (client.project("bad").await, client.project("good").await);
    three_spooled(&rig, client, &bad, &mut dice).await;
    let kept = Batch::new("kept", 7, 10, &mut dice);
    spooled(client, &good, &kept).await;
    rig.private()
        .sql(&format!("UPDATE tekno.api_keys SET revoked_at = 1 WHERE project_id = {}", bad.id))
        .await;
    give_back(&rig, client).await;
    assert_eq!(depth(client).await["dropped_events"]["key_revoked"], 15);
    assert_eq!((events_stored(&rig, &bad).await, events_stored(&rig, &good).await), (0, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_of_a_deleted_project_are_dropped_and_counted() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("deleted");
    let instance = rig.start_ready().await;
    let client = &instance.client;
    let (gone, good) = (client.project("gone").await, client.project("good").await);
    three_spooled(&rig, client, &gone, &mut dice).await;
    let kept = Batch::new("kept", 7, 10, &mut dice);
    spooled(client, &good, &kept).await;
    rig.private().sql(&format!("UPDATE tekno.projects SET deleted_at = 1 WHERE id = {}", gone.id)).await;
    give_back(&rig, client).await;
    assert_eq!(depth(client).await["dropped_events"]["project_deleted"], 15);
    assert_eq!((events_stored(&rig, &gone).await, events_stored(&rig, &good).await), (0, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_go_into_the_buckets_of_receipt_and_blocks_keep_their_ids_and_order() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("order");
    let instance = rig.start_ready().await;
    let client = &instance.client;
    let project = client.project("order").await;
    let ledger = three_spooled(&rig, client, &project, &mut dice).await;
    let spool = rig.spool_numbers("SELECT received_first FROM blocks ORDER BY received_first").await;
    let ids = rig.spool_numbers("SELECT COUNT(DISTINCT id) FROM blocks").await;
    give_back(&rig, client).await;
    let sql = "SELECT received_first FROM blocks ORDER BY id";
    assert_eq!(rig.numbers(sql).await, spool, "in the order of receipt");
    assert_eq!(rig.numbers("SELECT COUNT(*) FROM blocks").await, ids);
    ledger.check(&rig, client, &project).await;
    let wrong =
        "SELECT COUNT(*) FROM counts WHERE bucket NOT IN (SELECT received_first DIV 10000 * 10 FROM blocks)";
    assert_eq!(rig.numbers(wrong).await, [0], "a count is outside its time of receipt");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_id_filters_come_out_of_the_spool_whole() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("filters");
    let instance = rig.start_ready().await;
    let client = &instance.client;
    let project = client.project("filters").await;
    let ledger = Ledger::default();
    let mut batch = Batch::new("filters", 250, 10, &mut dice);
    for event in &mut batch.events {
        for key in 0..14 {
            event["ctx"][format!("item_{key}_id")] = dice.below(1 << 40).to_string().into();
        }
    }
    batch.body = serde_json::Value::from(batch.events.clone()).to_string();
    let batch = ledger.note(batch);
    take_away(&rig, client, &project, &batch).await;
    ledger.acknowledge(&batch);
    give_back(&rig, client).await;
    let parts = rig.numbers("SELECT COUNT(*) FROM id_filters").await;
    assert!(parts[0] >= 2, "{parts:?}");
    let expected = "SELECT CAST(SUM(1 << LENGTH(id_filter)) AS SIGNED) FROM blocks WHERE LENGTH(id_filter) BETWEEN 1 AND 7";
    assert_eq!(rig.numbers(expected).await, parts);
    ledger.check(&rig, client, &project).await;
}
