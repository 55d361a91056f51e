//! A database that refuses some events for themselves, while the service is killed, drains, or has no spool at all.

use std::time::Duration;

use serde_json::Value;

use crate::load::{Answer, Batch, Dice, Load, Project, send};
use crate::process::{PATIENCE, until};
use crate::rig::{ADMIN_TOKEN, Client, Rig};
use crate::watch::{away, depth, drained, events_stored, spooled, take_away};

/// From now on blocks with `text` in an event are refused.
pub async fn refuse(rig: &Rig, text: &str) {
    let trigger = format!(
        "CREATE TRIGGER tekno.poison BEFORE INSERT ON tekno.blocks FOR EACH ROW \
         IF LOCATE('{text}', UNCOMPRESS(NEW.body)) > 0 THEN \
         SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'poison'; END IF"
    );
    rig.private().sql(&trigger).await;
}

pub async fn allow(rig: &Rig) {
    rig.private().sql("DROP TRIGGER tekno.poison").await;
}

async fn quarantined(rig: &Rig) -> i64 {
    rig.numbers("SELECT COUNT(*) FROM quarantine").await[0]
}

/// Stores all of it again.
async fn retry_all(client: &Client) {
    let mut cursor = Value::Null;
    loop {
        let body = serde_json::json!({ "cursor": cursor }).to_string();
        let path = format!("{}/admin/quarantine/retry", client.base);
        let sent =
            client.http.post(path).header("x-admin-token", ADMIN_TOKEN).body(body).send().await.unwrap();
        let done: Value = sent.json().await.unwrap();
        assert_eq!(done["still_refused"], 0, "{done}");
        cursor = done["next_cursor"].clone();
        if cursor.is_null() {
            return;
        }
    }
}

