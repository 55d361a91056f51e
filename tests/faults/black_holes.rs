//! Connections that go silent without being closed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::load::{Answer, Batch, Dice, Ledger, Load, send, send_until_stored};
use crate::process::PATIENCE;
use crate::rig::{Client, REPLY, Rig};

/// Asks `/healthz` again and again until told to stop; it has to answer at once.
fn watch_health(client: &Client) -> tokio::task::JoinHandle<()> {
    let client = client.clone();
    tokio::spawn(async move {
        loop {
            client.database().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn black_holed_connections_answer_in_time_and_the_next_write_needs_no_restart() {
    let Some(rig) = Rig::server(&[]).await else { return };
    let mut dice = Dice::new("black holes");
    let instance = rig.start_ready().await;
    let project = instance.client.project("holes").await;
    let health = watch_health(&instance.client);
    let mut load = Load::start(20, &project, vec![instance.client.clone()], &mut dice);
    load.acknowledged_more(1_000, PATIENCE).await;
    for _ in 0..2 {
        rig.proxy().stall(true);
        // Reads are as bounded as writes.
        let asked = Instant::now();
        let (status, _) = instance.client.get(&format!("/logs?project_id={}", project.id)).await;
        assert!(
            matches!(status, 200 | 503) && asked.elapsed() < REPLY,
            "{status} after {:?}",
            asked.elapsed()
        );
        crate::process::until("the loss is noticed", PATIENCE, async || {
            instance.client.database().await == "disconnected"
        })
        .await;
        rig.proxy().pass_new();
        let next = load.ledger.note(Batch::new(&format!("next-{}", dice.below(1 << 40)), 2, 10, &mut dice));
        send_until_stored(&instance.client, &project, &next, PATIENCE).await;
        load.ledger.acknowledge(&next);
        load.acknowledged_more(500, PATIENCE).await;
    }
    let slowest = load.stop().await;
    assert!(slowest < REPLY, "an answer took {slowest:?}");
    health.abort();
    load.ledger.check(&rig, &instance.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_of_idle_connections_costs_a_quiet_service_one_answer_at_most() {
    let Some(rig) = Rig::server(&[]).await else { return };
    let mut dice = Dice::new("idle holes");
    let instance = rig.start_ready().await;
    let project = instance.client.project("idle").await;
    let ledger = Ledger::default();
    // Both writers and both readers get a connection.
    let mut load = Load::start(8, &project, vec![instance.client.clone()], &mut dice);
    load.acknowledged_more(2_000, PATIENCE).await;
    load.stop().await;
    rig.proxy().stall(false);
    let batch = ledger.note(Batch::new("quiet", 2, 10, &mut dice));
    let Answer::Status(_, _, _, took) = send(&instance.client, &project, &batch).await else {
        panic!("an answer")
    };
    assert!(took < REPLY, "an answer after {took:?}");
    instance.client.ready(PATIENCE).await;
    let next = ledger.note(Batch::new("next", 2, 10, &mut dice));
    let answer = send(&instance.client, &project, &next).await;
    assert_eq!(answer.status(), 200, "no second connection of before is tried: {answer:?}");
}

/// A batch whose commit went silent half-way stands in nobody's way once the server gives the connection up.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_caught_in_a_black_hole_is_stored_when_it_comes_again() {
    let Some(rig) = Rig::server(&[]).await else { return };
    let mut dice = Dice::new("caught");
    let instance = rig.start_ready().await;
    let project = instance.client.project("caught").await;
    let ledger = Arc::new(Ledger::default());
    let warm = ledger.note(Batch::new("warm", 1, 10, &mut dice));
    send_until_stored(&instance.client, &project, &warm, PATIENCE).await;
    ledger.acknowledge(&warm);
    // The rows of the block get through, the packet with the batch ids does not: its transaction stays open.
    let caught = ledger.note(Batch::new("caught", 4, 100, &mut dice));
    rig.proxy().stall_at_commit();
    let answer = send(&instance.client, &project, &caught).await;
    assert_eq!(answer.status(), 503);
    rig.proxy().pass_new();
    // Others are not held up by it.
    for number in 0..5 {
        let other = ledger.note(Batch::new(&format!("other-{number}"), 2, 10, &mut dice));
        send_until_stored(&instance.client, &project, &other, PATIENCE).await;
        ledger.acknowledge(&other);
    }
    send_until_stored(&instance.client, &project, &caught, 2 * PATIENCE).await;
    ledger.acknowledge(&caught);
    ledger.check(&rig, &instance.client, &project).await;
}
