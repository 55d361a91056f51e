//! A minute without the database at 2,000 events a second: `cargo test --test spool -- --ignored --nocapture`.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::load::{Answer, Batch, Dice, Ledger, Project, send};
use crate::process::PATIENCE;
use crate::rig::{Client, Database, Rig};
use crate::watch::depth;

const BATCHES_PER_SECOND: u64 = 8;
const EVENTS: u64 = 250;

/// Sends at a steady rate for a while; gives how long each answer took, sorted. Every answer has to be 200.
async fn steady(
    client: &Client,
    project: &Project,
    ledger: &Ledger,
    name: &str,
    seconds: u64,
) -> Vec<Duration> {
    let mut dice = Dice::new(name);
    let took = Arc::new(Mutex::new(Vec::new()));
    let (mut sending, started) = (Vec::new(), Instant::now());
    for number in 0..seconds * BATCHES_PER_SECOND {
        let due = started + Duration::from_millis(number * 1_000 / BATCHES_PER_SECOND);
        tokio::time::sleep_until(due.into()).await;
        let batch = ledger.note(Batch::new(&format!("{name}-{number}"), EVENTS, 40, &mut dice));
        let (client, project, sent, took) = (client.clone(), project.clone(), batch.clone(), took.clone());
        let one = tokio::spawn(async move {
            let Answer::Status(status, body, _, time) = send(&client, &project, &sent).await else {
                panic!("an answer")
            };
            assert_eq!(status, 200, "{body}");
            took.lock().unwrap().push(time);
        });
        sending.push((one, batch));
    }
    for (one, batch) in sending {
        one.await.unwrap();
        ledger.acknowledge(&batch);
    }
    let mut took = std::mem::take(&mut *took.lock().unwrap());
    took.sort_unstable();
    took
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes two minutes"]
async fn a_minute_without_the_database_loses_nothing_and_is_drained_within_a_minute() {
    let Some(mut rig) = Rig::spooling(&[]).await else { return };
    let instance = rig.start_ready().await;
    let project = instance.client.project("minute").await;
    let ledger = Ledger::default();
    let p99 = |took: &[Duration]| took[took.len() * 99 / 100];
    let before = steady(&instance.client, &project, &ledger, "before", 10).await;
    let Database::Server { server, .. } = &mut rig.database else { unreachable!() };
    server.kill();
    let away = steady(&instance.client, &project, &ledger, "away", 60).await;
    let waiting = depth(&instance.client).await;
    let Database::Server { server, .. } = &mut rig.database else { unreachable!() };
    server.launch(&[]).await;
    instance.client.ready(PATIENCE).await;
    let back = Instant::now();
    let mut during = Vec::new();
    for round in 0.. {
        during.extend(steady(&instance.client, &project, &ledger, &format!("drain{round}"), 1).await);
        if depth(&instance.client).await["blocks"] == 0 {
            break;
        }
        assert!(back.elapsed() < Duration::from_mins(1), "not drained in a minute");
    }
    during.sort_unstable();
    println!("waited: {waiting}; drained in {:?}", back.elapsed());
    println!("p99 before {:?}, away {:?}, while draining {:?}", p99(&before), p99(&away), p99(&during));
    ledger.check(&rig, &instance.client, &project).await;
}
