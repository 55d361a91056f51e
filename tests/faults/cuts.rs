//! Connections cut in the middle of a commit, answers lost after it, and the same batch from many senders at once.

use std::sync::Arc;
use std::time::Duration;

use crate::load::{Answer, Batch, Dice, Ledger, Load, acknowledges, send, send_until_stored};
use crate::process::PATIENCE;
use crate::proxy::Way;
use crate::rig::{Database, REPLY, Rig};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_lost_after_the_commit_is_found_out_and_the_batch_is_stored_once() {
    let Some(rig) = Rig::server(&[]).await else { return };
    let mut dice = Dice::new("lost answers");
    let instance = rig.start_ready().await;
    let project = instance.client.project("lost").await;
    let ledger = Ledger::default();
    for number in 0..20 {
        let batch = ledger.note(Batch::new(&format!("l{number}"), 1 + dice.below(30), 50, &mut dice));
        rig.proxy().swallow_commits(1);
        let Answer::Status(status, first, ..) = send(&instance.client, &project, &batch).await else {
            panic!("every request is answered")
        };
        assert_eq!(status, 200, "the writer finds out by itself: {first}");
        assert_eq!(rig.proxy().swallowed(), number + 1, "the commit's answer was lost");
        ledger.acknowledge(&batch);
        let again = send(&instance.client, &project, &batch).await;
        assert!(acknowledges(&again, &batch), "{again:?}");
        let Answer::Status(_, again, ..) = again else { unreachable!() };
        assert_eq!(again["duplicate"], true, "{again}");
    }
    ledger.check(&rig, &instance.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_under_load_lose_and_double_nothing() {
    let Some(rig) = Rig::server(&[]).await else { return };
    let mut dice = Dice::new("lost under load");
    let instance = rig.start_ready().await;
    let project = instance.client.project("lostload").await;
    let mut load = Load::start(10, &project, vec![instance.client.clone()], &mut dice);
    for round in 1..=15 {
        rig.proxy().swallow_commits(1);
        load.acknowledged_more(100, PATIENCE).await;
        crate::process::until("the answer is lost", PATIENCE, async || rig.proxy().swallowed() >= round)
            .await;
    }
    load.stop().await;
    load.ledger.check(&rig, &instance.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_lost_to_the_fold_neither_lose_nor_double_what_was_counted_in_memory() {
    let Some(rig) = Rig::server(&[]).await else { return };
    let mut dice = Dice::new("lost folds");
    let instance = rig.start_ready().await;
    let project = instance.client.project("folds").await;
    let ledger = Ledger::default();
    let batch = ledger.note(Batch::new("folds", 3, 10, &mut dice));
    send_until_stored(&instance.client, &project, &batch, PATIENCE).await;
    ledger.acknowledge(&batch);
    for round in 0..6 {
        rig.proxy().swallow_lone_commits(1);
        // Now with a block to fold, now with a duplicate alone.
        if round % 2 == 0 {
            let more = ledger.note(Batch::new(&format!("more-{round}"), 2, 10, &mut dice));
            send_until_stored(&instance.client, &project, &more, PATIENCE).await;
            ledger.acknowledge(&more);
        }
        send_until_stored(&instance.client, &project, &batch, PATIENCE).await;
        crate::process::until("a fold's answer is lost", PATIENCE, async || rig.proxy().swallowed() > round)
            .await;
    }
    ledger.check(&rig, &instance.client, &project).await;
    let path = format!("/stats/ledger?project_id={}", project.id);
    let counted = async || {
        let (_, found) = instance.client.get(&path).await;
        (found["totals"]["duplicate"].as_i64(), found["totals"]["received"].as_i64())
    };
    // Duplicates of the last second may still be in memory.
    crate::process::until("every duplicate is counted", PATIENCE, async || counted().await.0 >= Some(18))
        .await;
    assert_eq!(counted().await, (Some(18), Some(27)), "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_cut_anywhere_lose_and_double_nothing() {
    let Some(rig) = Rig::server(&[]).await else { return };
    let mut dice = Dice::new("cuts");
    let instance = rig.start_ready().await;
    let project = instance.client.project("cuts").await;
    let mut load = Load::start(8, &project, vec![instance.client.clone()], &mut dice);
    load.acknowledged_more(300, PATIENCE).await;
    for round in 1..=40 {
        let way = if dice.below(2) == 0 { Way::Up } else { Way::Down };
        // Answers are short: few bytes are a commit's whole reply.
        let bytes = if way == Way::Up { dice.below(20_000) } else { dice.below(300) };
        rig.proxy().cut_after(way, i64::try_from(bytes).unwrap());
        crate::process::until("the cut", PATIENCE, async || rig.proxy().cuts() >= round).await;
        load.acknowledged_more(20, PATIENCE).await;
    }
    load.stop().await;
    load.ledger.check(&rig, &instance.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_network_is_only_slow() {
    let Some(rig) = Rig::server(&[]).await else { return };
    let mut dice = Dice::new("slow");
    let instance = rig.start_ready().await;
    let project = instance.client.project("slow").await;
    rig.proxy().delay(Way::Up, Duration::from_millis(40));
    rig.proxy().delay(Way::Down, Duration::from_millis(40));
    let mut load = Load::start(10, &project, vec![instance.client.clone()], &mut dice);
    load.acknowledged_more(1_000, PATIENCE).await;
    let slowest = load.stop().await;
    assert!(slowest < REPLY, "an answer took {slowest:?}");
    assert_eq!(instance.client.database().await, "connected");
    load.ledger.check(&rig, &instance.client, &project).await;
}

/// Batches each from five senders at once, over two instances, 20 batches a wave. On a server, an answer to a commit is
/// lost in each wave too.
async fn five_senders(rig: &Rig, waves: usize) {
    let lossy = matches!(rig.database, Database::Server { .. });
    let mut dice = Dice::new("five senders");
    let first = rig.start_ready().await;
    let second = rig.start_ready().await;
    let project = first.client.project("five").await;
    let ledger = Ledger::default();
    for wave in 0..waves {
        if lossy {
            rig.proxy().swallow_commits(1);
        }
        let mut sending = Vec::new();
        for number in 0..20 {
            let batch =
                ledger.note(Batch::new(&format!("w{wave}-{number}"), 1 + dice.below(10), 20, &mut dice));
            for sender in 0..5 {
                let target = if sender % 2 == 0 { &first } else { &second };
                let (client, project, batch) = (target.client.clone(), project.clone(), Arc::clone(&batch));
                sending.push(tokio::spawn(async move {
                    let answer = send(&client, &project, &batch).await;
                    (acknowledges(&answer, &batch), answer, batch, client)
                }));
            }
        }
        for one in sending {
            let (stored, answer, batch, client) = one.await.unwrap();
            if !stored {
                assert_eq!(answer.status(), 503, "{answer:?}");
                send_until_stored(&client, &project, &batch, PATIENCE).await;
            }
            ledger.acknowledge(&batch);
        }
    }
    ledger.check(rig, &first.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_from_five_senders_at_once_is_stored_once_on_mariadb() {
    let Some(rig) = Rig::server(&[]).await else { return };
    five_senders(&rig, 10).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute; scripts/torture runs it"]
async fn a_thousand_batches_from_five_senders_at_once_are_stored_once_on_mariadb() {
    let Some(rig) = Rig::server(&[]).await else { panic!("mariadbd is not installed") };
    five_senders(&rig, 50).await;
    assert!(rig.proxy().swallowed() >= 50, "answers were lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_from_five_senders_at_once_is_stored_once_on_sqlite() {
    five_senders(&Rig::sqlite(), 10).await;
}
