//! A database that is frozen while large batches come in: neither memory, nor answers, nor the health check.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::bombs::MEMORY;
use crate::load::{Answer, Batch, Dice, Ledger, Project, send, send_until_stored};
use crate::process::PATIENCE;
use crate::rig::{Client, REPLY, Rig};

/// Events of 6,800 bytes in a batch of some 275 KB.
const EVENTS: u64 = 40;
const EVENT_BYTES: u64 = 6_650;

/// How long answers may take.
struct Bounds {
    batches: usize,
    reply: Duration,
    health: Duration,
}

/// The issue's own, for a released binary on a machine with nothing else to do.
const RELEASED: Bounds =
    Bounds { batches: 400, reply: Duration::from_secs(5), health: Duration::from_millis(100) };
/// Less than a statement may take, so that a health check that asks the database is found out.
const HEALTH: Duration = Duration::from_millis(4_500);
/// For a development build among other tests: the harness shares its processors.
const DEVELOPMENT: Bounds = Bounds { batches: 150, reply: REPLY, health: HEALTH };

/// Asks `/healthz` again and again until it is stopped, on a thread of its own: the senders' work is not in its times.
struct HealthWatch {
    stop: Arc<AtomicBool>,
    asking: std::thread::JoinHandle<Duration>,
}

/// One request on a connection of its own, and how long its answer took.
fn health(port: u16) -> Duration {
    let asked = Instant::now();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    asked.elapsed()
}

impl HealthWatch {
    fn start(client: &Client) -> Self {
        let port = client.base.rsplit(':').next().unwrap().parse().unwrap();
        let stop = Arc::<AtomicBool>::default();
        let stopped = stop.clone();
        let asking = std::thread::spawn(move || {
            let mut slowest = Duration::ZERO;
            while !stopped.load(Ordering::SeqCst) {
                slowest = slowest.max(health(port));
                std::thread::sleep(Duration::from_millis(20));
            }
            slowest
        });
        Self { stop, asking }
    }

    fn stop(self) -> Duration {
        self.stop.store(true, Ordering::SeqCst);
        self.asking.join().unwrap()
    }
}

async fn send_many(client: &Client, project: &Project, batches: &[Arc<Batch>]) -> Vec<Answer> {
    let mut sending = Vec::new();
    for batch in batches {
        let (client, project, batch) = (client.clone(), project.clone(), batch.clone());
        sending.push(tokio::spawn(async move { send(&client, &project, &batch).await }));
    }
    let mut answers = Vec::new();
    for one in sending {
        answers.push(one.await.unwrap());
    }
    answers
}

async fn frozen(rig: Rig, bounds: Bounds) {
    let mut dice = Dice::new("frozen");
    let instance = rig.start_ready().await;
    let project = instance.client.project("frozen").await;
    let ledger = Ledger::default();
    let warm = ledger.note(Batch::new("warm", 1, 10, &mut dice));
    send_until_stored(&instance.client, &project, &warm, PATIENCE).await;
    ledger.acknowledge(&warm);
    let batch = |number| ledger.note(Batch::new(&format!("f{number}"), EVENTS, EVENT_BYTES, &mut dice));
    let batches: Vec<_> = (0..bounds.batches).map(batch).collect();
    assert!(batches.iter().all(|batch| (270_000..290_000).contains(&batch.body.len())), "about 275 KB each");
    rig.private().freeze();
    let health = HealthWatch::start(&instance.client);
    let answers = send_many(&instance.client, &project, &batches).await;
    let health = health.stop();
    rig.private().thaw();
    let (mut stored, mut slowest) = (0, Duration::ZERO);
    for (answer, batch) in answers.iter().zip(&batches) {
        let Answer::Status(status, body, _, took) = answer else { panic!("every request is answered") };
        assert!(matches!(status, 200 | 503), "{status} {body}");
        slowest = slowest.max(*took);
        if *status == 200 {
            stored += 1;
            ledger.acknowledge(batch);
        }
    }
    let peak = instance.process.peak_memory();
    println!(
        "{stored} of {} taken, slowest answer {slowest:?}, slowest /healthz {health:?}, peak {} MiB",
        batches.len(),
        peak >> 20
    );
    assert!(peak <= MEMORY, "{} MiB", peak >> 20);
    assert!(slowest <= bounds.reply, "an answer took {slowest:?}");
    assert!(health <= bounds.health, "/healthz took {health:?}");
    assert!(stored > 0 || rig.variables["SPOOL_MAX_BYTES"] == "0", "the spool takes what it can");
    instance.client.ready(PATIENCE).await;
    for batch in batches.iter().take(20) {
        send_until_stored(&instance.client, &project, batch, PATIENCE).await;
        ledger.acknowledge(batch);
    }
    ledger.check(&rig, &instance.client, &project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_database_costs_neither_memory_nor_answers() {
    let Some(rig) = Rig::server(&[]).await else { return };
    frozen(rig, DEVELOPMENT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_database_costs_neither_memory_nor_answers_with_a_spool() {
    let Some(rig) = Rig::spooling(&[]).await else { return };
    frozen(rig, DEVELOPMENT).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "for a released binary; scripts/torture runs it"]
async fn four_hundred_batches_of_275_kb_and_a_frozen_database_stay_within_the_bounds() {
    let Some(rig) = Rig::server(&[]).await else { panic!("mariadbd is not installed") };
    frozen(rig, RELEASED).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "for a released binary; scripts/torture runs it"]
async fn four_hundred_batches_of_275_kb_and_a_frozen_database_stay_within_the_bounds_with_a_spool() {
    let Some(rig) = Rig::spooling(&[]).await else { panic!("mariadbd is not installed") };
    frozen(rig, RELEASED).await;
}
