//! The database goes, comes back, or was never there.

use std::time::Duration;

use serde_json::Value;

use crate::load::{Answer, Batch, Dice, Ledger, Load, send, send_until_stored, stored_events};
use crate::process::{PATIENCE, until};
use crate::rig::{Database, Rig};
use crate::watch::{away, depth, drained, events_stored, give_back, spooled, take_away};

#[tokio::test(flavor = "multi_thread")]
async fn with_the_database_stopped_under_load_every_answer_is_200_and_all_of_it_arrives_once() {
    let Some(mut rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("stopped");
    let instance = rig.start_ready().await;
    let project = instance.client.project("stopped").await;
    let mut load = Load::start(8, &project, vec![instance.client.clone()], &mut dice);
    load.acknowledged_more(500, PATIENCE).await;
    let Database::Server { server, .. } = &mut rig.database else { unreachable!() };
    server.kill();
    away(&instance.client).await;
    let until_then = tokio::time::Instant::now() + Duration::from_secs(5);
    load.acknowledged_more(2_000, PATIENCE).await;
    tokio::time::sleep_until(until_then).await;
    let waiting = depth(&instance.client).await;
    assert!(waiting["events"].as_u64().unwrap() >= 2_000, "{waiting}");
    let Database::Server { server, .. } = &mut rig.database else { unreachable!() };
    server.launch(&[]).await;
    instance.client.ready(PATIENCE).await;
    load.acknowledged_more(500, PATIENCE).await;
    load.stop().await;
    assert_eq!(load.refused(), 0, "every answer is 200");
    drained(&instance.client).await;
    load.ledger.check(&rig, &instance.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_sent_again_while_it_is_in_the_spool_is_a_duplicate_and_another_body_a_conflict() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("again");
    let instance = rig.start_ready().await;
    let (client, ledger) = (&instance.client, Ledger::default());
    let project = client.project("again").await;
    let batch = ledger.note(Batch::new("again", 3, 10, &mut dice));
    take_away(&rig, client, &project, &batch).await;
    ledger.acknowledge(&batch);
    let Answer::Status(200, body, ..) = send(client, &project, &batch).await else { panic!("200") };
    assert_eq!((&body["duplicate"], &body["stored"]), (&Value::from(true), &Value::from("spool")), "{body}");
    let other = Batch::new("again", 2, 10, &mut dice);
    assert_eq!(send(client, &project, &other).await.status(), 409);
    give_back(&rig, client).await;
    let Answer::Status(200, body, ..) = send(client, &project, &batch).await else { panic!("200") };
    assert_eq!((&body["duplicate"], &body["stored"]), (&true.into(), &"database".into()), "{body}");
    ledger.check(&rig, client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_with_the_database_absent_takes_batches_at_once_and_drains_them_later() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("absent");
    let mut first = rig.start_ready().await;
    let project = first.client.project("absent").await;
    first.client.get("/readyz").await;
    first.process.signal("TERM");
    assert!(first.process.exit(PATIENCE).await.success());
    // Another disk: nothing is known but the key itself.
    for known in [true, false] {
        if !known {
            std::fs::remove_dir_all(rig.directory.path().join("data")).unwrap();
        }
        rig.proxy().refuse();
        let ledger = Ledger::default();
        let mut instance = rig.start().await;
        let batch = ledger.note(Batch::new(&format!("absent-{known}"), 5, 10, &mut dice));
        spooled(&instance.client, &project, &batch).await;
        ledger.acknowledge(&batch);
        give_back(&rig, &instance.client).await;
        let stored = stored_events(&instance.client, &project).await;
        for event in &batch.events {
            assert_eq!(stored[event["request_id"].as_str().unwrap()].len(), 1);
        }
        instance.process.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_answer_from_the_spool_while_the_database_is_away_and_from_both_afterwards() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("searches");
    let instance = rig.start_ready().await;
    let client = &instance.client;
    let project = client.project("searches").await;
    let before = Batch::new("before", 3, 10, &mut dice);
    send_until_stored(client, &project, &before, PATIENCE).await;
    let meanwhile = Batch::new("meanwhile", 4, 10, &mut dice);
    take_away(&rig, client, &project, &meanwhile).await;
    let path = format!("/logs?project_id={}&from=-24h", project.id);
    let (status, page) = client.get(&path).await;
    assert_eq!(status, 200, "{page}");
    assert_eq!(page["scanned"]["complete"], false, "{page}");
    assert!(page["warnings"].as_array().unwrap().contains(&"database_away".into()), "{page}");
    let names: Vec<&str> =
        page["logs"].as_array().unwrap().iter().map(|log| log["request_id"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 4, "{page}");
    assert!(names.iter().all(|name| name.starts_with("meanwhile-")), "{names:?}");
    let id = page["logs"][0]["id"].as_str().unwrap();
    assert_eq!(client.get(&format!("/logs/{id}")).await.0, 200);
    give_back(&rig, client).await;
    assert_eq!(stored_events(client, &project).await.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_database_there_a_search_includes_what_still_waits() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("waits");
    let instance = rig.start_ready().await;
    let client = &instance.client;
    let project = client.project("waits").await;
    let batch = Batch::new("waits", 4, 10, &mut dice);
    take_away(&rig, client, &project, &batch).await;
    // The database takes everything but what the drain gives it.
    rig.private().sql("RENAME TABLE tekno.unfolded TO tekno.unfolded_away").await;
    rig.proxy().listen().await;
    let seen = stored_events_of(client, project.id).await;
    assert_eq!(seen, 4, "from the spool");
    counts_are(client, project.id, 4).await;
    rig.private().sql("RENAME TABLE tekno.unfolded_away TO tekno.unfolded").await;
    let counting = async {
        while depth(client).await["blocks"] != 0 {
            counts_are(client, project.id, 4).await;
        }
    };
    tokio::join!(drained(client), counting);
    counts_are(client, project.id, 4).await;
    until("all is there once", PATIENCE, async || events_stored(&rig, &project).await == 4).await;
    assert_eq!(stored_events(client, &project).await.len(), 4);
}

/// Every aggregate counts so many events, wherever they are; fewer only where it says so.
async fn counts_are(client: &crate::rig::Client, project_id: i64, events: u64) {
    for path in ["histogram", "facets", "patterns"] {
        let (status, counted) = client.get(&format!("/logs/{path}?project_id={project_id}&from=-24h")).await;
        assert_eq!(status, 200, "{path}: {counted}");
        let (total, complete) = (counted["total"].as_u64().unwrap(), &counted["scanned"]["complete"]);
        assert!(total == events || (total < events && complete == false), "{path}: {counted}");
    }
}

async fn stored_events_of(client: &crate::rig::Client, project_id: i64) -> usize {
    let (status, page) = client.get(&format!("/logs?project_id={project_id}&from=-24h")).await;
    assert_eq!(status, 200, "{page}");
    page["logs"].as_array().unwrap().len()
}