/// Kills the service again and again while nearly every group has events that are refused. Index 7 of each batch is, and
/// whatever else happens to read like it.
async fn killed_while_sifting(rig: &Rig, what: &str, pauses: &[u64]) {
    let mut dice = Dice::new(what);
    let mut instance = rig.start_ready().await;
    let project = instance.client.project("killed").await;
    refuse(rig, "-7\"").await;
    let mut load = Load::start(6, &project, vec![instance.client.clone()], &mut dice);
    load.acknowledged_more(300, PATIENCE).await;
    for pause in pauses {
        tokio::time::sleep(Duration::from_millis(dice.below(*pause))).await;
        instance.process.kill();
        instance = rig.start().await;
        load.retarget(vec![instance.client.clone()]);
        load.acknowledged_more(300, PATIENCE).await;
    }
    load.stop().await;
    instance.client.ready(PATIENCE).await;
    until("the spool is drained", 4 * PATIENCE, async || depth(&instance.client).await["blocks"] == 0).await;
    let bad = quarantined(rig).await;
    assert!(bad > 0, "nothing was refused");
    let both = "SELECT COUNT(*) FROM quarantine WHERE EXISTS (SELECT 1 FROM blocks WHERE LOCATE('-7\"', UNCOMPRESS(blocks.body)) > 0)";
    assert_eq!(rig.numbers(both).await, [0], "what is refused is in quarantine alone");
    allow(rig).await;
    retry_all(&instance.client).await;
    assert_eq!(quarantined(rig).await, 0);
    load.ledger.check(rig, &instance.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_in_the_middle_of_sifting_lose_and_double_nothing() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    killed_while_sifting(&rig, "sifting kills", &[50, 100, 200, 400]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_two_trials_leaves_nothing_behind() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("between trials");
    let mut instance = rig.start_ready().await;
    let project = instance.client.project("between").await;
    // Each trial that ends in a refusal takes a while; two halves of such a batch are good.
    let trigger = "CREATE TRIGGER tekno.poison BEFORE INSERT ON tekno.blocks FOR EACH ROW \
                   IF LOCATE('-53\"', UNCOMPRESS(NEW.body)) > 0 THEN BEGIN DECLARE waited INT; \
                   SET waited = SLEEP(0.2); SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'poison'; END; END IF";
    rig.private().sql(trigger).await;
    let batch = std::sync::Arc::new(Batch::new("bad", 60, 10, &mut dice));
    let sending = {
        let (client, project, batch) = (instance.client.clone(), project.clone(), batch.clone());
        tokio::spawn(async move { send(&client, &project, &batch).await })
    };
    let refusing = "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User sleep'";
    // Two of them: a third may come after the time for sifting, and the batch is answered by the spool then.
    for _ in 0..2 {
        until("a trial is under way", PATIENCE, async || rig.numbers(refusing).await == [1]).await;
        until("it is refused", PATIENCE, async || rig.numbers(refusing).await == [0]).await;
    }
    instance.process.kill();
    assert_eq!(sending.await.unwrap(), Answer::Lost);
    instance = rig.start_ready().await;
    for table in ["blocks", "batches", "quarantine", "unfolded"] {
        let count = format!("SELECT COUNT(*) FROM {table}");
        until("the server has given up the transaction", PATIENCE, async || rig.numbers(&count).await == [0])
            .await;
    }
    let answer = send(&instance.client, &project, &batch).await;
    let Answer::Status(200, body, ..) = answer else { panic!("{answer:?}") };
    assert_eq!(body["duplicate"], false, "{body}");
    drained(&instance.client).await;
    assert_eq!((events_stored(&rig, &project).await, quarantined(&rig).await), (59, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_while_the_spool_is_sifted_lose_and_double_nothing() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("drain sifting kills");
    let mut instance = rig.start_ready().await;
    let project = instance.client.project("killed").await;
    let mut load = Load::start(6, &project, vec![instance.client.clone()], &mut dice);
    load.acknowledged_more(200, PATIENCE).await;
    rig.proxy().refuse();
    away(&instance.client).await;
    refuse(&rig, "-7\"").await;
    load.acknowledged_more(1_000, PATIENCE).await;
    load.stop().await;
    rig.proxy().listen().await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(200 + dice.below(600))).await;
        instance.process.kill();
        instance = rig.start().await;
    }
    until("the spool is drained", 4 * PATIENCE, async || {
        instance.client.database().await == "connected" && depth(&instance.client).await["blocks"] == 0
    })
    .await;
    assert!(quarantined(&rig).await > 0, "nothing was refused");
    allow(&rig).await;
    retry_all(&instance.client).await;
    load.ledger.check(&rig, &instance.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_events_in_the_spool_are_quarantined_and_the_queue_goes_on() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("poison");
    let instance = rig.start_ready().await;
    let client = &instance.client;
    let project = client.project("poison").await;
    let first = Batch::new("first", 5, 10, &mut dice);
    take_away(&rig, client, &project, &first).await;
    spooled(client, &project, &Batch::new("bad", 60, 10, &mut dice)).await;
    spooled(client, &project, &Batch::new("worse", 2, 10, &mut dice)).await;
    spooled(client, &project, &Batch::new("after", 7, 10, &mut dice)).await;
    // Users have numbers below 50.
    refuse(&rig, "-53\"").await;
    rig.proxy().listen().await;
    drained(client).await;
    assert_eq!((events_stored(&rig, &project).await, quarantined(&rig).await), (73, 1));
    assert_eq!(depth(client).await["held_groups"], 0);
    let (_, page) = client.get("/admin/quarantine").await;
    assert_eq!(page["quarantine"][0]["event"]["request_id"], "bad-53", "{page}");
    allow(&rig).await;
    retry_all(client).await;
    assert_eq!((events_stored(&rig, &project).await, quarantined(&rig).await), (74, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_refuses_every_block_has_them_wait_in_the_spool() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("wrong");
    let instance = rig.start_ready().await;
    let client = &instance.client;
    let project: Project = client.project("wrong").await;
    refuse(&rig, "").await;
    for number in 0..4 {
        spooled(client, &project, &Batch::new(&format!("b{number}"), 10, 10, &mut dice)).await;
    }
    until("they are held", PATIENCE, async || depth(client).await["held_groups"] == 4).await;
    client.not_ready("refuses every block").await;
    assert_eq!((events_stored(&rig, &project).await, quarantined(&rig).await), (0, 0));
    let (status, page) = client.get(&format!("/logs?project_id={}&limit=1000", project.id)).await;
    assert_eq!((status, page["logs"].as_array().unwrap().len()), (200, 40), "searches find them");
    allow(&rig).await;
    let live = send(client, &project, &Batch::new("live", 1, 10, &mut dice)).await;
    let Answer::Status(200, body, ..) = live else { panic!("{live:?}") };
    assert_eq!(body["stored"], "database");
    drop(instance);
    let again = rig.start().await;
    drained(&again.client).await;
    assert_eq!((events_stored(&rig, &project).await, quarantined(&rig).await), (41, 0));
}
