//! Events at the edge of what a column takes: nothing about one event may stop the counts of all.

use serde_json::json;

use crate::load::{Batch, Dice, Ledger, send_until_stored};
use crate::process::PATIENCE;
use crate::rig::Rig;

async fn counts_go_on(rig: &Rig) {
    let instance = rig.start_ready().await;
    let project = instance.client.project("edges").await;
    let ledger = Ledger::default();
    let mut dice = Dice::new("edges");
    // As long as a field may be, in letters of one to four bytes.
    for (number, letter) in ["s", "\u{e9}", "\u{4e16}", "\u{1f600}"].iter().enumerate() {
        let mut batch = Batch::new(&format!("edge-{number}"), 4, 10, &mut dice);
        for event in &mut batch.events {
            event["level"] = json!("error");
            event["source"] = json!(letter.repeat(256));
            event["env"] = json!(letter.repeat(256));
            event["user_id"] = json!(letter.repeat(256));
            event["message"] = json!(letter.repeat(2_000));
        }
        batch.body = json!(batch.events).to_string();
        let batch = ledger.note(batch);
        send_until_stored(&instance.client, &project, &batch, PATIENCE).await;
        ledger.acknowledge(&batch);
    }
    let after = ledger.note(Batch::new("after", 5, 10, &mut dice));
    send_until_stored(&instance.client, &project, &after, PATIENCE).await;
    ledger.acknowledge(&after);
    ledger.check(rig, &instance.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_fields_do_not_stop_the_counts_on_mariadb() {
    let Some(rig) = Rig::server(&[]).await else { return };
    counts_go_on(&rig).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_fields_do_not_stop_the_counts_on_sqlite() {
    counts_go_on(&Rig::sqlite()).await;
}

/// A table that refuses every issue: the counts by level still come, and later blocks are counted as ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_block_whose_issues_are_refused_is_counted_by_level_and_stops_nobody() {
    let Some(rig) = Rig::server(&[]).await else { return };
    let instance = rig.start_ready().await;
    let project = instance.client.project("poison").await;
    let mut dice = Dice::new("poison");
    rig.private().sql("ALTER TABLE tekno.issues MODIFY title VARCHAR(30) NOT NULL").await;
    let ledger = Ledger::default();
    let mut batch = Batch::new("poison", 2, 10, &mut dice);
    for event in &mut batch.events {
        event["level"] = json!("error");
        event["message"] = json!("a title that is longer than what the table takes");
    }
    batch.body = json!(batch.events).to_string();
    let poison = ledger.note(batch);
    send_until_stored(&instance.client, &project, &poison, PATIENCE).await;
    let mut well = Batch::new("well", 3, 10, &mut dice);
    for event in &mut well.events {
        event["level"] = json!("error");
        event["message"] = json!("short");
    }
    well.body = json!(well.events).to_string();
    let well = ledger.note(well);
    send_until_stored(&instance.client, &project, &well, PATIENCE).await;
    let counted = "SELECT CAST(COALESCE(SUM(event_count), 0) AS SIGNED) FROM";
    crate::process::until("all are counted by level", PATIENCE, async || {
        rig.numbers(&format!("{counted} counts WHERE series = 4")).await == [5]
            && rig.numbers(&format!("{counted} issues")).await == [3]
            && rig.numbers("SELECT COUNT(*) FROM unfolded").await == [0]
    })
    .await;
}
