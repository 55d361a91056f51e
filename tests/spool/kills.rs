//! The service is killed while it spools and while it drains; answers are lost; another instance meddles.

use std::time::Duration;

use crate::load::{Answer, Batch, Dice, Ledger, Load, send, send_until_stored};
use crate::process::{PATIENCE, until};
use crate::rig::{REPLY, Rig};
use crate::watch::{away, depth, drained, events_stored, give_back, spooled, take_away};

#[tokio::test(flavor = "multi_thread")]
async fn kills_while_spooling_and_while_draining_lose_and_double_nothing() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("spool kills");
    let mut instance = rig.start_ready().await;
    let project = instance.client.project("killed").await;
    let mut load = Load::start(6, &project, vec![instance.client.clone()], &mut dice);
    load.acknowledged_more(200, PATIENCE).await;
    for _ in 0..3 {
        rig.proxy().refuse();
        away(&instance.client).await;
        load.acknowledged_more(500, PATIENCE).await;
        tokio::time::sleep(Duration::from_millis(dice.below(300))).await;
        instance.process.kill();
        instance = rig.start().await;
        load.retarget(vec![instance.client.clone()]);
        load.acknowledged_more(300, PATIENCE).await;
        rig.proxy().listen().await;
        // In the middle of draining, most of the time.
        tokio::time::sleep(Duration::from_millis(dice.below(600))).await;
        instance.process.kill();
        instance = rig.start().await;
        load.retarget(vec![instance.client.clone()]);
        load.acknowledged_more(200, PATIENCE).await;
        // Acknowledged by the spool, perhaps: only a database that was reached can be lost.
        instance.client.ready(PATIENCE).await;
    }
    load.stop().await;
    drained(&instance.client).await;
    load.ledger.check(&rig, &instance.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_an_answer_that_is_then_spooled_is_stored_once() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("ambiguous");
    let instance = rig.start_ready().await;
    let project = instance.client.project("ambiguous").await;
    let ledger = Ledger::default();
    for number in 0..5 {
        let batch = ledger.note(Batch::new(&format!("a{number}"), 1 + dice.below(30), 50, &mut dice));
        let swallowed = rig.proxy().swallowed();
        rig.proxy().swallow_last_commit();
        let sending = {
            let (client, project, batch) = (instance.client.clone(), project.clone(), batch.clone());
            tokio::spawn(async move { send(&client, &project, &batch).await })
        };
        until("the commit's answer is lost", PATIENCE, async || rig.proxy().swallowed() > swallowed).await;
        rig.proxy().refuse();
        let Answer::Status(200, body, ..) = sending.await.unwrap() else { panic!("every answer is 200") };
        assert_eq!((&body["duplicate"], &body["stored"]), (&false.into(), &"spool".into()), "{body}");
        ledger.acknowledge(&batch);
        give_back(&rig, &instance.client).await;
    }
    let known = depth(&instance.client).await["stored_before_events"].as_u64().unwrap();
    assert_eq!(known, u64::try_from(ledger.acknowledged()).unwrap(), "each was committed and spooled");
    ledger.check(&rig, &instance.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_went_silent_and_was_spooled_is_stored_once() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("silent");
    let instance = rig.start_ready().await;
    let project = instance.client.project("silent").await;
    let ledger = Ledger::default();
    let warm = ledger.note(Batch::new("warm", 1, 10, &mut dice));
    send_until_stored(&instance.client, &project, &warm, PATIENCE).await;
    ledger.acknowledge(&warm);
    let caught = ledger.note(Batch::new("caught", 4, 100, &mut dice));
    rig.proxy().stall_at_commit();
    let Answer::Status(status, body, _, took) = send(&instance.client, &project, &caught).await else {
        panic!("an answer")
    };
    assert_eq!((status, &body["stored"]), (200, &"spool".into()), "{body}");
    assert!(took < REPLY, "{took:?}");
    ledger.acknowledge(&caught);
    rig.proxy().pass_new();
    until("the server gives the silent connection up", 2 * PATIENCE, async || {
        depth(&instance.client).await["blocks"] == 0
    })
    .await;
    ledger.check(&rig, &instance.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spooled_batch_that_came_again_through_another_instance_is_stored_once() {
    let Some(mut rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("another");
    let first = rig.start_ready().await;
    // The other reaches the database directly and has a folder of its own.
    let (through_proxy, data) = (rig.variables["DATABASE_URL"].clone(), rig.variables["DATA_DIR"].clone());
    let direct = crate::server::PrivateServer::url(rig.private().port);
    rig.set("DATABASE_URL", &direct);
    rig.set("DATA_DIR", &format!("{data}-other"));
    let second = rig.start_ready().await;
    rig.set("DATABASE_URL", &through_proxy);
    rig.set("DATA_DIR", &data);
    let project = first.client.project("another").await;
    let ledger = Ledger::default();
    let lone = ledger.note(Batch::new("lone", 3, 10, &mut dice));
    take_away(&rig, &first.client, &project, &lone).await;
    ledger.acknowledge(&lone);
    // Batches that share a block in the spool, every second of which is sent again.
    let batches: Vec<_> =
        (0..20).map(|number| ledger.note(Batch::new(&format!("n{number}"), 5, 10, &mut dice))).collect();
    let mut sending = Vec::new();
    for batch in &batches {
        let (client, project, batch) = (first.client.clone(), project.clone(), batch.clone());
        sending.push(tokio::spawn(async move { spooled(&client, &project, &batch).await }));
    }
    for one in sending {
        one.await.unwrap();
    }
    for (number, batch) in batches.iter().enumerate() {
        ledger.acknowledge(batch);
        if number % 2 == 0 {
            send_until_stored(&second.client, &project, batch, PATIENCE).await;
        }
    }
    give_back(&rig, &first.client).await;
    assert_eq!(events_stored(&rig, &project).await, 103);
    ledger.check(&rig, &first.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_drains_what_it_can_and_keeps_the_rest() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("stop");
    let mut instance = rig.start_ready().await;
    let project = instance.client.project("stop").await;
    let ledger = Ledger::default();
    let batch = ledger.note(Batch::new("first", 2, 10, &mut dice));
    take_away(&rig, &instance.client, &project, &batch).await;
    ledger.acknowledge(&batch);
    instance.process.signal("TERM");
    assert!(instance.process.exit(PATIENCE).await.success());
    let again = rig.start().await;
    until("what was kept is found", PATIENCE, async || depth(&again.client).await["events"] == 2).await;
    give_back(&rig, &again.client).await;
    ledger.check(&rig, &again.client, &project).await;
}
