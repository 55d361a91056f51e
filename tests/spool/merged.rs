//! What was committed without an answer and spooled, and is merged with other blocks before it is drained.

use std::sync::Arc;

use tekno_logger::clock::Clock;
use tekno_logger::config::Config;
use tekno_logger::fold::Fold;
use tekno_logger::maintenance::{Ran, maintainer};
use tekno_logger::store::{DatabaseStatus, Store};
use tokio_util::sync::CancellationToken;

use crate::load::{Answer, Batch, Dice, Ledger, send, send_until_stored};
use crate::process::{PATIENCE, until};
use crate::rig::Rig;
use crate::server::PrivateServer;
use crate::watch::{depth, events_stored, give_back};

/// Merges everything, as another instance does some hours later.
async fn merge_all(rig: &Rig) -> u64 {
    let mut variables = rig.variables.clone();
    variables.insert("DATABASE_URL".to_owned(), PrivateServer::url(rig.private().port));
    let kept = |_: &std::path::Path| panic!("tests give their secrets");
    let store = Store::new(&Config::parse(&variables, &kept).unwrap()).unwrap();
    store.set_status(DatabaseStatus::Connected);
    let (clock, _) = Clock::manual(Clock::system().now().plus_millis(3 * 3_600_000));
    Fold::new(store.clone(), clock.clone(), Arc::default()).tick(true).await.unwrap();
    let (maintainer, stop) = (maintainer(store.clone(), clock).1, CancellationToken::new());
    let mut ran = maintainer.maintain(true, &stop).await.unwrap();
    // The service may have been at it when its database was taken away: its lease has to run out.
    while let Ran::HeldBy(holder) = &ran {
        tokio::time::sleep(std::time::Duration::from_millis(
            holder.expires_in_ms.clamp(50, 60_000).cast_unsigned(),
        ))
        .await;
        ran = maintainer.maintain(true, &stop).await.unwrap();
    }
    let Ran::Done(report) = ran else { panic!("{ran:?}") };
    assert!(report.complete);
    store.close();
    report.merged_blocks
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_an_answer_is_found_in_the_block_it_was_merged_into() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    let mut dice = Dice::new("merged");
    let instance = rig.start_ready().await;
    let project = instance.client.project("merged").await;
    let ledger = Ledger::default();
    for number in 0..3 {
        let batch = ledger.note(Batch::new(&format!("f{number}"), 4, 10, &mut dice));
        send_until_stored(&instance.client, &project, &batch, PATIENCE).await;
        ledger.acknowledge(&batch);
    }
    let caught = ledger.note(Batch::new("caught", 7, 10, &mut dice));
    rig.proxy().swallow_last_commit();
    let sending = {
        let (client, project, batch) = (instance.client.clone(), project.clone(), caught.clone());
        tokio::spawn(async move { send(&client, &project, &batch).await })
    };
    until("the commit's answer is lost", PATIENCE, async || rig.proxy().swallowed() > 0).await;
    rig.proxy().refuse();
    let Answer::Status(200, body, ..) = sending.await.unwrap() else { panic!("it is spooled") };
    assert_eq!(body["stored"], "spool", "{body}");
    ledger.acknowledge(&caught);
    assert_eq!(events_stored(&rig, &project).await, 19, "it was committed");
    assert!(merge_all(&rig).await >= 2, "its block is merged with others");
    // Its ids have run out and were purged.
    rig.private().sql("DELETE FROM tekno.batches").await;
    give_back(&rig, &instance.client).await;
    assert_eq!(events_stored(&rig, &project).await, 19, "and not stored again");
    assert_eq!(depth(&instance.client).await["stored_before_events"], 7);
    ledger.check(&rig, &instance.client, &project).await;
}
