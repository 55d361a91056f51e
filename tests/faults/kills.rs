//! Kills at random points under load, of one instance and of one of two; `torture` has those on MariaDB.

use std::time::Duration;

use crate::load::{Batch, Dice, Ledger, Load, send, send_until_stored};
use crate::process::{PATIENCE, until};
use crate::rig::Rig;

const KILLS: usize = 10;

async fn kill_and_restart(rig: &Rig, what: &str) {
    let mut dice = Dice::new(what);
    let mut instance = rig.start_ready().await;
    let project = instance.client.project("kills").await;
    let mut load = Load::start(4, &project, vec![instance.client.clone()], &mut dice);
    load.acknowledged_more(100, PATIENCE).await;
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(dice.below(400))).await;
        instance.process.kill();
        instance = rig.start().await;
        load.retarget(vec![instance.client.clone()]);
        load.acknowledged_more(1 + usize::try_from(dice.below(200)).unwrap(), PATIENCE).await;
    }
    load.stop().await;
    let stored = load.ledger.check(rig, &instance.client, &project).await;
    assert!(stored >= 500, "a test of {stored} events shows little");
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_double_and_alter_nothing_on_sqlite() {
    kill_and_restart(&Rig::sqlite(), "kills on SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_instances_is_killed_and_nothing_is_lost_doubled_or_miscounted() {
    let Some(rig) = Rig::server(&[]).await else { return };
    let mut dice = Dice::new("one of two");
    let mut first = rig.start_ready().await;
    let second = rig.start_ready().await;
    let project = first.client.project("twins").await;
    let both = vec![first.client.clone(), second.client.clone()];
    let mut load = Load::start(6, &project, both, &mut dice);
    load.acknowledged_more(2_000, PATIENCE).await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(dice.below(400))).await;
        first.process.kill();
        load.acknowledged_more(300, PATIENCE).await;
        first = rig.start_ready().await;
        load.retarget(vec![first.client.clone(), second.client.clone()]);
        load.acknowledged_more(300, PATIENCE).await;
    }
    first.process.kill();
    load.retarget(vec![second.client.clone()]);
    load.acknowledged_more(300, PATIENCE).await;
    load.stop().await;
    load.ledger.check(&rig, &second.client, &project).await;
}

/// Two instances, the second of which reaches the database past the proxy.
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_through_the_other_instance_while_a_commit_is_ambiguous_is_stored_once() {
    let Some(mut rig) = Rig::server(&[]).await else { return };
    let mut dice = Dice::new("ambiguous");
    let first = rig.start_ready().await;
    let direct = crate::server::PrivateServer::url(rig.private().port);
    rig.set("DATABASE_URL", &direct);
    let second = rig.start_ready().await;
    let project = first.client.project("retry").await;
    let ledger = Ledger::default();
    for number in 0..6_usize {
        let batch = ledger.note(Batch::new(&format!("retry-{number}"), 1 + dice.below(20), 40, &mut dice));
        // Either the commit happens and its answer is lost, or it never arrives and its transaction stays open.
        let happens = number % 2 == 0;
        let (swallowed, stalled) = (rig.proxy().swallowed(), rig.proxy().stalled_commits());
        if happens {
            rig.proxy().swallow_commits(1);
        } else {
            rig.proxy().stall_at_commit();
        }
        let sending = {
            let (client, project, batch) = (first.client.clone(), project.clone(), batch.clone());
            tokio::spawn(async move { send(&client, &project, &batch).await })
        };
        until("the commit is ambiguous", PATIENCE, async || {
            rig.proxy().swallowed() > swallowed || rig.proxy().stalled_commits() > stalled
        })
        .await;
        let retried = send(&second.client, &project, &batch).await;
        assert!(matches!(retried.status(), 200 | 503), "{retried:?}");
        let told = sending.await.unwrap();
        assert!(matches!(told.status(), 200 | 503), "{told:?}");
        assert!(!happens || told.status() == 200, "{told:?}");
        if happens {
            // With no connection ended: the commit holds nothing that a retry would wait for.
            send_until_stored(&second.client, &project, &batch, PATIENCE).await;
        }
        // Ends the open transaction, as the server would after a while.
        rig.private().end_connections_of("root").await;
        send_until_stored(&second.client, &project, &batch, PATIENCE).await;
        ledger.acknowledge(&batch);
        first.client.ready(PATIENCE).await;
    }
    ledger.check(&rig, &second.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_database_heals_by_itself_and_keeps_what_was_acknowledged() {
    let Some(mut rig) = Rig::server(&[]).await else { return };
    let mut dice = Dice::new("killed database");
    let instance = rig.start_ready().await;
    let project = instance.client.project("dbkill").await;
    let mut load = Load::start(4, &project, vec![instance.client.clone()], &mut dice);
    load.acknowledged_more(500, PATIENCE).await;
    for _ in 0..2 {
        let crate::rig::Database::Server { server, .. } = &mut rig.database else { unreachable!() };
        server.kill();
        server.launch(&[]).await;
        load.acknowledged_more(300, PATIENCE).await;
    }
    load.stop().await;
    load.ledger.check(&rig, &instance.client, &project).await;
}
