//! The check itself: it has to notice what it is there to notice.

use crate::load::{Batch, Dice, Ledger, Project, send, send_until_stored};
use crate::process::PATIENCE;
use crate::rig::{Instance, Rig};

async fn ready() -> (Rig, Instance, Project) {
    let rig = Rig::sqlite();
    let instance = rig.start_ready().await;
    let project = instance.client.project("self").await;
    (rig, instance, project)
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "stored more than once")]
async fn a_doubled_event_is_noticed() {
    let (rig, instance, project) = ready().await;
    let ledger = Ledger::default();
    let once = Batch::new("once", 2, 10, &mut Dice::new("doubled"));
    let twice = Batch { id: "twice".to_owned(), body: once.body.clone(), events: once.events.clone() };
    send_until_stored(&instance.client, &project, &once, PATIENCE).await;
    // Without its id and in other bytes, the same events are another batch.
    let twice = Batch { body: format!(" {}", twice.body), ..twice };
    send_until_stored(&instance.client, &project, &twice, PATIENCE).await;
    ledger.acknowledge(&ledger.note(once));
    ledger.check(&rig, &instance.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "0 of 2 events")]
async fn a_lost_event_is_noticed() {
    let (rig, instance, project) = ready().await;
    let ledger = Ledger::default();
    ledger.acknowledge(&ledger.note(Batch::new("never-sent", 2, 10, &mut Dice::new("lost"))));
    ledger.check(&rig, &instance.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "invented")]
async fn an_invented_event_is_noticed() {
    let (rig, instance, project) = ready().await;
    let stranger = Batch::new("stranger", 1, 10, &mut Dice::new("invented"));
    send(&instance.client, &project, &stranger).await;
    Ledger::default().check(&rig, &instance.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "was altered")]
async fn an_altered_event_is_noticed() {
    let (rig, instance, project) = ready().await;
    let ledger = Ledger::default();
    let mut batch = Batch::new("altered", 2, 10, &mut Dice::new("altered"));
    batch.events[1]["message"] = "not what was sent".into();
    let batch = ledger.note(batch);
    send_until_stored(&instance.client, &project, &batch, PATIENCE).await;
    ledger.acknowledge(&batch);
    ledger.check(&rig, &instance.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "the ledger does not add up")]
async fn a_ledger_that_is_one_event_off_is_noticed() {
    let (rig, instance, project) = ready().await;
    let ledger = Ledger::default();
    let batch = ledger.note(Batch::new("off", 2, 10, &mut Dice::new("off")));
    send_until_stored(&instance.client, &project, &batch, PATIENCE).await;
    ledger.acknowledge(&batch);
    ledger.check(&rig, &instance.client, &project).await;
    rig.numbers("UPDATE ledger SET amount = amount + 1 WHERE entry = 'accepted'").await;
    ledger.check(&rig, &instance.client, &project).await;
}
